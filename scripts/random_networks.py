"""Seeded networks of convolutions, activations, poolings, shortcuts, movements and heads, as people export them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR = 11, 7
PLAIN = (
    "Relu", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "HardSigmoid", "Softplus", "Exp", "Abs", "Sqrt", "Neg", "Sin",
    "Floor", "Erf", "Reciprocal", "Softsign", "Log", "Cos",
)  # fmt: skip
BINARY = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow")
Shape = tuple[int, ...]


class Net:
    """A graph in the making; ``values`` are the shapes of what can be read, the last first in favour."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.held: list[onnx.TensorProto] = []
        self.values: dict[str, Shape] = {}
        self.read: set[str] = set()

    def pick(self, choices: Sequence[Any]) -> Any:
        """One of ``choices``."""
        return choices[int(self.rng.integers(len(choices)))]

    def chance(self, share: float) -> bool:
        """True in that share of calls."""
        return bool(self.rng.random() < share)

    def constant(self, array: np.ndarray[Any, Any]) -> str:
        """An initializer."""
        name = f"k{len(self.held)}"
        self.held.append(numpy_helper.from_array(array, name))
        return name

    def floats(self, *shape: int) -> str:
        """Random weights, positive and away from zero so that no operator divides by it."""
        return self.constant(self.rng.uniform(0.2, 1.0, shape).astype(np.float32))

    def ints(self, *values: int) -> str:
        """Integers, rank 1."""
        return self.constant(np.array(values, np.int64))

    def op(self, op: str, inputs: Sequence[str], shape: Shape, **attributes: Any) -> str:
        """A node of one output."""
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=f"{op}_{len(self.nodes)}", **attributes))
        self.read.update(inputs)
        self.values[name] = shape
        return name

    def feature(self) -> str:
        """A value of rank 4, mostly one of the last."""
        maps = [name for name, shape in self.values.items() if len(shape) == 4]
        return str(maps[-1] if self.chance(0.7) else self.pick(maps[-4:]))


