"""Opset-neutral accessors: one answer, whether it is an attribute or an input."""

from __future__ import annotations

import pytest

from surgery.ir import Node, ops
from tests.support import model_of


def last(text: str, opset: int) -> Node:
    return model_of(text, opset=opset).graph.nodes[-1]


@pytest.mark.parametrize(
    ("opset", "text", "accessor", "expected"),
    [
        (11, "g (float[1,2] x) => (float[2] y) { y = Squeeze <axes = [0]> (x) }", ops.axes, [0]),
        (13, "g (float[1,2] x) => (float[2] y) <int64[1] a = {-2}> { y = Squeeze (x, a) }", ops.axes, [0]),
        (13, "g (float[1,2] x) => (float[2] y) { y = Squeeze (x) }", ops.axes, None),
        (13, "g (float[2] x) => (float[2,1] y) <int64[1] a = {-1}> { y = Unsqueeze (x, a) }", ops.axes, [1]),
        (13, "g (float[2,3] x) => (float[1,3] y) { y = ReduceMean <axes = [-2]> (x) }", ops.axes, [0]),
        (18, "g (float[2,3] x) => (float[1,3] y) <int64[1] a = {0}> { y = ReduceMean (x, a) }", ops.axes, [0]),
        (
            9,
            "g (float[2,3] x) => (float[1,3] y) { y = Slice <axes = [0], starts = [0], ends = [1]> (x) }",
            ops.axes,
            [0],
        ),
        (2, "g (float[2] x) => (float[4] y) { y = Pad <pads = [1,1]> (x) }", ops.pads, [1, 1]),
        (11, "g (float[2] x) => (float[4] y) <int64[2] p = {1, 1}> { y = Pad (x, p) }", ops.pads, [1, 1]),
        (11, "g (float[2] x, int64[2] p) => (float[N] y) { y = Pad (x, p) }", ops.pads, None),
        (6, "g (float[2] x) => (float[2] y) { y = Clip <min = 0.0, max = 6.0> (x) }", ops.clip_bounds, (0.0, 6.0)),
        (11, "g (float[2] x) => (float[2] y) <float h = {6}> { y = Clip (x, , h) }", ops.clip_bounds, (None, 6.0)),
        (11, "g (float[2] x, float h) => (float[2] y) { y = Clip (x, , h) }", ops.clip_bounds, None),
        (
            11,
            "g (float[4] x) => (float[1] y, float[3] z) { y, z = Split <split = [1,3]> (x) }",
            ops.split_sizes,
            [1, 3],
        ),
        (
            13,
            "g (float[4] x) => (float[?] y, float[?] z) <int64[2] s = {1, 3}> { y, z = Split (x, s) }",
            ops.split_sizes,
            [1, 3],
        ),
        (
            18,
            "g (float[5] x) => (float[3] y, float[2] z) { y, z = Split <num_outputs = 2> (x) }",
            ops.split_sizes,
            [3, 2],
        ),
        (17, "g (float[2,3,4] x) => (float[4,3,2] y) { y = Transpose (x) }", ops.permutation, [2, 1, 0]),
        (17, "g (float[2,3] x) => (float[3,2] y) { y = Transpose <perm = [1,0]> (x) }", ops.permutation, [1, 0]),
    ],
)
def test_accessors_across_opsets(opset: int, text: str, accessor: object, expected: object) -> None:
    assert accessor(last(text, opset)) == expected  # type: ignore[operator]


def conv(attrs: str, size: int = 7, kernel: int = 3) -> Node:
    zeros = ", ".join(["0"] * kernel * kernel)
    model = model_of(f"""g (float[1,1,{size},{size}] x) => (float[1,1,?,?] y)
        <float[1,1,{kernel},{kernel}] w = {{{zeros}}}> {{ a = Conv {attrs} (x, w)  y = Relu (a) }}""")
    return model.graph.nodes[0]


@pytest.mark.parametrize(
    ("attrs", "size", "pads"),
    [
        ("", 7, [0, 0, 0, 0]),
        ("<pads = [1,2,3,4]>", 7, [1, 2, 3, 4]),
        ('<auto_pad = "VALID">', 7, [0, 0, 0, 0]),
        ('<auto_pad = "SAME_UPPER">', 7, [1, 1, 1, 1]),
        ('<auto_pad = "SAME_UPPER", strides = [2,2]>', 8, [0, 0, 1, 1]),
        ('<auto_pad = "SAME_LOWER", strides = [2,2]>', 8, [1, 1, 0, 0]),
        ('<auto_pad = "SAME_UPPER", dilations = [2,2]>', 7, [2, 2, 2, 2]),
    ],
)
def test_pads_of_a_convolution(attrs: str, size: int, pads: list[int]) -> None:
    """SAME pads so that the output is the input over the stride, rounded up (ONNX, Conv)."""
    node = conv(attrs, size)
    assert ops.pads(node) == pads
    shape = node.outputs[0].shape
    stride = ops.spatial(node, "strides", 2)[0]
    if "SAME" in attrs:
        assert shape is not None
        assert shape[2] == -(-size // stride)


def test_kernel_sizes_come_from_the_weight() -> None:
    assert ops.kernel_shape(conv("")) == [3, 3]
    assert ops.spatial(conv(""), "dilations", 2) == [1, 1]
    assert ops.spatial_rank(conv("")) == 2


@pytest.mark.parametrize(
    ("declared", "expected"),
    [("float k = {2}", 2.0), ("float[1,1] k = {2}", 2.0), ("float[2] k = {2, 2}", None)],
)
def test_scalar(declared: str, expected: float | None) -> None:
    node = last(f"g (float[2] x) => (float[?,?] y) <{declared}> {{ y = Mul (x, k) }}", 17)
    assert ops.scalar(node.inputs[1]) == expected


def test_static_shapes() -> None:
    node = last("g (float[2,N] x) => (float[2,N] y) { y = Relu (x) }", 17)
    assert ops.static_shape(node.inputs[0]) is None
    assert ops.static_shape(conv("").inputs[0]) == (1, 1, 7, 7)
    assert ops.static_shape(None) is None
