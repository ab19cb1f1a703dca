"""Put many models to the vendor's toolchain and keep what it says, compactly and with its provenance.

usage: measure.py placement|performance|probes [MODEL|FOLDER|GLOB...] --out PREFIX [--march M...] [--level O2]
                  [--rewritten] [--jobs N] [--limit S] [--largest BYTES]

Models are files, folders, or globs over the names of the shared corpus (``latency/*``), whose weightless models get
seeded weights. Writes PREFIX.csv (one line per model and march: the verdict, or one reason), PREFIX_rows.csv.gz
(placement), of a performance PREFIX_layers.csv.gz, and PREFIX.json (versions, options, date). A call goes on where the
tables end, and one that was interrupted where it was: what came since stands in a journal under build/witness. Without
the toolchain it says so and exits 2.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import corpus
import probes

import surgery
from surgery.errors import SurgeryError
from surgery.ir import Model
from surgery.toolchain import Answer, Witness, WitnessError
from surgery.toolchain.config import Options
from surgery.toolchain.install import MARCHES

JOURNALS = Path(__file__).resolve().parents[1] / "build/witness"
EVERY = 20
"""The tables are written anew after so many answers."""
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


@dataclass(frozen=True)
class Task:
    """One model: its name, and where it comes from when its turn has come."""

    name: str
    get: Callable[[], Path | Model]


def main() -> int:
    """Measure what is not in the journal yet; write the tables."""
    chosen = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        witness = Witness()
    except SurgeryError as error:
        print(error, file=sys.stderr)
        return 2
    journal = Journal(chosen.out, chosen.what)
    todo = [(task, march) for task in tasks(chosen) for march in chosen.march]
    todo = [(task, march) for task, march in todo if (task.name, march) not in journal.done]
    print(f"{len(journal.done)} done, {len(todo)} to do", flush=True)
    with witness, ThreadPoolExecutor(chosen.jobs) as pool:
        futures = [pool.submit(measure, witness, task, march, chosen) for task, march in todo]
        try:
            collect(journal, futures, chosen)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            witness.close()  # what is running ends here, not at its limit
            journal.write(chosen)
    return 0


def collect(journal: Journal, futures: Sequence[Future[Entry]], chosen: argparse.Namespace) -> None:
    """Keep the answers as they come; the tables are written anew now and then."""
    begun = time.monotonic()
    for count, future in enumerate(as_completed(futures), 1):
        entry = future.result()
        journal.add(entry)
        print(f"{count}/{len(futures)} {time.monotonic() - begun:.0f}s {_said(entry)}", flush=True)
        if count % EVERY == 0:
            journal.write(chosen)


def tasks(chosen: argparse.Namespace) -> Iterator[Task]:
    """The models that were named; small files first."""
    if chosen.what == "probes":
        yield from (Task(name, partial(_saved, make)) for name, make in probes.networks())
        return
    found = sorted(dict(_named(chosen.models)).items(), key=lambda item: _size(item[0]))
    for path, task in found:
        if chosen.largest is None or _size(path) <= chosen.largest:
            yield task


def _named(models: Sequence[str]) -> Iterator[tuple[Path, Task]]:
    for text in models:
        path = Path(text)
        if path.exists():
            for file in sorted(path.rglob("*.onnx")) if path.is_dir() else [path]:
                yield file, Task(file.stem, partial(Path, file))
        else:
            for item in corpus.items((text,)):
                yield item.path, Task(item.name, item.filled)


def _size(path: Path) -> int:
    """Bytes of the file, which of a weightless model is the size of its graph."""
    return path.stat().st_size


def _saved(make: Callable[[], Any]) -> Model:
    return Model.load(make())


def measure(witness: Witness, task: Task, march: str, chosen: argparse.Namespace) -> Entry:
    """The journal's entry of one model on one march."""
    try:
        model = task.get()
        if chosen.rewritten:
            model = surgery.run(model, march=march, verify="off").model
        answer = _ask(witness, model, march, chosen)
    except WitnessError:
        raise  # says nothing of the model
    except SurgeryError as error:
        return {"model": task.name, "march": march, "refusal": "surgery", "reason": error.what, "rows": []}
    return entry_of(task.name, answer)


def _ask(witness: Witness, model: Path | Model, march: str, chosen: argparse.Namespace) -> Answer:
    if chosen.what == "performance":
        return witness.compile(model, march, Options(chosen.level), limit=chosen.limit)
    return witness.check(model, march, limit=chosen.limit)


def entry_of(name: str, answer: Answer) -> Entry:
    """What is kept of an answer."""
    entry: Entry = {"model": name, "march": answer.march, "seconds": answer.seconds, "versions": answer.versions}
    if answer.refusal is not None:
        entry |= {"refusal": answer.refusal.kind.value, "reason": answer.refusal.text}
    if answer.placement is not None:
        place = answer.placement
        named = zip(place.names, place.rows, strict=True)
        entry["rows"] = [[name, row.type, row.device, row.segment, row.data_type] for name, row in named]
        entry["speeds"] = [[s.latency_us, s.ddr_bytes] for s in place.speeds]
    if answer.performance is not None:
        found = answer.performance
        entry |= {"latency_us": found.latency_us, "ddr_bytes": found.ddr_bytes, "ops": found.ops}
        entry["layers"] = [[number, *_layer(row)] for number, s in enumerate(found.segments) for row in s.layers]
    return entry