def _conv(net: Net) -> None:
    x = net.feature()
    n, c, h, w = net.values[x]
    kernel = net.pick([k for k in (1, 1, 3, 3, 3, 5, 7, 9) if k <= min(h, w)] or [1])
    dilation = net.pick((1, 1, 1, 2, 3, 4)) if kernel > 1 and 4 * kernel < min(h, w) else 1
    stride, group = net.pick((1, 1, 2)), net.pick((1, 1, 1, c))
    out = c * net.pick((1, 2)) if group > 1 else net.pick((8, 16, 24, 64))
    pad = dilation * (kernel - 1) // 2
    size = [(side + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1 for side in (h, w)]
    weights = [net.floats(out, c // group, kernel, kernel), *([net.floats(out)] if net.chance(0.7) else [])]
    attrs = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4, "dilations": [dilation] * 2}
    y = net.op("Conv", [x, *weights], (n, out, *size), group=group, **attrs)
    if net.chance(0.2):
        parts = [net.floats(out) for _ in range(4)]
        net.op("BatchNormalization", [y, *parts], net.values[y])


def _transposed(net: Net) -> None:
    x = net.feature()
    n, c, h, w = net.values[x]
    if h > 64:
        return
    kernel, out = net.pick((2, 3, 4)), net.pick((8, 16))
    shape = (n, out, 2 * (h - 1) + kernel, 2 * (w - 1) + kernel)
    net.op("ConvTranspose", [x, net.floats(c, out, kernel, kernel)], shape, kernel_shape=[kernel] * 2, strides=[2, 2])


def _plain(net: Net) -> None:
    x = net.feature()
    net.op(net.pick(PLAIN), [x], net.values[x])


def _clip(net: Net) -> None:
    x = net.feature()
    net.op("Clip", [x, *(net.constant(np.array(v, np.float32)) for v in (0, 6))], net.values[x])


def _gate(net: Net) -> None:
    x = net.feature()
    y = net.op(net.pick(("Sigmoid", "HardSigmoid", "Tanh")), [x], net.values[x])
    net.op("Mul", [x, y], net.values[x])


def _excite(net: Net) -> None:
    x = net.feature()
    n, c, h, w = net.values[x]
    pooled = net.pick(("GlobalAveragePool", "ReduceMean"))
    attrs = {"axes": [2, 3], "keepdims": 1} if pooled == "ReduceMean" else {}
    a = net.op(pooled, [x], (n, c, 1, 1), **attrs)
    b = net.op("Conv", [a, net.floats(c, c, 1, 1)], (n, c, 1, 1), kernel_shape=[1, 1])
    net.op("Mul", [x, net.op("Sigmoid", [b], (n, c, 1, 1))], (n, c, h, w))


def _constant_operand(net: Net) -> None:
    x = net.feature()
    c = net.values[x][1]
    shape = net.pick(((), (1,), (c, 1, 1), (1, c, 1, 1), (1, 1, 1, 1)))
    net.op(net.pick(BINARY[:-1]), [x, net.floats(*shape)], net.values[x])


def _power(net: Net) -> None:
    x = net.feature()
    net.op("Pow", [x, net.constant(np.array(net.pick((2.0, 0.5, 3.0)), np.float32))], net.values[x])


def _join(net: Net) -> None:
    x = net.feature()
    others = [name for name, shape in net.values.items() if shape == net.values[x] and name != x]
    if others:
        net.op(net.pick(("Add", "Add", "Add", "Mul", "Sub", "Max")), [x, net.pick(others)], net.values[x])


def _concat(net: Net) -> None:
    x = net.feature()
    n, c, h, w = net.values[x]
    fits = [v for v, s in net.values.items() if len(s) == 4 and (s[0], *s[2:]) == (n, h, w) and v != x]
    if fits:
        other = net.pick(fits)
        net.op("Concat", [x, other], (n, c + net.values[other][1], h, w), axis=1)


def _pool(net: Net) -> None:
    x = net.feature()
    n, c, h, w = net.values[x]
    kernel = net.pick((2, 3))
    if min(h, w) <= kernel:
        return
    size = [(side - kernel) // 2 + 1 for side in (h, w)]
    net.op(net.pick(("MaxPool", "AveragePool")), [x], (n, c, *size), kernel_shape=[kernel] * 2, strides=[2, 2])


def _same_pool(net: Net) -> None:
    x = net.feature()
    kernel = net.pick((3, 5, 13))
    if min(net.values[x][2:]) > kernel:
        kind = net.pick(("MaxPool", "AveragePool"))
        net.op(kind, [x], net.values[x], kernel_shape=[kernel] * 2, strides=[1, 1], pads=[kernel // 2] * 4)


def _resize(net: Net) -> None:
    x = net.feature()
    n, c, h, w = net.values[x]
    if h > 64:
        return
    by = net.pick((2, 2, 3))
    scales = net.constant(np.array([1, 1, by, by], np.float32))
    how = net.pick(({"mode": "nearest", "nearest_mode": "floor"}, {"mode": "linear"}))
    where = "asymmetric" if how["mode"] == "nearest" else net.pick(("half_pixel", "align_corners"))
    empty = net.constant(np.zeros(0, np.float32))
    net.op("Resize", [x, empty, scales], (n, c, by * h, by * w), coordinate_transformation_mode=where, **how)


def _reduce(net: Net) -> None:
    x = net.feature()
    axis = net.pick((1, 2, 3))
    shape = tuple(1 if i == axis else size for i, size in enumerate(net.values[x]))
    net.op(net.pick(("ReduceMean", "ReduceSum", "ReduceMax")), [x], shape, axes=[axis], keepdims=1)


def _slice(net: Net) -> None:
    x = net.feature()
    shape, axis = list(net.values[x]), net.pick((1, 2, 3))
    if shape[axis] < 4:
        return
    half = shape[axis] // 2
    shape[axis] = half
    net.op("Slice", [x, net.ints(0), net.ints(half), net.ints(axis)], tuple(shape))


def _pad(net: Net) -> None:
    x = net.feature()
    n, c, h, w = net.values[x]
    net.op("Pad", [x, net.ints(0, 0, 0, 0, 0, 0, 1, 1)], (n, c, h + 1, w + 1))


def _shuffle(net: Net) -> None:
    x = net.feature()
    n, c, h, w = net.values[x]
    if c % 4:
        return
    if net.chance(0.5):
        net.op("DepthToSpace", [x], (n, c // 4, 2 * h, 2 * w), blocksize=2)
        return
    a = net.op("Reshape", [x, net.ints(n, 2, c // 2, h, w)], (n, 2, c // 2, h, w))
    b = net.op("Transpose", [a], (n, c // 2, 2, h, w), perm=[0, 2, 1, 3, 4])
    net.op("Reshape", [b, net.ints(n, c, h, w)], (n, c, h, w))


def _turn(net: Net) -> None:
    x = net.feature()
    perm = net.pick(([0, 2, 3, 1], [0, 3, 1, 2], [0, 1, 3, 2]))
    net.op("Transpose", [x], tuple(net.values[x][i] for i in perm), perm=perm)


def _split(net: Net) -> None:
    x = net.feature()
    n, c, h, w = net.values[x]
    if c % 2:
        return
    names = [f"s{len(net.nodes)}a", f"s{len(net.nodes)}b"]
    net.nodes.append(helper.make_node("Split", [x], names, name=f"Split_{len(net.nodes)}", axis=1, split=[c // 2] * 2))
    net.read.add(x)
    net.values |= dict.fromkeys(names, (n, c // 2, h, w))


def _softmax(net: Net) -> None:
    x = net.feature()
    net.op("Softmax", [x], net.values[x], axis=net.pick((1, 3)))


def _attend(net: Net) -> None:
    x = net.feature()
    n, c, h, w = net.values[x]
    if h * w > 1024:
        return
    rows = net.op("Reshape", [x, net.ints(n, c, h * w)], (n, c, h * w))
    a = net.op("Transpose", [rows], (n, h * w, c), perm=[0, 2, 1])
    q = net.op("MatMul", [a, net.floats(c, c)], (n, h * w, c))
    k = net.op("MatMul", [q, rows], (n, h * w, h * w))
    net.op("MatMul", [net.op("Softmax", [k], (n, h * w, h * w), axis=2), a], (n, h * w, c))


def _head(net: Net) -> None:
    x = net.feature()
    n, c, h, w = net.values[x]
    if c * h * w > 20000:
        return
    flat = net.op("Flatten", [x], (n, c * h * w))
    net.op("Gemm", [flat, net.floats(c * h * w, 10), net.floats(10)], (n, 10))


STEPS: tuple[tuple[float, Callable[[Net], None]], ...] = (
    (8, _conv), (3, _plain), (2, _gate), (3, _join), (2, _concat), (2, _pool), (1, _same_pool), (1, _resize),
    (1, _excite), (2, _constant_operand), (1, _clip), (1, _reduce), (1, _slice), (1, _pad), (1, _shuffle), (1, _turn),
    (1, _split), (0.5, _softmax), (0.5, _attend), (0.5, _transposed), (0.5, _power), (0.5, _head),
)  # fmt: skip
"""What a network is made of, and how often."""


def network(seed: int) -> onnx.ModelProto:
    """A network of 4 to 14 steps, valid for onnx.checker, of one input and as many outputs as there are loose ends."""
    net = Net(seed)
    shape = (1, net.pick((3, 8, 16)), net.pick((16, 28, 32, 56)), net.pick((16, 28, 32, 56)))
    net.values["x"] = shape
    weights = np.array([weight for weight, _ in STEPS])
    _conv(net)
    for _ in range(int(net.rng.integers(3, 14))):
        STEPS[int(net.rng.choice(len(STEPS), p=weights / weights.sum()))][1](net)
    if net.chance(0.5):
        _conv(net)
    ends = [helper.make_tensor_value_info(v, TensorProto.FLOAT, s) for v, s in net.values.items() if v not in net.read]
    begin = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    graph = helper.make_graph(net.nodes, f"random_{seed}", [begin], ends, net.held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    onnx.checker.check_model(model, full_check=True)
    return model
