"""The shared corpus: its models with weights, what to feed them, and a process of its own for each.

The corpus lies beside the checkout (``../shared/corpus``, or ``$SURGERY_CORPUS``). Weightless models are given seeded
weights once and kept under ``$SURGERY_CORPUS_CACHE`` (by default a folder in the system's temporary one).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import traceback
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import onnx
from onnx import helper

CORPUS = Path(os.environ.get("SURGERY_CORPUS") or Path(__file__).resolve().parents[2] / "shared/corpus")
CACHE = Path(os.environ.get("SURGERY_CORPUS_CACHE") or Path(tempfile.gettempdir()) / "surgery-corpus")
FOLDERS = ("edge", "real", "models", "latency")
LARGE = ("models/tm_vit_huge_dynamo_2p5GB", "models/tm_vit_large_op17_1p2GB")
"""Models of more than 1 GB, which take minutes and are only used when asked for."""
MEMORY = 12 << 30
"""Address space that a process of :func:`isolated` may take, mapped files included."""

Array = np.ndarray[Any, Any]
T = TypeVar("T")


class Feed(NamedTuple):
    """One input: ``gen`` says how to draw it (``randn``, ``u01``, ``randint:N``, ``const:V``, ``bool``, ``string``)."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    gen: str

    @property
    def range(self) -> tuple[float, float] | None:
        """Lowest and highest value, where the kind has them."""
        kind, _, number = self.gen.partition(":")
        known = {"u01": (0.0, 1.0)}
        if kind == "const":
            known[kind] = (float(number), float(number))
        elif kind == "randint":
            known[kind] = (0.0, float(number) - 1)
        return known.get(kind)

    def draw(self, seed: int) -> Array:
        """Seeded values."""
        rng = np.random.default_rng([seed, zlib.crc32(self.name.encode())])
        kind, _, number = self.gen.partition(":")
        if kind == "string":
            return np.full(self.shape, "text", object)
        if kind == "randn":
            return rng.standard_normal(self.shape).astype(self.dtype)
        if kind == "u01":
            return rng.random(self.shape).astype(self.dtype)
        if kind == "const":
            return np.full(self.shape, float(number), self.dtype)
        return rng.integers(0, int(number or 2), self.shape).astype(self.dtype)


@dataclass(frozen=True)
class Item:
    """One model: its name is ``folder/stem``; ``alt`` holds a second shape per dynamic input."""

    name: str
    path: Path
    feeds: tuple[Feed, ...]
    alt: dict[str, tuple[int, ...]]

    def filled(self) -> Path:
        """The file with weights; made once."""
        model = onnx.load(self.path, load_external_data=False)
        if all(p.key != "weights" for p in model.metadata_props):
            return self.path
        target = CACHE / f"{self.name}.onnx"
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            _write(_filler().fill(model), target)
        return target

    def draw(self, seed: int, *, alt: bool = False) -> dict[str, Array]:
        """Seeded values for every input; ``alt`` at the second shapes."""
        shapes = self.alt if alt else {}
        return {f.name: f._replace(shape=shapes.get(f.name, f.shape)).draw(seed) for f in self.feeds}

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape by input name."""
        return {f.name: f.shape for f in self.feeds}

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest value by name of the inputs that say so."""
        return {f.name: found for f in self.feeds if (found := f.range) is not None}


