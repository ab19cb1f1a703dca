"""Compare the preview of node removal with what the vendor's tools take off, and write the table of docs/removal.md.

usage: compare_removal.py [--measure] [--march M] [--only GLOB]... [--models N] [--witness DIR] [--limit S] [--check]

With --measure, models of the shared corpus that the toolchain compiles are put to it at level O0, until there are N
for the march: what `hb_model_modifier` lists as removable of the compiled model, and what `remove_node_type` of the
YAML takes off, for the list that `config --remove auto` writes and for the one that public YAMLs have. Of each the ends
and types in order are compared with the preview. Rows go into data/removal/removal.csv as they come, and it goes on
where that ends. Otherwise the table is written from that file; with --check nothing is written, and 1 is returned if
the page is not current.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import asking
import corpus
import page

from surgery.errors import SurgeryError
from surgery.ir import Model
from surgery.pipeline.view import frozen, place_as_seen
from surgery.target import load_target
from surgery.toolchain import Witness
from surgery.toolchain.config import Options
from surgery.toolchain.conversion.edges import Chain, chains, removals
from surgery.toolchain.conversion.removal import Going, candidates, removed
from surgery.toolchain.structure import Op

ROOT = Path(__file__).resolve().parents[1]
PAGE, DATA = ROOT / "docs/removal.md", ROOT / "data/removal/removal.csv"
PUBLIC = ("Quantize", "Transpose", "Dequantize", "Cast", "Reshape")
"""The list as public YAMLs have it."""


class Row(NamedTuple):
    """What the tools took off one model, as ``end:type`` in order, and what the preview said."""

    march: str
    model: str
    listed: str
    listed_preview: str
    auto: str
    auto_preview: str
    public: str
    public_preview: str


def measured(item: corpus.Item, march: str, witness: Witness, limit: float) -> Row | None:
    """Ask about one model; None where the toolchain does not take it."""
    path = item.filled()
    found = witness.removable(path, march, shapes=item.shapes, limit=limit)
    if found.refusal is not None or found.placement is None:
        return None
    ours, fed = ends(path, item, march)
    lists = (removals(ours), PUBLIC)
    told = [ports(found.placement.quantised, found.candidates, fed), said(candidates(ours))]
    for types in lists:
        answer = witness.compile(path, march, Options("O0", remove=types), shapes=item.shapes, limit=limit)
        if answer.refusal is not None or answer.placement is None:
            return None
        taken = ports(answer.placement.quantised, [node.name for node in answer.removed], fed)
        told += [taken, said(removed(ours, types, "listed")[0])]
    return Row(march, item.name, *told)


def ends(path: Path, item: corpus.Item, march: str) -> tuple[tuple[Chain, ...], frozenset[str]]:
    """The chains of a model as exported, and the names of its ends."""
    model = Model.load(path)
    if not all(tensor.is_static for tensor in model.graph.inputs):
        model = frozen(model, item.shapes)
    names = frozenset(tensor.name for tensor in (*model.graph.inputs, *model.graph.outputs))
    return chains(place_as_seen(model, load_target(march))), names


def ports(ops: Sequence[Op], names: Sequence[str], fed: frozenset[str]) -> str:
    """The end and type of nodes of the compiled model."""
    by_name = {op.name: op for op in ops}
    return " ".join(
        f"{_port(by_name[n], ops, fed)}:{by_name[n].op.removeprefix('Hz')}" if n in by_name else n for n in names
    )


def _port(op: Op, ops: Sequence[Op], fed: frozenset[str]) -> str:
    """The end that a node is at, once those outside of it have gone."""
    if end := next((name for name in (*op.inputs[:1], *op.outputs) if name in fed), None):
        return end
    outer = [other for other in ops if set(other.inputs) & set(op.outputs)]
    inner = [other for other in ops if set(op.inputs[:1]) & set(other.outputs)]
    quantises = op.op.endswith("Quantize") and "Dequantize" not in op.op
    for other in inner[:1] if quantises else outer[:1]:
        return _port(other, ops, fed)
    return "?"


def said(going: Sequence[Going]) -> str:
    """The same of a preview."""
    return " ".join(f"{one.port}:{one.link.type}" for one in going)


def rows() -> list[Row]:
    """The rows that there are."""
    if not DATA.exists():
        return []
    with DATA.open(newline="", encoding="utf-8") as file:
        return [Row(**line) for line in csv.DictReader(file)]


def measure(witness: Witness, options: argparse.Namespace) -> None:
    """Measure until there are enough."""
    found = rows()
    for march in options.march or asking.MARCHES:
        for item in corpus.items(options.only or ["*"], folders=("real", "models")):
            if sum(row.march == march for row in found) >= options.models:
                break
            if any((row.march, row.model) == (march, item.name) for row in found):
                continue
            try:
                row = measured(item, march, witness, options.limit)
            except SurgeryError as error:
                print(item.name, error, file=sys.stderr)
                continue
            if row is not None:
                found.append(row)
                print(march, item.name, *agreed(row), flush=True)
                DATA.parent.mkdir(parents=True, exist_ok=True)
                with DATA.open("w", newline="", encoding="utf-8") as file:
                    csv.writer(file, lineterminator="\n").writerows([Row._fields, *sorted(found)])


def agreed(row: Row) -> list[bool]:
    """Whether the preview says what was taken, for each of the three."""
    return [row.listed == row.listed_preview, row.auto == row.auto_preview, row.public == row.public_preview]


def lines() -> Iterator[str]:
    """How many models are told right, and the table of all."""
    found = rows()
    for march in dict.fromkeys(row.march for row in found):
        told = [all(agreed(row)) for row in found if row.march == march]
        yield f"{march}: {sum(told)} of {len(told)} models are told in all three."
        yield ""
    head = ("hb_model_modifier lists", "`--remove auto` takes", "the public list takes")
    yield f"| march | model | {' | '.join(f'{title} | as told' for title in head)} |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in found:
        taken = (row.listed, row.auto, row.public)
        cells = (
            f"{text.replace(' ', ', ') or 'nothing'} | {'yes' if same else 'no'}"
            for text, same in zip(taken, agreed(row), strict=True)
        )
        yield f"| {row.march} | {row.model} | {' | '.join(cells)} |"


def main() -> int:
    """Measure, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="measure what is not in the data yet")
    parser.add_argument("--check", action="store_true", help="only say whether the page is current")
    parser.add_argument("--only", action="append", metavar="GLOB")
    parser.add_argument("--models", type=int, default=20, help="how many per march")
    parser.add_argument("--limit", type=float, default=200.0, help="seconds per compile")
    asking.arguments(parser)
    options = parser.parse_args()
    if not options.measure:
        return page.write(PAGE, "compare_removal.py", "\n".join(lines()) + "\n")
    corpus.need_corpus()
    return asking.asked(options.witness, lambda witness: measure(witness, options))


if __name__ == "__main__":
    sys.exit(main())
