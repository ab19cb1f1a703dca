"""Every named parameter, on one node that shows it, and the reasons where it is not known."""

from __future__ import annotations

import numpy as np
import pytest

from surgery.ir.graph import Constant, Node, Value
from surgery.target import macs
from surgery.target.params import PARAMS, Params, Unknown
from tests.target.nodes import conv, ints, node, value, weight

STRIDED = node(
    "Conv",
    [(2, 12, 20, 30), weight(16, 6, 3, 5)],
    (2, 16, 8, 14),
    strides=[2, 2],
    dilations=[1, 2],
    pads=[0, 1, 1, 3],
    group=2,
)
TRANSPOSED = node(
    "ConvTranspose", [(1, 12, 8, 8), weight(12, 4, 4, 4)], (1, 8, 16, 16), strides=[2, 2], pads=[1] * 4, group=2
)
GEMM = node("Gemm", [(1, 64), weight(10, 64)], (1, 10), transB=1)
MATMUL = node("MatMul", [(2, 5, 7, 3), (2, 1, 3, 4)], (2, 5, 7, 4))
REDUCE = node("ReduceMean", [(1, 8, 5, 6)], (1, 8, 1, 1), axes=[-1, 2])
RESIZE = node("Resize", [(1, 8, 5, 6)], (1, 8, 10, 18), mode=b"linear")
PAD = node("Pad", [(1, 8, 4, 4), ints(0, 0, 1, 0, 0, 0, 1, 0)], (1, 8, 6, 4))
SPLIT = node("Split", [(1, 8, 4, 4)], (1, 8, 4, 4), axis=-3)
GATHER = node("Gather", [(4, 9), ints(1, 2)], (2, 9))
ADD = node("Add", [(1, 8, 4, 4), weight(8, 1, 1)], (1, 8, 4, 4))
POW = node("Pow", [(1, 8), Constant("e", np.array(2.5, np.float32))], (1, 8))
VIDEO = node("Conv", [(1, 4, 6, 8, 8), weight(4, 4, 3, 3, 3)], (1, 4, 6, 8, 8))
ALONE = node("Relu", [(1, 3, 4, 5)], (1, 3, 4, 5))
SAME = node("Conv", [(1, 1, 5, 6), weight(1, 1, 2, 3)], (1, 1, 5, 3), auto_pad=b"SAME_UPPER", strides=[1, 2])

