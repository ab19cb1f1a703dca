"""lower-opset: every form that changed, before and after, with the numbers that onnxruntime makes of both."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from surgery.rewrite import Exactness
from tests.passes.opset.support import lower, one


class Case(NamedTuple):
    """A graph at ``opset``, and what its nodes say at opset 11 (a part of the text each)."""

    opset: int
    text: str
    after: tuple[str, ...]
    exactness: str = "exact"


CASES = {
    "Squeeze": Case(
        13,
        one("y = Squeeze (x, a)", x="float[2,1,4,1]", y="float[2,4]", constants="int64[2] a = {1, 3}"),
        ("y = Squeeze <axes: ints = [1, 3]> (x)",),
    ),
    "Squeeze of all": Case(
        13, one("y = Squeeze (x)", x="float[2,1,4,1]", y="float[2,4]"), ("y = Squeeze (x)",)
    ),
    "Unsqueeze": Case(
        13,
        one("y = Unsqueeze (x, a)", x="float[2,4]", y="float[2,1,4,1]", constants="int64[2] a = {1, 3}"),
        ("y = Unsqueeze <axes: ints = [1, 3]> (x)",),
    ),
    "ReduceSum": Case(
        13,
        one("y = ReduceSum <keepdims = 0> (x, a)", y="float[2,5]", constants="int64[2] a = {1, -2}"),
        ("axes: ints = [1, -2]", "keepdims: int = 0"),
    ),
    "ReduceSum of nothing": Case(
        13, one("y = ReduceSum <noop_with_empty_axes = 1> (x)"), ("y = Identity (x)",)
    ),
    "ReduceSum of all": Case(
        13,
        one("y = ReduceSum (x, a)", y="float[1,1,1,1]", constants="int64[0] a = {}"),
        ("y = ReduceSum (x)",),
    ),
    **{
        f"Reduce{name}": Case(
            18,
            one(f"y = Reduce{name} (x, a)", y="float[2,3,1,1]", constants="int64[2] a = {2, 3}"),
            (f"y = Reduce{name} <axes: ints = [2, 3]> (x)",),
        )
        for name in ("L1", "L2", "Max", "Mean", "Min", "Prod", "SumSquare", "LogSumExp")
    },
    "ReduceLogSum": Case(
        18,
        one("p = Abs (x)  y = ReduceLogSum (p, a)", y="float[2,3,1,1]", constants="int64[2] a = {2, 3}"),
        ("y = ReduceLogSum <axes: ints = [2, 3]> (p)",),
    ),
    "Split": Case(
        13,
        one("a, b = Split <axis = 1> (x, s)  y = Concat <axis = 1> (b, a)", constants="int64[2] s = {1, 2}"),
        ("axis: int = 1", "split: ints = [1, 2]"),
    ),
    "Split in equal parts": Case(
        13,
        one("a, b = Split <axis = 2> (x)  y = Concat <axis = 2> (b, a)"),
        ("a, b = Split <axis: int = 2> (x)",),
    ),
    "Split in parts, the last smaller": Case(
        18,
        one("a, b = Split <axis = 3, num_outputs = 2> (x)  y = Concat <axis = 3> (b, a)"),
        ("split: ints = [3, 2]",),
    ),
    "Pad of some axes": Case(
        18,
        one("y = Pad (x, p, v, a)", y="float[2,3,7,5]",
            constants="int64[2] p = {1, 2}, float v = {0.5}, int64[1] a = {2}"),
        ("y = Pad (x, ", ", v)"),
    ),
    "Pad of some axes, without a value": Case(
        18,
        one('y = Pad <mode = "reflect"> (x, p, , a)', y="float[2,3,7,5]",
            constants="int64[2] p = {1, 2}, int64[1] a = {-2}"),
        ('y = Pad <mode: string = "reflect"> (x, ',),
    ),
    "Clip of integers": Case(
        12,
        one("i = Cast <to = 7> (x)  c = Clip (i, l, h)  y = Cast <to = 1> (c)",
            constants="int64 l = {-1}, int64 h = {1}"),
        ("Greater (i, l)", "Less (", "Where ("),
    ),
    "Clip of integers, one side": Case(
        13,
        one("i = Cast <to = 6> (x)  c = Clip (i, , h)  y = Cast <to = 1> (c)", constants="int32 h = {1}"),
        ("Less (i, h)",),
    ),
    "Min of integers": Case(
        13,
        one("i = Cast <to = 7> (x)  c = Min (i, a, b)  y = Cast <to = 1> (c)",
            constants="int64 a = {1}, int64[5] b = {0,1,-1,3,-2}"),
        ("Less (i, a)",),
    ),
    "Max of floats": Case(13, one("y = Max (x, a)", constants="float a = {0.5}"), ("y = Max (x, a)",)),
    "Pow with an integer exponent": Case(
        13, one("y = Pow (x, e)", constants="int64 e = {2}"), ("y = Pow (x, ",)
    ),
    "Pow with a computed integer exponent": Case(
        15,
        one("i = Cast <to = 7> (x)  a = Abs (i)  y = Pow (x, a)"),
        ("Cast <to: int = 1> (a)",),
    ),
    "Softmax over the last axis": Case(13, one("y = Softmax (x)"), ("y = Softmax <axis: int = 3> (x)",)),
    "Softmax with nothing behind its axis": Case(
        13,
        one("y = Softmax <axis = 1> (x)", x="float[2,7,1,1]", y="float[2,7,1,1]"),
        ("y = Softmax <axis: int = 1> (x)",),
    ),
    **{
        f"{op} over a middle axis": Case(
            13,
            one(f"y = {op} <axis = -3> (x)"),
            ("Transpose <perm: ints = [0, 2, 3, 1]> (x)", f"{op} <axis: int = 3> (",
             "Transpose <perm: ints = [0, 3, 1, 2]> ("),
            "rounding",
        )
        for op in ("Softmax", "LogSoftmax", "Hardmax")
    },
    "Dropout": Case(
        13, one("y = Dropout (x, r)", constants="float r = {0.25}"), ("y = Dropout <ratio: float = 0.25> (x)",)
    ),
    "Dropout that may train and does not": Case(
        13, one("y = Dropout (x, , t)", constants="bool t = {0}"), ("y = Dropout (x)",)
    ),
    "BatchNormalization": Case(
        15,
        one("y = BatchNormalization <training_mode = 0, epsilon = 0.5> (x, s, s, s, s)",
            constants="float[3] s = {1.0, 2.0, 3.0}"),
        ("y = BatchNormalization <epsilon: float = 0.5> (x, s, s, s, s)",),
    ),
    "Shape of the end": Case(
        15,
        one("s = Shape <start = 2> (x)  y = Cast <to = 1> (s)", y="float[2]"),
        ("Shape (x)", "Slice ("),
    ),
    "Shape of all": Case(
        15, one("s = Shape <start = 0> (x)  y = Cast <to = 1> (s)", y="float[4]"), ("s = Shape (x)",)
    ),
    "Reshape": Case(
        14,
        one("y = Reshape <allowzero = 1> (x, s)", y="float[6,20]", constants="int64[2] s = {6, 20}"),
        ("y = Reshape (x, s)",),
    ),
    "Resize by scales": Case(
        13,
        one('y = Resize <mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"> '
            "(x, , s)", y="float[2,3,8,10]", constants="float[4] s = {1.0, 1.0, 2.0, 2.0}"),
        ("Resize <", "(x, ", ", s)"),
    ),
    "Resize by sizes": Case(
        13,
        one('y = Resize <mode = "linear"> (x, , , s)', y="float[2,3,6,7]", constants="int64[4] s = {2, 3, 6, 7}"),
        ("Resize <", ", s)"),
    ),
    "Resize of some axes by scales": Case(
        18,
        one('y = Resize <mode = "linear", axes = [2, 3], antialias = 0> (x, , s)', y="float[2,3,8,10]",
            constants="float[2] s = {2.0, 2.0}"),
        ("Resize <mode: string = \"linear\"> (x, ",),
    ),
    "Resize of some axes by sizes": Case(
        19,
        one('y = Resize <mode = "linear", axes = [-1, 2], keep_aspect_ratio_policy = "stretch"> (x, , , s)',
            y="float[2,3,8,10]", constants="int64[2] s = {10, 8}"),
        ("Resize <mode: string = \"linear\"> (x, ",),
    ),
    "DequantizeLinear with one scale": Case(
        13,
        one("q = QuantizeLinear <axis = 1> (x, s, z)  y = DequantizeLinear <axis = 0> (q, s, z)",
            constants="float[1] s = {0.1}, int8[1] z = {3}"),
        ("q = QuantizeLinear (x, ", "y = DequantizeLinear (q, "),
    ),
    "DequantizeLinear per channel": Case(
        13,
        one("q = QuantizeLinear (x, s, z)  y = DequantizeLinear (q, s, z)",
            constants="float[3] s = {0.1, 0.02, 0.3}, uint8[3] z = {3, 0, 128}"),
        ("Div (x, ", "Round (", "Clip (", "Cast <to: int = 2> (", "Cast <to: int = 1> (", "Sub (", "Mul ("),
    ),
    "DequantizeLinear per channel without a zero point": Case(
        13,
        one("q = QuantizeLinear <axis = -1> (x, s, z)  y = DequantizeLinear <axis = -1> (q, s)",
            constants="float[5] s = {0.1, 0.02, 0.3, 0.04, 0.5}, int8[5] z = {0,0,0,0,0}"),
        ("Cast <to: int = 1> (", "y = Mul ("),
    ),
    "Cast": Case(
        19, one("h = Cast <to = 10, saturate = 1> (x)  y = Cast <to = 1> (h)"), ("h = Cast <to: int = 10> (x)",)
    ),
    "ScatterND": Case(
        16,
        one('y = ScatterND <reduction = "none"> (x, i, u)', x="float[3]", y="float[3]",
            constants="int64[1,1] i = {1}, float[1] u = {7.0}"),
        ("y = ScatterND (x, i, u)",),
    ),
    "ArgMax": Case(
        13,
        one("a = ArgMax <axis = 1, select_last_index = 0> (x)  y = Cast <to = 1> (a)", y="float[2,1,4,5]"),
        ("a = ArgMax <axis: int = 1> (x)",),
    ),
    "AveragePool": Case(
        19,
        one("y = AveragePool <kernel_shape = [2, 2], dilations = [1, 1]> (x)", y="float[2,3,3,4]"),
        ("y = AveragePool <kernel_shape: ints = [2, 2]> (x)",),
        "rounding",
    ),
    "MaxPool with a last window of its own": Case(
        22,
        one("y = MaxPool <kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1> (x)", y="float[2,3,2,3]"),
        ("ceil_mode: int = 1",),
    ),
    "MaxPool of small integers": Case(
        12,
        one("i = Cast <to = 2> (x)  m = MaxPool <kernel_shape = [2, 2]> (i)  y = Cast <to = 1> (m)",
            y="float[2,3,3,4]"),
        ("Cast <to: int = 1> (i)", "MaxPool <kernel_shape: ints = [2, 2]> (", "Cast <to: int = 2> ("),
    ),
    "ReduceMax of small integers": Case(
        18,
        one("i = Cast <to = 3> (x)  m = ReduceMax (i, a)  y = Cast <to = 1> (m)", y="float[2,1,4,5]",
            constants="int64[1] a = {1}"),
        ("Cast <to: int = 6> (i)", "ReduceMax <axes: ints = [1]> (", "Cast <to: int = 3> ("),
    ),
    "Mul of small integers": Case(
        14,
        one("i = Cast <to = 3> (f)  f = Mul (x, k)  m = Mul (i, i)  y = Cast <to = 1> (m)",
            constants="float k = {30.0}"),
        ("Cast <to: int = 6> (i)", "Mul (", "Cast <to: int = 3> ("),
    ),
    "Slice of opset 9": Case(
        9,
        one("y = Slice <axes = [2], starts = [1], ends = [3]> (x)", y="float[2,3,2,5]"),
        ("y = Slice (x, ",),
    ),
    "Pad of opset 10": Case(
        10,
        one("y = Pad <pads = [0,0,1,0,0,0,0,1], value = 0.5> (x)", y="float[2,3,5,6]"),
        ("y = Pad (x, ",),
    ),
    "Clip of opset 10": Case(10, one("y = Clip <min = -0.5, max = 0.5> (x)"), ("y = Clip (x, ",)),
    "Clip of opset 10, open": Case(10, one("y = Clip (x)"), ("y = Clip (x)",)),
    "TopK of opset 9": Case(
        9, one("y, i = TopK <axis = 1, k = 2> (x)", y="float[2,2,4,5]"), ("TopK <axis: int = 1> (x, ",)
    ),
    "Upsample of opset 9": Case(
        9,
        one("y = Upsample (x, s)", y="float[2,3,8,10]", constants="float[4] s = {1.0, 1.0, 2.0, 2.0}"),
        ("Resize <", "asymmetric", "floor"),
    ),
    "Upsample of opset 8, linear": Case(
        8,
        one('y = Upsample <mode = "linear", scales = [1.0, 1.0, 2.0, 2.0]> (x)', y="float[2,3,8,10]"),
        ("Resize <", "mode: string = \"linear\""),
    ),
    "Resize of opset 10": Case(
        10,
        one("y = Resize (x, s)", y="float[2,3,8,10]", constants="float[4] s = {1.0, 1.0, 2.0, 2.0}"),
        ("Resize <", "asymmetric"),
    ),
    "BatchNormalization of opset 7": Case(
        8,
        one("y = BatchNormalization <spatial = 1> (x, s, s, s, s)", constants="float[3] s = {1.0, 2.0, 3.0}"),
        ("y = BatchNormalization (x, s, s, s, s)",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_form(name: str) -> None:
    case = CASES[name]
    applied = lower(case.text, case.opset)
    assert (applied.model.opset, applied.model.ir_version, applied.result.applied) == (11, 7, 1)
    for part in case.after:
        assert part in applied.text
    assert applied.result.exactness is Exactness(case.exactness)
    assert (case.exactness == "rounding") or applied.result.drift_total == 0.0


LAYOUT = """g (float[2,6,3] x) => (float[2,6,1,4] y, float[2,1,4] h{states})
<float[1,{gates},3] w = {{{w}}}, float[1,{gates},4] r = {{{r}}}, float[2,1,4] s = {{{s}}}>
{{ y, h{states_} = {op} <hidden_size = 4, layout = 1> (x, w, r, , , s{extra}) }}"""


@pytest.mark.parametrize(("op", "gates"), [("LSTM", 16), ("GRU", 12), ("RNN", 4)])
def test_recurrent_with_the_batch_in_front(op: str, gates: int) -> None:
    def numbers(count: int) -> str:
        return ", ".join(f"{(7 * i % 11 - 5) / 10}" for i in range(count))

    lstm = op == "LSTM"
    text = LAYOUT.format(
        op=op, gates=gates, w=numbers(gates * 3), r=numbers(gates * 4), s=numbers(8),
        states=", float[2,1,4] c" if lstm else "", states_=", c" if lstm else "", extra=", s" if lstm else "",
    )  # fmt: skip
    applied = lower(text, 14, verify=False)  # onnxruntime has no kernel with the batch in front
    assert applied.ops.count("Transpose") == (6 if lstm else 4)
    assert "layout" not in applied.text
    assert [t.shape for t in applied.model.graph.outputs][:2] == [(2, 6, 1, 4), (2, 1, 4)]
