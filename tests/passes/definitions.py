"""One model per operator that ONNX defines as a function, and per further form of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import numpy_helper

from surgery.ir import Model
from tests.support import proto_of

HEADS = "float[1,2,4,8]"
CACHE = np.random.default_rng(0).uniform(-1, 1, (1, 4, 4)).astype(np.float32)
LABELS = np.array([1, 4], np.int64)


@dataclass(frozen=True)
class Defined:
    """A graph with one young operator, its opset, and the operators that the default pipeline makes of it.

    ``verified`` is none where onnxruntime has no kernel for the young one.
    """

    graph: str
    opset: int
    after: str
    constants: dict[str, Any] = field(default_factory=dict)
    verified: str = "full"

    def model(self) -> Model:
        """The model."""
        proto = proto_of(self.graph, opset=self.opset, ir_version=10)
        proto.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in self.constants.items())
        return Model.load(proto)


def same(kind: str, body: str) -> str:
    """A graph from x to y of the same type."""
    return f"g ({kind} x) => ({kind} y) {{ {body} }}"


DEFINED = {
    "Attention": Defined(same(HEADS, "y = Attention (x, x, x)"), 23, "Transpose Mul Mul MatMul Softmax MatMul"),
    "Attention, causal": Defined(
        same(HEADS, "y = Attention <is_causal = 1, scale = 0.5> (x, x, x)"),
        24,
        "Transpose Mul Mul MatMul Add Softmax MatMul",
    ),
    "Attention of rank 3 with fewer keys than queries and a cap": Defined(
        "g (float[1,4,16] x, float[1,4,8] k) => (float[1,4,16] y) "
        "{ y = Attention <q_num_heads = 2, kv_num_heads = 1, softcap = 2.0> (x, k, k) }",
        23,
        "Reshape Transpose Reshape Unsqueeze Expand Reshape Transpose Mul Mul MatMul Div Tanh Mul "
        "Softmax MatMul Transpose Reshape",
    ),
    "CastLike": Defined("g (float[2] x, int32[1] t) => (int32[2] y) { y = CastLike (x, t) }", 15, "Cast"),
    "CausalConvWithState": Defined(
        "g (float[1,4,8] x) => (float[1,4,8] y, float[1,4,2] z) { y, z = CausalConvWithState (x, w) }",
        27,
        "Unsqueeze Concat Conv Slice Squeeze Squeeze",
        {"w": np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 1, 3)},
    ),
    "CenterCropPad": Defined(
        "g (float[1,8,3] x) => (float[1,5,6] y) { y = CenterCropPad <axes = [1, 2]> (x, s) }",
        18,
        "Reshape Pad Reshape Slice",
        {"s": np.array([5, 6])},
    ),
    "GreaterOrEqual": Defined(
        "g (float[9] x, float[9] z) => (bool[9] y) { y = GreaterOrEqual (x, z) }", 12, "Greater Equal Or"
    ),
    "LessOrEqual": Defined("g (int64[9] x, int64[9] z) => (bool[9] y) { y = LessOrEqual (x, z) }", 17, "Less Equal Or"),
    "LinearAttention": Defined(
        "g (float[1,65,8] x) => (float[1,65,8] y, float[1,2,4,4] z) "
        '{ y, z = LinearAttention <q_num_heads = 2, kv_num_heads = 2, update_rule = "linear"> (x, x, x) }',
        27,
        "Reshape Scan Reshape Unsqueeze Unsqueeze MatMul Add Unsqueeze MatMul Squeeze Mul",
    ),
    "NegativeLogLikelihoodLoss": Defined(
        "g (float[2,5] x) => (float y) { y = NegativeLogLikelihoodLoss (x, t) }",
        13,
        "GatherElements Mul Squeeze ReduceMean",
        {"t": LABELS},
    ),
    "RotaryEmbedding": Defined(
        same(HEADS, "y = RotaryEmbedding (x, c, c)"),
        23,
        "Transpose Split Split Mul Mul Sub Add Concat Concat Transpose",
        {"c": CACHE},
    ),
    "SoftmaxCrossEntropyLoss": Defined(
        'g (float[2,5] x) => (float y) { y = SoftmaxCrossEntropyLoss <reduction = "sum"> (x, t) }',
        13,
        "Reshape ReduceMax Sub Exp ReduceSum Log Sub Reshape GatherElements Mul Squeeze ReduceSum",
        {"t": LABELS},
    ),
    "SwiGLU": Defined(same("float[2,5]", "y = SwiGLU (x, x)"), 28, "Sigmoid Mul Mul", verified="none"),
}
"""By operator, and by what is special about the call."""


def operator(name: str) -> str:
    """The operator that a case of that name is about."""
    return name.partition(",")[0].partition(" ")[0]