EXAMPLES: list[tuple[str, Node, object]] = [
    ("rank", STRIDED, 4),
    ("ranks", ADD, (4, 4)),
    ("dims", STRIDED, (2, 12, 20, 30)),
    ("output_dims", STRIDED, (2, 16, 8, 14)),
    ("N", STRIDED, 2),
    ("C", STRIDED, 12),
    ("D", VIDEO, 6),
    ("D", STRIDED, 1),
    ("H", STRIDED, 20),
    ("W", STRIDED, 30),
    ("H", GEMM, 1),
    ("bytes_in", ALONE, 60),
    ("bytes_out", GEMM, 10),
    ("opset", GEMM, 11),
    ("batch_size", node("LSTM", [(5, 2, 8)], (5, 1, 2, 8)), 2),
    ("kernel", STRIDED, (3, 5)),
    ("kernel", node("MaxPool", [(1, 1, 4, 4)], (1, 1, 2, 2), kernel_shape=[2, 3]), (2, 3)),
    ("kernel_h", STRIDED, 3),
    ("kernel_w", STRIDED, 5),
    ("kernel_d", VIDEO, 3),
    ("kernel_d", STRIDED, 1),
    ("stride", STRIDED, (2, 2)),
    ("stride", conv(), (1, 1)),
    ("stride_h", STRIDED, 2),
    ("stride_w", STRIDED, 2),
    ("stride_d", STRIDED, 1),
    ("dilation", STRIDED, (1, 2)),
    ("dilation_h", STRIDED, 1),
    ("dilation_w", STRIDED, 2),
    ("dilation_d", STRIDED, 1),
    ("pads", STRIDED, (0, 1, 1, 3)),
    ("pads", SAME, (0, 0, 1, 1)),
    ("merged_pads", STRIDED, (0, 1, 1, 3)),
    ("uneven_pads", STRIDED, True),
    ("pad", STRIDED, (1, 3)),
    ("pad_h", STRIDED, 1),
    ("pad_w", STRIDED, 3),
    ("pad_d", STRIDED, 0),
    ("output_padding", TRANSPOSED, (0, 0)),
    ("group", STRIDED, 2),
    ("in_channels", STRIDED, 12),
    ("in_channels", GEMM, 64),
    ("weight_out_channels", TRANSPOSED, 4),
    ("out_channels", TRANSPOSED, 8),
    ("out_channels", STRIDED, 16),
    ("in_channels_per_group", STRIDED, 6),
    ("out_channels_per_group", STRIDED, 8),
    ("kernel_volume", STRIDED, 90),
    ("phase_kernel_volume", TRANSPOSED, 54),
    ("has_dilations", STRIDED, True),
    ("has_dilations", conv(), False),
    ("flattened", GEMM, ()),
    ("ceil_mode", node("MaxPool", [(1, 1, 4, 4)], (1, 1, 2, 2), ceil_mode=1), 1),
    ("outputs", ALONE, 1),
    ("axis", SPLIT, 1),
    ("perm", node("Transpose", [(1, 2, 3)], (3, 2, 1)), (2, 1, 0)),
    ("axes", REDUCE, (3, 2)),
    ("axes", node("ReduceMean", [(2, 3)], (1, 1)), (0, 1)),
    ("axes", node("ReduceSum", [(2, 3), ints(-1)], (2, 1)), (1,)),
    ("steps", node("Slice", [(1, 8)], (1, 4)), (1,)),
    ("keepdims", REDUCE, 1),
    ("axis_size", SPLIT, 8),
    ("reduced_sizes", REDUCE, (6, 5)),
    ("reduced_axis_size", REDUCE, 6),
    ("reduced_size", REDUCE, 30),
    ("softmax_flattens", node("Softmax", [(1, 8)], (1, 8)), True),
    ("split_sizes", SPLIT, (8,)),
    ("changed_axes", RESIZE, (2, 3)),
    ("changed_dims", RESIZE, 2),
    ("pad_amounts", PAD, (0, 0, 1, 0, 0, 0, 1, 0)),
    ("pad_value", PAD, 0.0),
    ("padded_axes", PAD, (2,)),
    ("mode", RESIZE, "linear"),
    ("mode", node("GridSample", [(1, 1, 2, 2)], (1, 1, 2, 2)), "bilinear"),
    ("blocksize", node("DepthToSpace", [(1, 4, 2, 2)], (1, 1, 4, 4), blocksize=2), 2),
    ("padding_mode", node("GridSample", [(1, 1, 2, 2)], (1, 1, 2, 2)), "zeros"),
    ("coordinate_transformation_mode", RESIZE, "half_pixel"),
    ("roi_constant", RESIZE, True),
    ("roi_constant", node("Resize", [(1, 8, 5, 6), (8,)], (1, 8, 5, 6)), False),
    ("is_sorted", node("TopK", [(1, 8)], (1, 2), sorted=0), 0),
    ("scale_h", RESIZE, 2),
    ("scale_w", RESIZE, 3),
    ("operands", ADD, 2),
    ("shapes", ADD, ((1, 8, 4, 4), (8, 1, 1))),
    ("alike", ADD, False),
    ("prime", node("GlobalAveragePool", [(1, 8, 26, 12)], (1, 8, 1, 1)), 13),
    ("alike", node("Concat", [(1, 8, 4, 4), (1, 8, 4, 4)], (1, 8, 4, 8), axis=3), True),
    ("constants", ADD, 1),
    ("dtypes", GATHER, ("float32", "int64")),
    ("constant_joins", ADD, False),
    ("constant_per_channel", ADD, True),
    ("constant_per_channel", node("Add", [(1, 8, 4, 4), weight(1)], (1, 8, 4, 4)), False),
    ("constant_kind", ADD, "channels"),
    ("constant_kind", node("Add", [(1, 8, 4, 4), weight(1)], (1, 8, 4, 4)), "number"),
    ("constant_kind", node("Add", [(1, 8, 4, 5), weight(4, 5)], (1, 8, 4, 5)), "pixels"),
    ("constant_kind", node("Add", [(1, 8, 4, 5), weight(1, 5)], (1, 8, 4, 5)), "parts"),
    ("constant_kind", node("Add", [(1, 8, 4, 5), weight(1, 8, 4, 5)], (1, 8, 4, 5)), "whole"),
    ("constant_kind", node("Add", [(3, 8, 4, 5), weight(2, 8, 4, 5)], (3, 8, 4, 5)), "parts"),
    ("constant_kind", node("Add", [(8, 4), weight(4)], (8, 4)), ""),
    ("constant_kind", node("Add", [(8, 4), (8, 4)], (8, 4)), ""),
    ("constant_whole", ADD, False),
    ("constant_whole", node("Add", [(2, 8, 4, 4), weight(8, 4, 4)], (2, 8, 4, 4)), True),
    ("constant_whole", node("Add", [(8, 4, 4), weight(8, 4, 4)], (8, 4, 4)), False),
    ("constant_matrices", node("MatMul", [(2, 5, 7, 3), weight(1, 5, 3, 4)], (2, 5, 7, 4)), 5),
    ("lower", node("Clip", [(1, 8, 4, 4)], (1, 8, 4, 4), min=0.0, max=6.0), 0.0),
    ("lower", node("Clip", [(1, 8, 4, 4)], (1, 8, 4, 4)), float("-inf")),
    ("only_reader", ADD, True),
    ("a_constant", ADD, False),
    ("b_constant", ADD, True),
    ("b_elements", ADD, 8),
    ("exponent", POW, 2.5),
    ("arm_constant", node("Where", [(1, 8, 4, 4), (1, 8, 4, 4), weight(1)], (1, 8, 4, 4)), True),
    ("arm_constant", node("Where", [weight(1), (1, 8, 4, 4), (1, 8, 4, 4)], (1, 8, 4, 4)), False),
    ("arms_fit", node("Where", [(4, 4), (1, 8, 4, 4), (1, 8, 4, 1)], (1, 8, 4, 4)), False),
    ("arms_fit", node("Where", [(1, 8, 4, 4), (1, 8, 4, 4), (4,)], (1, 8, 4, 4)), True),
    ("arms_fit", node("Where", [(1, 8, 1, 1), (1, 8, 4, 4), (1, 1, 4, 4)], (1, 8, 4, 4)), True),
    ("operand_channels", node("Add", [(1, 8, 4, 4), (1, 9000)], (1, 8, 4, 4)), (8,)),
    ("operand_channels", node("Add", [(1, 8, 4, 4), (8, 1, 1)], (1, 8, 4, 4)), (8, 8)),
    ("broadcast_operands", ADD, 1),
    ("merged_rank", ADD, 2),
    ("stretched_element", node("Mul", [(1, 8, 4, 4), (1, 1, 1, 1)], (1, 8, 4, 4)), True),
    ("stretched_element", node("Mul", [(1, 1, 1, 1), (1, 1, 1, 1)], (1, 1, 1, 1)), False),
    ("stretched_element", node("Div", [(2, 1, 1, 320), (2, 1, 1, 1)], (2, 1, 1, 320)), True),
    ("stretched_element", node("Div", [(2, 8, 4, 4), (2, 8, 1, 1)], (2, 8, 4, 4)), False),
    ("rank_a", MATMUL, 4),
    ("rank_b", MATMUL, 4),
    ("rows", MATMUL, 7),
    ("inner", MATMUL, 3),
    ("columns", MATMUL, 4),
    ("batch_dims", MATMUL, (2, 5, 2, 1)),
    ("batch_broadcast_ok", MATMUL, True),
    ("indices_constant", GATHER, True),
    ("indices_dtype", GATHER, "int64"),
    ("indices_fit", node("GatherElements", [(4, 9), (2, 9)], (2, 9)), True),
    ("feeds_nothing", ALONE, True),
    ("feeds_shortcut_add", ALONE, False),
    ("short_constant_crash", ADD, False),
]


