"""One-operator networks: an operator alone, between convolutions and at the end, over the values of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR = 11, 7
CHANNELS, SIZE = 64, 28
PLAIN = (
    "Abs", "Ceil", "Cos", "Elu", "Erf", "Exp", "Floor", "HardSigmoid", "LeakyRelu", "Log", "Neg", "Reciprocal", "Relu",
    "Round", "Selu", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh", "GlobalAveragePool",
    "GlobalMaxPool", "Identity", "Acos", "Asin", "Atan", "Cosh", "Sinh", "Asinh",
)  # fmt: skip
BINARY = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "Greater", "Less", "Equal", "PRelu")
REDUCE = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2")
WINDOWS = ((2, 2), (3, 1), (3, 2), (5, 1), (7, 7), (13, 1), (28, 28))
"""Kernel and stride of poolings."""
AXES = ((1,), (2,), (3,), (2, 3), (3, 2), (1, 2), (-2, -1), (-1, -2))

Network = tuple[str, Callable[[], onnx.ModelProto]]
Operator = tuple[str, str, dict[str, Any], list[np.ndarray[Any, Any]]]


def networks() -> Iterator[Network]:
    """Every probe: its name and how to make it."""
    for name, op, attributes, constants in _operators():
        for place in ("alone", "middle", "tail"):
            yield f"{name}/{place}", partial(network, op, attributes, constants, place)
    yield from _convolutions()


def _operators() -> Iterator[Operator]:
    yield from ((op, op, {}, []) for op in PLAIN)
    yield from _binaries()
    yield from _reductions()
    yield from _pools()
    yield from _movements()
    for axis in (1, 2, 3):
        yield f"Softmax_{axis}", "Softmax", {"axis": axis}, []
    for low, high in ((0, 6), (-1, 1), (0.1, 3)):
        yield f"Clip_{low}_{high}", "Clip", {}, [np.array(low, np.float32), np.array(high, np.float32)]


def _binaries() -> Iterator[Operator]:
    for op in BINARY:
        for shape in ((1,), (1, CHANNELS, 1, 1)) if op != "PRelu" else ((CHANNELS, 1, 1),):
            yield f"{op}_const{len(shape)}d", op, {}, [np.full(shape, 1.5, np.float32)]


def _reductions() -> Iterator[Operator]:
    for op, axes, keep in product(REDUCE, AXES, (0, 1)):
        yield f"{op}_{'_'.join(map(str, axes))}_keep{keep}", op, {"axes": axes, "keepdims": keep}, []
    for axis, keep in product((1, 2, 3), (0, 1)):
        yield f"ArgMax_{axis}_keep{keep}", "ArgMax", {"axis": axis, "keepdims": keep}, []


def _pools() -> Iterator[Operator]:
    for (kernel, stride), op in product(WINDOWS, ("MaxPool", "AveragePool")):
        pads = [kernel // 2] * 4 if stride == 1 else [0] * 4
        said = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": pads}
        yield f"{op}_{kernel}s{stride}", op, said, []


def _movements() -> Iterator[Operator]:
    for block in (2, 4):
        yield f"DepthToSpace_{block}", "DepthToSpace", {"blocksize": block}, []
        yield f"SpaceToDepth_{block}", "SpaceToDepth", {"blocksize": block}, []
    for perm in ((0, 2, 3, 1), (0, 3, 1, 2), (0, 1, 3, 2)):
        yield f"Transpose_{''.join(map(str, perm))}", "Transpose", {"perm": perm}, []
    for shape in ((1, -1), (1, CHANNELS * SIZE, SIZE), (1, SIZE, SIZE, CHANNELS), (1, 4, CHANNELS // 4, SIZE, SIZE)):
        yield f"Reshape_{'x'.join(map(str, shape))}", "Reshape", {}, [np.array(shape, np.int64)]


def _convolutions() -> Iterator[Network]:
    for kernel in (1, 3, 5, 7, 9, 11, 13, 15, 31, 33):
        for stride in (1, 2, 3, 5):
            yield f"Conv_k{kernel}s{stride}", partial(convolution, 64, 64, kernel, stride, 1, 1)
    for dilation in (2, 3, 4, 8, 16, 18):
        for stride in (1, 2):
            yield f"Conv_k3s{stride}d{dilation}", partial(convolution, 64, 64, 3, stride, dilation, 1)
    for cin, cout in ((2048, 64), (64, 2048), (2056, 64), (64, 2056), (4096, 64), (64, 4096), (8192, 64), (8200, 64)):
        yield f"Conv_{cin}to{cout}", partial(convolution, cin, cout, 1, 1, 1, 1)
    for group in (2, 4, 16, 32, 64):
        for kernel in (3, 5, 7, 11):
            yield f"Conv_k{kernel}g{group}", partial(convolution, 64, 64, kernel, 1, 1, group)


def network(op: str, attributes: dict[str, Any], constants: list[np.ndarray[Any, Any]], place: str) -> onnx.ModelProto:
    """``op`` on a feature map of 64x28x28: alone, between two convolutions, or behind one."""
    names = [f"k{index}" for index in range(len(constants))]
    held = [numpy_helper.from_array(np.asarray(value), name) for value, name in zip(constants, names, strict=True)]
    before = "x" if place == "alone" else "before"
    nodes = [] if place == "alone" else [_conv("x", before, "w")]
    nodes.append(helper.make_node(op, [before, *names], ["made"], name="probe", **attributes))
    graph = helper.make_graph(nodes, "probe", [_image(CHANNELS)], [helper.make_empty_tensor_value_info("made")], held)
    graph.initializer.append(_taps("w", CHANNELS, CHANNELS, 1))
    model = _model(graph)
    return _with_tail(model) if place == "middle" else model


def _with_tail(model: onnx.ModelProto) -> onnx.ModelProto:
    """A convolution behind the probe, where its result is a feature map; else the model as it is."""
    made = model.graph.output[0].type.tensor_type
    dims = [d.dim_value for d in made.shape.dim]
    if made.elem_type != TensorProto.FLOAT or len(dims) != 4:
        return model
    model.graph.node.append(_conv("made", "after", "v"))
    model.graph.initializer.append(_taps("v", 64, dims[1], 1))
    del model.graph.output[:]
    model.graph.output.append(helper.make_empty_tensor_value_info("after"))
    return _model(model.graph)


def convolution(cin: int, cout: int, kernel: int, stride: int, dilation: int, group: int) -> onnx.ModelProto:
    """One convolution, its result the size of its input where the stride is 1."""
    reach = dilation * (kernel - 1) // 2
    node = helper.make_node(
        "Conv", ["x", "w"], ["made"], name="probe", kernel_shape=[kernel] * 2, strides=[stride] * 2,
        dilations=[dilation] * 2, pads=[reach] * 4, group=group,
    )  # fmt: skip
    outputs = [helper.make_empty_tensor_value_info("made")]
    return _model(helper.make_graph([node], "probe", [_image(cin)], outputs, [_taps("w", cout, cin // group, kernel)]))


def _conv(data: str, made: str, taps: str) -> onnx.NodeProto:
    said: dict[str, Any] = {"kernel_shape": [1, 1], "strides": [1, 1], "dilations": [1, 1], "pads": [0] * 4, "group": 1}
    return helper.make_node("Conv", [data, taps], [made], name=made, **said)


def _taps(name: str, cout: int, cin: int, kernel: int) -> onnx.TensorProto:
    values = np.random.default_rng(0).normal(scale=0.05, size=(cout, cin, kernel, kernel)).astype(np.float32)
    return numpy_helper.from_array(values, name)


def _image(channels: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, SIZE, SIZE])


def _model(graph: onnx.GraphProto) -> onnx.ModelProto:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    return onnx.shape_inference.infer_shapes(model)
