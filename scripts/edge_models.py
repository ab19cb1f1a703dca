"""Both sides of the rules about whole models: a small model that keeps each, and one that just breaks it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from surgery.target import Target
from surgery.target.march import Limit

LARGE = 1 << 15
Dims = Sequence[int | str]
Maker = Callable[[int], onnx.ModelProto]


class ModelEdge(NamedTuple):
    """The models inside and outside, and the values on the two sides."""

    inside: onnx.ModelProto
    outside: onnx.ModelProto
    found: tuple[str, str]


def model_edges(target: Target) -> dict[str, ModelEdge]:
    """Every rule about whole models of a march, by id."""
    found: dict[str, ModelEdge] = {}
    for limit, check in zip(target.march.model, target.model_checks, strict=True):
        make = MAKERS[limit.param or limit.name]
        inside, outside = _values(limit)
        found[check.constraint] = ModelEdge(make(inside), make(outside), (str(inside), str(outside)))
    return found


def _values(limit: Limit) -> tuple[int, int]:
    """Values on the two sides: of a rule that holds or not, 0 and 1."""
    if limit.max is not None:
        return int(limit.max), int(limit.max) + 1
    return (int(limit.min), int(limit.min) - 1) if limit.min is not None else (0, 1)


def _model(nodes: Sequence[onnx.NodeProto], shape: Dims, outputs: Sequence[str], **said: Any) -> onnx.ModelProto:
    inputs = [_value(name, shape) for name in said.get("inputs", ("x",))]
    held = [numpy_helper.from_array(np.asarray(v), name) for name, v in said.get("held", {}).items()]
    ends = [helper.make_empty_tensor_value_info(name) for name in outputs]
    opsets = [helper.make_opsetid("", said.get("opset", 11))]
    made = helper.make_model(helper.make_graph(nodes, "edges", inputs, ends, held), opset_imports=opsets)
    made.ir_version = said.get("ir", 7)
    return onnx.shape_inference.infer_shapes(made)


def _value(name: str, shape: Dims) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _conv(name: str, source: str, weight: str = "w") -> onnx.NodeProto:
    return helper.make_node("Conv", [source, weight], [name], name=name, kernel_shape=[1, 1])


def _taps() -> dict[str, Any]:
    return {"w": np.random.default_rng(0).normal(size=(4, 4, 1, 1)).astype(np.float32)}


def _plain(**said: Any) -> onnx.ModelProto:
    return _model([_conv("y", "x")], said.pop("shape", (1, 4, 8, 8)), ["y"], held=_taps(), **said)


def _of_opset(number: int) -> onnx.ModelProto:
    return _plain(opset=number)


def _of_ir(number: int) -> onnx.ModelProto:
    return _plain(ir=number)


def _of_outputs(number: int) -> onnx.ModelProto:
    names = [f"y{i}" for i in range(number)]
    held = {f"w{i}": _taps()["w"] * (1 + i) for i in range(number)}
    nodes = [_conv(name, "x", f"w{i}") for i, name in enumerate(names)]
    return _model(nodes, (1, 4, 8, 8), names, held=held)


def _of_inputs(number: int) -> onnx.ModelProto:
    names = [f"x{i}" for i in range(number)]
    nodes = [helper.make_node("Sum", names, ["s"], name="s"), _conv("y", "s")]
    return _model(nodes, (1, 4, 8, 8), ["y"], inputs=names, held=_taps())


def _of_rank(number: int) -> onnx.ModelProto:
    shape = (1,) * (number - 4) + (1, 4, 8, 8)
    to = {"to": np.array((1, 4, 8, 8), np.int64)}
    nodes = [helper.make_node("Reshape", ["x", "to"], ["r"], name="r"), _conv("y", "r")]
    return _model(nodes, shape, ["y"], held={**_taps(), **to})


def _of_bytes(number: int) -> onnx.ModelProto:
    """An input of that many bytes, or one float more."""
    width = LARGE * LARGE // 2
    nodes = [helper.make_node("Relu", ["x"], ["y"], name="y")]
    return _model(nodes, (1, 1, 1, width + (number > 4 * width)), ["y"])


def _dynamic(number: int) -> onnx.ModelProto:
    return _plain(shape=("batch" if number else 1, 4, 8, 8))


def _unscaled(number: int) -> onnx.ModelProto:
    scale = {"s": np.array(0.1, np.float32), "z": np.array(0, np.int8)}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], name="q"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], name="d"),
        _conv("c", "d"),
        _conv("y", "c" if number else "d"),
    ]
    return _model(nodes, (1, 4, 8, 8), ["y", "c"], held={**_taps(), **scale})


def _of_domain(number: int) -> onnx.ModelProto:
    made = _plain()
    if number:
        made.graph.node.append(helper.make_node("Invert", ["x"], ["z"], name="z", domain="made.up"))
        made.graph.output.append(_value("z", (1, 4, 8, 8)))
        made.opset_import.append(helper.make_opsetid("made.up", 1))
    return made


def _parted(number: int) -> onnx.ModelProto:
    scale = {"s": np.array(0.1, np.float32), "z": np.array(0, np.int8)}
    quantise, between, dequantise = (
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], name="q"),
        helper.make_node("Neg", ["x"], ["t"], name="t"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], name="d"),
    )
    order = (quantise, between, dequantise) if number else (between, quantise, dequantise)
    return _model([*order, _conv("y", "d")], (1, 4, 8, 8), ["y", "t"], held={**_taps(), **scale})


MAKERS: dict[str, Maker] = {
    "opset": _of_opset, "ir_version": _of_ir, "outputs": _of_outputs, "inputs": _of_inputs, "input_ranks": _of_rank,
    "io_bytes": _of_bytes, "domains": _of_domain, "dynamic_dims": _dynamic, "unscaled": _unscaled, "parted": _parted,
}  # fmt: skip