@pytest.mark.parametrize(("name", "example", "expected"), EXAMPLES, ids=[f"{n}-{e.op}" for n, e, _ in EXAMPLES])
def test_parameter(name: str, example: Node, expected: object) -> None:
    assert Params(example, 11)[name] == expected


def test_every_parameter_is_shown() -> None:
    assert PARAMS.keys() == {name for name, _, _ in EXAMPLES}


def test_a_parameter_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ranks = iter([4])
    monkeypatch.setitem(PARAMS, "rank", lambda _: next(ranks))
    params = Params(ALONE, 11)
    assert (params["rank"], params["H"], params["W"]) == (4, 4, 5)


def test_indices_fit_all_axes_but_one() -> None:
    inside = node("GatherElements", [(4, 9), (2, 20)], (2, 20), axis=1)
    outside = node("GatherElements", [(4, 9), (5, 9)], (5, 9), axis=1)
    assert Params(inside, 11)["indices_fit"]
    assert not Params(outside, 11)["indices_fit"]


def test_a_gemm_behind_flatten_is_a_convolution_of_the_whole_map() -> None:
    gemm = node("Gemm", [(1, 288), weight(288, 10)], (1, 10))
    Node("Flatten", "f", {}, [value("map", 1, 8, 6, 6)], [gemm.inputs[0]])
    params = Params(gemm, 11)
    assert (params["flattened"], params["kernel"], params["in_channels"]) == ((8, 6, 6), (6, 6), 8)
    assert params["kernel_volume"] == 288


