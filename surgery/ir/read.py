"""From a file, bytes or a proto to a checked model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
from google.protobuf.message import DecodeError

from surgery.errors import InputError, ModelError
from surgery.ir.collector import undisturbed
from surgery.ir.exporter import LISTED_BEFORE, constants_of
from surgery.ir.graph import Graph
from surgery.ir.importer import Importer, Reader
from surgery.ir.normalise import normalise
from surgery.ir.notes import counted
from surgery.ir.store import MappedFile
from surgery.ir.weights import Weight

if TYPE_CHECKING:
    from surgery.ir.model import Model

IMPORTS_FROM = 3
"""IR version from which a file has to say its opset."""


def read_model(kind: type[Model], source: object, keep_input_initializers: bool) -> Model:
    """The checked model of a path, file content or ModelProto; raises ModelError, naming the file."""
    try:
        if isinstance(source, onnx.ModelProto):
            return _build(kind, source, Weight.from_proto, keep_input_initializers)
        if isinstance(source, bytes):
            return _parse(kind, source, None, keep_input_initializers)
        if not isinstance(source, (str, os.PathLike)):
            raise InputError(f"cannot load a model from a {type(source).__name__}")
        path = Path(source)
        model = _parse(kind, path, path, keep_input_initializers)
        model.path, model.file = path, MappedFile(path)
        return model
    except ModelError as error:
        if isinstance(source, (str, os.PathLike)) and not str(error.where or "").startswith(str(source)):
            error.where = f"{source}: {error.where}" if error.where else str(source)
        raise


def _parse(kind: type[Model], source: bytes | Path, path: Path | None, keep: bool) -> Model:
    from surgery.ir import wire

    skeleton, blobs = wire.split(source)
    try:
        proto = onnx.ModelProto.FromString(skeleton)
    except DecodeError as error:
        raise ModelError("not an ONNX model: protobuf cannot decode it") from error
    base = None if path is None else path.parent

    def read(tensor: onnx.TensorProto) -> Weight:
        return Weight.from_proto(tensor, base, blobs)

    return _build(kind, proto, read, keep)


@undisturbed()
def _build(kind: type[Model], proto: onnx.ModelProto, read: Reader, keep: bool) -> Model:
    _versions(proto)
    importer = Importer(read)
    graph = importer.graph(proto.graph, {})
    functions = [importer.function(f) for f in proto.functions]
    model = kind(graph, functions, _header(proto))
    notes = importer.notes
    notes += normalise(graph, keep_input_initializers=keep, listed=proto.ir_version < LISTED_BEFORE)
    notes += _unused(importer, [graph, *functions])
    repairs = [*_imports(model), *_named(graph)]
    found, inferred = model.inferred()
    model.normalised = [*notes, *(f"repaired: {text}" for text in (*repairs, *found))]
    _shaped(graph)
    model.check(inferred)
    return model


def _versions(proto: onnx.ModelProto) -> None:
    """Refuse what the installed onnx cannot read."""
    if not proto.HasField("graph") or not (proto.graph.node or proto.graph.output):
        raise ModelError("not an ONNX model: it has no graph")
    if proto.ir_version > onnx.IR_VERSION:
        raise ModelError(
            f"IR version {proto.ir_version} is newer than the installed onnx reads ({onnx.IR_VERSION})",
            hint="pip install -U onnx, or export with an older IR version",
        )
    newest = onnx.defs.onnx_opset_version()
    opset = next((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), None)
    if opset is not None and opset > newest:
        raise ModelError(
            f"opset {opset} is newer than the installed onnx knows ({newest})",
            hint="pip install -U onnx, or export with an older opset",
        )


def _header(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Everything of ``proto`` but the graph and the nodes of functions."""
    header = onnx.ModelProto()
    skipped = {"graph", "functions"}
    for field, value in proto.ListFields():
        if field.name in skipped:
            continue
        if field.message_type is None and (isinstance(value, str) or not isinstance(value, Sequence)):
            setattr(header, field.name, value)
        else:
            getattr(header, field.name).extend(value)
    for function in proto.functions:
        signature = header.functions.add()
        signature.CopyFrom(function)
        del signature.node[:]
    return header


def _unused(importer: Importer, roots: Sequence[Graph]) -> Iterator[str]:
    """What of the constants nothing reads: it is left out from here on."""
    graphs = [inner for root in roots for inner in root.walk()]
    used = {id(c) for inner in graphs for c in (*constants_of(inner), *inner.inputs)}
    yield from counted(
        "constants that nothing reads left out", [c.name for c in importer.constants if id(c) not in used]
    )


def _imports(model: Model) -> Iterator[str]:
    """Import the custom domains that nodes use and the file forgot; ONNX's own has to be there."""
    used = dict.fromkeys("" if n.is_onnx else n.domain for graph in model.graphs() for n in graph.nodes)
    if "" in used and "" not in model.opsets and model.ir_version >= IMPORTS_FROM:
        raise ModelError("the file says no opset (no import of the default operator domain)")
    for domain in (d for d in used if d and d not in model.opsets):
        model.header.opset_import.add(domain=domain, version=1)
        yield f"operator domain {domain!r} was used without an import, version 1 is assumed"


def _named(graph: Graph) -> Iterator[str]:
    if not graph.name:
        graph.name = "graph"
        yield "the graph had no name"


def _shaped(graph: Graph) -> None:
    """Refuse a graph with an input or output of unknown rank, which ONNX does not allow."""
    for kind, tensors in (("input", graph.inputs), ("output", graph.outputs)):
        for tensor in tensors:
            if tensor.dtype is not None and tensor.shape is None:
                raise ModelError(f"graph {kind} {tensor.name!r} has no shape in the file, and none can be inferred")