@cache
def _filler() -> Any:
    spec = importlib.util.spec_from_file_location("fill", CORPUS / "fill.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(CORPUS / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _write(model: onnx.ModelProto, target: Path) -> None:
    """Save, with external data where protobuf ends; whole or not at all."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        draft = Path(folder) / target.name
        large = sum(len(t.raw_data) for t in model.graph.initializer) > 1.5e9
        data = f"{target.name}.data"
        onnx.save(model, draft, save_as_external_data=large, all_tensors_to_one_file=True, location=data)
        if large:
            (Path(folder) / data).replace(target.with_name(data))
        draft.replace(target)


def items(only: Sequence[str] = ("*",), *, large: bool = False, folders: Sequence[str] = FOLDERS) -> Iterator[Item]:
    """The models whose names match one of the globs ``only``, folder by folder."""
    index = json.loads((CORPUS / "index.json").read_text())
    for path in (p for folder in folders for p in sorted((CORPUS / folder).glob("*.onnx"))):
        name = f"{path.parent.name}/{path.stem}"
        if not any(fnmatch(name, glob) or fnmatch(path.stem, glob) for glob in only) or (name in LARGE and not large):
            continue
        known = index.get(name)
        feeds = _feeds(path) if known is None else tuple(_feed(i) for i in known["inputs"])
        alt = {k: tuple(v) for k, v in ((known or {}).get("alt") or {}).items()}
        yield Item(name, path, feeds, alt)


def _feed(entry: dict[str, Any]) -> Feed:
    return Feed(entry["name"], tuple(entry["shape"]), entry["dtype"], entry["gen"])


def _feeds(path: Path) -> tuple[Feed, ...]:
    """The inputs of a model of static shapes that the index does not list, as pictures in 0..1."""
    graph = onnx.load(path, load_external_data=False).graph
    known = {t.name for t in graph.initializer}
    found = []
    for info in (i for i in graph.input if i.name not in known):
        tensor = info.type.tensor_type
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type).name if tensor.elem_type else "float32"
        shape = tuple(max(1, d.dim_value) for d in tensor.shape.dim)
        found.append(Feed(info.name, shape, dtype, "u01" if dtype.startswith("float") else "randint:8"))
    return tuple(found)


class Failed(NamedTuple):
    """What became of a call that did not return: an exception, a time limit, or the end of its process."""

    reason: str
    trace: str = ""


def isolated(call: Callable[..., T], *args: object, seconds: float = 600, memory: int = MEMORY) -> T | Failed:
    """``call(*args)`` in a forked process of its own, with limits on time and address space."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(theirs, call, args, memory))
    process.start()
    theirs.close()
    try:
        if not ours.poll(seconds):
            return Failed(f"took more than {seconds:.0f} s")
        answer: T | Failed = ours.recv()
    except EOFError:
        process.join()
        return Failed(f"its process ended with code {process.exitcode}")
    finally:
        process.kill()
        process.join()
    return answer


def _child(pipe: Connection, call: Callable[..., Any], args: tuple[object, ...], memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    try:
        pipe.send(call(*args))
    except BaseException as error:  # noqa: BLE001  whatever it is, it is the result
        pipe.send(Failed(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", traceback.format_exc()))


def over(
    call: Callable[[Item], T], models: Sequence[Item], jobs: int, seconds: float
) -> Iterator[tuple[Item, T | Failed]]:
    """``call(item)`` for every model, each isolated, ``jobs`` at a time, in order; progress goes to stderr."""
    with ThreadPoolExecutor(jobs) as pool:
        results = pool.map(lambda item: isolated(call, item, seconds=seconds), models)
        for number, (item, result) in enumerate(zip(models, results, strict=True), start=1):
            if sys.stderr.isatty():
                print(f"\r{number}/{len(models)} {item.name:60.60}", end="", file=sys.stderr, flush=True)
            yield item, result


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """A parser with the options that all corpus scripts share."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="GLOB", help="names of models, such as 'edge/*'; repeatable")
    parser.add_argument("--large", action="store_true", help="the models of more than 1 GB, too")
    parser.add_argument("--jobs", type=int, default=2, help="models at a time")
    parser.add_argument("--seconds", type=float, default=600, help="time limit per model")
    return parser


def need_corpus() -> None:
    """Exit with one message when the corpus is not there."""
    if not CORPUS.is_dir():
        sys.exit(f"no corpus at {CORPUS} (set SURGERY_CORPUS)")
