"""Saving: in one atomic step, and without ever holding the weights in memory.

Everything is written to hidden files beside the target, flushed to the disk, and renamed at the end, the model last:
whoever looks, or whenever the machine stops, there is either the old model or the new one. A data file is named by
the hash of its content, so that it never replaces the data of another version of the model.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from onnx import ModelProto, StringStringEntryProto, TensorProto

from surgery.errors import InputError, ModelError, WeightsMissing
from surgery.ir.staging import Staging
from surgery.ir.store import Absent, Source
from surgery.ir.weights import Weight
from surgery.ir.wire import Piece, chunks, filled, splice, split

MAX_EMBEDDED = 1_900_000_000
"""Bytes from which weights go to a data file unless asked otherwise: protobuf itself ends at 2 GiB."""
MAX_PROTOBUF = (1 << 31) - 1
LOCATION = "weights"
"""Location of the tensors that :func:`write` fills in."""
MARK = StringStringEntryProto(key="location", value=LOCATION).SerializeToString()
"""What the bytes of such a tensor contain."""
PAGE, LARGE, SMALL_ALIGN = 4096, 1 << 20, 64
"""Alignment of large weights in a data file (so that they can be mapped), what counts as large, and of the others."""


def write(
    proto: ModelProto, heavy: Mapping[str, Weight], path: str | os.PathLike[str], external: bool | None = None
) -> None:
    """Write a model.

    Args:
        proto: the model; the tensors of ``heavy`` declared by :meth:`Weight.declare`, in any graph.
        heavy: weights by name.
        path: the file; an existing one is replaced when everything is written, with its permissions kept. Data
            files that the replaced model alone used, by this function's naming, are removed.
        external: weights in a data file beside ``path``; by default when they are too large for protobuf.

    Raises:
        WeightsMissing: the data of a weight is absent.
        InputError: the folder is missing, something cannot be written, or the weights do not fit into one file.
        In every case, and when interrupted, what was there before is unchanged (unless all that failed is the last
        flush of the folder, when the new model is in place).
    """
    target = Path(path)
    _check_present(heavy)
    skeleton = proto.SerializeToString(deterministic=True)
    total = len(skeleton) + sum(weight.nbytes for weight in heavy.values())
    if external is None:
        external = total > MAX_EMBEDDED
    if not external and total > MAX_PROTOBUF:
        raise InputError(f"{total} bytes do not fit into one file of 2 GiB", hint="save with external data")
    try:
        _check_target(target)
        _publish(skeleton, heavy, target, external and bool(heavy))
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", where=str(target)) from error


def _publish(skeleton: bytes, heavy: Mapping[str, Weight], target: Path, external: bool) -> None:
    stale = _own_data(target)
    with Staging(target) as staging:
        if external:
            pieces, places = _layout(heavy)
            with ThreadPoolExecutor(1) as second_core:
                digest = second_core.submit(_digest, pieces)
                data = staging.write(pieces)
            beside = target.with_name(f"{target.stem}-{digest.result()[:16]}.data")
            model = staging.write(splice(skeleton, MARK, lambda tensor: _placed(tensor, beside.name, places)))
            staging.publish((data, beside), (model, target))
            stale.discard(beside)
        else:
            model = staging.write(splice(skeleton, MARK, lambda tensor: _embedded(tensor, heavy)))
            staging.publish((model, target))
    for path in stale:
        path.unlink(missing_ok=True)


def _digest(pieces: Iterable[Piece]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        for chunk in chunks(piece):
            digest.update(chunk)
    return digest.hexdigest()


def _embedded(tensor: TensorProto, heavy: Mapping[str, Weight]) -> list[Piece] | None:
    return filled(tensor, heavy[tensor.name].source) if _declared(tensor) and tensor.name in heavy else None


def _placed(tensor: TensorProto, location: str, places: Mapping[str, tuple[int, int]]) -> list[Piece] | None:
    if not _declared(tensor) or tensor.name not in places:
        return None
    offset, length = places[tensor.name]
    entries = {"location": location, "offset": str(offset), "length": str(length)}
    del tensor.external_data[:]
    tensor.external_data.extend(StringStringEntryProto(key=key, value=value) for key, value in entries.items())
    return [tensor.SerializeToString()]


def _declared(tensor: TensorProto) -> bool:
    return [(e.key, e.value) for e in tensor.external_data] == [("location", LOCATION)]


def _layout(heavy: Mapping[str, Weight]) -> tuple[list[Piece], dict[str, tuple[int, int]]]:
    """The content of the data file, and offset and length of each weight; equal places of bytes are stored once."""
    pieces: list[Piece] = []
    seen: dict[Source, int] = {}
    places, end = {}, 0
    for name, weight in heavy.items():
        if weight.source not in seen:
            start = _aligned(end, PAGE if weight.nbytes >= LARGE else SMALL_ALIGN)
            pieces += [bytes(start - end), weight.source]
            seen[weight.source], end = start, start + weight.nbytes
        places[name] = seen[weight.source], weight.nbytes
    return pieces, places


def _aligned(offset: int, step: int) -> int:
    return -(-offset // step) * step


def _check_target(target: Path) -> None:
    """Refuse what is sure to fail, or what a rename must not replace (a folder, a device)."""
    if not target.parent.is_dir():
        raise InputError(f"the folder '{target.parent}' does not exist", where=str(target), hint="make it first")
    if target.exists() and not target.is_file():
        raise InputError("is no regular file", where=str(target))
    if target.exists() and not os.access(target, os.W_OK):
        raise InputError("is read-only", where=str(target))


def _check_present(heavy: Mapping[str, Weight]) -> None:
    missing = {name: weight.source for name, weight in heavy.items() if isinstance(weight.source, Absent)}
    for name, source in missing.items():
        counts = f"{len(missing)} of {len(heavy)} weights"
        raise WeightsMissing(f"the data of {counts} is missing, first of '{name}': no file {source.path}")


def _own_data(target: Path) -> set[Path]:
    """The data files beside ``target`` that it names and that only :func:`write` can have made for it."""
    own = re.compile(re.escape(target.stem) + r"-[0-9a-f]{16}\.data")
    beside = {entry.name for entry in os.scandir(target.parent) if own.fullmatch(entry.name)}
    if not beside or not target.exists():
        return set()
    try:
        skeleton = split(target).skeleton
    except ModelError:  # what is replaced is no model, so it has no data
        return set()
    return {target.with_name(name) for name in beside if name.encode() in skeleton}
