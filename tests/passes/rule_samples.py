"""One small model per rule of every pass, in which that rule fires.

What the substitutions read is in ``substitutions.py``, the marches with small limits in ``clamp_marches.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import ModelProto, numpy_helper, version_converter
from onnx.helper import make_opsetid
from onnx.parser import parse_function

from tests.passes.substitutions import CASES
from tests.support import proto_of

SMALL = "float[1,4,5,5]"
OLDEST = 11
"""Of the opsets that count."""
IN_BODIES = frozenset({"in_if", "in_loop"})
"""A body runs on the CPU as a whole, so that nothing there but an unknown operator is illegal."""
TAPPED = frozenset({"tapped"})
"""Rules that need what is between two nodes for themselves."""
UNSIZED = frozenset({"dynamic_batch"})
"""Rules that need a size, or a limit that a march states for sizes only."""


@dataclass(frozen=True)
class Sample:
    """A graph in which a rule fires, from ``opset`` on.

    Attributes:
        body: nodes from x to y.
        constants: initializers by name: arrays, numbers (float32), or a tuple for random float32 of that shape.
        march: name of a march, or of one of the tests' own.
        options: of the pass.
        since: the oldest opset at which there is something to do.
        older: the body at opset 11, where the operator is written another way before ``opset``.
        quiet: variants of the matrix in which the rule has to refuse.
        budget: whether it is approximate, so that a (loose) budget is given.
        functions: of domain ``made.up``, in ONNX text; they are written in the opset of the model, whichever it is.
    """

    body: str
    constants: dict[str, Any] = field(default_factory=dict)
    x: str = SMALL
    y: str = SMALL
    march: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    opset: int = OLDEST
    older: str | None = None
    since: int = OLDEST
    quiet: frozenset[str] = frozenset()
    functions: str = ""
    budget: bool = False

    def proto(self, opset: int | None = None) -> ModelProto:
        """The model at ``opset`` (its own when None), brought there by onnx's converter where it has to be."""
        written, body = self.opset, self.body
        if self.functions:
            written = opset or written
        if self.older and opset is not None and opset < self.opset:
            written, body = OLDEST, self.older
        proto = proto_of(f"g ({self.x} x) => ({self.y} y) {{ {body} }}", opset=written, ir_version=10)
        rng = np.random.default_rng(0)
        for name, value in self.constants.items():
            proto.graph.initializer.append(numpy_helper.from_array(_array(value, rng), name))
        if self.functions:
            _add_function(proto, self.functions)
        return version_converter.convert_version(proto, opset) if opset not in (None, written) else proto


def _add_function(proto: ModelProto, text: str) -> None:
    """Give the model a function, written in its opset."""
    function = parse_function(text)
    function.opset_import[0].version = proto.opset_import[0].version
    proto.functions.append(function)
    proto.opset_import.append(make_opsetid(function.domain, 1))


