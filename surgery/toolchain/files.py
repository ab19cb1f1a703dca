"""The files of one run: a model put into its folder, what is kept of the run, and that read back."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from surgery.errors import ModelError
from surgery.ir import Model
from surgery.ir.external import CUT
from surgery.ir.wire import split
from surgery.toolchain import structure
from surgery.toolchain.log import speeds, table, versions
from surgery.toolchain.performance import Performance, segment
from surgery.toolchain.refusal import refusal
from surgery.toolchain.results import Answer, Placement, candidates, removals
from surgery.toolchain.worker import Ended

MODEL = "model.onnx"
LARGEST = (1 << 31) - 1
"""Bytes of the largest model file: the toolchain parses it whole by protobuf."""
_LOG, _MODIFIER, _END = "log.txt.gz", "modifier.txt.gz", "end.json"
_GRAPHS = ("optimized_float_model.onnx", "quantized_model.onnx")


def stage(source: Path | Model, folder: Path) -> Path:
    """Put a model into ``folder``: the file itself, or, with external data or in memory, a file of one piece.

    Raises:
        ModelError: it does not fit into one protobuf file, or cannot be read; WeightsMissing: its data is absent.
    """
    place = folder / MODEL
    if isinstance(source, Path) and not _external(source):
        place.symlink_to(source.resolve())
    else:
        model = Model.load(source)
        if sum(constant.nbytes for constant in model.heavy().values()) > LARGEST:
            raise ModelError("over 2 GiB, more than the toolchain can read", where=str(source))
        model.save(place, external=False)
    if place.stat().st_size > LARGEST:
        raise ModelError("over 2 GiB, more than the toolchain can read", where=str(source))
    return place


def _external(path: Path) -> bool:
    """Whether a model file refers to data in other files."""
    try:
        proto = onnx.ModelProto.FromString(split(path).skeleton)
    except (ModelError, DecodeError):
        return False  # the toolchain has its own word for what is no model
    return any(_is_outside(tensor) for tensor in proto.graph.initializer)


def _is_outside(tensor: onnx.TensorProto) -> bool:
    where = {entry.key: entry.value for entry in tensor.external_data}.get("location", "")
    return tensor.data_location == onnx.TensorProto.EXTERNAL and where != CUT


def digest(path: Path) -> str:
    """The sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def harvest(folder: Path, ended: Ended, into: Path, *, models: bool = False) -> None:
    """Keep what counts of a finished run: the log, the structure of its graphs, its segments; ``models`` if asked."""
    into.mkdir()
    (into / _END).write_text(json.dumps(asdict(ended)))
    _keep(into / _LOG, (folder / "output.txt").read_bytes())
    for made in sorted(path for name in (".hb_check", ".") for path in (folder / name).glob("*")):
        if made.name.endswith("_model.onnx") and models and "original" not in made.name:
            shutil.copy(made, into / made.name.removeprefix("m_"))
        if made.name.endswith(_GRAPHS):
            _keep(into / f"{made.name.removeprefix('m_')}.json.gz", structure.dump(structure.read(made)).encode())
        if made.match("*_subgraph_*.json"):
            _keep(into / f"{made.name}.gz", made.read_bytes())
        if made.name == "hb_model_modifier.log":
            _keep(into / _MODIFIER, made.read_bytes())


def _keep(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(content, 6, mtime=0))


def _read(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode(errors="replace") if path.exists() else ""


def answer(entry: Path, march: str, *, limit: float, level: str | None, cached: bool) -> Answer:
    """The typed answer of what :func:`harvest` kept."""
    ended = Ended(**json.loads((entry / _END).read_text()))
    text = _read(entry / _LOG)
    refused = refusal(ended, text, limit=limit)
    segments = tuple(segment(_read(path)) for path in sorted(entry.glob("*_subgraph_*.json.gz"), key=_number))
    whole = segments and refused is None  # else some segments were not compiled
    return Answer(
        march=march,
        refusal=refused,
        placement=_placement(entry, text),
        performance=Performance(level, segments) if level and whole else None,
        removed=removals(_read(entry / _MODIFIER)),
        candidates=candidates(_read(entry / _MODIFIER)),
        versions=versions(text),
        seconds=ended.seconds,
        cached=cached,
    )


def _number(path: Path) -> int:
    return int(path.name.rsplit("_subgraph_", 1)[1].split(".")[0])


def _placement(entry: Path, text: str) -> Placement | None:
    rows = table(text)
    graphs = [_read(entry / f"{name}.json.gz") for name in _GRAPHS]
    optimised, quantised = (structure.load(graph) if graph else () for graph in graphs)
    return Placement(rows, optimised, quantised, speeds(text)) if rows else None
