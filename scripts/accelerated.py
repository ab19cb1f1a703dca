"""Does the compiled model gain where an ACCELERATE rewrite was kept because the estimate said so?

usage: accelerated.py [--march M]... [--only GLOB]... [--networks] [--seeds A:B] [--limit S] [--out FILE.csv]
                      [--dry-run] [--witness DIR]

Models of the shared corpus (--only), the networks of rank_networks.py (--networks), and random networks and pieces of
the corpus as cost_pairs.py draws them (--seeds) go through the default pipeline. Where ACCELERATE rules fire, the
result is compiled by the vendor's toolchain at O2 beside what comes out without these rules, all of them, and where
several fire without each alone. Prints a line each, then per march and rule in how many cases the latency on the BPU
fell. --out writes the table, and goes on where it ends; with --dry-run nothing is compiled.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from unittest import mock

import asking
import corpus
import cost_pairs
import csv_rows
import numpy as np
import rank_networks

import surgery
from surgery.errors import SurgeryError
from surgery.ir import Node
from surgery.pipeline import Pipeline
from surgery.pipeline.policy import ByPurpose
from surgery.report.run import RunDocument
from surgery.rewrite import Purpose, Rule
from surgery.target import load_target
from surgery.toolchain import Answer, Witness

ALL = "all"
Source: TypeAlias = tuple[str, Any, dict[str, Any]]
"""Name, model, and the shape by input name that it is run at."""


class Case(NamedTuple):
    """A model on a march with and without rules.

    Times are in us: ``told`` of the whole by our estimate, ``us`` on the BPU as compiled (0 where there is none).
    """

    model: str
    march: str
    left_out: str
    fired: str
    told_without: float
    told_with: float
    us_without: float = 0.0
    us_with: float = 0.0
    cpu_without: int = 0
    cpu_with: int = 0
    segments_without: int = 0
    segments_with: int = 0
    reason: str = ""

    @property
    def ratio(self) -> float | None:
        """With over without, as compiled; None where there are not both."""
        return self.us_with / self.us_without if self.us_with and self.us_without else None

    @property
    def moved(self) -> bool:
        """Whether operators left or joined the CPU, whose time is not among what was compiled."""
        return (self.cpu_without, self.segments_without) != (self.cpu_with, self.segments_with)


@contextmanager
def without(rules: Collection[str]) -> Iterator[None]:
    """Let no ACCELERATE rule of these names be tried."""
    wanted = ByPurpose.wanted

    def refused(self: ByPurpose, rule: Rule[Any], node: Node) -> str | None:
        left_out = rule.purpose is Purpose.ACCELERATE and rule.name in rules
        return "left out" if left_out else wanted(self, rule, node)

    with mock.patch.object(ByPurpose, "wanted", refused):
        yield


def accelerating(march: str) -> frozenset[str]:
    """Names of the ACCELERATE rules of the default pipeline."""
    target = load_target(march)
    rules = (rule for step in Pipeline.default(march).steps for rule in step.step.rules(target))
    return frozenset(rule.name for rule in rules if rule.purpose is Purpose.ACCELERATE)


def fired(done: Any, rules: Collection[str]) -> Counter[str]:
    """How often each of ``rules`` was applied in a run."""
    return Counter(edit.change.rule for edit in done.result.edits if edit.change.rule in rules)


def told(report: RunDocument) -> float:
    """Microseconds that our estimate says of what came out, host included."""
    span = report.after.latency_ms
    return 0.0 if span is None or span.mid is None else round(1000 * span.mid, 1)


def cases(ask: Witness | None, march: str, source: Source, limit: float) -> Iterator[Case]:
    """What is to be compared of a model; compiled when there is somebody to ask."""
    name, model, shapes = source
    run = partial(surgery.run, model, march=march, verify="off", input_shape=shapes)
    done = run()
    counts = fired(done, accelerating(march))
    sides = [(ALL, frozenset(counts))] if counts else []
    sides += [(rule, frozenset({rule})) for rule in counts if len(counts) > 1]
    for left_out, rules in sides:
        with without(rules):
            other = run()
        said = " ".join(f"{rule}:{counts[rule]}" for rule in sorted(rules))
        case = Case(name, march, left_out, said, told(other.report), told(done.report))
        yield (
            case if ask is None else compiled(case, *(ask.compile(m.model, march, limit=limit) for m in (other, done)))
        )


def compiled(case: Case, first: Answer, second: Answer) -> Case:
    """The case with what the toolchain says of both sides."""
    reason = "; ".join(a.refusal.text[:80] for a in (first, second) if a.refusal is not None)
    (us, cpu, segments), (then, rows, parts) = _said(first), _said(second)
    return case._replace(
        us_without=us, us_with=then, cpu_without=cpu, cpu_with=rows, segments_without=segments, segments_with=parts,
        reason=" ".join(reason.split()),
    )  # fmt: skip


def _said(answer: Answer) -> tuple[float, int, int]:
    """Microseconds, rows on the CPU, segments."""
    if answer.performance is None or answer.placement is None:
        return 0.0, 0, 0
    return round(answer.performance.latency_us, 1), len(answer.placement.cpu), answer.placement.segments


def sources(chosen: argparse.Namespace, march: str) -> Iterator[Source]:
    """What was asked for."""
    for item in corpus.items(chosen.only) if chosen.only else ():
        yield item.name, item.filled(), item.shapes
    if chosen.networks:
        yield from ((f"networks/{name}", model, {}) for name, model in rank_networks.networks())
    for seed in chosen.seeds:
        if found := cost_pairs.before_of(seed, np.random.default_rng(seed), march):
            yield f"seed {seed}: {found[0]}", found[1], {}


def summary(rows: Iterable[Case], march: str) -> Iterator[tuple[str, list[Case]]]:
    """Per rule that was left out alone (or was the only one to fire), its cases of a march that compiled both ways."""
    by_rule: dict[str, list[Case]] = {}
    for case in rows:
        rules = case.fired.split()
        if case.march == march and case.ratio is not None and len(rules) == 1:
            by_rule.setdefault(rules[0].partition(":")[0], []).append(case)
    yield from sorted(by_rule.items())


def read(path: Path | None) -> list[Case]:
    """The rows of a table that is there already."""
    return csv_rows.read(Case, path)


def write(path: Path, rows: Iterable[Case]) -> None:
    """Write the table."""
    csv_rows.write(Case, rows, path)


def collect(chosen: argparse.Namespace, witness: Witness | None) -> None:
    """Compare what is not in the table yet, and say what came of it."""
    rows, marches = read(chosen.out), chosen.march or asking.MARCHES
    known = {(row.model, row.march) for row in rows}
    for march in marches:
        for source in (one for one in sources(chosen, march) if (one[0], march) not in known):
            try:
                made = list(cases(witness, march, source, chosen.limit))
            except SurgeryError as error:
                print(f"{march} {source[0]}: {error}", file=sys.stderr, flush=True)
                continue
            rows += made
            for case in made:
                print(*case, flush=True)
            if made and chosen.out is not None and witness is not None:
                write(chosen.out, rows)
        for rule, found in summary(rows, march):
            print(f"{march} {rule}: {sum((c.ratio or 1) < 1 for c in found)} of {len(found)} fell")


def _seeds(text: str) -> range:
    first, _, last = text.partition(":")
    if not (first.isdecimal() and last.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} must be two numbers, A:B")
    return range(int(first), int(last))


def main(arguments: list[str] | None = None) -> int:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asking.arguments(parser)
    parser.add_argument("--only", action="append", default=[], metavar="GLOB", help="over names of the corpus")
    parser.add_argument("--networks", action="store_true", help="those of rank_networks.py, too")
    parser.add_argument("--seeds", type=_seeds, default=range(0), metavar="A:B", help="of random networks and pieces")
    parser.add_argument("--limit", type=float, default=300, help="seconds that a model may compile")
    parser.add_argument("--out", type=Path, metavar="FILE.csv")
    parser.add_argument("--dry-run", action="store_true", help="say what there is to compare")
    chosen = parser.parse_args(arguments)
    if chosen.dry_run:
        collect(chosen, None)
        return 0
    return asking.asked(chosen.witness, partial(collect, chosen))


if __name__ == "__main__":
    sys.exit(main())