def _array(value: Any, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    if isinstance(value, tuple):
        return rng.standard_normal(value).astype(np.float32)
    return value if isinstance(value, np.ndarray) else np.asarray(value, np.float32)


def ints(*values: int) -> np.ndarray[Any, Any]:
    """A constant of int64."""
    return np.array(values, np.int64)


def _noop(node: str, quiet: frozenset[str] = frozenset(), **constants: Any) -> Sample:
    """``node`` makes b of a, between two functions that no rule touches."""
    return Sample(f"a = Sin (x)  {node}  y = Cos (b)", constants, quiet=quiet)


def _substituted(case: str, opset: int = 11, **options: Any) -> Sample:
    """A substitution's own case, from ``opset`` on."""
    given = CASES[case]
    return Sample(given.body, dict(given.constants), given.x, given.y, given.march, opset=opset, **options)


TWO_PATHS = frozenset({"in_if"})


def _stripped(node: str, kind: str, quiet: frozenset[str] = TWO_PATHS, **constants: Any) -> Sample:
    """``node`` makes a of the graph input x; in both branches of an If it is no single path."""
    return Sample(f"{node}  b = Sin (a)  y = Cos (b)", constants, kind, quiet=quiet)


NORM = {"s": np.linspace(0.5, 2, 6, dtype=np.float32), "t": (6,), "m": (6,), "v": np.full(6, 0.75, np.float32)}
WIDE = "float[1,6,5,5]"

FREEZE = {
    "freeze": Sample("a = Sin (x)  y = Cos (a)", x="float[N,4,5,5]", y="float[N,4,5,5]"),
}
LOOP = """y = Loop (n, k, x) <body = b (int64 i, bool go, float[1,4,5,5] s) => (bool on, float[1,4,5,5] t) {{
    on = Identity (go)  {} }}>"""
TIMES = {"n": np.array(3), "k": np.array(True)}
UNROLL = {
    "unroll-loop": Sample(LOOP.format("t = Sin (s)"), TIMES),
    "unroll-scan": Sample(
        """z, y = Scan <num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [1],
                body = b (float[1,5,5] s, float[1,5,5] e) => (float[1,5,5] t, float[1,5,5] u) {
            t = Add (s, e)  u = Sin (t) }> (c, x)""",
        {"c": np.zeros((1, 5, 5), np.float32)},
    ),
    "inline-branch": Sample(
        LOOP.format(
            """f = Equal (i, o)  t = If (f) <then_branch = g1 () => (float[1,4,5,5] p) { p = Sin (s) },
                                        else_branch = g2 () => (float[1,4,5,5] q) { q = Cos (s) }>"""
        ),
        {**TIMES, "o": np.array(1)},
    ),
    "fold": Sample(LOOP.format("f = Cast <to = 1> (i)  t = Add (s, f)"), TIMES),
}

FOLD = {
    "fold": Sample("c = Add (k, k)  y = Mul (x, c)", {"k": 1.5}, quiet=TAPPED),
    "inline-branch": Sample(
        """y = If (k) <then_branch = g1 () => (float[1,4,5,5] p) { p = Sin (x) },
                       else_branch = g2 () => (float[1,4,5,5] q) { q = Cos (x) }>""",
        {"k": np.array(True)},
    ),
}
NOOPS = {
    "drop-identity": _noop("b = Identity (a)", TAPPED),
    "drop-dropout": _noop("b = Dropout (a)"),
    "drop-single": _noop("b = Concat <axis = 1> (a)"),
    "drop-choice": _noop("b = Where (m, a, k)", UNSIZED, m=np.ones((), bool), k=np.ones((), np.float32)),
    "drop-cast": _noop("b = Cast <to = 1> (a)"),
    "merge-casts": _noop("c = Cast <to = 11> (a)  d = Cast <to = 10> (c)  b = Cast <to = 1> (d)"),
    "drop-neutral": _noop("b = Mul (a, k)", k=np.ones((4, 1, 1), np.float32)),
    "drop-expand": _noop(
        "c = GlobalMaxPool (a)  d = Expand (c, k)  b = Add (d, a)", TAPPED | IN_BODIES | UNSIZED, k=ints(1, 4, 5, 5)
    ),
    "expand-after-transpose": _noop(
        "c = GlobalMaxPool (a)  d = Expand (c, k)  e = Transpose <perm = [0, 2, 1, 3]> (d)  "
        "b = Transpose <perm = [0, 2, 1, 3]> (e)",
        TAPPED | IN_BODIES | UNSIZED,
        k=ints(1, 4, 5, 5),
    ),
    "drop-repeated": _noop("c = Relu (a)  b = Relu (c)"),
    "move-ones": _noop(
        "c = GlobalMaxPool (a)  d = Transpose <perm = [0, 2, 3, 1]> (c)  e = Sin (d)  "
        "f = Reshape (e, k)  b = Add (a, f)",
        UNSIZED,
        k=ints(1, 4, 1, 1),
    ),
    "merge-transposes": _noop("c = Transpose <perm = [0, 2, 3, 1]> (a)  b = Transpose <perm = [0, 3, 1, 2]> (c)"),
    "undo-axes": _noop("c = Unsqueeze <axes = [2]> (a)  b = Squeeze <axes = [2]> (c)"),
    # onnx infers no shape from a constant of the graph around a body
    "drop-same-form": _noop("b = Reshape (a, k)", IN_BODIES, k=ints(0, 4, -1, 5)),
    "merge-reshapes": _noop("c = Reshape (a, k)  b = Reshape (c, l)", TAPPED, k=ints(-1, 100), l=ints(-1, 4, 5, 5)),
    "drop-pool": _noop("b = MaxPool <kernel_shape = [1, 1]> (a)"),
    "idle-dilation": Sample(
        "s = Sin (x)  y = Conv <kernel_shape = [1, 1], dilations = [2, 2]> (s, w)", {"w": (4, 4, 1, 1)}
    ),
    "drop-reduce": Sample(
        "a = Sin (x)  b = ReduceMean <axes = [1]> (a)  y = Cos (b)",
        x="float[1,1,5,5]",
        y="float[1,1,5,5]",
        quiet=UNSIZED,
    ),
    "drop-resize": _noop("b = Resize (a, r, k)", r=np.zeros(0, np.float32), k=np.ones(4, np.float32)),
}
BATCHNORM = {
    "fuse-into-previous": Sample(
        "a = Conv (x, w)  y = BatchNormalization (a, s, t, m, v)", {"w": (6, 4, 1, 1), **NORM}, y=WIDE, quiet=TAPPED
    ),
    "fuse-into-next": Sample(
        "a = BatchNormalization (x, s, t, m, v)  y = Conv (a, w, c)",
        {"w": (4, 6, 1, 1), "c": (4,), **NORM},
        x=WIDE,
        quiet=TAPPED,
    ),
}
FUSED = {
    "drop-idle-taps": Sample(
        "y = Conv <kernel_shape = [3, 3], pads = [5, 5, 5, 5], dilations = [5, 5]> (x, w)", {"w": (4, 4, 3, 3)}
    ),
    "merge-branches": Sample(
        "a = Conv (x, w)  b = Conv (x, u)  y = Add (a, b)", {"w": (4, 4, 1, 1), "u": (4, 4, 1, 1)}, quiet=TAPPED
    ),
    "take-scale": Sample(
        "a = Conv (x, w)  r = Reshape (a, k)  m = Mul (r, f)  y = Reshape (m, l)",
        {"w": (4, 4, 1, 1), "k": np.array([1, 4, 25]), "l": np.array([1, 4, 5, 5]), "f": 0.25},
        quiet=TAPPED | UNSIZED | IN_BODIES,
    ),
    "compose-convs": Sample("a = Conv (x, w)  y = Conv (a, u)", {"w": (4, 4, 1, 1), "u": (4, 4, 1, 1)}, quiet=TAPPED),
    "group-blocks": Sample(
        "y = Conv <pads = [1, 1, 1, 1]> (x, w)",
        {"w": np.kron(np.eye(2), np.ones((2, 2)))[:, :, None, None].repeat(3, 2).repeat(3, 3).astype(np.float32)},
        march="bayes-e",
        quiet=IN_BODIES,
    ),
}
TILED = {
    "stage-stride": Sample(
        "y = Conv <kernel_shape = [4, 4], strides = [4, 4]> (x, w)",
        {"w": (16, 3, 4, 4)},
        march="bayes-e",
        x="float[1,3,16,16]",
        y="float[1,16,4,4]",
        quiet=IN_BODIES,
    ),
    "tile-kernel": Sample(
        "y = Conv <pads = [4, 4, 4, 4]> (x, w)",
        {"w": (4, 4, 9, 9)},
        march="bernoulli2",
        x="float[1,4,9,9]",
        y="float[1,4,9,9]",
    ),
    "undilate": Sample(
        "y = Conv <pads = [3, 3, 3, 3], dilations = [3, 3]> (x, w)",
        {"w": (4, 4, 3, 3)},
        march="bayes-e",
        x="float[1,4,24,24]",
        y="float[1,4,24,24]",
        quiet=IN_BODIES,
    ),
    "average-by-map": Sample(
        "y = AveragePool <kernel_shape = [5, 5], pads = [2, 2, 2, 2]> (x)",
        march="bayes-e",
        x="float[1,4,24,24]",
        y="float[1,4,24,24]",
        quiet=IN_BODIES,
    ),
}
SCALE = {"s": np.array(0.02, np.float32), "z": np.array(3, np.uint8)}
PAIR = "q = QuantizeLinear (x, s, z)"
LIFTED = {
    "drop-pair": Sample(f"{PAIR}  d = DequantizeLinear (q, s, z)  y = Neg (d)", SCALE, budget=True),
    "dequantise-constant": Sample(
        "w = DequantizeLinear (v, s, z)  y = Add (x, w)", {**SCALE, "v": np.arange(5, dtype=np.uint8)}
    ),
    "dequantise-first": Sample(
        f"{PAIR}  r = Reshape (q, f)  d = DequantizeLinear (r, s, z)  y = Reshape (d, k)",
        {**SCALE, "f": np.array([4, 25]), "k": np.array([1, 4, 5, 5])},
        budget=True,
        quiet=TAPPED,
    ),
    "qlinear-in-float": Sample(
        f"{PAIR}  c = QLinearConv (q, s, z, w, u, o, s, z)  y = DequantizeLinear (c, s, z)",
        {**SCALE, "w": np.ones((4, 4, 1, 1), np.int8), "u": np.array(0.1, np.float32), "o": np.array(0, np.int8)},
        budget=True,
    ),
}
ACTIVATIONS = {
    "written-out-activation": Sample("e = Exp (x)  f = Add (e, o)  y = Log (f)", {"o": 1.0}, quiet=TAPPED),
    "nearby-activation": Sample(
        "u = Mul (x, q)  e = Sigmoid (u)  y = Mul (x, e)",
        {"q": 1.702},
        options={"approximate": True},
        quiet=TAPPED,
        budget=True,
    ),
}
SHARED = {
    "share-nodes": Sample("a = Sin (x)  b = Sin (x)  y = Add (a, b)"),
    "share-weights": Sample(
        "a = Add (x, w)  b = Sub (x, u)  y = Mul (a, b)",
        {"w": np.ones((1, 4, 9, 9), np.float32), "u": np.ones((1, 4, 9, 9), np.float32)},
        x="float[1,4,9,9]",
        y="float[1,4,9,9]",
        quiet=IN_BODIES,
    ),
}
CONVS = {"w": (14, 4, 1, 1), "b": (14,), "u": (4, 14, 1, 1), "c": (4,)}
CLAMP = {
    "prune-channels": Sample(
        "h = Conv (x, v)  r = Relu (h)  y = Conv (r, w)",
        {"v": (16, 4, 1, 1), "w": (4, 16, 1, 1)},
        options={"mode": "prune", "max_channels": 8, "refit": False, "importance": "l2"},
        quiet=IN_BODIES | TAPPED | {"shared_weights"},
        budget=True,
    ),
    "convolve-gemm": Sample(
        "f = Flatten (x)  y = Gemm (f, w, c)", {"w": (100, 4), "c": (4,)}, y="float[1,4]", march="wide"
    ),
    "split-channels": Sample("y = Conv (x, w, b)", {"w": (14, 4, 1, 1), "b": (14,)}, y="float[1,14,5,5]", march="wide"),
    "dissolve-concat": Sample(
        "p = Sin (x)  q = Cos (x)  r = Exp (x)  s = Concat <axis = 1> (p, q, r)  y = Conv (s, w, b)",
        {"w": (4, 12, 1, 1), "b": (4,)},
        march="narrow",
        quiet=TAPPED | UNSIZED,
    ),
    "state-dilations": Sample(
        "y = Conv (x, w)",
        {"w": (2056, 8, 1, 1)},
        x="float[1,8,1,1]",
        y="float[1,2056,1,1]",
        march="bernoulli2",
        quiet=UNSIZED,
    ),
    "pad-channels": Sample(
        "p = Conv (x, w, b)  q = Relu (p)  y = Conv (q, u, c)",
        CONVS,
        march="bayes-e",
        options={"mode": "pad"},
        quiet=TAPPED | IN_BODIES,
    ),
}
SUBSTITUTE = {
    "hardswish": _substituted("HardSwish", 14),
    "mish": _substituted("Mish", 18),
    "swish": _substituted("Swish of a steeper slope", 24),
    "gelu-erf": _substituted("Gelu", 20),
    "gelu-tanh": _substituted("Gelu tanh", 20),
    "prelu": _substituted("PRelu"),
    "celu": _substituted("Celu of 2", 12),
    "thresholded-relu": _substituted("ThresholdedRelu"),
    "soft-shrink": _substituted("Shrink"),
    "neg-as-mul": _substituted("Neg"),
    "sub-as-add": _substituted("Sub"),
    "add-as-depthwise": _substituted("Add of a constant"),
    "div-as-mul": _substituted("Div-by-constant"),
    "constant-over-value": _substituted("Div of a constant"),
    "one-exponent": _substituted("Pow of equal exponents"),
    "pow-as-products": _substituted("Pow of 2.5"),
    "sum-as-adds": _substituted("Sum", quiet=UNSIZED),
    "mean-as-adds": _substituted("Mean"),
    "mod-as-remainder": _substituted("Mod"),
    "prod-as-muls": _substituted("ReduceProd"),
    "conv-transpose-as-conv": _substituted("ConvTranspose of stride 8", quiet=UNSIZED),
    "conv-transpose-cropped": _substituted("ConvTranspose of pads over the limit", quiet=UNSIZED),
    "cubic-as-conv": _substituted(
        "Resize-cubic",
        13,
        older='r = Constant <value = float[0] {}> ()  y = Resize <mode = "cubic"> (x, r, s)',
        quiet=UNSIZED,
    ),
    "bound-as-clip": _substituted("Min-Max-to-Clip"),
    "min-as-max": _substituted("Min of a vector"),
    "where-as-sum": _substituted("Where-constant-mask", quiet=UNSIZED),
    "sort-axes": _substituted("ReduceMean"),
    "max-as-pool": _substituted("ReduceMax"),
    "sum-as-mean": _substituted("ReduceSum", 13, older="s = ReduceSum <axes = [2, 3]> (x)  y = Mul (x, s)"),
    "channels-as-conv": _substituted("ReduceMean of channels on X3"),
    "chain-axes": _substituted("ReduceMean of two axes"),
    "reduce-min": _substituted("ReduceMin"),
    "argmin": _substituted("ArgMin"),
    "reduce-l1": _substituted("ReduceL1"),
    "reduce-squares": _substituted("ReduceL2"),
    "reduce-log-sum": _substituted("ReduceLogSum"),
    "reduce-log-sum-exp": _substituted("ReduceLogSumExp"),
    "log-softmax": _substituted("LogSoftmax", 13),
    "layer-normalization": _substituted("LayerNormalization", 17),
    "written-layer-norm": _substituted("LayerNormalization written out, on X3", quiet=UNSIZED),
    "rms-normalization": _substituted("RMSNormalization", 23),
    "mean-variance-normalization": _substituted("MeanVarianceNormalization"),
    "group-normalization": _substituted("GroupNormalization", 21),
    "lrn": _substituted("LRN"),
    "lp-normalization": _substituted("LpNormalization"),
    "cumsum": _substituted("CumSum"),
    "gemm-as-matmul": _substituted("Gemm of two values"),
    "group-norm-by-reshape": _substituted("GroupNormalization of rank 3", 21),
    "einsum": _substituted("Einsum", 12),
    "einsum-by-pairs": _substituted("Einsum of heads", 12),
    "col2im": _substituted("Col2Im", 18),
    "affine-grid": _substituted("AffineGrid", 20),
    "one-hot-of-maximum": _substituted("OneHot of a maximum", quiet=UNSIZED),
    "trilu": _substituted("Trilu", 14),
    "nearest-as-conv-transpose": _substituted(
        "Resize-nearest-odd-factor",
        13,
        older="r = Constant <value = float[0] {}> ()  y = Resize (x, r, s)",
        quiet=UNSIZED,
    ),
    "reshaped-group-norm": _substituted("GroupNorm between Reshapes", quiet=TAPPED | UNSIZED),
    "group-norm-of-maps": Sample(
        CASES["GroupNorm between Reshapes"].body,
        {**CASES["GroupNorm between Reshapes"].constants, "k": np.array([1, 8, 24, 24])},
        x="float[1,8,24,24]",
        y="float[1,8,24,24]",
        march="bayes-e",
        quiet=TAPPED | UNSIZED | IN_BODIES,
    ),
    "pad-as-concat": _substituted("Pad-reflect", quiet=UNSIZED),
    "max-pool-cascade": _substituted("MaxPool-large"),
    "average-pool-cascade": _substituted("AveragePool-large"),
    "abs": _substituted("Abs"),
    "softplus": _substituted("Softplus"),
    "softsign": _substituted("Softsign"),
    "hardsigmoid": _substituted("HardSigmoid"),
    "elu": _substituted("Selu"),
}
OWN = """
    <domain: "made.up", opset_import: ["": 11]>
    grow <by: float = 1.5> (p) => (q) { m = Elu <alpha: float = @by> (p)  q = Sin (m) }
"""
INDEXED = {
    "join-parts": Sample(
        "a = Sin (x)  p, q = Split <axis = 1> (a)  b = Concat <axis = 1> (p, q)  y = Cos (b)",
    ),
    "part-of-joined": Sample(
        "a = Sin (x)  b = Cos (x)  c = Concat <axis = 1> (a, b)  y = Slice (c, s, e, i)",
        {"s": ints(4), "e": ints(8), "i": ints(1)},
    ),
    "gather-as-slice": Sample(
        "a = Sin (x)  b = Gather <axis = 1> (a, i)  y = Cos (b)", {"i": ints(-3, -2)}, y="float[1,2,5,5]"
    ),
    "gather-as-slices": Sample(
        "a = Sin (x)  b = Gather <axis = 1> (a, i)  y = Cos (b)", {"i": ints(2, 3, 0, 1)}, march="bernoulli2"
    ),
    "gather-nd-as-gather": Sample(
        "a = Sin (x)  b = GatherND (a, i)  y = Cos (b)",
        {"i": np.array([[[0, 1], [0, 3]]])},
        y="float[1,2,5,5]",
        march="bayes-e",
        quiet=UNSIZED,
    ),
    "scatter-nd-as-concat": Sample(
        "a = Sin (x)  p, q = Split <axis = 1> (a)  b = ScatterND (a, i, p)  y = Cos (b)",
        {"i": np.array([[[0, 1], [0, 2]]])},
        march="bayes-e",
        quiet=UNSIZED,
    ),
}
FUNCTIONS = {
    "inline-call": Sample("a = Cos (x)  y = made.up.grow (a)", functions=OWN),
    "drop-function": Sample("y = Cos (x)", functions=OWN),
    "definition": Sample("y = CastLike (x, k)", {"k": ints(0)}, y="int64[1,4,5,5]", march="bayes-e", opset=15),
}
STRIP = {
    "QuantizeLinear": Sample(
        "q = QuantizeLinear (x, s, z)  a = DequantizeLinear (q, s, z)  y = Sin (a)",
        {"s": 0.05, "z": np.array(3, np.int8)},
        options={"types": ("Quantize",)},
        quiet=TWO_PATHS,
    ),
    "DequantizeLinear": _stripped("a = DequantizeLinear (x, s, z)", "int8[1,4,5,5]", s=0.05, z=np.array(3, np.int8)),
    "Cast": _stripped("a = Cast <to = 1> (x)", "uint8[1,4,5,5]"),
    "Transpose": _stripped("a = Transpose <perm = [0, 3, 1, 2]> (x)", "float[1,5,5,4]"),
    "Reshape": _stripped("a = Reshape (x, k)", "float[1,100]", IN_BODIES, k=ints(-1, 4, 5, 5)),
    "Softmax": Sample(
        "a = Sin (x)  y = Softmax <axis = 3> (a)",
        options={"types": ("Softmax",)},
        quiet=IN_BODIES | TAPPED | {"custom_neighbour"},
    ),
}

ROW = "float[1,8,12]"
TOKENS = {"x": "float[1,6,8]", "y": "float[1,2,6,4]"}
HEADS = {"w": (8, 24), "b": (24,)}
CUT = "h = MatMul (x, w)  i = Add (h, b)  r = Reshape (i, k)  t = Transpose <perm = [2, 0, 3, 1, 4]> (r)"
SHAPED = {"k": ints(1, 6, 3, 2, 4)}
VOLUME = "float[1,2,4,5,5]"
STATIC = IN_BODIES | UNSIZED
"""Rules that need all sizes: onnx infers none in bodies from constants around them, and none of dynamic inputs."""


def _moved(
    shape: tuple[int, ...], perm: list[int], after: tuple[int, ...], march: str = "bayes-e", **options: Any
) -> Sample:
    """Reshape, Transpose, Reshape, with a weight to spare."""
    body = f"a = Mul (x, w)  r = Reshape (a, k)  t = Transpose <perm = {perm}> (r)  y = Reshape (t, l)"
    held = {"w": 1.5, "k": ints(*shape), "l": ints(*after)}
    return Sample(body, held, y=f"float[{','.join(map(str, after))}]", march=march, quiet=STATIC | TAPPED, **options)


RANK = {
    "reduce-unsqueezed": Sample(
        "a = Sin (x)  s = Squeeze <axes = [2]> (a)  m = ReduceMean <axes = [2], keepdims = 0> (s)  y = Reshape (m, k)",
        {"k": np.array([1, 4, 1, 1])},
        x="float[1,4,1,5]",
        y="float[1,4,1,1]",
        march="bernoulli2",
    ),
    "part-as-tokens": Sample(
        "a = Sin (x)  b = Reshape (a, k)  y = Conv (b, w)",
        {"k": np.array([1, 32, 8, 8]), "w": (8, 32, 3, 3)},
        x="float[1,2,16,64]",
        y="float[1,8,6,6]",
        march="bayes-e",
        quiet=STATIC,
    ),
    "lay-out-rows": Sample(
        "a = Sin (x)  b = MatMul (a, v)  c = Add (b, h)  d = Tanh (c)  e = MatMul (d, w)  y = Add (e, x)",
        {"v": (96, 384), "h": (384,), "w": (384, 96)},
        x="float[1,196,96]",
        y="float[1,196,96]",
        march="bayes-e",
        quiet=STATIC,
    ),
    "lookup-first": Sample(
        "a = Conv (x, w)  b = Reshape (a, k)  c = Sigmoid (a)  d = Reshape (c, k)  "
        "e = Concat <axis = 2> (b, d)  y = Tanh (e)",
        {"k": ints(1, 4, 25), "w": (4, 4, 1, 1)},
        y="float[1,4,50]",
        march="bernoulli2",
        quiet=TAPPED,
    ),
    "lift-lines": Sample(
        "a = Conv <pads = [1, 1]> (x, w)  b = Relu (a)  y = Conv (b, v)",
        {"w": (8, 8, 3), "v": (8, 8, 1)},
        x=ROW,
        y=ROW,
        march="bayes-e",
    ),
    "lift-volumes": Sample(
        "y = Conv <pads = [1, 1, 1, 1, 1, 1]> (x, w)",
        {"w": (2, 2, 3, 3, 3)},
        VOLUME,
        VOLUME,
        "bernoulli2",
        quiet=UNSIZED,
    ),
    "lift-pad": Sample(
        "s = Sin (x)  y = Pad (s, k)",
        {"k": ints(0, 0, 0, 0, 0, 1)},
        x="float[2,4,5]",
        y="float[2,4,6]",
        march="bayes-e",
        quiet=UNSIZED,
    ),
    "even-pads": Sample(
        "s = Sin (x)  y = Conv <pads = [3, 6, 3, 0], dilations = [3, 3], kernel_shape = [3, 3]> (s, w)",
        {"w": (4, 4, 3, 3)},
        march="bernoulli2",
        quiet=UNSIZED,
    ),
    "lift-views": Sample(
        "s = Sin (x)  r = Reshape (s, k)  t = Tanh (r)  y = Reshape (t, l)",
        {"k": ints(4, 25), "l": ints(1, 4, 5, 5)},
        march="bayes-e",
        quiet=STATIC,
    ),
    "legalise-views": Sample(
        "s = Sin (x)  r = Reshape (s, k)  t = Tanh (r)  y = Reshape (t, l)",
        {"k": ints(4, 25), "l": ints(1, 4, 5, 5)},
        march="bernoulli2",
        quiet=STATIC,
    ),
    "take-apart": Sample(
        f"{CUT}  q = Gather (t, zero)  v = Gather (t, two)  y = Add (q, v)",
        {**HEADS, **SHAPED, "zero": np.array(0), "two": np.array(2)},
        march="bayes-e",
        quiet=STATIC | TAPPED,
        **TOKENS,
    ),
    "take-split-apart": Sample(
        f"{CUT}  p, q, v = Split (t)  s = Squeeze <axes = [0]> (q)  z = Squeeze <axes = [0]> (v)  y = Add (s, z)",
        {**HEADS, **SHAPED},
        march="bayes-e",
        quiet=STATIC | TAPPED,
        **TOKENS,
    ),
    "split-product": Sample(
        "h = MatMul (x, w)  i = Add (h, b)  p, q, v = Split <axis = 2> (i)  y = Add (p, v)",
        HEADS,
        "float[1,6,8]",
        "float[1,6,8]",
        "bayes-e",
        quiet=TAPPED | IN_BODIES,
    ),
    "order-channels": _moved((1, 2, 2, 5, 5), [0, 2, 1, 3, 4], (1, 4, 5, 5)),
    "fill-blocks": _moved((1, 1, 2, 2, 5, 5), [0, 1, 4, 2, 5, 3], (1, 1, 10, 10)),
    "gather-blocks": _moved((1, 4, 5, 2, 5, 2), [0, 1, 3, 5, 2, 4], (1, 16, 5, 5), x="float[1,4,10,10]"),
    "as-blocks": _moved((1, 256, 2, 2, 2, 2), [0, 3, 5, 1, 2, 4], (1, 1024, 2, 2), x="float[1,256,4,4]"),
    "legalise-order": _moved((1, 2, 2, 5, 5), [0, 2, 1, 3, 4], (1, 4, 5, 5), "bernoulli2"),
    "legalise-filling": _moved((1, 1, 2, 2, 5, 5), [0, 1, 4, 2, 5, 3], (1, 1, 10, 10), "bernoulli2"),
    "legalise-gathering": _moved(
        (1, 4, 5, 2, 5, 2), [0, 1, 3, 5, 2, 4], (1, 16, 5, 5), "bernoulli2", x="float[1,4,10,10]"
    ),
    "cut-windows": _moved((1, 4, 2, 5, 2, 5), [0, 2, 4, 1, 3, 5], (4, 4, 5, 5), x="float[1,4,10,10]"),
    "legalise-windows": _moved(
        (1, 4, 2, 5, 2, 5), [0, 2, 4, 1, 3, 5], (4, 4, 5, 5), "bernoulli2", x="float[1,4,10,10]"
    ),
    "collapse-moves": Sample(
        """s = Sin (x)  a = Transpose <perm = [0, 2, 3, 1]> (s)  b = Reshape (a, k)
           c = Transpose <perm = [1, 0]> (b)  y = Reshape (c, l)""",
        {"k": ints(25, 4), "l": ints(1, 4, 25)},
        y="float[1,4,25]",
        march="bayes-e",
        quiet=STATIC,
    ),
    "rank4-inputs": Sample("a = Sin (x)  y = Cos (a)", x=ROW, y=ROW, options={"inputs": True}),
    # a Loop stacks what its body gives, which is of rank 4 then
    "rank4-outputs": Sample(
        "a = Sin (x)  y = Cos (a)", x=ROW, y=ROW, options={"inputs": True}, quiet=frozenset({"in_loop"})
    ),
}

HEAD = Sample(
    "c = Conv (x, w)  y = Softmax <axis = 1> (c)",
    {"w": (4, 4, 1, 1)},
    opset=13,
    since=13,
    quiet=IN_BODIES | {"custom_neighbour"},  # what nobody knows is no decoding
)

LIFT = Sample(
    "a = Sub (x, m)  y = Relu (a)", {"m": 128.0}, x="float[1,3,5,5]", y="float[1,3,5,5]", quiet=IN_BODIES | TAPPED
)

PACKED = {
    "zero-smallest": Sample(
        "y = Conv (x, w)", {"w": (4, 4, 1, 1)}, march="bayes-e", quiet=IN_BODIES | {"shared_weights"}, budget=True
    ),
}
SAMPLES: dict[str, dict[str, Sample]] = {
    "freeze-shapes": FREEZE,
    "unroll-loops": UNROLL,
    "inline-functions": FUNCTIONS,
    "fold-constants": FOLD,
    "remove-noops": NOOPS,
    "fuse-batchnorm": BATCHNORM,
    "fuse-convs": FUSED,
    "canonical-activations": ACTIVATIONS,
    "lift-quantisation": LIFTED,
    "tile-kernels": TILED,
    "share-equals": SHARED,
    "simplify-indexing": INDEXED,
    "clamp-conv-channels": CLAMP,
    "substitute-ops": SUBSTITUTE,
    "normalise-rank": RANK,
    "strip-io-nodes": STRIP,
    "cut-heads": {"cut": HEAD},
    "lift-normalisation": {"lift": LIFT},
    "pack-weights": PACKED,
    "lower-opset": {"restate": Sample("y = Softmax <axis = 1> (x)", march="bayes-e", opset=13, since=13)},
}
"""The sample of every rule, by pass; passes that run by themselves name what they do by operator or verb."""
