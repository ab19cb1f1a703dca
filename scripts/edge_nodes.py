"""Both sides of every limit of a march: a node that breaks it and nothing else, and the nearest one that keeps it.

They are searched for with our own checker, by small changes of the knobs of a family of operators, whose values are
taken from the numbers that the limits name. What was found is noted in scripts/edges/<march>.json, and searched for
anew where it no longer holds: ``edge_nodes.py [MARCH]...`` writes it, and prints the limits without an edge. So a
limit that cannot be broken by itself is found here: another one always implies it, or ONNX has no such node.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, cached_property
from itertools import combinations, islice, product
from math import prod
from pathlib import Path
from typing import Any

from edge_families import family
from edge_knobs import Size
from edge_limits import LARGEST, gap, looks, names_of, numbers_of, subject, usual, values_of
from edge_specs import Spec, build

from surgery.target import Target, load_target, march_names
from surgery.target.expression import Expression
from surgery.target.limits import Check
from surgery.target.march import Limit
from surgery.target.params import PARAMS, Params, Unknown

FOLDER = Path(__file__).parent / "edges"
"""The edges that were found, by march."""
DEPTH, ENOUGH, MOST = 3, 6, 2000
"""Knobs turned at once at most, nodes outside looked at closely, nodes tried per number of knobs."""
KEPT = 4000
"""Nodes kept to be found again."""
FAR = 9
"""How much further apart two ranks are than two other words."""
REASONS = {
    "LSTM.batch": "its input is of rank 3",
    "LSTM.dims": "its input is of rank 3",
    "LSTM.bytes_in": "it needs a tensor of more than 1 GiB of one batch",
    "LSTM.ranks": "its input is of rank 3",
    "Gemm.batch": "its input is of rank 2",
    "Gemm.dims": "its input is of rank 2",
    "Gemm.ranks": "its input is of rank 2",
    "Gemm.bytes_in": "it needs a tensor of more than 1 GiB of one row",
    "GridSample.ranks": "its input is of rank 4 or 5",
    "GridSample.bytes_in": "its own limits keep a batch below it",
    "Concat.dims": "its limit of the result is tighter",
    "ConvTranspose.batch": "its own limit of the batch is tighter",
    "DepthToSpace.ranks": "its input is of rank 4",
    "SpaceToDepth.ranks": "its input is of rank 4",
    "DeformConv.ranks": "its input is of rank 4",
    "Mul.short_constant": "only a sum breaks it",
}
"""Limits that an operator has with all others and cannot break, or not by itself; by glob."""

Changes = frozenset[tuple[str, Any]]
_KNOWN: dict[tuple[int, tuple[Limit, ...], Limit], tuple[Changes, Changes]] = {}
"""The changes on both sides of a limit, by family, its limits, and which of them."""


@dataclass(frozen=True)
class Edge:
    """A limit and the nodes on its two sides.

    Attributes:
        found: the value of the limit's subject inside and outside.
        both: other limits that either node breaks: what puts it on the CPU, where the limit matters only there.
        knobs: of the node outside.
        knob: the only one that differs inside, if there is one and it is a number.
        changes: the knobs that are not as usual, inside and outside.
    """

    check: Check
    inside: Spec
    outside: Spec
    found: tuple[str, str]
    both: frozenset[str]
    knobs: Mapping[str, Any]
    knob: str | None
    changes: tuple[dict[str, Any], dict[str, Any]]


@dataclass(frozen=True)
class Trial:
    """A node that was made, its limits looked at."""

    changes: Changes
    spec: Spec
    params: Params
    broken: frozenset[str]

    @property
    def size(self) -> int:
        """Elements of its operands and results."""
        shapes = [tuple(operand.shape) for operand in self.spec.operands]
        return sum(prod(shape) for shape in (*shapes, *self.spec.outputs))


def edges(target: Target, only: Sequence[str] = ("*",)) -> Iterator[tuple[str, Edge | None]]:
    """Every limit of every operator on the BPU, by id, with its edge, searched for where none is noted."""
    for search in _searches(target):
        for check in search.checks:
            if any(fnmatchcase(check.constraint, glob) for glob in only):
                yield check.constraint, search.noted_edge(check) or search.edge(check)


def noted_edges(target: Target) -> Iterator[tuple[str, Edge | None]]:
    """As :func:`edges`, without a search; None where none is noted that holds."""
    for search in _searches(target):
        yield from ((check.constraint, search.noted_edge(check)) for check in search.checks)


def _searches(target: Target) -> Iterator[Search]:
    return (Search(target, op) for op, row in target.march.ops.items() if row.device in ("bpu", "request"))


@cache
def noted(target: Target) -> Mapping[str, tuple[Changes, Changes]]:
    """The changes of knobs inside and outside that were found before, by id of the limit."""
    path = FOLDER / f"{target.name}.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {c: (_changes(inside), _changes(outside)) for c, (inside, outside) in known.items()}


def _changes(knobs: Mapping[str, Any]) -> Changes:
    return frozenset((knob, tuple(v) if isinstance(v, list) else v) for knob, v in knobs.items())


def note(target: Target, only: Sequence[str]) -> list[str]:
    """Search for the edges that are not noted or no longer hold, and note them; the ids without one."""
    path, missing = FOLDER / f"{target.name}.json", []
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    for constraint, edge in edges(target, only):
        kept.pop(constraint, None)
        if edge is None:
            missing.append(constraint)
            continue
        kept[constraint] = [edge.changes[0], edge.changes[1]]
    lines = (f"  {json.dumps(c)}: {json.dumps(kept[c], sort_keys=True)}" for c in sorted(kept))
    FOLDER.mkdir(exist_ok=True)
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    return missing


def reason(constraint: str) -> str | None:
    """Why a limit has no edge of its own, where it is known."""
    return next((text for glob, text in REASONS.items() if fnmatchcase(constraint, glob)), None)


class Search:
    """The nodes of one operator on one march."""

    def __init__(self, target: Target, op: str) -> None:
        self.op, self.family = op, family(op)
        self.checks = target.checks(op)
        self.effects = {check.constraint: check.effect for check in self.checks}
        limits = (*target.march.ops[op].limits, *target.march.every)
        self.limits = dict(zip((check.constraint for check in self.checks), limits, strict=True))
        self.trials: dict[Changes, Trial | None] = {}
        self.noted = noted(target)

    def trial(self, changes: Changes) -> Trial | None:
        """The node of these changes; None where it is no ONNX, or a limit has no value for it."""
        if changes not in self.trials:
            if len(self.trials) > KEPT:
                self.trials.clear()
            self.trials[changes] = self._made(changes)
        return self.trials[changes]

    def _made(self, changes: Changes) -> Trial | None:
        try:
            spec = self.family.make(self.op, usual(self.family) | dict(changes))
            params = Params(build(spec), spec.opset)
            broken = frozenset(c.constraint for c in self.checks if c(params) is not None)
        except (ValueError, Unknown, MemoryError):
            return None
        return Trial(changes, spec, params, broken)

    @cached_property
    def base(self) -> Trial:
        """The node with every knob as usual."""
        made = self.trial(frozenset())
        assert made is not None, self.op
        return made

    @cached_property
    def singles(self) -> list[Trial]:
        """The nodes with one knob turned, to the numbers of all limits."""
        numbers = numbers_of(self.limits.values())
        return [self.base, *self._tried(((knob,) for knob in self.family.knobs), numbers)]

    def _tried(
        self, knobs: Iterable[Sequence[str]], numbers: Iterable[int], base: Changes = frozenset()
    ) -> Iterator[Trial]:
        numbers = sorted(numbers)
        for chosen in knobs:
            options = [values_of(self.family.knobs[knob], numbers) for knob in chosen]
            kept = [item for item in base if item[0] not in chosen]
            for values in product(*options):
                trial = self.trial(frozenset((*kept, *zip(chosen, values, strict=True))))
                if trial is not None:
                    yield trial

    @cache  # noqa: B019  a search lives as long as what is found by it
    def relevant(self, constraint: str) -> list[str]:
        """The knobs that change what a limit speaks about."""
        names = names_of(self.limits[constraint])
        usually = looks(self.base.params, names)
        moved = {knob: None for t in self.singles for knob, _ in t.changes if looks(t.params, names) != usually}
        return list(moved)

    def noted_edge(self, check: Check) -> Edge | None:
        """The two sides that are noted, where they still part."""
        return self._of_changes(check, self.noted.get(check.constraint))

    def _of_changes(self, check: Check, changes: tuple[Changes, Changes] | None) -> Edge | None:
        if changes is None:
            return None
        inside, outside = self.trial(changes[0]), self.trial(changes[1])
        if inside is None or outside is None or not self._parted(check, inside, outside):
            return None
        return self._edge(check, inside, outside)

    def edge(self, check: Check) -> Edge | None:
        """The two sides of a limit, as near to each other as was found; those of another operator, where they fit."""
        key = id(self.family), tuple(self.limits.values()), self.limits[check.constraint]
        if (known := self._of_changes(check, _KNOWN.get(key))) is not None:
            return known
        found = self._nearest(check)
        if found is None:
            return None
        _KNOWN[key] = found[0].changes, found[1].changes
        return self._edge(check, *found)

    def _nearest(self, check: Check) -> tuple[Trial, Trial] | None:
        best: tuple[Any, tuple[Trial, Trial]] | None = None
        for outside in self._outside(check):
            for inside in self._inside(check, outside):
                score = self._distance(check, inside, outside)
                if best is None or score < best[0]:
                    best = score, (inside, outside)
            if best is not None and best[0][:2] == (False, 1) and best[0][2] <= 1:
                return best[1]
        return best and best[1]

    def _outside(self, check: Check) -> list[Trial]:
        knobs, numbers = self.relevant(check.constraint), numbers_of([self.limits[check.constraint]])
        pool = self.singles
        for count in range(1, DEPTH + 1):
            found: list[Trial] = []
            for some in (numbers_of([self.limits[check.constraint]], parts=False), numbers):
                if count > 1:
                    pool = list(islice(self._tried(self._together(knobs, count), some), MOST))
                found = [t for t in pool if self._breaks(check, t)] or self._repaired(check, pool, some)
                if found:
                    break
            if found:
                return sorted(found, key=lambda t: (len(t.changes), t.size))[:ENOUGH]
        return []

    def _together(self, knobs: Sequence[str], count: int) -> Iterator[tuple[str, ...]]:
        """Knobs to turn at once: those that matter, then one of them with any; the choices where none does alone."""
        if knobs:
            yield from combinations(knobs, count)
            rest = [knob for knob in self.family.knobs if knob not in knobs]
            yield from ((*chosen, other) for chosen in combinations(knobs, count - 1) for other in rest)
            return
        choices = {k: len(v) for k, v in self.family.knobs.items() if isinstance(v, tuple) and k != "rank"}
        yield from combinations(sorted(choices, key=choices.__getitem__), count)

    def _repaired(self, check: Check, pool: Iterable[Trial], numbers: Iterable[int]) -> list[Trial]:
        """Nodes that break the limit and others, changed in what the others speak about."""
        broken = [t for t in pool if check.constraint in t.broken]
        found: list[Trial] = []
        for trial in sorted(broken, key=lambda t: (len(t.broken), len(t.changes), t.size))[:ENOUGH]:
            others = sorted(trial.broken - {check.constraint})
            wanted = {k: None for other in others for k in self.relevant(other)}
            if check.effect == "refused on the cpu":
                wanted, others = dict.fromkeys(self.family.knobs), list(self.limits)
            nearby = {*numbers, *numbers_of(self.limits[other] for other in others)}
            found += [t for t in self._tried(((k,) for k in wanted), nearby, trial.changes) if self._breaks(check, t)]
            if found:
                break
        return found

    def _breaks(self, check: Check, trial: Trial) -> bool:
        """Whether a node is outside: it breaks this limit alone, or one for the CPU besides where that is the point."""
        others = trial.broken - {check.constraint}
        if check.constraint not in trial.broken:
            return False
        if check.effect != "refused on the cpu":
            return not others
        return len(others) == 1 and all(self.effects[other] == "cpu" for other in others)

    def _parted(self, check: Check, inside: Trial, outside: Trial) -> bool:
        return self._breaks(check, outside) and inside.broken == outside.broken - {check.constraint}

    def _inside(self, check: Check, outside: Trial) -> list[Trial]:
        knobs, numbers = self.relevant(check.constraint), numbers_of([self.limits[check.constraint]])
        wanted = outside.broken - {check.constraint}
        for count in (1, 2):
            near = {*numbers, *(n for _, n in outside.changes if type(n) is int and n <= LARGEST)}
            near |= {n - 1 for n in near}
            near_by = islice(self._tried(self._together(knobs, count), near, outside.changes), MOST)
            found = [t for t in near_by if t.broken == wanted]
            if found:
                return found
        return []

    def _distance(self, check: Check, inside: Trial, outside: Trial) -> tuple[Any, ...]:
        """The limit applies inside, too; few knobs differ, and by little; then plain and small nodes."""
        before, after = usual(self.family) | dict(inside.changes), usual(self.family) | dict(outside.changes)
        changed = [knob for knob in before if before[knob] != after[knob]]
        apart = sum((FAR if knob == "rank" else 0) + gap(before[knob], after[knob]) for knob in changed)
        return not self._applies(check, inside), len(changed), apart, len(outside.changes), outside.size

    def _applies(self, check: Check, trial: Trial) -> bool:
        when = self.limits[check.constraint].when
        return when is None or bool(Expression(when, PARAMS)(trial.params))

    def _edge(self, check: Check, inside: Trial, outside: Trial) -> Edge:
        limit = self.limits[check.constraint]
        found = subject(limit, inside.params), subject(limit, outside.params)
        before, after = usual(self.family) | dict(inside.changes), usual(self.family) | dict(outside.changes)
        changed = [knob for knob in before if before[knob] != after[knob]]
        turned = dict(inside.changes), dict(outside.changes)
        number = len(changed) == 1 and isinstance(self.family.knobs[changed[0]], Size)
        return Edge(
            check, inside.spec, outside.spec, found, inside.broken, after, changed[0] if number else None, turned
        )


def main() -> int:
    """Note the edges of the marches named, by default of all; exit with 1 where a limit has none and no reason."""
    lost = 0
    for name in sys.argv[1:] or march_names():
        for constraint in note(load_target(name), ("*",)):
            why = reason(constraint)
            lost += why is None
            print(f"{name} {constraint}: {why or 'no node breaks it alone'}", flush=True)
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
