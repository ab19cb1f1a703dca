"""Put both sides of every limit to the vendor's checker, and write what it says beside the march.

usage: probe_constraints.py [--march M]... [--only GLOB]... [--witness DIR] [--jobs N] [--limit S] [--find]

A limit has a node that keeps it and one that breaks it (edge_nodes.py). Each stands in a small network behind a
convolution and before one; nodes of which the same is expected share a network, which is halved where it is refused.
Where the two sides do not come out as the march says, they are asked again behind a lookup and behind nothing, for a
neighbour may have taken the node in. Writes ``surgery/target/marches/<march>.probed.yaml``; what else
stands there is kept. A call that was interrupted goes on from the cache of the witness. ``--find`` bisects the
size of every limit that differs, and writes no file.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

import asking
import onnx
from edge_finding import bisected
from edge_models import model_edges
from edge_networks import FRONTS, network
from edge_nodes import Edge, noted_edges, reason
from edge_specs import Spec, build

from surgery.errors import SurgeryError
from surgery.ir import Model
from surgery.target import Target, load_target
from surgery.target.march import Probe
from surgery.target.params import Params
from surgery.toolchain import Witness
from surgery.toolchain.names import map_names
from surgery.toolchain.refusal import Kind

TOGETHER, LARGEST, BATCH_BYTES = 8, 64 << 20, 32 << 20
HEAD = """# What the vendor's checker said on the two sides of each limit of {march}: within it, and just beyond.
# Written by scripts/probe_constraints.py on {day}, asked of {tool}.
"""
NOT_ASKED = "not asked"
CHUNK = 16
LATE = ("ranks", "rank", "dims", "batch")
"""Limits that most operators have."""


class Prober:
    """Asks about nodes on one march."""

    def __init__(self, target: Target, witness: Witness, folder: Path, limit: float) -> None:
        self.target, self.witness, self.folder, self.limit = target, witness, folder, limit

    def devices(self, specs: Sequence[tuple[Spec, frozenset[str]]], front: str) -> list[str]:
        """The device of every node, of which it is said what limits it breaks; nodes share networks."""
        found: list[str] = []
        for batch in batches(specs):
            found += self._asked(batch, front)
            print(".", end="", flush=True)
        return found

    def models(self, only: Sequence[str]) -> dict[str, tuple[Probe, str]]:
        """What is said of the rules about whole models, and what the two sides were."""
        found: dict[str, tuple[Probe, str]] = {}
        for constraint, edge in model_edges(self.target).items():
            if any(fnmatchcase(constraint, glob) for glob in only or ["*"]):
                inside, outside = (self._taken(model) for model in (edge.inside, edge.outside))
                found[constraint] = Probe(inside=inside, outside=outside), " | ".join(edge.found)
        return found

    def _taken(self, model: onnx.ModelProto) -> str:
        path = self.folder / "model.onnx"
        onnx.save(model, path)
        return "refused" if self.witness.check(path, self.target.name, limit=self.limit).refusal else "bpu"

    def _asked(self, batch: Sequence[tuple[Spec, frozenset[str]]], front: str) -> list[str]:
        try:
            made = network((spec for spec, _ in batch), front)
            model = Model.load(made)
        except (ValueError, onnx.shape_inference.InferenceError, SurgeryError) as error:
            return [f"no network: {str(error)[:60]}"] * len(batch) if len(batch) == 1 else self._halved(batch, front)
        path = self.folder / f"edges-{id(batch)}.onnx"
        onnx.save(made, path)
        try:
            answer = self.witness.check(path, self.target.name, limit=self.limit)
        finally:
            path.unlink()
        if answer.refusal is None and answer.placement is not None:
            names = map_names(model, answer.placement)
            found: list[str] = [names.device(f"p{index}") for index in range(len(batch))]
        elif len(batch) > 1:
            return self._halved(batch, front)
        else:
            late = answer.refusal is not None and answer.refusal.kind is Kind.TIMEOUT
            found = [f"no answer in {self.limit:g} s" if late else "refused"]
        same = self._same(model, batch)
        return [device if same[index] else "another node" for index, device in enumerate(found)]

    def _halved(self, batch: Sequence[tuple[Spec, frozenset[str]]], front: str) -> list[str]:
        half = len(batch) // 2
        return [*self._asked(batch[:half], front), *self._asked(batch[half:], front)]

    def _same(self, model: Model, batch: Sequence[tuple[Spec, frozenset[str]]]) -> list[bool]:
        """Whether each node breaks within its network the limits that it is to break."""
        nodes = {node.name: node for node in model.graph.nodes}
        found = []
        for index, (spec, broken) in enumerate(batch):
            node = nodes[f"p{index}"]
            params = Params(node, model.opset)
            checks = self.target.checks(spec.op)
            found.append({check.constraint for check in checks if check(params) is not None} == broken)
        return found


def batches(specs: Iterable[tuple[Spec, frozenset[str]]]) -> Iterator[list[tuple[Spec, frozenset[str]]]]:
    """Nodes for one network each: of one opset, few, and not too large together."""
    batch: list[tuple[Spec, frozenset[str]]] = []
    size = 0
    for spec, broken in specs:
        mine = size_of(spec)
        full = len(batch) == TOGETHER or size + mine > BATCH_BYTES or (batch and batch[0][0].opset != spec.opset)
        if batch and full:
            yield batch
            batch, size = [], 0
        batch.append((spec, broken))
        size += mine
    if batch:
        yield batch


def size_of(spec: Spec) -> int:
    """Bytes of the largest tensor of a node, as float32."""
    node = build(spec)
    sizes = [4]
    for tensor in (*node.inputs, *node.outputs):
        size = 4
        for dim in tensor.shape or ():
            size *= dim if isinstance(dim, int) else 1
        sizes.append(size if tensor.shape else 4)
    return max(sizes)


def not_asked(target: Target, edge: Edge | None, constraint: str) -> str | None:
    """Why a limit is not put to the checker; None where it is."""
    op = constraint.partition(".")[0]
    if edge is None:
        return reason(constraint) or "no node breaks it alone"
    if target.unborn(op) is not None:
        return "no opset that the toolchain takes has the operator"
    if target.march.ops[op].device == "request":
        return "on the BPU only when asked for"
    if max(size_of(edge.inside), size_of(edge.outside)) > LARGEST:
        return "a tensor of more than 64 MB"
    return None


def expected(edge: Edge) -> tuple[str, str]:
    """What the march says of the two sides."""
    inside = "cpu" if edge.both else "bpu"
    return inside, "cpu" if edge.check.effect == "cpu" else "refused"


def probed(prober: Prober, asked: Mapping[str, Edge], jobs: int) -> dict[str, Probe]:
    """What the checker says of both sides, by id; asked again elsewhere where it is not what the march says."""
    found: dict[str, Probe] = {}
    waiting = dict(asked)
    for front in FRONTS:
        insides = {c: (e.inside, e.both) for c, e in waiting.items()}
        outsides = {c: (e.outside, e.both | {c}) for c, e in waiting.items()}
        groups = [insides, *({c: s for c, s in outsides.items() if expected(waiting[c])[1] == "cpu"},)]
        groups += [{c: s} for c, s in outsides.items() if expected(waiting[c])[1] == "refused"]
        with ThreadPoolExecutor(jobs) as pool:
            lists = [list(group.values()) for group in groups]
            answers = list(pool.map(prober.devices, lists, [front] * len(lists)))
        inside = dict(zip(insides, answers[0], strict=True))
        outside = {c: d for group, devices in zip(groups[1:], answers[1:], strict=True)
                   for c, d in zip(group, devices, strict=True)}  # fmt: skip
        for constraint, edge in list(waiting.items()):
            probe = Probe(inside=inside[constraint], outside=outside[constraint])
            agrees = (probe.inside, probe.outside) == expected(edge)
            if agrees or constraint not in found or _says_more(probe, found[constraint]):
                found[constraint] = probe
            if agrees:
                del waiting[constraint]
    return {constraint: found[constraint] for constraint in asked}


def _says_more(new: Probe, old: Probe) -> bool:
    """Whether a probe names devices where an earlier one does not."""
    placed = ("bpu", "cpu", "refused")
    return sum(s in placed for s in (new.inside, new.outside)) > sum(s in placed for s in (old.inside, old.outside))


Found = Mapping[str, tuple[Probe, str]]


def march(target: Target, witness: Witness, options: argparse.Namespace, keep: Callable[[Found], None]) -> None:
    """Probe one march; ``keep`` is given by id what was said, and what the two sides were."""
    globs = options.only or ["*"]
    every = {c: e for c, e in noted_edges(target) if any(fnmatchcase(c, glob) for glob in globs)}
    print(f"{target.name}: {len(every)} limits of operators", flush=True)
    why = {c: text for c, e in every.items() if (text := not_asked(target, e, c)) is not None}
    asked = {c: e for c, e in every.items() if e is not None and c not in why}
    with tempfile.TemporaryDirectory() as folder:
        prober = Prober(target, witness, Path(folder), options.limit)
        said: dict[str, Probe] = {}
        for some in chunks(asked):
            said |= probed(prober, some, options.jobs)
            keep({c: (said[c], _sides(asked[c])) for c in some})
        models = prober.models(options.only)
        if options.find:
            show_found(prober, {c: e for c, e in asked.items() if (said[c].inside, said[c].outside) != expected(e)})
            return
    report(target, every, asked, said, why, models)
    keep({**models, **{c: (Probe(inside=NOT_ASKED, outside=text), "") for c, text in why.items()}})


def chunks(asked: Mapping[str, Edge]) -> Iterator[dict[str, Edge]]:
    """Limits to be kept together as soon as they are answered: small nodes first, what every operator has at last."""
    sizes = {c: max(size_of(edge.inside), size_of(edge.outside)).bit_length() // 3 for c, edge in asked.items()}
    order = sorted(asked, key=lambda c: (c.partition(".")[2] in LATE, sizes[c], c.partition(".")[2], c))
    for start in range(0, len(order), CHUNK):
        yield {c: asked[c] for c in order[start : start + CHUNK]}


def _sides(edge: Edge) -> str:
    return f"{edge.found[0]} | {edge.found[1]}"


def report(
    target: Target,
    every: Mapping[str, Edge | None],
    asked: Mapping[str, Edge],
    said: Mapping[str, Probe],
    why: Mapping[str, str],
    models: Mapping[str, tuple[Probe, str]],
) -> None:
    """Print the counts, what differs with what was found, and why some were not asked."""
    differs = {c: p for c, p in said.items() if (p.inside, p.outside) != expected(asked[c])}
    other = {c: p for c, (p, _) in models.items() if p.outside != "refused" and p.inside != NOT_ASKED}
    put = len(said) + sum(p.inside != NOT_ASKED for p, _ in models.values())
    print(f"\n{target.name}: {len(every) + len(models)} limits, {put} probed, {put - len(differs) - len(other)} "
          f"confirmed, {len(differs) + len(other)} differ, {len(every) + len(models) - put} not probed")  # fmt: skip
    for constraint, probe in differs.items():
        edge = asked[constraint]
        says = "/".join(expected(edge))
        print(
            f"  {constraint}: {says} expected, {probe.inside}/{probe.outside} found; {edge.found[0]} | {edge.found[1]}"
        )
    for constraint, probe in other.items():
        print(f"  {constraint}: {probe.inside}/{probe.outside}")
    for text, count in Counter(why.values()).most_common():
        print(f"  not probed, {text}: {count}")


def show_found(prober: Prober, differs: Mapping[str, Edge]) -> None:
    """Print for every limit that differs the numbers tried of the knob that parts its sides."""
    for constraint, edge in differs.items():

        def device(spec: Spec, edge: Edge = edge, constraint: str = constraint) -> str:
            return prober.devices([(spec, edge.both | {constraint})], FRONTS[0])[0]

        tried = ", ".join(f"{number} {found}" for number, found in bisected(edge, device))
        print(f"{constraint} ({edge.knob}): {tried or 'its sides do not differ by a number alone'}", flush=True)


def write(target: Target, tool: str, found: Found) -> None:
    """Write the probes beside the march file, those of other limits kept."""
    path = target.path.with_suffix(".probed.yaml")
    lines: dict[str, str] = {}
    if path.is_file():
        old = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
        lines = {line.partition(":")[0]: line for line in old}
    for constraint, (probe, sides) in found.items():
        text = f"{constraint}: {{inside: {_quoted(probe.inside)}, outside: {_quoted(probe.outside)}}}"
        lines[constraint] = text + (f"  # {sides}" if sides else "")
    known = known_ids(target)
    head = HEAD.format(march=target.name, day=date.today().isoformat(), tool=tool)
    path.write_text(head + "".join(f"{lines[c]}\n" for c in sorted(lines) if c in known), encoding="utf-8")


def known_ids(target: Target) -> set[str]:
    """Ids of the limits of a march."""
    return {c.constraint for c in target.model_checks} | {
        c.constraint for op in target.march.ops for c in target.checks(op)
    }


def _quoted(text: str) -> str:
    return text if text.isalpha() else f'"{text}"'


def main() -> int:
    """Probe; exit with 2 when there is no toolchain."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asking.arguments(parser)
    parser.add_argument("--only", action="append", default=[], metavar="GLOB", help="ids of limits; repeatable")
    parser.add_argument("--jobs", type=int, default=1, help="networks at once")
    parser.add_argument("--limit", type=float, default=60, help="seconds a network may take")
    parser.add_argument("--find", action="store_true", help="bisect the size of every limit that differs")
    options = parser.parse_args()
    return asking.asked(options.witness, partial(_probe, options))


def _probe(options: argparse.Namespace, witness: Witness) -> None:
    packages = witness.installation.packages
    tool = ", ".join(f"{name} {packages[name]}" for name in sorted(packages))
    for name in options.march or asking.MARCHES:
        target = load_target(name)
        march(target, witness, options, partial(write, target, tool))


if __name__ == "__main__":
    sys.exit(main())
