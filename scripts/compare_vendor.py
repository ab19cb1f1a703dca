"""Compare our placement with the vendor's own tables of eleven YOLO models on bayes-e.

usage: compare_vendor.py [--only GLOB | --write | --check]

Reads ../shared/reference/toolchain/vendor_tables and the graphs of the same names in the corpus; without these it says
so and exits 0. Prints, per model, the nodes that the table names and how many we place alike, those that it does not
name and what became of them, and every difference. ``--write`` puts the counts into docs/vendor_logs.md, ``--check``
exits 1 if they are not current there.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import corpus
import page

from surgery.ir import Model
from surgery.pipeline.view import place_as_seen
from surgery.report.text import visible
from surgery.report.witness import same_place
from surgery.target import Row, load_target
from surgery.toolchain.log import TableRow, table_rows
from surgery.toolchain.names import called, named, stem

ROOT = Path(__file__).resolve().parents[1]
TABLES = ROOT.parent / "shared/reference/toolchain/vendor_tables"
PAGE = ROOT / "docs/vendor_logs.md"
MARCH = "bayes-e"
ELSEWHERE = {"yolov8n_obb": "models/ul_yolov8n_obb_op13"}
"""Tables whose graph is only there as it was exported, not as it was compiled."""
RENAMED = {"yolov10n": ("one2one_", "")}
"""Tables of models whose graphs have other names, as the vendor's has them and as ours does."""


@dataclass
class Compared:
    """One model: nodes by what became of them, and the differences, as text."""

    model: str
    named: int = 0
    alike: int = 0
    explained: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)
    cut: bool = False
    unmatched: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Per cent of the named nodes that we place alike."""
        return 100 * self.alike / self.named if self.named else 0.0


class _Comparison:
    """One model beside one table."""

    def __init__(self, name: str, path: Path, rows: tuple[TableRow, ...]) -> None:
        model = Model.load(path)
        self.own = {node.name: node for node in model.graph.nodes}
        self.names = named(model, rows)
        self.rows = place_as_seen(model, load_target(MARCH)).rows
        self.read = _read_by(model, {node for node in self.own if self._has_row(node)})
        unmatched = [row for row, node in self.names.inserted.items() if not node]
        first = [row for row in unmatched if stem(row, set(unmatched) - {row}) == ""]
        self.found = Compared(name, cut=name in ELSEWHERE, unmatched=first)

    def result(self) -> Compared:
        """Every node told."""
        for row in self.rows:
            (self._compare if self._has_row(row.node.name) else self._explain)(row)
        return self.found

    def _has_row(self, node: str) -> bool:
        return any(called(row, self.own) == node for row in self.names.rows.get(node, ()))

    def _compare(self, row: Row) -> None:
        theirs = self.names.device(row.node.name)
        self.found.named += 1
        if same_place(row.device, theirs):
            self.found.alike += 1
        else:
            self.found.differences.append(f"{_node(row)}: ours {row.device}, theirs {theirs}")

    def _explain(self, row: Row) -> None:
        reason = self._reason(row)
        self.found.explained[reason or "not explained"] += 1
        if not reason:
            self.found.differences.append(f"{_node(row)}: ours {row.device}, no row")

    def _reason(self, row: Row) -> str:
        """What became of a node without a row of its own; "" when that is not known, or not what we say."""
        scope = row.node.name.rpartition("/")[0]
        if row.node.op == "Slice" and f"{scope}/Split" in self.found.unmatched:
            return "Slice: part of a Split of the table" if row.device == "bpu" else ""
        if self.found.cut and row.node.name not in self.read:
            return "behind the outputs of the compiled graph"
        if row.device == "folded":
            return f"{row.node.op}: folded into {row.into.op}" if row.into else f"{row.node.op}: {row.note}"
        behind = self.names.rows.get(row.node.name, ())
        if behind and same_place(row.device, self.names.device(row.node.name)):
            return f"{row.node.op}: in the row of {self.own[called(behind[0], self.own)].op}"
        return "Transpose: hidden by tables" if row.node.op == "Transpose" and row.device == "bpu" else ""


def _node(row: Row) -> str:
    return f"{row.node.name} ({row.node.op})"


def _read_by(model: Model, readers: set[str]) -> set[str]:
    """``readers`` and the nodes whose results reach one of them."""
    found: set[str] = set()
    for node in reversed(model.graph.nodes):
        if node.name in readers or any(n.name in found for out in node.outputs for n in out.outputs):
            found.add(node.name)
    return found


def tables(only: list[str]) -> Iterator[tuple[str, Path, tuple[TableRow, ...]]]:
    """Name, graph and rows of every table."""
    for path in sorted(TABLES.glob("*.csv")):
        if path.stem != "summary" and any(fnmatch(path.stem, glob) for glob in only):
            yield path.stem, corpus.CORPUS / f"{ELSEWHERE.get(path.stem, f'latency/{path.stem}')}.onnx", _rows(path)


def _rows(path: Path) -> tuple[TableRow, ...]:
    old, new = RENAMED.get(path.stem, ("", ""))
    with path.open(newline="", encoding="utf-8") as file:
        cells = [
            {"Node": row["node"].replace(old, new), "ON": row["on"], "Subgraph": row["subgraph"], "Type": row["type"]}
            for row in csv.DictReader(file)
        ]
    return table_rows(cells)


def told(found: Compared) -> str:
    """One model as lines of text."""
    lines = [f"{found.model}: {found.named} nodes named, {found.alike} placed alike ({found.share:.1f} %)"]
    lines += [f"  {count:4} without a row: {reason}" for reason, count in found.explained.most_common()]
    lines += [f"  names of the table without a node: {', '.join(found.unmatched)}"] if found.unmatched else []
    lines += [f"  differs: {text}" for text in found.differences]
    return "\n".join(map(visible, lines))


def table(results: list[Compared]) -> str:
    """All models as a table in Markdown."""
    total = Compared("all", sum(r.named for r in results), sum(r.alike for r in results))
    for each in results:
        total.explained.update(each.explained)
    total.differences = [text for r in results for text in r.differences]
    lines = [
        "| model | named | placed alike | % | without a row, explained | differences |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for r in [*results, total]:
        explained = r.explained.total() - r.explained["not explained"]
        lines.append(f"| {r.model} | {r.named} | {r.alike} | {r.share:.1f} | {explained} | {len(r.differences)} |")
    reasons = [f"{count} {reason}" for reason, count in total.explained.most_common()]
    return "\n".join([*lines, "", f"Without a row: {'; '.join(reasons)}."])


def main() -> int:
    """Compare, print, and write the table where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="GLOB", help="names of models; repeatable")
    parser.add_argument("--write", action="store_true", help="write the table into docs/vendor_logs.md")
    parser.add_argument("--check", action="store_true", help="exit 1 if the table there is not current")
    args = parser.parse_args()
    if args.only and (args.write or args.check):
        parser.error("the page has all models: --only goes with neither --write nor --check")
    if not (TABLES.is_dir() and corpus.CORPUS.is_dir()):
        print("no ../shared here, nothing to compare with")
        return 0
    results = []
    for name, path, rows in tables(args.only or ["*"]):
        if not path.is_file():
            print(f"{name}: no graph at {path.name}")
            continue
        results.append(_Comparison(name, path, rows).result())
        print(told(results[-1]))
    return page.write(PAGE, "compare_vendor.py", table(results)) if args.write or args.check else 0


if __name__ == "__main__":
    sys.exit(main())
