"""Put many models to the vendor's toolchain and keep what it says, compactly and with its provenance.

usage: measure.py placement|performance|probes [MODEL|FOLDER|GLOB...] --out PREFIX [--march M...] [--level O2]
                  [--rewritten] [--jobs N | --scheduler tcp://HOST:PORT] [--limit S] [--largest BYTES]
                  [--optimization set_all_nodes_int16...] [--cores N] [--batch N]

Models are files, folders, or globs over the names of the shared corpus (``latency/*``), whose weightless models get
seeded weights. Writes the tables of tables.py at PREFIX. A call goes on where the tables end, and one that was
interrupted where it was: what came since stands in a journal under build/witness. Exits 1 when there are models that
could not be asked about, 2 without the toolchain or the cluster, and says why.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, as_completed
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import corpus
import probes
from tables import PERFORMANCE, Entry, Journal, Key
from workers import Question, Task, executor, measure

from surgery.errors import SurgeryError
from surgery.ir import Model
from surgery.toolchain.install import MARCHES

EVERY = 20
"""The tables are written anew after so many answers."""
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is not in the tables and the journal yet; write the tables."""
    chosen = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _stop)
    journal = Journal(chosen.out, chosen.what)
    todo = [(task, march) for task in tasks(chosen) for march in chosen.march]
    todo = [(task, march) for task, march in todo if (task.name, march) not in journal.done]
    print(f"{len(journal.done)} done, {len(todo)} to do", flush=True)
    asked = Question(
        chosen.what,
        chosen.level,
        chosen.rewritten,
        chosen.limit,
        tuple(chosen.optimization),
        chosen.cores,
        chosen.batch,
    )
    try:
        with executor(chosen.jobs, chosen.scheduler) as pool:
            futures = {pool.submit(measure, task, march, asked): (task.name, march) for task, march in todo}
            missing = collect(journal, futures, _options(chosen))
    except SurgeryError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same call goes on from here", file=sys.stderr)
        return INTERRUPTED
    return int(missing > 0)


def _stop(*_: object) -> NoReturn:
    """End as by Ctrl-C, which a process in the background is not given."""
    raise KeyboardInterrupt


def collect(journal: Journal, futures: Mapping[Future[Entry], Key], options: Mapping[str, Any]) -> int:
    """Keep the answers as they come, the tables written anew now and then; how many models have none.

    Raises:
        WitnessError: the toolchain does not run.
    """
    begun, missing = time.monotonic(), 0
    try:
        for count, future in enumerate(as_completed(futures), 1):
            if (entry := _entry(future, futures[future])) is None:
                missing += 1
                continue
            journal.add(entry)
            print(f"{count}/{len(futures)} {time.monotonic() - begun:.0f}s {_said(entry)}", flush=True)
            if count % EVERY == 0:
                journal.write(options)
    finally:
        journal.write(options)
    return missing


def _entry(future: Future[Entry], asked: Key) -> Entry | None:
    """What came of a question; None, said on stderr, when the model broke what asks: the others go on."""
    try:
        return future.result()
    except SurgeryError:
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, it is the reason
        print(*asked, f"not measured: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return None


def tasks(chosen: argparse.Namespace) -> Iterator[Task]:
    """The models that were named; small files first."""
    if chosen.what == "probes":
        yield from (Task(name, partial(_loaded, make)) for name, make in probes.networks())
        return
    found = sorted(dict(named(chosen.models)).items(), key=lambda item: _size(item[0]))
    for path, task in found:
        if chosen.largest is None or _size(path) <= chosen.largest:
            yield task


def named(models: Sequence[str]) -> Iterator[tuple[Path, Task]]:
    """Model files and how to get them: of files, of the folders they are in, of globs over the corpus."""
    for text in models:
        path = Path(text).absolute()
        if path.exists():
            top = path if path.is_dir() else path.parent
            for file in sorted(path.rglob("*.onnx")) if path.is_dir() else [path]:
                yield file, Task(str(file.relative_to(top).with_suffix("")), partial(Path, file))
        else:
            for item in corpus.items((text,)):
                yield item.path, Task(item.name, item.filled, item.shapes)


def _size(path: Path) -> int:
    """Bytes of the file, which of a weightless model is the size of its graph."""
    return path.stat().st_size


def _loaded(make: Callable[[], Any]) -> Model:
    return Model.load(make())


def _options(chosen: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name, value in vars(chosen).items() if name not in ("out", "jobs", "scheduler", "what")}


def _said(entry: Entry) -> str:
    told = entry.get("reason") or f"{len(entry.get('rows') or [])} rows, {entry.get('latency_us', '–')} us"
    return f"{entry['model']} {entry['march']} {entry.get('seconds', 0):.1f}s: {told}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("placement", PERFORMANCE, "probes"))
    parser.add_argument("models", nargs="*", default=["*"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--march", nargs="+", default=list(MARCHES), choices=MARCHES)
    parser.add_argument("--level", default="O2")
    parser.add_argument("--rewritten", action="store_true")
    parser.add_argument(
        "--optimization", nargs="+", default=[], help="values of the toolchain's parameter of that name"
    )
    parser.add_argument("--cores", type=int, default=1, help="over how many of them a frame is split")
    parser.add_argument("--batch", type=int, default=1, help="frames per inference")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster, whose workers ask instead")
    parser.add_argument("--limit", type=float, default=600)
    parser.add_argument("--largest", type=int, help="leave out model files of more bytes", metavar="BYTES")
    return parser


if __name__ == "__main__":
    sys.exit(main())
