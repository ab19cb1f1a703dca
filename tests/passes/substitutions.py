"""One small model per substitution: what goes in, on which march, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import numpy_helper

from surgery.ir import Model
from tests.support import proto_of

MAP = "float[1,8,6,6]"
MASK = np.array([1, 0, 0, 1, 1, 0], bool)
CHANNELS = np.linspace(-1, 1, 8, dtype=np.float32)
ROW = np.linspace(0.5, 2, 6, dtype=np.float32)


def net(body: str, opset: int = 13, x: str = MAP, y: str = MAP, **constants: Any) -> Model:
    """A model of one input x and one output y; ``constants`` are initializers by name (float32 unless arrays)."""
    proto = proto_of(f"g ({x} x) => ({y} y) {{ {body} }}", opset=opset, ir_version=10 if opset > 20 else 8)
    for name, value in constants.items():
        array = value if isinstance(value, np.ndarray) else np.asarray(value, np.float32)
        proto.graph.initializer.append(numpy_helper.from_array(array, name))
    return Model.load(proto)


@dataclass(frozen=True)
class Case:
    """A body, the operators that come out on ``march``, how many rules fired at the top, and nodes over a limit."""

    body: str
    after: str
    march: str = "bayes-e"
    opset: int = 13
    edits: int = 1
    broken: int = 1
    constants: dict[str, Any] = field(default_factory=dict)
    x: str = MAP
    y: str = MAP

    def model(self) -> Model:
        """The model before."""
        return net(self.body, self.opset, self.x, self.y, **self.constants)


def reduced(op: str, axes: str, **attrs: int) -> str:
    """A reduction with attribute axes, and a product that brings the shape of the input back."""
    rest = "".join(f", {name} = {value}" for name, value in attrs.items())
    return f"s = {op} <axes = {axes}{rest}> (x)  y = Mul (x, s)"


def spread(*shape: int) -> Any:
    """Weights between -1 and 1, no two alike."""
    return np.sin(np.arange(np.prod(shape), dtype=np.float32)).reshape(shape)


TENTHS = np.arange(8, dtype=np.float32) / 10

ONE_HOT = "y = OneHot <axis = 1> (i, d, v)"
HOT = {"d": np.array(8), "v": np.array([0, 1], np.float32)}

CASES = {
    "HardSwish": Case("y = HardSwish (x)", "HardSigmoid Mul", opset=14),
    "HardSwish on X3": Case("y = HardSwish (x)", "HardSigmoid Mul", "bernoulli2", 14),
    "Mish": Case("y = Mish (x)", "Softplus Tanh Mul", opset=18),
    "Swish": Case("y = Swish (x)", "Sigmoid Mul", opset=24),
    "Swish of a steeper slope": Case("y = Swish <alpha = 1.5> (x)", "Mul Sigmoid Mul", opset=24),
    "Gelu": Case("y = Gelu (x)", "Div Erf Add Mul Mul", opset=20),
    "Gelu on X3": Case("y = Gelu (x)", "Div Erf Add Mul Mul", "bernoulli2", 20),
    "Gelu tanh": Case('y = Gelu <approximate = "tanh"> (x)', "Mul Mul Mul Add Mul Mul Tanh Add Mul", opset=20),
    "PRelu": Case(
        "y = PRelu (x, s)", "Mul Relu Mul Relu Sub", x="float[1,6,8]", y="float[1,6,8]", constants={"s": TENTHS}
    ),
    "PRelu of a computed slope": Case("s = Sigmoid (x)  y = PRelu (x, s)", "Sigmoid Mul Relu Mul Relu Sub", "bare"),
    "Celu": Case("y = Celu (x)", "Elu"),
    "Celu of 2": Case("y = Celu <alpha = 2.0> (x)", "Mul Elu Mul"),
    "ThresholdedRelu": Case("y = ThresholdedRelu <alpha = 0.3> (x)", "Add Sign Relu Clip Mul"),
    "ThresholdedRelu at 0": Case("y = ThresholdedRelu <alpha = 0.0> (x)", "Relu"),
    "Shrink": Case("y = Shrink <lambd = 0.3, bias = 0.3> (x)", "Clip Sub"),
    "Neg": Case("y = Neg (x)", "Mul"),
    "Sub": Case("a = Sigmoid (x)  y = Sub (x, a)", "Sigmoid Mul Add", "bernoulli2"),
    "Sub of a constant": Case("y = Sub (x, c)", "Conv", "bernoulli2", constants={"c": 2.0}),
    "Sub from a constant": Case("y = Sub (c, x)", "Mul Add", "bernoulli2", constants={"c": 2.0}),
    "Add of a constant": Case("y = Add (x, c)", "Conv", "bernoulli2", constants={"c": 2.0}),
    "Div-by-constant": Case("y = Div (x, c)", "Mul", "bare", constants={"c": CHANNELS.reshape(8, 1, 1)}),
    "Div of a constant": Case("e = Exp (x)  y = Div (c, e)", "Exp Reciprocal Mul", "bare", constants={"c": 3.0}),
    "Pow of equal exponents": Case(
        "e = Exp (x)  y = Pow (e, c)", "Exp Pow", constants={"c": np.full((1, 8, 1, 1), 1.5, np.float32)}
    ),
    "Pow of 2.5": Case("e = Exp (x)  y = Pow (e, c)", "Exp Sqrt Mul Mul", "bare", constants={"c": 2.5}),
    "Pow of -1": Case("e = Exp (x)  y = Pow (e, c)", "Exp Reciprocal", "bare", constants={"c": -1.0}),
    "Sum": Case("a = Sigmoid (x)  y = Sum (x, a, x)", "Sigmoid Add Add", "bernoulli2"),
    "Mean": Case("a = Sigmoid (x)  y = Mean (x, a, x)", "Sigmoid Add Add Mul"),
    "Mean of one": Case("a = Relu (x)  b = Mean (a)  y = Exp (b)", "Relu Exp"),
    "Mod": Case("y = Mod <fmod = 1> (x, c)", "Mul Abs Floor Sign Mul Mul Add", constants={"c": 1.0}),
    "Mod of powers of two": Case(
        "y = Mod <fmod = 1> (x, c)",
        "Mul Abs Floor Sign Mul Mul Add",
        constants={"c": np.array([1, -2, 4, 1, 2, 8], np.float32)},
    ),
    "Min-Max-to-Clip": Case("y = Min (x, c)", "Clip", constants={"c": 0.2}),
    "Max of numbers on X3": Case("y = Max (c, x, d)", "Clip", "bernoulli2", constants={"c": 0.2, "d": [0.1]}),
    "Max with 0 on X3": Case("y = Max (x, c)", "Relu", "bernoulli2", constants={"c": 0.0}),
    "Min of a vector": Case("y = Min (x, c)", "Mul Max Mul", constants={"c": ROW}),
    "Where-constant-mask": Case(
        "s = Sigmoid (x)  t = Tanh (x)  y = Where (m, s, t)",
        "Sigmoid Tanh Mul Mul Add",
        "bernoulli2",
        constants={"m": MASK},
    ),
    "Where of an infinite constant": Case(
        "s = Sigmoid (x)  e = Where (m, s, c)  y = Exp (e)",
        "Sigmoid Mul Add Exp",
        "bernoulli2",
        constants={"m": MASK, "c": -np.inf},
    ),
    "ReduceMean": Case(reduced("ReduceMean", "[3, 2]"), "ReduceMean Mul"),
    "ReduceMean from the end": Case(reduced("ReduceMean", "[-1, -2]"), "ReduceMean Mul"),
    "ReduceMean of two axes": Case(reduced("ReduceMean", "[1, 2]"), "ReduceMean ReduceMean Mul"),
    "ReduceMean of everything": Case(reduced("ReduceMean", "[0, 1, 2, 3]"), "ReduceMean ReduceMean Mul"),
    "ReduceMean of channels on X3": Case(reduced("ReduceMean", "[1]"), "Conv Mul", "bernoulli2"),
    "ReduceMax": Case(reduced("ReduceMax", "[2, 3]"), "GlobalMaxPool Mul"),
    "ReduceMax of a wide map": Case(
        "y = ReduceMax <axes = [2, 3]> (x)", "ReduceMax ReduceMax", x="float[1,2,3,300]", y="float[1,2,1,1]"
    ),
    "ReduceSum": Case("s = ReduceSum (x, a)  y = Mul (x, s)", "ReduceMean Mul Mul", constants={"a": np.array([2, 3])}),
    "ReduceSum of everything": Case("s = ReduceSum (x)  y = Mul (x, s)", "ReduceMean Mul ReduceSum Mul"),
    "ReduceSum of channels on X3": Case(
        "s = ReduceSum (x, a)  y = Mul (x, s)", "Conv Mul", "bernoulli2", constants={"a": np.array([1])}
    ),
    "ReduceMin": Case(reduced("ReduceMin", "[1]"), "Mul ReduceMax Mul Mul"),
    "ReduceMin of a map on X3": Case(reduced("ReduceMin", "[2, 3]"), "Mul GlobalMaxPool Mul Mul", "bernoulli2"),
    "ReduceMin without dims": Case(
        "y = ReduceMin <axes = [1], keepdims = 0> (x)", "Mul ReduceMax Mul", y="float[1,6,6]"
    ),
    "ReduceProd": Case(reduced("ReduceProd", "[1]"), "Split Mul Mul Mul Mul Mul Mul Mul Mul"),
    "ReduceProd without dims": Case(
        "y = ReduceProd <axes = [1], keepdims = 0> (x)", "Split Mul Mul Squeeze", x="float[1,3,6,6]", y="float[1,6,6]"
    ),
    "ArgMin": Case("y = ArgMin <axis = 1> (x)", "Mul ArgMax", "bernoulli2", y="int64[1,1,6,6]"),
    "ReduceL1": Case(reduced("ReduceL1", "[2, 3]"), "Abs ReduceMean Mul Mul"),
    "ReduceL2": Case(reduced("ReduceL2", "[2, 3]"), "Pow ReduceMean Mul Sqrt Mul"),
    "ReduceL2 of channels on X3": Case(reduced("ReduceL2", "[1]"), "Pow Conv Sqrt Mul", "bernoulli2"),
    "ReduceSumSquare": Case(reduced("ReduceSumSquare", "[3]"), "Pow ReduceSum Mul"),
    "ReduceLogSum": Case("e = Exp (x)  s = ReduceLogSum <axes = [1]> (e)  y = Mul (x, s)", "Exp ReduceSum Log Mul"),
    "ReduceLogSumExp": Case(reduced("ReduceLogSumExp", "[1]"), "ReduceMax Clip Sub Exp ReduceSum Log Add Mul"),
    "ReduceLogSumExp without dims": Case(
        "y = ReduceLogSumExp <axes = [1], keepdims = 0> (x)",
        "ReduceMax Clip Sub Exp ReduceSum Log Add Squeeze",
        y="float[1,6,6]",
    ),
    "LogSoftmax": Case("y = LogSoftmax <axis = 1> (x)", "ReduceMax Sub Exp ReduceSum Log Sub"),
    "LogSoftmax before opset 13": Case(
        "y = LogSoftmax <axis = 1> (x)",
        "ReduceMax Sub Exp ReduceSum Log Sub",
        opset=11,
        x="float[1,10,1,1]",
        y="float[1,10,1,1]",
    ),
    "LogSoftmax that flattens": Case(
        "y = LogSoftmax <axis = 2> (x)", "GlobalMaxPool Sub Exp ReduceMean Mul Log Sub", opset=11
    ),
    "LayerNormalization": Case(
        "y = LayerNormalization (x, g, b)",
        "ReduceMean Sub Pow ReduceMean Add Sqrt Div Mul Add",
        opset=17,
        constants={"g": ROW, "b": ROW},
    ),
    "LayerNormalization of three axes": Case(
        "y = LayerNormalization <axis = 1> (x, g)",
        "ReduceMean ReduceMean Sub Pow ReduceMean ReduceMean Add Sqrt Div Mul",
        opset=17,
        constants={"g": np.linspace(0, 1, 288, dtype=np.float32).reshape(8, 6, 6)},
    ),
    "LayerNormalization on X3": Case(
        "y = LayerNormalization (x, g, b)",
        "MatMul Add Pow MatMul Add Sqrt Reciprocal Mul Mul Add",
        "bernoulli2",
        opset=17,
        edits=2,
        constants={"g": ROW, "b": ROW},
    ),
    "LayerNormalization written out, on X3": Case(
        "m = ReduceMean <axes = [-1]> (x)  d = Sub (x, m)  p = Pow (d, t)  v = ReduceMean <axes = [3]> (p)  "
        "s = Add (v, e)  r = Sqrt (s)  y = Div (d, r)",
        "MatMul Add Pow MatMul Add Sqrt Reciprocal Mul",
        "bernoulli2",
        broken=5,
        constants={"t": 2.0, "e": 1e-5},
    ),
    "LayerNormalization of all three outputs": Case(
        "n, m, d = LayerNormalization (x, g)  s = Mul (n, m)  y = Mul (s, d)",
        "ReduceMean Sub Pow ReduceMean Add Sqrt Reciprocal Mul Mul Mul Mul",
        opset=17,
        constants={"g": ROW},
    ),
    "LayerNormalization of computed gain and bias": Case(
        "g = Sigmoid (x)  y = LayerNormalization <axis = 0> (x, g, g)",
        "Sigmoid ReduceMean ReduceMean ReduceMean Sub Pow ReduceMean ReduceMean ReduceMean Add Sqrt Div Mul Add",
        opset=17,
        x="float[8,6,6]",
        y="float[8,6,6]",
    ),
    "LayerNormalization of float16": Case(
        "y = LayerNormalization (x, g)",
        "Cast ReduceMean Sub Pow ReduceMean Add Sqrt Div Cast Mul",
        opset=17,
        constants={"g": ROW.astype(np.float16)},
        x="float16[1,8,6,6]",
        y="float16[1,8,6,6]",
    ),
    "RMSNormalization of float16": Case(
        "y = RMSNormalization (x, g)",
        "Cast Pow ReduceMean Add Sqrt Div Cast Mul",
        opset=23,
        constants={"g": ROW.astype(np.float16)},
        x="float16[1,8,6,6]",
        y="float16[1,8,6,6]",
    ),
    "RMSNormalization": Case(
        "y = RMSNormalization (x, g)", "Pow ReduceMean Add Sqrt Div Mul", opset=23, constants={"g": ROW}
    ),
    "MeanVarianceNormalization": Case(
        "y = MeanVarianceNormalization <axes = [0, 2, 3]> (x)", "ReduceMean Sub Pow ReduceMean Sqrt Add Div"
    ),
    "GroupNormalization": Case(
        "y = GroupNormalization <num_groups = 4> (x, g, b)",
        "ReduceMean Conv Add Pow ReduceMean Conv Sqrt Reciprocal Mul Conv",
        opset=21,
        constants={"g": CHANNELS, "b": TENTHS},
    ),
    "GroupNormalization on X3": Case(
        "y = GroupNormalization <num_groups = 2> (x, g, b)",
        "ReduceMean Conv Add Pow ReduceMean Conv Sqrt Reciprocal Mul Conv",
        "bernoulli2",
        opset=21,
        constants={"g": CHANNELS, "b": TENTHS},
    ),
    "GroupNormalization of rank 3": Case(
        "y = GroupNormalization <num_groups = 4> (x, g, g)",
        "Reshape ReduceMean Sub Pow ReduceMean Add Sqrt Div Reshape Mul Add",
        opset=21,
        constants={"g": CHANNELS},
        x="float[1,8,6]",
        y="float[1,8,6]",
    ),
    "GroupNormalization of a computed gain": Case(
        "g = Sigmoid (b)  y = GroupNormalization <num_groups = 4> (x, g, b)",
        "Sigmoid Reshape ReduceMean Sub Pow ReduceMean Add Sqrt Div Reshape Reshape Mul Add",
        opset=21,
        constants={"b": CHANNELS},
    ),
    "GroupNormalization of float16": Case(
        "y = GroupNormalization <num_groups = 4> (x, g, g)",
        "Reshape Cast ReduceMean Sub Pow ReduceMean Add Sqrt Div Cast Reshape Mul Add",
        opset=21,
        constants={"g": CHANNELS.astype(np.float16)},
        x="float16[1,8,6,6]",
        y="float16[1,8,6,6]",
    ),
    "InstanceNormalization": Case(
        "y = InstanceNormalization (x, g, b)",
        "ReduceMean Conv Add Pow ReduceMean Conv Sqrt Reciprocal Mul Conv",
        "bernoulli2",
        constants={"g": CHANNELS, "b": TENTHS},
    ),
    "LRN": Case("y = LRN <size = 3, alpha = 0.1> (x)", "Pow Conv Pow Mul"),
    "LpNormalization": Case("y = LpNormalization <axis = 1> (x)", "Pow ReduceSum Sqrt Clip Div"),
    "LpNormalization of order 1": Case("y = LpNormalization <axis = 1, p = 1> (x)", "Abs ReduceSum Clip Div"),
    "CumSum": Case("y = CumSum (x, a)", "MatMul", constants={"a": np.array(3)}),
    "CumSum of channels": Case(
        "y = CumSum <exclusive = 1, reverse = 1> (x, a)", "Conv", "bernoulli2", constants={"a": np.array(1)}
    ),
    "CumSum of another axis": Case(
        "y = CumSum <reverse = 1> (x, a)", "Transpose MatMul Transpose", constants={"a": np.array(-2)}
    ),
    "Gemm of two values": Case(
        "y = Gemm <transB = 1, alpha = 0.5, beta = 2.0> (x, x, c)",
        "Transpose MatMul Mul Add",
        x="float[512,512]",
        y="float[512,512]",
        constants={"c": np.linspace(-1, 1, 512, dtype=np.float32)},
    ),
    "Einsum": Case('y = Einsum <equation = "bchw,bcvw->bchv"> (x, x)', "Transpose MatMul"),
    "Einsum of a result in another order": Case(
        'y = Einsum <equation = "bchw, bcwv -> bcvh"> (x, x)', "MatMul Transpose"
    ),
    "Einsum of three operands": Case(
        'y = Einsum <equation = "ij,jk,kl->il"> (x, x, x)', "MatMul MatMul", x="float[8,8]", y="float[8,8]", opset=12
    ),
    "Einsum of heads": Case(
        'y = Einsum <equation = "bchw,bcvw->bhv"> (x, x)',
        "Transpose Reshape Transpose Reshape MatMul",
        y="float[1,6,6]",
        opset=12,
    ),
    "Einsum of one operand": Case('y = Einsum <equation = "...cw->w..."> (x)', "ReduceSum Transpose", y="float[6,1,8]"),
    "OneHot of a maximum": Case(
        f"a = Tanh (x)  i = ArgMax <axis = 1, keepdims = 0> (a)  {ONE_HOT}",
        "Tanh ReduceMax Sub Sign Conv Relu",
        opset=11,
        constants=HOT,
    ),
    "OneHot of a maximum, deeper, of other values": Case(
        f"a = Tanh (x)  i = ArgMax <axis = 1, keepdims = 0> (a)  {ONE_HOT}",
        "Tanh ReduceMax Sub Sign Conv Relu Mul Add",
        constants={"d": np.array([11]), "v": np.array([-0.5, 2], np.float32)},
        y="float[1,11,6,6]",
    ),
    "Hardmax": Case("a = Tanh (x)  y = Hardmax <axis = 1> (a)", "Tanh ReduceMax Sub Sign Conv Relu"),
    "Trilu": Case("y = Trilu <upper = 0> (x, k)", "Where", opset=14, constants={"k": np.array(-1)}),
    "Trilu of booleans": Case("y = Trilu (x)", "And", opset=14, x="bool[1,8,6,6]", y="bool[1,8,6,6]"),
    "Col2Im": Case(
        "y = Col2Im <strides = [2, 3], pads = [1, 0, 0, 1], dilations = [1, 2]> (x, i, b)",
        "Reshape ConvTranspose",
        opset=18,
        constants={"i": np.array([7, 9]), "b": np.array([2, 3])},
        x="float[2,12,8]",
        y="float[2,2,7,9]",
    ),
    "AffineGrid": Case(
        "y = AffineGrid <align_corners = 1> (x, s)",
        "Transpose MatMul Reshape",
        opset=20,
        constants={"s": np.array([2, 8, 3, 4])},
        x="float[2,2,3]",
        y="float[2,3,4,2]",
    ),
    "AffineGrid of a volume": Case(
        "y = AffineGrid (x, s)",
        "Transpose MatMul Reshape",
        opset=20,
        constants={"s": np.array([2, 8, 3, 4, 1])},
        x="float[2,3,4]",
        y="float[2,3,4,1,3]",
    ),
    "ConvTranspose of stride 1 on X3": Case(
        "y = ConvTranspose <pads = [1, 1, 1, 1]> (x, w, b)",
        "Conv",
        "bernoulli2",
        constants={"w": spread(8, 4, 3, 3), "b": TENTHS[:4]},
        y="float[1,4,6,6]",
    ),
    "ConvTranspose with a dilation": Case(
        "y = ConvTranspose <dilations = [2, 1], group = 2, pads = [1, 0, 2, 1]> (x, w)",
        "Conv",
        constants={"w": spread(8, 3, 3, 2)},
        y="float[1,6,7,6]",
    ),
    "ConvTranspose of stride 8": Case(
        "y = ConvTranspose <strides = [8, 8], pads = [4, 4, 4, 4]> (x, w, b)",
        "Conv DepthToSpace DepthToSpace DepthToSpace",
        constants={"w": spread(8, 2, 16, 16), "b": TENTHS[:2]},
        y="float[1,2,48,48]",
    ),
    "ConvTranspose of stride 8 and 4": Case(
        "y = ConvTranspose <strides = [8, 4], pads = [4, 2, 4, 2]> (x, w)",
        "Conv DepthToSpace DepthToSpace DepthToSpace",
        constants={"w": spread(8, 2, 16, 16)},
        y="float[1,2,48,32]",
    ),
    "ConvTranspose to a part of a phase": Case(
        "y = ConvTranspose <strides = [8, 8]> (x, w)",
        "Conv DepthToSpace DepthToSpace DepthToSpace Slice",
        constants={"w": spread(8, 1, 17, 17)},
        y="float[1,1,57,57]",
    ),
    "ConvTranspose of pads over the limit": Case(
        "y = ConvTranspose <strides = [3, 3], pads = [1, 1, 1, 1]> (x, w, b)",
        "ConvTranspose Slice",
        constants={"w": spread(8, 2, 3, 3), "b": TENTHS[:2]},
        y="float[1,2,16,16]",
    ),
    "ConvTranspose of stride 2 and 1 on X3": Case(
        "y = ConvTranspose <strides = [2, 1], pads = [1, 1, 1, 1]> (x, w)",
        "Conv DepthToSpace",
        march="bernoulli2",
        constants={"w": spread(8, 16, 4, 3)},
        y="float[1,16,12,6]",
    ),
    "ConvTranspose of stride 8 at opset 9": Case(
        "y = ConvTranspose <strides = [8, 8], pads = [4, 4, 4, 4]> (x, w)",
        "Conv DepthToSpace DepthToSpace DepthToSpace",
        opset=9,
        constants={"w": spread(8, 2, 16, 16)},
        y="float[1,2,48,48]",
    ),
    "ConvTranspose of groups": Case(
        "y = ConvTranspose <strides = [4, 4], group = 4, output_padding = [2, 2], pads = [0, 2, 0, 2]> (x, w)",
        "Conv DepthToSpace DepthToSpace",
        constants={"w": spread(8, 2, 6, 6)},
        y="float[1,8,28,24]",
    ),
    "Resize-cubic": Case(
        'y = Resize <mode = "cubic"> (x, , s)',
        "Pad Conv DepthToSpace",
        constants={"s": [1, 1, 2, 2]},
        y="float[1,8,12,12]",
    ),
    "Resize-cubic-by-4": Case(
        'y = Resize <mode = "cubic", coordinate_transformation_mode = "asymmetric", cubic_coeff_a = -0.5> (x, , s)',
        "Pad Conv DepthToSpace DepthToSpace",
        constants={"s": [1, 1, 4, 4]},
        y="float[1,8,24,24]",
    ),
    "Resize-nearest-odd-factor": Case(
        'y = Resize <mode = "nearest"> (x, , s)',
        "ConvTranspose",
        constants={"s": [1, 1, 3, 5]},
        y="float[1,8,18,30]",
    ),
    "Abs": Case("y = Abs (x)", "Mul Relu Relu Add", "bare"),
    "Softplus": Case("y = Softplus (x)", "Mul Relu Relu Add Mul Exp Add Log Relu Add", "bare"),
    "Softsign": Case("y = Softsign (x)", "Mul Relu Relu Add Add Div", "bare"),
    "HardSigmoid": Case("y = HardSigmoid (x)", "Mul Add Clip", "bare"),
    "Elu": Case("y = Elu <alpha = 2.0> (x)", "Clip Exp Add Relu Mul Add", "bare"),
    "Selu": Case("y = Selu (x)", "Clip Exp Add Relu Mul Add Mul", "bare"),
    "Pad-reflect": Case(
        'y = Pad <mode = "reflect"> (x, p)',
        "Slice Slice Slice Concat Slice Concat",
        constants={"p": np.array([0, 0, 1, 0, 0, 0, 2, 1])},
        y="float[1,8,9,7]",
    ),
    "Pad-wrap": Case(
        'y = Pad <mode = "wrap"> (x, p, , a)',
        "Slice Slice Slice Concat",
        opset=19,
        constants={"p": np.array([2, 1]), "a": np.array([3])},
        y="float[1,8,6,9]",
    ),
    "MaxPool-large": Case(
        "y = MaxPool <kernel_shape = [65, 3], strides = [2, 1], pads = [10, 1, 10, 1]> (x)",
        "MaxPool MaxPool",
        "bernoulli2",
        x="float[1,8,99,6]",
        y="float[1,8,28,6]",
    ),
    "AveragePool-large": Case(
        "y = AveragePool <kernel_shape = [14, 6], strides = [14, 6]> (x)",
        "AveragePool AveragePool",
        "bernoulli2",
        x="float[1,8,28,12]",
        y="float[1,8,2,2]",
    ),
    "AveragePool of the whole": Case(
        "y = AveragePool <kernel_shape = [14, 14]> (x)",
        "AveragePool AveragePool",
        "bernoulli2",
        x="float[1,8,14,14]",
        y="float[1,8,1,1]",
    ),
    "GroupNorm between Reshapes": Case(
        "r = Reshape (x, g)  n = InstanceNormalization (r, a, b)  y = Reshape (n, k)",
        "ReduceMean Conv Add Pow ReduceMean Conv Sqrt Reciprocal Mul Conv",
        "bernoulli2",
        constants={
            "g": np.array([1, 4, -1]),
            "k": np.array([1, 8, 6, 6]),
            "a": [1.0, 0.5, 2.0, 1.0],
            "b": [0.0, 1.0, 2.0, 3.0],
        },
    ),
}
"""Every substitution by the name it has in ``coverage.csv``."""
