"""What substitute-ops leaves alone, and the sentence it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from surgery.ir import Model
from tests.passes.substitutions import CHANNELS, HOT, MAP, MASK, ONE_HOT, ROW, net, reduced

HALF = "float16[1,8,6,6]"
DYNAMIC = "float[1,8,H,W]"


@dataclass(frozen=True)
class Refusal:
    """A body that stays as it is on ``march`` without the rules in ``skip``, and why."""

    body: str
    reason: str
    march: str = "bayes-e"
    opset: int = 13
    constants: dict[str, Any] = field(default_factory=dict)
    x: str = MAP
    y: str = MAP
    skip: tuple[str, ...] = ()

    def model(self) -> Model:
        """The model."""
        return net(self.body, self.opset, self.x, self.y, **self.constants)


NORM = {"g": ROW, "b": ROW}
GROUPS = {"g": CHANNELS, "b": CHANNELS}

WRITTEN = (
    "m = ReduceMean <axes = [-1]> (x)  n = ReduceMax <axes = [-1]> (x)  d = Sub (x, m)  p = Pow (d, t)  "
    "v = ReduceMean <axes = [3]> (p)  s = Add (v, e)  r = Sqrt (s)  q = Div (d, r)  y = Mul (q, n)"
)

MAXIMUM = "a = Tanh (x)  i = ArgMax <axis = 1, keepdims = 0> (a)"

REFUSALS = {
    "Neg": Refusal("y = Neg (x)", "its kind must be one of 'f'", x="int32[1,8]", y="int32[1,8]"),
    "Sub": Refusal("y = Sub (x, x)", "its kind must be one of 'f'", "bernoulli2", x="int64[1,8]", y="int64[1,8]"),
    "Add behind the CPU": Refusal(
        "m = ReduceMean <axes = [3]> (x)  y = Add (m, c)",
        "is computed on the CPU, the convolution would begin",
        "bernoulli2",
        constants={"c": 1e-5},
        y="float[1,8,6,1]",
    ),
    "LayerNormalization written out, of another mean": Refusal(
        WRITTEN.replace("Sub (x, m)", "Sub (x, n)"),
        "comes from ReduceMax",
        "bernoulli2",
        constants={"t": 2.0, "e": 1e-5},
    ),
    "LayerNormalization written out, of a cube": Refusal(
        WRITTEN, "is not the square of 'd'", "bernoulli2", constants={"t": 3.0, "e": 1e-5}
    ),
    "LayerNormalization written out, over rows": Refusal(
        WRITTEN.replace("[-1]", "[2]"),
        "it must be over the last alone, which stays",
        "bernoulli2",
        constants={"t": 2.0, "e": 1e-5},
    ),
    "LayerNormalization written out, epsilons": Refusal(
        WRITTEN,
        "'e' is no number, an epsilon must be constant",
        "bernoulli2",
        constants={"t": 2.0, "e": np.full((1, 8, 1, 1), 1e-5, np.float32) * CHANNELS.reshape(1, 8, 1, 1) ** 2 + 1},
    ),
    "LayerNormalization written out, of a long axis": Refusal(
        WRITTEN,
        "the last axis is of size 520, it must be known and at most 512",
        "bernoulli2",
        constants={"t": 2.0, "e": 1e-5},
        x="float[1,8,6,520]",
        y="float[1,8,6,520]",
    ),
    "LayerNormalization written out, of float16": Refusal(
        WRITTEN,
        "which overflows early here, it must be float32",
        "bernoulli2",
        constants={"t": np.float16(2.0), "e": np.float16(1e-3)},
        x=HALF,
        y=HALF,
    ),
    "Mod of a computed divisor": Refusal("y = Mod <fmod = 1> (x, x)", "must be constant"),
    "Mod of 3": Refusal(
        "y = Mod <fmod = 1> (x, c)", "the divisor is 3, it must be a power of two from 1 on", constants={"c": 3.0}
    ),
    "Mod of a half": Refusal(
        "y = Mod <fmod = 1> (x, c)", "the divisor is 0.5, it must be a power of two from 1 on", constants={"c": 0.5}
    ),
    "ReduceProd of a long axis": Refusal(
        "y = ReduceProd <axes = [1]> (x)",
        "axis 1 has the size 9, it must be known and at most 8",
        x="float[1,9,6,6]",
        y="float[1,1,6,6]",
    ),
    "ReduceProd of two axes": Refusal(
        reduced("ReduceProd", "[2, 3]"), "the axes are [2, 3], a product is written out along one"
    ),
    "ConvTranspose of stride 3 on X3": Refusal(
        "y = ConvTranspose <strides = [3, 3]> (x, w)",
        "grow by [3, 3], powers of two it must be",
        "bernoulli2",
        constants={"w": np.ones((8, 1, 3, 3), np.float32)},
        y="float[1,1,18,18]",
    ),
    "ConvTranspose with pads beyond the kernel": Refusal(
        "y = ConvTranspose <pads = [1, 1, 1, 1]> (x, w)",
        "none may be negative",
        skip=("conv-transpose-cropped",),
        constants={"w": np.ones((8, 1, 1, 1), np.float32)},
        y="float[1,1,4,4]",
    ),
    "ConvTranspose of a stated output": Refusal(
        "y = ConvTranspose <strides = [8, 8], output_shape = [48, 48]> (x, w)",
        "they must be stated",
        constants={"w": np.ones((8, 1, 16, 16), np.float32)},
        y="float[1,1,48,48]",
    ),
    "ConvTranspose of many weights": Refusal(
        "y = ConvTranspose <strides = [32, 32], pads = [16, 16, 16, 16]> (x, w)",
        "the weights of all phases take 37748736 bytes, at most 16777216",
        constants={"w": np.ones((8, 128, 64, 64), np.float32)},
        y="float[1,128,192,192]",
    ),
    "ConvTranspose of groups at opset 9": Refusal(
        "y = ConvTranspose <strides = [8, 8], pads = [4, 4, 4, 4], group = 2> (x, w)",
        "groups need CRD",
        opset=9,
        constants={"w": np.ones((8, 1, 16, 16), np.float32)},
        y="float[1,2,48,48]",
    ),
    "Resize-cubic to a third more": Refusal(
        'y = Resize <mode = "cubic"> (x, , s)',
        "height and width must grow by whole factors",
        constants={"s": [1, 1, 1.5, 1.5]},
        y="float[1,8,9,9]",
    ),
    "Resize-cubic without what is outside": Refusal(
        'y = Resize <mode = "cubic", exclude_outside = 1> (x, , s)',
        "exclude_outside is set",
        constants={"s": [1, 1, 2, 2]},
        y="float[1,8,12,12]",
    ),
    "Resize-cubic from corner to corner": Refusal(
        'y = Resize <mode = "cubic", coordinate_transformation_mode = "align_corners"> (x, , s)',
        "'align_corners' samples at other places around every pixel",
        constants={"s": [1, 1, 2, 2]},
        y="float[1,8,12,12]",
    ),
    "Softplus": Refusal("y = Softplus (x)", "violates no limit of the march"),
    "HardSigmoid": Refusal("y = HardSigmoid (x)", "violates no limit of the march"),
    "Gelu": Refusal(
        'y = Gelu <approximate = "tanh"> (x)',
        "approximate is 'tanh', the Erf form needs 'none'",
        opset=20,
        skip=("gelu-tanh",),
    ),
    "Gelu tanh": Refusal(
        "y = Gelu (x)", "approximate is 'none', the Tanh form needs 'tanh'", opset=20, skip=("gelu-erf",)
    ),
    "Neg on X3": Refusal(
        "y = Neg (x)", "makes Mul, which is not legal either", "bernoulli2", x="float[1,8]", y="float[1,8]"
    ),
    "PRelu": Refusal(
        "y = PRelu (x, s)",
        "makes Mul",
        "bare",
        x="float[1,2,2,2,2,2,2,2,2,2,2]",
        y="float[1,2,2,2,2,2,2,2,2,2,2]",
        constants={"s": 0.5},
    ),
    "Celu": Refusal("y = Celu <alpha = 0.0001> (x)", "alpha is 0.0001, it must be between 2**-10 and 2**10"),
    "Celu of float16": Refusal("y = Celu <alpha = 0.5> (x)", "which overflows early here", x=HALF, y=HALF),
    "Shrink": Refusal("y = Shrink <lambd = 0.5> (x)", "bias is 0 and lambd 0.5, they must be equal and not negative"),
    "Add of constants": Refusal(
        "d = Add (c, c)  y = Mul (x, d)", "both operands are constant", "bernoulli2", constants={"c": 1.0}
    ),
    "Add of a row": Refusal(
        "y = Add (x, c)",
        "the constant is 6, it must be one number or one per channel (8)",
        "bernoulli2",
        constants={"c": ROW},
    ),
    "Add of rank 3": Refusal(
        "y = Add (x, c)",
        "has rank 3, it must be 4",
        "bernoulli2",
        x="float[1,8,6]",
        y="float[1,8,6]",
        constants={"c": 1.0},
    ),
    "Add of unknown channels": Refusal(
        "y = Add (x, c)",
        "the channels of 'x' are not known",
        "bernoulli2",
        x="float[1,C,6,6]",
        y="float[1,C,6,6]",
        constants={"c": 1.0},
    ),
    "Div-by-constant": Refusal(
        "y = Div (x, c)",
        "the divisor from 0 to 1 has a reciprocal that float32 cannot hold",
        "bare",
        constants={"c": np.array([0, 1, 1, 1, 1, 1], np.float32)},
    ),
    "Div by a denormal's inverse": Refusal(
        "y = Div (x, c)", "the divisor 3e+38 has a reciprocal", "bare", constants={"c": 3e38}
    ),
    "Pow of several exponents": Refusal(
        "y = Pow (x, c)", "there are 6 exponents in 6, many must be equal", constants={"c": ROW}
    ),
    "Pow that stretches": Refusal(
        "y = Pow (x, c)",
        "the exponents stretch the base, its shape must stay",
        x="float[1,8,1,1]",
        y="float[1,8,1,6]",
        constants={"c": np.full((1, 1, 1, 6), 2, np.float32)},
    ),
    "Pow of 2.3": Refusal(
        "y = Pow (x, c)", "it must be a multiple of 0.5 up to 4, and not 0", "bare", constants={"c": 2.3}
    ),
    "Min-Max-to-Clip": Refusal(
        "s = Relu (x)  y = Max (x, s)", "2 operands are computed, it must be one of several", "bernoulli2"
    ),
    "Max of a vector": Refusal(
        "y = Max (x, c)", "operand 1 holds 6 numbers, a bound must be one", "bernoulli2", constants={"c": ROW}
    ),
    "Max of a higher rank": Refusal(
        "y = Max (x, c)",
        "operand 1 must be a number of no higher rank than 'x'",
        "bernoulli2",
        x="float[6]",
        y="float[1,6]",
        constants={"c": [[1.0]]},
    ),
    "Max of no number": Refusal("y = Max (x, c)", "operand 1 must be a number", "bernoulli2", constants={"c": np.nan}),
    "Min on X3": Refusal("s = Relu (x)  y = Min (x, s)", "makes Max, which is not legal either", "bernoulli2"),
    "Where-constant-mask": Refusal(
        "s = Sigmoid (x)  y = Where (m, s, x)",
        "'x' may be infinite where the mask drops it; 0 * inf is no number",
        "bernoulli2",
        constants={"m": MASK},
    ),
    "Where of a computed mask": Refusal(
        "e = ReduceMax <axes = [1]> (x)  m = Cast <to = 9> (e)  y = Where (m, x, c)",
        "input 0 ('m') must be constant",
        "bernoulli2",
        constants={"c": 0.0},
    ),
    "Where of constants": Refusal(
        "w = Where (m, c, c)  y = Add (x, w)",
        "every operand is constant: constant folding takes the node away",
        "bernoulli2",
        constants={"m": MASK, "c": np.zeros((1, 1, 6, 6), np.float32)},
    ),
    "ReduceMean": Refusal(reduced("ReduceMean", "[2]"), "the axes [2] are in order", "bernoulli2"),
    "ReduceMean of the width": Refusal(reduced("ReduceMean", "[3]"), "a 1x1 convolution sums channels", "bernoulli2"),
    "ReduceSum of computed axes": Refusal(
        "c = Cast <to = 7> (x)  a = Reshape (c, s)  r = ReduceSum (x, a)  y = Add (x, r)",
        "the axes 'a' are computed, they must be constant",
        "bernoulli2",
        constants={"s": np.array([-1])},
    ),
    "ReduceSum of no axes": Refusal(
        "y = ReduceSum <noop_with_empty_axes = 1> (x)",
        "no axes are given and noop_with_empty_axes is set",
        "bernoulli2",
    ),
    "ReduceMax": Refusal(
        reduced("ReduceMax", "[1]"), "the axes are [1], a pooling takes height and width", "bernoulli2"
    ),
    "ReduceSum": Refusal(
        "s = ReduceSum (x, a)  y = Mul (x, s)",
        "the axes are [3], a pooling takes height and width",
        "bernoulli2",
        constants={"a": np.array([3])},
    ),
    "ReduceSum of one axis": Refusal(
        "s = ReduceSum (x, a)  y = Mul (x, s)",
        "the axes [3] are one step already",
        "bernoulli2",
        constants={"a": np.array([3])},
    ),
    "ReduceSum of unknown sides": Refusal(
        "s = ReduceSum (x, a)  y = Mul (x, s)",
        "height and width of 'x' must be known",
        "bernoulli2",
        constants={"a": np.array([2, 3])},
        x=DYNAMIC,
        y=DYNAMIC,
    ),
    "ReduceSum of unknown channels": Refusal(
        "s = ReduceSum (x, a)  y = Mul (x, s)",
        "the channels of 'x' are not known",
        "bernoulli2",
        constants={"a": np.array([1])},
        x="float[1,C,6,6]",
        y="float[1,C,6,6]",
    ),
    "ReduceMin": Refusal(reduced("ReduceMin", "[1]"), "makes ReduceMax, which is not legal either", "bernoulli2"),
    "ReduceL1": Refusal(reduced("ReduceL1", "[3]"), "makes ReduceSum", "bernoulli2"),
    "ReduceL2": Refusal(
        reduced("ReduceL2", "[2, 3]"), "which overflows early here, it must be float32", x=HALF, y=HALF
    ),
    "ReduceSumSquare": Refusal(
        reduced("ReduceSumSquare", "[1]"), "its kind must be one of 'f'", x="int32[1,8]", y="int32[1,8]"
    ),
    "ReduceLogSum": Refusal(reduced("ReduceLogSum", "[2]"), "makes ReduceSum", "bernoulli2"),
    "ReduceLogSumExp": Refusal(reduced("ReduceLogSumExp", "[1]"), "makes ReduceMax", "bernoulli2"),
    "LogSoftmax": Refusal("y = LogSoftmax <axis = 1> (x)", "makes ReduceMax", "bernoulli2"),
    "LayerNormalization": Refusal(
        "y = LayerNormalization <stash_type = 16> (x, g)",
        "stash_type is 16, it must be 1 (float32)",
        opset=17,
        constants={"g": ROW},
    ),
    "MeanVarianceNormalization": Refusal(
        "y = MeanVarianceNormalization <axes = [0]> (x)", "the axes [0] all have size 1, one must be longer"
    ),
    "GroupNormalization": Refusal(
        "y = GroupNormalization <num_groups = 3> (x, g, b)",
        "8 channels are not 3 equal groups",
        opset=21,
        constants=GROUPS,
    ),
    "GroupNormalization of rank 3": Refusal(
        "y = GroupNormalization <num_groups = 2> (x, g, b)",
        "has rank 3, it must be 4",
        opset=21,
        constants=GROUPS,
        x="float[1,8,6]",
        y="float[1,8,6]",
        skip=("group-norm-by-reshape",),
    ),
    "GroupNormalization of unknown channels": Refusal(
        "y = GroupNormalization <num_groups = 2> (x, g, b)",
        "the channels of 'x' are not known",
        opset=21,
        constants=GROUPS,
        x="float[1,C,6]",
        y="float[1,C,6]",
    ),
    "InstanceNormalization": Refusal(
        "y = InstanceNormalization (x, g, b)",
        "gain or bias holds 6 numbers, it must hold 8",
        "bernoulli2",
        constants=NORM,
    ),
    "LRN": Refusal(
        "y = LRN <size = 3, bias = 0.0> (x)", "8 channels and bias 0, they must be at most 512 and positive"
    ),
    "CumSum": Refusal(
        "y = CumSum (x, a)",
        "axis 1 has the size 600, it must be known and at most 512",
        constants={"a": np.array(1)},
        x="float[1,600]",
        y="float[1,600]",
    ),
    "Gemm": Refusal("y = Gemm (x, x)", "its kind must be one of 'f'", x="int32[8,8]", y="int32[8,8]"),
    "Einsum": Refusal(
        'y = Einsum <equation = "ij,jk,kl->il"> (x, x, x)',
        "'ij,jk,kl->il' must be a product of two operands over one letter",
        x="float[8,8]",
        y="float[8,8]",
        skip=("einsum-by-pairs",),
    ),
    "Einsum of a diagonal": Refusal(
        'y = Einsum <equation = "ii->i"> (x)',
        "'ii->i' names an axis twice in one operand, each must be named once",
        x="float[8,8]",
        y="float[8]",
    ),
    "Einsum of unknown sizes": Refusal(
        'y = Einsum <equation = "ij,jk,kl->il"> (x, x, x)',
        "4 axes are of unknown size (A, B), at most one may be",
        x="float[A,B]",
        y="float[A,B]",
    ),
    "Col2Im": Refusal(
        "y = Col2Im (x, i, b)",
        "the columns of 'x' are not known",
        opset=18,
        constants={"i": np.array([7, 9]), "b": np.array([2, 3])},
        x="float[2,C,42]",
        y="float[2,D,7,9]",
    ),
    "AffineGrid of a computed size": Refusal(
        "s = Cast <to = 7> (x)  r = Reshape (s, k)  t = Slice (r, zero, four)  u = Reshape (x, m)  "
        "y = AffineGrid (u, t)",
        "input 1 ('t') must be constant",
        opset=20,
        constants={"k": np.array([-1]), "zero": np.array([0]), "four": np.array([4]), "m": np.array([1, 2, 3])},
        x="float[6]",
        y="float[N,H,W,2]",
    ),
    "AffineGrid of a line": Refusal(
        "y = AffineGrid <align_corners = 1> (x, s)",
        "the grid is 3x1, a side of 1 has no two corners to align",
        opset=20,
        constants={"s": np.array([1, 1, 3, 1])},
        x="float[1,2,3]",
        y="float[1,3,1,2]",
    ),
    "AffineGrid of many places": Refusal(
        "y = AffineGrid (x, s)",
        "the places of the grid take 50331648 bytes, at most 16777216",
        opset=20,
        constants={"s": np.array([1, 1, 2048, 2048])},
        x="float[1,2,3]",
        y="float[1,2048,2048,2]",
    ),
    "OneHot of an index": Refusal(
        f"a = ReduceMax <axes = [1], keepdims = 0> (x)  i = Cast <to = 7> (a)  {ONE_HOT}",
        "comes from Cast",
        constants=HOT,
    ),
    "OneHot of what may be infinite": Refusal(
        f"i = ArgMax <axis = 1, keepdims = 0> (x)  {ONE_HOT}", "'x' may be infinite", constants=HOT
    ),
    "OneHot elsewhere": Refusal(
        f"{MAXIMUM}  o = OneHot (i, d, v)  y = Transpose <perm = [0, 3, 1, 2]> (o)",
        "the maximum must be over the channels, and marked in their place",
        constants=HOT,
    ),
    "OneHot of the last maximum": Refusal(
        f"{MAXIMUM.replace('axis', 'select_last_index = 1, axis')}  {ONE_HOT}",
        "select_last_index is set, the first of equal maxima must be taken",
        constants=HOT,
    ),
    "OneHot of integers": Refusal(
        f"{MAXIMUM}  {ONE_HOT.replace('y =', 'o =')}  y = Cast <to = 1> (o)",
        "the values are int64, they must be float32",
        constants={**HOT, "v": np.array([0, 1])},
    ),
    "OneHot of a computed depth": Refusal(
        f"s = Shape (x)  t = Slice (s, b, e)  d = Cast <to = 7> (t)  {MAXIMUM}  {ONE_HOT}",
        "input 1 ('d') must be constant",
        constants={"v": HOT["v"], "b": np.array([1]), "e": np.array([2])},
    ),
    "OneHot of many channels": Refusal(
        f"{MAXIMUM}  {ONE_HOT}",
        "8 channels and a depth of 5000, at most 2048 may be counted",
        constants={**HOT, "d": np.array(5000)},
        y="float[1,5000,6,6]",
    ),
    "Hardmax over rows": Refusal("y = Hardmax (x)", "the axis is 3, it must be 1, that of the channels"),
    "Hardmax of old": Refusal(
        "a = Tanh (x)  y = Hardmax <axis = 1> (a)", "opset 11 marks one of all elements behind the axis", opset=11
    ),
    "Trilu": Refusal(
        "y = Trilu (x)", "the matrices are LxL, both sides must be known", opset=14, x="float[1,L,L]", y="float[1,L,L]"
    ),
    "Trilu of a computed diagonal": Refusal(
        "c = Cast <to = 7> (x)  k = ReduceMax <keepdims = 0> (c)  y = Trilu (x, k)",
        "input 1 ('k') must be constant",
        opset=14,
    ),
    "Trilu of a large matrix": Refusal(
        "y = Trilu (x)",
        "the mask of 4096x8192 takes 33554432 bytes, at most 16777216",
        opset=14,
        x="float[4096,8192]",
        y="float[4096,8192]",
    ),
    "Trilu of strings": Refusal(
        "y = Trilu (x)", "its kind must be one of 'fiub'", opset=14, x="string[8,8]", y="string[8,8]"
    ),
    "Resize-nearest-odd-factor": Refusal(
        'y = Resize <mode = "nearest", coordinate_transformation_mode = "asymmetric"> (x, , s)',
        "asymmetric with round_prefer_floor does not repeat each of 6 elements 3 times",
        constants={"s": [1, 1, 3, 3]},
        y="float[1,8,18,18]",
    ),
    "Resize by a half": Refusal(
        'y = Resize <mode = "nearest"> (x, , s)',
        "height and width must grow by whole factors",
        constants={"s": [1, 1, 1.5, 1.5]},
        y="float[1,8,9,9]",
    ),
    "Resize linear": Refusal(
        'y = Resize <mode = "linear"> (x, , s)',
        "violates no limit",
        constants={"s": [1, 1, 3, 3]},
        y="float[1,8,18,18]",
    ),
    "Resize on X3": Refusal(
        'y = Resize <mode = "nearest"> (x, , s)',
        "makes ConvTranspose",
        "bernoulli2",
        constants={"s": [1, 1, 3, 3]},
        y="float[1,8,18,18]",
    ),
    "Pad that crops": Refusal(
        'y = Pad <mode = "reflect"> (x, p)',
        "crops axis 2 by -1 and 1",
        constants={"p": np.array([0, 0, -1, 0, 0, 0, 1, 0])},
    ),
    "Pad by much": Refusal(
        'y = Pad <mode = "reflect"> (x, p)',
        "pads axis 3 by 0 and 9, at most 8",
        constants={"p": np.array([0, 0, 0, 0, 0, 0, 0, 9])},
        y="float[1,8,6,15]",
    ),
    "Pad of axes that are computed": Refusal(
        'k = Shape <start = 2, end = 3> (x)  a = Sub (k, o)  y = Pad <mode = "reflect"> (x, p, , a)',
        "pads axes that are computed, they must be constant",
        opset=19,
        constants={"p": np.array([1, 1]), "o": np.array([3])},
        y="float[1,8,6,8]",
    ),
    "MaxPool of padding": Refusal(
        "y = MaxPool <kernel_shape = [65, 1], pads = [33, 0, 33, 0]> (x)",
        "would see padding alone",
        "bernoulli2",
        x="float[1,8,99,6]",
        y="float[1,8,101,6]",
    ),
    "MaxPool rounding up": Refusal(
        "y = MaxPool <kernel_shape = [65, 1], ceil_mode = 1> (x)",
        "rounds up or is dilated",
        "bernoulli2",
        x="float[1,8,99,6]",
        y="float[1,8,35,6]",
    ),
    "AveragePool of a prime": Refusal(
        "y = AveragePool <kernel_shape = [13, 1], strides = [13, 1]> (x)",
        "[13, 1] has no factors",
        "bernoulli2",
        x="float[1,8,26,6]",
        y="float[1,8,2,6]",
    ),
    "AveragePool that overlaps": Refusal(
        "y = AveragePool <kernel_shape = [14, 1], strides = [7, 1]> (x)",
        "overlap, they must tile",
        "bernoulli2",
        x="float[1,8,28,6]",
        y="float[1,8,3,6]",
    ),
    "AveragePool with pads": Refusal(
        "y = AveragePool <kernel_shape = [14, 1], strides = [14, 1], pads = [7, 0, 7, 0]> (x)",
        "every pad must be 0",
        "bernoulli2",
        x="float[1,8,28,6]",
        y="float[1,8,3,6]",
    ),
    "InstanceNormalization turned to another shape": Refusal(
        "r = Reshape (x, g)  n = InstanceNormalization (r, a, a)  y = Reshape (n, k)",
        "it must be NxCxHxW before and after",
        "bernoulli2",
        constants={"g": np.array([1, 4, -1]), "k": np.array([1, 8, 36]), "a": [1.0, 0.5, 2.0, 1.0]},
        y="float[1,8,36]",
    ),
    "InstanceNormalization of parts of groups": Refusal(
        "r = Reshape (x, g)  n = InstanceNormalization (r, a, a)  y = Reshape (n, k)",
        "8 channels are not 3 equal groups",
        "bernoulli2",
        constants={"g": np.array([1, 3, -1]), "k": np.array([1, 8, 6, 6]), "a": [1.0, 0.5, 2.0]},
    ),
}
"""By the name in ``coverage.csv`` where there is one."""
