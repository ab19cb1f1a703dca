"""Graphs in ONNX text, one or more for every operator that host code is printed for."""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    """``what`` is the operator and what is special; ``integers`` are values of inputs that are no random floats."""

    what: str
    text: str
    opset: int = 17


def _unary(op: str, attrs: str = "", shape: str = "2,3,4", opset: int = 17, positive: bool = False) -> Case:
    before = "a = Abs (x)  b = Add (a, k)" if positive else "b = Add (x, z)"
    return Case(f"{op}{attrs}", f"g (float[{shape}] x) => (float[{shape}] y) <float k = {{0.5}}, float z = {{0}}>"
                f"{{ {before}  y = {op} {attrs} (b) }}", opset)  # fmt: skip


def _binary(op: str, result: str = "float") -> Case:
    return Case(op, f"g (float[2,3,4] x, float[3,1] y) => ({result}[2,3,4] z) {{ z = {op} (x, y) }}")


def _logic(op: str) -> Case:
    return Case(
        op,
        f"""g (float[2,3] x, float[2,3] y) => (bool[2,3] z) <float k = {{0}}>
        {{ a = Greater (x, k)  b = Greater (y, k)  z = {op} (a, b) }}""",
    )


def _reduction(op: str) -> list[Case]:
    plain = f"g (float[2,3,4] x) => (float[2,1,4] y) {{ y = {op} <axes = [1]> (x) }}"
    dropped = f"g (float[2,3,4] x) => (float[3] y) {{ y = {op} <axes = [0, -1], keepdims = 0> (x) }}"
    return [Case(f"{op} keeping dims", plain, 11), Case(f"{op} dropping dims", dropped, 11)]


_UNARY = ("Abs", "Ceil", "Cos", "Exp", "Floor", "HardSwish", "Neg", "Relu", "Round", "Sigmoid", "Sign", "Sin",
          "Softplus", "Tanh")  # fmt: skip
_POSITIVE = ("Log", "Reciprocal", "Sqrt")
_BINARY = ("Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu", "Sum")
_COMPARED = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")

