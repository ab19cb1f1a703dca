"""What measure.py keeps: answers in a journal as they come, the tables made of them, and those read back.

Tables at PREFIX: PREFIX.csv (one line per model and march: the verdict, or one reason), PREFIX_rows.csv.gz (where every
row runs), of a performance PREFIX_layers.csv.gz (what every layer costs), and PREFIX.json (versions, options, date).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, TypeAlias

import surgery
from surgery.toolchain import Answer
from surgery.toolchain.performance import Layer

JOURNALS = Path(__file__).resolve().parents[1] / "build/witness"
PERFORMANCE = "performance"
MODEL_COLUMNS = (
    "model", "march", "accepted", "refusal", "reason", "rows", "cpu", "segments", "latency_us", "ddr_bytes", "ops",
    "seconds",
)  # fmt: skip
NUMBERS = ("latency_us", "ddr_bytes", "ops", "seconds")
ROW_COLUMNS = {
    "rows": ("model", "march", "node", "type", "device", "segment", "data_type"),
    "layers": (
        "model", "march", "segment", "layer", "ops", "shape", "aligned", "compute_us", "transfer_us", "begin_us",
        "end_us",
    ),
}  # fmt: skip

Entry: TypeAlias = "dict[str, Any]"
"""What is kept of one model on one march, as JSON has it."""
Key: TypeAlias = "tuple[str, str]"
"""Model and march."""


def entry_of(name: str, answer: Answer) -> Entry:
    """What is kept of an answer about the model ``name``."""
    entry: Entry = {"model": name, "march": answer.march, "seconds": answer.seconds, "versions": answer.versions}
    if answer.refusal is not None:
        entry |= {"refusal": answer.refusal.kind.value, "reason": answer.refusal.text}
    if answer.placement is not None:
        named = zip(answer.placement.names, answer.placement.rows, strict=True)
        entry["rows"] = [[name, row.type, row.device, row.segment, row.data_type] for name, row in named]
    if answer.performance is not None:
        found = answer.performance
        entry |= {"latency_us": found.latency_us, "ddr_bytes": found.ddr_bytes, "ops": found.ops}
        entry["layers"] = [[number, *_layer(row)] for number, s in enumerate(found.segments) for row in s.layers]
    return entry


def _layer(row: Layer) -> list[Any]:
    shapes = ("x".join(map(str, shape)) for shape in (row.shape, row.aligned))
    return [row.name, row.ops, *shapes, row.compute_us, row.transfer_us, row.begin_us, row.end_us]


class Journal:
    """All answers so far: those of the tables at ``out``, and a line of JSON for each that came since."""

    def __init__(self, out: Path, what: str) -> None:
        self.out, self.what = out, what
        JOURNALS.mkdir(parents=True, exist_ok=True)
        self.path = JOURNALS / f"{out.name}.jsonl"
        self.done: dict[Key, Entry] = {(e["model"], e["march"]): e for e in (*written(out), *_lines_of(self.path))}

    def add(self, entry: Entry) -> None:
        """Keep one answer."""
        self.done[entry["model"], entry["march"]] = entry
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def write(self, options: Mapping[str, Any]) -> None:
        """Write the tables and their provenance; the same answers give the same tables, byte by byte."""
        entries = [self.done[key] for key in sorted(self.done)]
        self.out.parent.mkdir(parents=True, exist_ok=True)
        _put(self.out.with_suffix(".csv"), _table(MODEL_COLUMNS, map(_model_line, entries)))
        for kind in ("rows", "layers") if self.what == PERFORMANCE else ("rows",):
            lines = (line for entry in entries for line in _row_lines(entry, kind))
            _put(_rows_file(self.out, kind), gzip.compress(_table(ROW_COLUMNS[kind], lines), mtime=0))
        said = {"what": self.what, "date": date.today().isoformat(), "options": options, **_provenance(entries)}
        _put(self.out.with_suffix(".json"), (json.dumps(said, indent=2) + "\n").encode())


def _lines_of(journal: Path) -> Iterator[Entry]:
    """The entries of a journal; a line that was cut off when a call was killed goes, and its model is asked again."""
    text = journal.read_text() if journal.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        journal.write_text(whole)
    return map(json.loads, whole.splitlines())


def written(out: Path) -> Iterator[Entry]:
    """The entries that the tables at ``out`` were written from."""
    if not out.with_suffix(".json").exists():  # written last
        return
    versions = json.loads(out.with_suffix(".json").read_text())["tools"]
    kept = {kind: _rows(_rows_file(out, kind)) for kind in ROW_COLUMNS}
    for cells in _cells(out.with_suffix(".csv").read_bytes()):
        line = dict(zip(MODEL_COLUMNS, cells, strict=True))
        entry: Entry = {"model": line["model"], "march": line["march"], "versions": versions}
        entry |= {name: line[name] for name in ("refusal", "reason") if line[name]}
        entry |= {name: json.loads(line[name]) for name in NUMBERS if line[name]}
        yield entry | {kind: found.get((line["model"], line["march"]), []) for kind, found in kept.items()}


def _rows(path: Path) -> dict[Key, list[list[str | None]]]:
    found: dict[Key, list[list[str | None]]] = {}
    for model, march, *cells in _cells(gzip.decompress(path.read_bytes())) if path.exists() else ():
        found.setdefault((model, march), []).append([cell or None for cell in cells])
    return found


def _cells(table: bytes) -> Iterator[list[str]]:
    """The lines of a table but its first; names may have line ends in them."""
    lines = csv.reader(io.StringIO(table.decode(), newline=""))
    next(lines)
    return lines


def _rows_file(out: Path, kind: str) -> Path:
    return out.with_name(f"{out.name}_{kind}.csv.gz")


def _model_line(entry: Entry) -> list[Any]:
    rows = entry.get("rows") or []
    on_cpu = sum(row[2] == "cpu" for row in rows)
    segments = {row[3] for row in rows if row[3] is not None}
    told = [entry.get(name, "") for name in ("refusal", "reason")]
    numbers = (entry.get(name, "") for name in NUMBERS)
    accepted = int("refusal" not in entry)
    return [entry["model"], entry["march"], accepted, *told, len(rows), on_cpu, len(segments), *numbers]


def _row_lines(entry: Entry, kind: str) -> Iterator[list[Any]]:
    for row in entry.get(kind) or []:
        yield [entry["model"], entry["march"], *("" if cell is None else cell for cell in row)]


def _table(columns: Sequence[str], lines: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(lines)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _put(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; what a kill leaves of it is written over the next time."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_bytes(content)
    draft.replace(path)


def _provenance(entries: Sequence[Entry]) -> dict[str, Any]:
    versions: dict[str, str] = {}
    for entry in entries:
        versions |= entry.get("versions") or {}
    return {"tools": versions, "surgery": surgery.__version__, "models": len({entry["model"] for entry in entries})}
