"""Types and shapes of values, by onnx's own inference over the graph without its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import onnx

from surgery.errors import ModelError
from surgery.ir.exporter import Exporter, Weights, value_info
from surgery.ir.graph import Dim, DType, Graph, Shape, Value
from surgery.ir.importer import tensor_type

LONG = 65536
"""Elements of a rank-1 tensor above which shape inference does not follow values."""

Setter = Callable[[Value, "DType | None", "Shape | None"], None]


def infer(
    main: Graph, header: onnx.ModelProto, opset: int, assign: Setter, *, sharpen: bool = False
) -> tuple[list[str], onnx.ModelProto]:
    """Infer every value of ``main`` and its bodies; ``assign`` is called for each whose dtype or shape changes.

    What a file states is believed only where inference is silent: for operators without a schema, and for single
    dims. Graph outputs keep what is stated unless it is wrong: the interface of a model does not depend on what
    inference can find out; with ``sharpen`` they take what it finds, too. Returns a sentence for each statement that
    contradicts its operators, and the model as inferred, its heavy constants among the inputs. Raises ModelError when
    the operators contradict each other, as onnxruntime does.
    """
    proto = onnx.ModelProto()
    proto.CopyFrom(header)
    exporter = Exporter(Weights.INPUTS, opset, bare=True, ir_version=header.ir_version)
    exporter.main(main, proto.graph)
    _keep_opaque_types(main, proto.graph)
    for out in proto.graph.output:
        out.type.tensor_type.ClearField("shape") if out.type.HasField("tensor_type") else None
    small = not any(_is_long(info) for info in proto.graph.input)
    inferred = _inferred(proto, data_prop=small)
    graphs = list(main.walk())
    protos = _graphs(inferred.graph) if len(graphs) > 1 else (inferred.graph,)
    types = {info.name: info for graph in protos for info in (*graph.value_info, *graph.output)}
    repairs: list[str] = []
    outputs = set() if sharpen else {id(v) for v in main.outputs}
    for graph in graphs:
        inputs = {id(v) for v in graph.inputs} if graph.owner is None else set()
        for value in (*graph.inputs, *(v for n in graph.nodes for v in n.outputs)):
            info = types.get(value.name)
            if isinstance(value, Value) and info is not None and id(value) not in inputs:
                repairs += _update(value, info, assign, id(value) in outputs)
    del inferred.graph.output[:]
    inferred.graph.output.extend(value_info(out) for out in main.outputs)
    return repairs, inferred


def _inferred(proto: onnx.ModelProto, *, data_prop: bool) -> onnx.ModelProto:
    try:
        return onnx.shape_inference.infer_shapes(proto, check_type=False, strict_mode=True, data_prop=data_prop)
    except onnx.shape_inference.InferenceError as error:
        raise ModelError(" ".join(str(error).split())[:300], where="shape inference") from error


def _is_long(info: onnx.ValueInfoProto) -> bool:
    """Whether propagating the content of this rank-1 tensor would cost (100 bytes per element and node)."""
    shape = info.type.tensor_type.shape.dim
    return len(shape) == 1 and shape[0].dim_value > LONG


def _keep_opaque_types(main: Graph, proto: onnx.GraphProto) -> None:
    """Seed inference with the stated types of what operators outside the ONNX domain compute."""
    outputs = {id(v) for v in main.outputs}
    for node in main.nodes:
        if not node.is_onnx:
            proto.value_info.extend(value_info(v) for v in node.outputs if v.name and id(v) not in outputs)


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    stack = [graph]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(a.g for n in current.node for a in n.attribute if a.type == onnx.AttributeProto.GRAPH)


def _update(value: Value, info: onnx.ValueInfoProto, assign: Setter, output: bool) -> Iterator[str]:
    if not info.type.HasField("tensor_type"):
        if info.type.WhichOneof("value"):
            value.type_proto = onnx.TypeProto()
            value.type_proto.CopyFrom(info.type)
        return
    dtype, found = tensor_type(info.type)
    if found is not None and dtype == value.dtype and found == value.shape:
        return
    shape = merge(value.shape, found)
    if value.dtype is not None and dtype is not None and dtype != value.dtype:
        yield f"{value.name!r} was stated as {value.dtype}, its operator gives {dtype}"
    if output and value.shape is not None and sharpens(value.shape, shape):
        shape = value.shape
    if value.shape is not None and _contradict(value.shape, shape):
        yield f"{value.name!r} was stated as {dims(value.shape)}, its operator gives {dims(shape)}"
    if output and value.shape is None and shape is not None:
        yield f"output {value.name!r} was stated without a shape, its operator gives {dims(shape)}"
    if (dtype or value.dtype, shape) != (value.dtype, value.shape):
        assign(value, dtype or value.dtype, shape)


def merge(stated: Shape | None, found: Shape | None) -> Shape | None:
    """The inferred shape, with stated dims where inference found none.

    >>> merge(("N", 3, 8), (None, 3, 4))
    ('N', 3, 4)
    """
    if found is None or stated is None or len(stated) != len(found):
        return stated if found is None else found
    return tuple(_dim(s, f) for s, f in zip(stated, found, strict=True))


def _dim(stated: Dim, found: Dim) -> Dim:
    if isinstance(found, int):
        return found
    return stated if stated is not None else found


def _contradict(stated: Shape, found: Shape | None) -> bool:
    return found is not None and not sharpens(stated, found)


def sharpens(stated: Shape | None, found: Shape | None) -> bool:
    """Whether ``found`` says what ``stated`` says or more.

    >>> sharpens(("N", 1000), (1, 1000)), sharpens((1, 1000), ("N", 1000))
    (True, False)
    """
    if stated is None or found is None:
        return stated is None
    pairs = zip(stated, found, strict=False)
    return len(stated) == len(found) and all(s == f or not isinstance(s, int) for s, f in pairs)


def dims(shape: Shape | None) -> str:
    """A shape as ``1x3x?xW``; ``scalar`` for rank 0, ``unknown`` without one."""
    if shape is None:
        return "unknown"
    return "x".join("?" if d is None else str(d) for d in shape) or "scalar"
