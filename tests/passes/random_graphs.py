"""Random small graphs of the operators that passes rewrite, for hypothesis: written at opset 11, then converted up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, version_converter

Shape = tuple[int, ...]
Draw = Callable[[st.SearchStrategy[Any]], Any]
Grow = Callable[["Growing"], str]

OPSETS = (11, 13, 17, 21)
UNARY = ("Relu", "Sigmoid", "Tanh", "Neg", "Abs", "Softplus", "Elu", "HardSigmoid", "Exp", "Erf", "Identity", "Dropout")
BINARY = ("Add", "Mul", "Sub", "Max", "Min")
REDUCTIONS = ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceL1")


@dataclass
class Growing:
    """A graph in the making: float values by name with their shapes, of which every one has batch 1.

    Attributes:
        draw: hypothesis' own.
    """

    draw: Draw
    shapes: dict[str, Shape] = field(default_factory=lambda: {"x": (1, 4, 5, 6)})
    nodes: list[NodeProto] = field(default_factory=list)
    weights: list[TensorProto] = field(default_factory=list)

    def one_of(self, *choices: Any) -> Any:
        """One of ``choices``, the first being the simplest."""
        return self.draw(st.sampled_from(choices))

    def any_value(self, *ranks: int) -> str:
        """A value of one of ``ranks`` (of any when none are given), mostly the newest, so that chains grow."""
        newest, *others = reversed([n for n, s in self.shapes.items() if not ranks or len(s) in ranks])
        return str(self.one_of(*[newest] * (1 + 2 * len(others)), *others))

    def weight(self, array: np.ndarray[Any, Any]) -> str:
        """An initializer."""
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def noise(self, *shape: int, low: float = -1.0) -> str:
        """An initializer of random numbers between ``low`` and 1."""
        rng = np.random.default_rng(len(self.weights))
        return self.weight(rng.uniform(low, 1.0, shape).astype(np.float32))

    def ints(self, *values: int) -> str:
        """An initializer of int64."""
        return self.weight(np.array(values, np.int64))

    def add(self, op: str, *inputs: str, **attrs: Any) -> str:
        """A node, and the name of its output."""
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attrs))
        return name

    def grown(self, op: str, *inputs: str, shape: Shape | None = None, **attrs: Any) -> str:
        """A node whose output has ``shape`` (of its first input when None), to be read by later ones."""
        name = self.add(op, *inputs, **attrs)
        self.shapes[name] = self.shapes[inputs[0]] if shape is None else shape
        return name


def _unary(g: Growing) -> str:
    return g.grown(g.one_of(*UNARY), g.any_value())


def _binary(g: Growing) -> str:
    a = g.any_value()
    b = g.one_of(*reversed([n for n, s in g.shapes.items() if s == g.shapes[a]]))
    return g.grown(g.one_of(*BINARY), a, b)


def _by_constant(g: Growing) -> str:
    a, op = g.any_value(), g.one_of("Mul", "Add", "Sub", "Div", "Min", "Max", "Pow")
    value = g.one_of(1.0, 0.0, 2.0, -0.5) if op not in ("Div", "Pow") else g.one_of(1.0, 2.0)
    lengths = (1, g.shapes[a][1]) if len(g.shapes[a]) == 4 else (1,)
    return g.grown(op, a, g.weight(np.full((g.one_of(*lengths), *(1,) * (len(g.shapes[a]) - 2)), value, np.float32)))


def _conv(g: Growing, x: str | None = None) -> str:
    x = x or g.any_value(4)
    _, channels, height, width = g.shapes[x]
    side = g.one_of(*(s for s in (1, 3) if min(height, width) >= s))
    pad = g.one_of(0, side // 2)
    group = g.one_of(1, channels)
    count = g.one_of(channels, 2 * channels) if group > 1 else g.one_of(4, 8, 14, 20)
    bias = [g.noise(count)] if g.one_of(True, False) else []
    weight = g.noise(count, channels // group, side, side)
    shape = (1, count, height + 2 * pad - side + 1, width + 2 * pad - side + 1)
    return g.grown("Conv", x, weight, *bias, shape=shape, pads=[pad] * 4, group=group)


def _batchnorm(g: Growing, x: str | None = None) -> str:
    x = x or g.any_value(4)
    return g.grown("BatchNormalization", x, *(g.noise(g.shapes[x][1], low=low) for low in (0.5, -1.0, -1.0, 0.25)))


def _block(g: Growing) -> str:
    return g.grown(g.one_of("Relu", "Sigmoid"), _batchnorm(g, _conv(g)))


def _normalised(g: Growing) -> str:
    return _conv(g, _batchnorm(g))


def _concat(g: Growing) -> str:
    a = g.any_value(4)
    alike = [n for n, s in g.shapes.items() if s[0::2] == g.shapes[a][0::2] and s[3:] == g.shapes[a][3:]]
    parts = [a, *(g.one_of(*alike) for _ in range(g.one_of(1, 0, 2)))]
    _, _, height, width = g.shapes[a]
    return g.grown("Concat", *parts, shape=(1, sum(g.shapes[p][1] for p in parts), height, width), axis=1)


def _transpose(g: Growing) -> str:
    x = g.any_value()
    perm = [0, *g.draw(st.permutations(range(1, len(g.shapes[x]))))]
    return g.grown("Transpose", x, shape=tuple(g.shapes[x][p] for p in perm), perm=perm)


def _reshape(g: Growing) -> str:
    x = g.any_value()
    rest = g.shapes[x][1:]
    shape = g.one_of((1, *rest), (1, prod(rest)), (1, rest[0], prod(rest[1:])), (1, 1, rest[0], prod(rest[1:])))
    return g.grown("Reshape", x, g.ints(g.one_of(-1, 0), *shape[1:]), shape=shape)


def _flatten(g: Growing) -> str:
    x = g.any_value()
    return g.grown("Flatten", x, shape=(1, prod(g.shapes[x])))


def _gemm(g: Growing) -> str:
    x = _flatten(g) if not any(len(s) == 2 for s in g.shapes.values()) else g.any_value(2)
    return g.grown("Gemm", x, g.noise(g.shapes[x][1], 5), g.noise(5), shape=(1, 5))


def _axes(g: Growing) -> str:
    x = g.any_value(3, 4)
    wide = g.add("Unsqueeze", x, axes=[g.one_of(1, 2)])
    return g.grown("Squeeze", wide, axes=list(g.nodes[-1].attribute[0].ints), shape=g.shapes[x])


def _pad(g: Growing) -> str:
    x = g.any_value(4)
    size = g.one_of(0, 1)
    shape = (*g.shapes[x][:3], g.shapes[x][3] + size)
    return g.grown("Pad", x, g.ints(*[0] * 7, size), shape=shape)


def _slice(g: Growing) -> str:
    x = g.any_value(4)
    start = g.one_of(0, 1) if g.shapes[x][2] > 1 else 0
    shape = (*g.shapes[x][:2], g.shapes[x][2] - start, g.shapes[x][3])
    return g.grown("Slice", x, g.ints(start), g.ints(1 << 40), g.ints(2), shape=shape)


def _pool(g: Growing) -> str:
    x = g.any_value(4)
    if g.one_of(False, True):
        return g.grown(g.one_of("GlobalAveragePool", "GlobalMaxPool"), x, shape=(*g.shapes[x][:2], 1, 1))
    return g.grown(g.one_of("MaxPool", "AveragePool"), x, kernel_shape=[1, 1])


def _reduce(g: Growing) -> str:
    x = g.any_value(3, 4)
    axes = g.one_of([1], [2], [1, 2], [2, 1])
    shape = tuple(1 if a in axes else d for a, d in enumerate(g.shapes[x]))
    return g.grown(g.one_of(*REDUCTIONS), x, shape=shape, axes=axes, keepdims=1)


def _softmax(g: Growing) -> str:
    x = g.any_value()
    return g.grown(g.one_of("Softmax", "LogSoftmax"), x, axis=len(g.shapes[x]) - 1)


def _casts(g: Growing) -> str:
    x = g.any_value()
    return g.grown(
        "Cast", g.add("Cast", x, to=g.one_of(TensorProto.DOUBLE, TensorProto.FLOAT)), to=1, shape=g.shapes[x]
    )


def _quantised(g: Growing) -> str:
    x = g.any_value()
    scale, zero = g.weight(np.array(0.05, np.float32)), g.weight(np.array(1, np.int8))
    return g.grown("DequantizeLinear", g.add("QuantizeLinear", x, scale, zero), scale, zero, shape=g.shapes[x])


def _where(g: Growing) -> str:
    x = g.any_value()
    mask = g.weight(np.arange(g.shapes[x][-1]) % g.one_of(2, 1) == 0)
    return g.grown("Where", mask, g.add("Sigmoid", x), g.add("Tanh", x), shape=g.shapes[x])


def _constants(g: Growing) -> str:
    x = g.any_value()
    return g.grown("Add", x, g.add("Mul", g.weight(np.float32(0.5).reshape(1)), g.weight(np.float32(3).reshape(1))))


GROWERS: tuple[Grow, ...] = (
    *(_unary, _binary, _by_constant, _conv, _batchnorm, _concat, _transpose, _reshape, _flatten, _gemm, _axes, _pad),
    *(_slice, _pool, _reduce, _softmax, _casts, _quantised, _where, _constants, _block, _normalised),
)


@st.composite
def graphs(draw: Draw) -> ModelProto:
    """A model of one input and one to three outputs, of 5 to 15 steps of which some may be read by nothing."""
    g = Growing(draw)
    for grow in draw(st.lists(st.sampled_from(GROWERS), min_size=5, max_size=15)):
        grow(g)
    last, *_ = reversed(g.shapes)
    more = draw(st.lists(st.sampled_from([n for n in g.shapes if n not in ("x", last)] or [last]), max_size=2))
    outputs = list(dict.fromkeys([last, *more]))
    batch = draw(st.sampled_from([1, "N"]))
    inputs, ends = ([_typed(n, (batch, *g.shapes[n][1:])) for n in names] for names in (["x"], outputs))
    graph = helper.make_graph(g.nodes, "g", inputs, ends, g.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    opset = draw(st.sampled_from(OPSETS))
    return model if opset == OPSETS[0] else version_converter.convert_version(model, opset)


def _typed(name: str, shape: tuple[int | str, ...]) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