def _layer(row: Any) -> list[Any]:
    shapes = ("x".join(map(str, shape)) for shape in (row.shape, row.aligned))
    return [row.name, row.ops, *shapes, row.compute_us, row.transfer_us, row.begin_us, row.end_us]


class Journal:
    """All answers so far, a line of JSON each, and the tables made of them."""

    def __init__(self, out: Path, what: str) -> None:
        self.out, self.what = out, what
        JOURNALS.mkdir(parents=True, exist_ok=True)
        self.path = JOURNALS / f"{out.name}.jsonl"
        self.done: dict[tuple[str, str], Entry] = {(e["model"], e["march"]): e for e in written(out)}
        text = self.path.read_text() if self.path.exists() else ""
        whole = text[: text.rfind("\n") + 1]  # a line that was cut off when the call was killed is done again
        if whole != text:
            self.path.write_text(whole)
        for line in whole.splitlines():
            entry = json.loads(line)
            self.done[entry["model"], entry["march"]] = entry

    def add(self, entry: Entry) -> None:
        """Keep one answer."""
        self.done[entry["model"], entry["march"]] = entry
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def write(self, chosen: argparse.Namespace) -> None:
        """Write the tables and their provenance; the same answers give the same bytes."""
        entries = [self.done[key] for key in sorted(self.done)]
        self.out.parent.mkdir(parents=True, exist_ok=True)
        _write(self.out.with_suffix(".csv"), MODEL_COLUMNS, map(_model_line, entries))
        for kind in ("rows", "layers") if self.what == "performance" else ("rows",):
            lines = (line for entry in entries for line in _lines(entry, kind))
            _write(self.out.with_name(f"{self.out.name}_{kind}.csv.gz"), ROW_COLUMNS[kind], lines)
        said = {"what": self.what, "date": date.today().isoformat(), "options": _options(chosen), **_tools(entries)}
        self.out.with_suffix(".json").write_text(json.dumps(said, indent=2) + "\n")


def written(out: Path) -> Iterator[Entry]:
    """The entries that the tables at ``out`` were written from, but for the speeds of a placement."""
    if not out.with_suffix(".csv").exists():
        return
    versions = json.loads(out.with_suffix(".json").read_text())["tools"]
    kept = {kind: _read(out.with_name(f"{out.name}_{kind}.csv.gz")) for kind in ROW_COLUMNS}
    for line in csv.DictReader(out.with_suffix(".csv").read_text().splitlines()):
        entry: Entry = {"model": line["model"], "march": line["march"], "versions": versions}
        entry |= {name: line[name] for name in ("refusal", "reason") if line[name]}
        entry |= {name: json.loads(line[name]) for name in NUMBERS if line[name]}
        yield entry | {kind: found.get((line["model"], line["march"]), []) for kind, found in kept.items()}


def _read(path: Path) -> dict[tuple[str, str], list[list[Any]]]:
    found: dict[tuple[str, str], list[list[Any]]] = {}
    if path.exists():
        for model, march, *cells in csv.reader(gzip.decompress(path.read_bytes()).decode().splitlines()[1:]):
            found.setdefault((model, march), []).append([None if cell == "" else cell for cell in cells])
    return found


def _model_line(entry: Entry) -> list[Any]:
    rows = entry.get("rows") or []
    cpu = [row for row in rows if row[2] == "cpu"]
    segments = {row[3] for row in rows if row[3] is not None}
    accepted = int("refusal" not in entry)
    named = [entry.get(name, "") for name in ("refusal", "reason")]
    return [
        entry["model"], entry["march"], accepted, *named, len(rows), len(cpu), len(segments),
        *(entry.get(name, "") for name in NUMBERS),
    ]  # fmt: skip


def _lines(entry: Entry, kind: str) -> Iterator[list[Any]]:
    for row in entry.get(kind) or []:
        yield [entry["model"], entry["march"], *("" if cell is None else cell for cell in row)]


def _write(path: Path, columns: Sequence[str], rows: Any) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(rows)
    content = text.getvalue().encode("utf-8", "backslashreplace")
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as draft:
        draft.write(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    Path(draft.name).chmod(0o644)
    Path(draft.name).replace(path)


def _options(chosen: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name, value in vars(chosen).items() if name not in ("out", "jobs", "what")}


def _tools(entries: Sequence[Entry]) -> dict[str, Any]:
    versions: dict[str, str] = {}
    for entry in entries:
        versions |= entry.get("versions") or {}
    return {"tools": versions, "surgery": surgery.__version__, "models": len({entry["model"] for entry in entries})}


def _said(entry: Entry) -> str:
    told = entry.get("reason") or f"{len(entry.get('rows') or [])} rows, {entry.get('latency_us', '–')} us"
    return f"{entry['model']} {entry['march']} {entry.get('seconds', 0):.1f}s: {told}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("placement", "performance", "probes"))
    parser.add_argument("models", nargs="*", default=["*"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--march", nargs="+", default=list(MARCHES), choices=MARCHES)
    parser.add_argument("--level", default="O2")
    parser.add_argument("--rewritten", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--limit", type=float, default=600)
    parser.add_argument("--largest", type=int, help="leave out model files of more bytes", metavar="BYTES")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