CASES = [
    *(_unary(op) for op in _UNARY),
    *(_unary(op, positive=True) for op in _POSITIVE),
    *(_binary(op) for op in _BINARY),
    *(_binary(op, "bool") for op in _COMPARED),
    *(_logic(op) for op in ("And", "Or", "Xor")),
    *(case for op in ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum") for case in _reduction(op)),
    _unary("Clip", "<min = -0.5, max = 0.5>", opset=9),
    _unary("Elu", "<alpha = 0.7>"),
    _unary("HardSigmoid", "<alpha = 0.3, beta = 0.4>"),
    _unary("LeakyRelu", "<alpha = 0.1>"),
    Case("Not", "g (float[2,3] x) => (bool[2,3] y) <float k = {0}> { a = Greater (x, k)  y = Not (a) }"),
    Case("Pow", "g (float[2,3] x) => (float[2,3] y) <float k = {2}> { y = Pow (x, k) }"),
    Case("Where", """g (float[2,3] x) => (float[2,3] y) <float k = {0}>
        { a = Greater (x, k)  b = Neg (x)  y = Where (a, x, b) }"""),
    Case("Max of three", "g (float[2,3] x, float[2,1] y, float[3] w) => (float[2,3] z) { z = Max (x, y, w) }"),
    Case("Sum of one", "g (float[2,3] x) => (float[2,3] z) { z = Sum (x) }"),
    Case("Clip by inputs", """g (float[2,3] x) => (float[2,3] y) <float l = {-0.5}, float h = {0.25}>
        { y = Clip (x, l, h) }"""),
    Case("Clip above", "g (float[2,3] x) => (float[2,3] y) <float h = {0.25}> { y = Clip (x, , h) }"),
    Case("Div of integers", """g (float[2,8] x) => (int32[2,8] y) <float k = {100}, int32 d = {-7}>
        { a = Mul (x, k)  b = Cast <to = 6> (a)  y = Div (b, d) }"""),
    Case("BatchNormalization", """g (float[2,3,2,2] x) => (float[2,3,2,2] y) <float[3] g = {1, 2, -0.5},
        float[3] o = {0.5, 0, 1}, float[3] m = {0.1, 0.2, 0.3}, float[3] v = {1, 4, 0.25}>
        { y = BatchNormalization <epsilon = 0.001> (x, g, o, m, v) }"""),
    Case("Cast to bool", "g (float[2,3] x) => (bool[2,3] y) { a = Relu (x)  y = Cast <to = 9> (a) }"),
    Case("Cast to double", "g (float[2,3] x) => (double[2,3] y) { a = Cast <to = 11> (x)  y = Exp (a) }"),
    Case("QuantizeLinear per tensor, halves to even, saturated",
         """g (float[1,2,2,8] x) => (int8[1,2,2,8] y) <float k = {64}, float h = {0.25}, float s = {0.5}, int8 z = {3}>
        { a = Mul (x, k)  b = Round (a)  c = Mul (b, h)  y = QuantizeLinear (c, s, z) }"""),
    Case("QuantizeLinear per channel", """g (float[1,3,2,2] x) => (uint8[1,3,2,2] y)
        <float[3] s = {0.1, 0.02, 0.003}, uint8[3] z = {128, 3, 0}> { y = QuantizeLinear <axis = 1> (x, s, z) }"""),
    Case("QuantizeLinear without a zero point",
         "g (float[1,3,2,2] x) => (uint8[1,3,2,2] y) <float s = {0.01}> { y = QuantizeLinear (x, s) }"),
    Case("DequantizeLinear per channel, last axis", """g (float[1,3,2,2] x) => (float[1,3,2,2] y)
        <float q = {0.01}, int8 o = {0}, float[2] s = {0.1, 0.02}, int8[2] z = {-5, 7}>
        { a = QuantizeLinear (x, q, o)  y = DequantizeLinear <axis = -1> (a, s, z) }"""),
    Case("DequantizeLinear of int32 without a zero point", """g (float[2,3] x) => (float[2,3] y)
        <float k = {1000}, float s = {0.001}>
        { a = Mul (x, k)  b = Cast <to = 6> (a)  y = DequantizeLinear (b, s) }"""),
    Case("Transpose", "g (float[2,3,4,5] x) => (float[2,4,5,3] y) { y = Transpose <perm = [0, 2, 3, 1]> (x) }"),
    Case("Transpose by default", "g (float[2,3,4] x) => (float[4,3,2] y) { y = Transpose (x) }"),
    Case("Reshape", "g (float[2,3,4] x) => (float[6,4] y) <int64[2] s = {-1, 4}> { y = Reshape (x, s) }"),
    Case("Flatten", "g (float[2,3,4] x) => (float[2,12] y) { y = Flatten (x) }"),
    Case("Squeeze", "g (float[1,3,1] x) => (float[3] y) { y = Squeeze (x) }"),
    Case("Unsqueeze", "g (float[3] x) => (float[1,3] y) <int64[1] a = {0}> { y = Unsqueeze (x, a) }"),
    Case("Identity", "g (float[3] x) => (float[3] y) { a = Neg (x)  y = Identity (a) }"),
    Case("Slice with a step, from behind", """g (float[4,5,6] x) => (float[4,2,3] y)
        <int64[2] s = {1, -1}, int64[2] e = {4, -9}, int64[2] a = {1, 2}, int64[2] t = {2, -2}>
        { y = Slice (x, s, e, a, t) }"""),
    Case("Slice by attributes", """g (float[4,5] x) => (float[2,5] y)
        { y = Slice <starts = [1], ends = [3], axes = [0]> (x) }""", 9),
    Case("Concat", "g (float[2,3] x, float[2,1] y) => (float[2,7] z) { z = Concat <axis = -1> (x, y, x) }"),
    Case("Split", """g (float[2,5] x) => (float[2,2] y, float[2,3] z) <int64[2] s = {2, 3}>
        { y, z = Split <axis = 1> (x, s) }"""),
    Case("Expand", "g (float[3,1] x) => (float[2,3,4] y) <int64[3] s = {2, 1, 4}> { y = Expand (x, s) }"),
    Case("Tile", "g (float[2,3] x) => (float[4,9] y) <int64[2] r = {2, 3}> { y = Tile (x, r) }"),
    Case("DepthToSpace DCR", "g (float[1,8,2,3] x) => (float[1,2,4,6] y) { y = DepthToSpace <blocksize = 2> (x) }"),
    Case("DepthToSpace CRD",
         'g (float[1,8,2,3] x) => (float[1,2,4,6] y) { y = DepthToSpace <blocksize = 2, mode = "CRD"> (x) }'),
    Case("SpaceToDepth", "g (float[1,2,4,6] x) => (float[1,8,2,3] y) { y = SpaceToDepth <blocksize = 2> (x) }"),
    Case("Softmax along an axis", "g (float[2,5,3] x) => (float[2,5,3] y) { y = Softmax <axis = 1> (x) }"),
    Case("Softmax before opset 13", "g (float[2,5,3] x) => (float[2,5,3] y) { y = Softmax <axis = 1> (x) }", 11),
    Case("LogSoftmax", "g (float[2,5,3] x) => (float[2,5,3] y) { y = LogSoftmax (x) }"),
    Case("ArgMax", "g (float[2,5,3] x) => (int64[2,1,3] y) { y = ArgMax <axis = 1> (x) }"),
    Case("ArgMin dropping dims", "g (float[2,5,3] x) => (int64[2,5] y) { y = ArgMin <axis = -1, keepdims = 0> (x) }"),
    Case("ReduceSum of axes by input",
         "g (float[2,3,4] x) => (float[2,3] y) <int64[1] a = {-1}> { y = ReduceSum <keepdims = 0> (x, a) }"),
    Case("ReduceMax of all", "g (float[2,3,4] x) => (float[1,1,1] y) { y = ReduceMax (x) }"),
    Case("TopK, equals in order", """g (float[2,6,3] x) => (float[2,4,3] y, int64[2,4,3] i) <int64[1] k = {4}>
        { r = Round (x)  y, i = TopK <axis = 1> (r, k) }"""),
    Case("TopK of the smallest", """g (float[2,6] x) => (float[2,2] y, int64[2,2] i) <int64[1] k = {2}>
        { y, i = TopK <largest = 0> (x, k) }"""),
    Case("Gather", """g (float[4,3,2] x) => (float[4,2,2,2] y) <int64[2,2] i = {0, -1, 2, 1}>
        { y = Gather <axis = 1> (x, i) }"""),
    Case("Gather of one", "g (float[4,3] x) => (float[3] y) <int64 i = {2}> { y = Gather (x, i) }"),
    Case("GatherElements of computed places", """g (float[2,6,3] x) => (float[2,2,3] y) <int64[1] k = {2}>
        { v, i = TopK <axis = 1> (x, k)  n = Neg (x)  y = GatherElements <axis = 1> (n, i) }"""),
    Case("GatherND", "g (float[3,4,2] x) => (float[2,2] y) <int64[2,2] i = {0, 1, 2, -1}> { y = GatherND (x, i) }"),
    Case("ScatterND", """g (float[3,4,2] x, float[2,2] u) => (float[3,4,2] y) <int64[2,2] i = {0, 1, 2, 3}>
        { y = ScatterND (x, i, u) }"""),
    Case("MatMul of stacks", "g (float[2,3,4] x, float[4,5] w) => (float[2,3,5] y) { y = MatMul (x, w) }"),
    Case("Gemm", """g (float[4,2] a, float[3,4] b, float[3] c) => (float[2,3] y)
        { y = Gemm <transA = 1, transB = 1, alpha = 0.5, beta = 2.0> (a, b, c) }"""),
    Case("Gemm without a bias", "g (float[2,4] a, float[4,3] b) => (float[2,3] y) { y = Gemm (a, b) }"),
    Case("Conv of DFL", """g (float[1,4,3,5] x) => (float[1,1,3,5] y) <float[1,4,1,1] w = {0, 1, 2, 3}>
        { s = Softmax <axis = 1> (x)  y = Conv (s, w) }"""),
    Case("Conv with a bias", """g (float[2,2,3,3] x) => (float[2,3,3,3] y)
        <float[3,2,1,1] w = {1, 2, 3, 4, 5, 6}, float[3] b = {1, -1, 2}> { y = Conv (x, w, b) }"""),
    Case("Resize, linear, half pixels", """g (float[1,2,3,4] x) => (float[1,2,7,9] y) <int64[4] s = {1, 2, 7, 9}>
        { y = Resize <mode = "linear"> (x, , , s) }"""),
    Case("Resize, linear, corners aligned, smaller", """g (float[1,2,6,5] x) => (float[1,2,3,2] y)
        <int64[4] s = {1, 2, 3, 2}>
        { y = Resize <mode = "linear", coordinate_transformation_mode = "align_corners"> (x, , , s) }"""),
    Case("Resize, linear, as PyTorch does", """g (float[1,2,3,4] x) => (float[1,2,6,1] y) <int64[4] s = {1, 2, 6, 1}>
        { y = Resize <mode = "linear", coordinate_transformation_mode = "pytorch_half_pixel"> (x, , , s) }"""),
    Case("Resize, nearest, by scales", """g (float[1,2,3,4] x) => (float[1,2,6,12] y)
        <float[4] s = {1, 1, 2, 3}>
        { y = Resize <coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"> (x, , s) }"""),
    Case("Resize, nearest, half pixels", """g (float[1,2,3,4] x) => (float[1,2,7,3] y) <int64[4] s = {1, 2, 7, 3}>
        { y = Resize <mode = "nearest"> (x, , , s) }"""),
    Case("a constant of more than a few numbers", """g (float[3,4] x) => (float[3,4] y)
        <float[3,4] k = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0.1}> { y = Mul (x, k) }"""),
]  # fmt: skip