@pytest.mark.parametrize(("size", "channels"), [((7, 7), 8), ((7, 8), 8 * 56), ((8, 1), 64)])
def test_a_gemm_behind_a_larger_map_is_one_of_the_flat_values(size: tuple[int, int], channels: int) -> None:
    gemm = node("Gemm", [(1, 8 * size[0] * size[1]), weight(8 * size[0] * size[1], 10)], (1, 10))
    Node("Flatten", "f", {}, [value("map", 1, 8, *size)], [gemm.inputs[0]])
    assert Params(gemm, 11)["in_channels"] == channels


def test_shortcut_add_has_two_computed_operands() -> None:
    made = conv()
    Node("Add", "add", {}, [made.outputs[0], weight(8, 1, 1)], [value("z", 1, 8, 32, 32)])
    assert not Params(made, 11)["feeds_shortcut_add"]
    Node("Add", "add", {}, [made.outputs[0], value("other", 1, 8, 32, 32)], [value("z2", 1, 8, 32, 32)])
    assert Params(made, 11)["feeds_shortcut_add"]


def test_softmax_axis_by_opset() -> None:
    softmax = node("Softmax", [(1, 8, 4)], (1, 8, 4))
    assert (Params(softmax, 11)["axis"], Params(softmax, 13)["axis"]) == (1, 2)


@pytest.mark.parametrize(
    ("name", "example", "reason"),
    [
        ("N", node("Relu", [("batch", 3, 4, 4)], ("batch", 3, 4, 4)), "dim 'batch' of 'x0' is symbolic"),
        ("dims", node("Relu", [(1, None)], (1, None)), "dim 1 of 'x0' is symbolic"),
        ("rank", node("Relu", [Value("x")], (1,)), "the shape of 'x' is not known"),
        ("padded_axes", node("Pad", [(1, 2), (4,)], (1, 2)), "pads is not a constant"),
        ("exponent", node("Pow", [(1, 2), (1,)], (1, 2)), "the exponent is not one constant number"),
        ("kernel", node("Conv", [(1, 2, 4, 4)], (1, 2, 4, 4)), "there is no weight"),
        ("rank", node("Relu", [], (1,)), "there is no first input"),
        ("dtypes", node("Add", [Value("x", None, (1,))], (1,)), "the type of 'x' is not known"),
        ("indices_dtype", node("Gather", [(1, 2), Value("i", None, (1,))], (1, 2)), "the type of the indices"),
    ],
)
def test_unknown_names_what_is_missing(name: str, example: Node, reason: str) -> None:
    with pytest.raises(Unknown, match=reason):
        Params(example, 11)[name]


@pytest.mark.parametrize(
    ("example", "count"),
    [
        (STRIDED, 2 * 16 * 8 * 14 * 90),
        (TRANSPOSED, 12 * 8 * 8 * 16 * 4),
        (GEMM, 640),
        (MATMUL, 2 * 5 * 7 * 4 * 3),
        (ALONE, 0),
        (node("Conv", [("n", 1, 4, 4), weight(1, 1, 1, 1)], ("n", 1, 4, 4)), 0),
    ],
)
def test_macs(example: Node, count: int) -> None:
    assert macs(example) == count
