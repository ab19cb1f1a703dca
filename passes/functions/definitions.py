"""Operators younger than a march's toolchain, written as ONNX itself defines them."""

from __future__ import annotations

from dataclasses import dataclass

from surgery.ir import Node
from surgery.ir.function import Function, definition
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, inline

DEFINED = frozenset(
    {
        "Attention",
        "CastLike",
        "CausalConvWithState",
        "CenterCropPad",
        "GreaterOrEqual",
        "LessOrEqual",
        "LinearAttention",
        "NegativeLogLikelihoodLoss",
        "RotaryEmbedding",
        "SoftmaxCrossEntropyLoss",
        "SwiGLU",
    }
)
"""Born after opset 11, defined by a body of older operators, and not written better by ``substitute-ops``."""

_BITS = "no operator of opset 11 works on the bits of integers"
_PLACES = "each pixel would take a gather of every corner around a computed place, which no rule writes yet"
_RANDOM = "what it draws cannot be drawn again"
_SEQUENCES = "it works on optional values or sequences, which no BPU toolchain takes"
_SIGNAL = "no operator of opset 11 computes it; where it does not depend on the inputs, fold-constants takes it away"
_TEXT = "it works on strings, which no BPU toolchain takes"
REFUSED = {
    "Bernoulli": _RANDOM,
    "BitCast": _BITS,
    "BitwiseAnd": _BITS,
    "BitwiseNot": _BITS,
    "BitwiseOr": _BITS,
    "BitwiseXor": _BITS,
    "BlackmanWindow": _SIGNAL,
    "CumProd": "no operator of opset 11 multiplies up along an axis",
    "DFT": _SIGNAL,
    "DeformConv": _PLACES,
    "GridSample": _PLACES,
    "HammingWindow": _SIGNAL,
    "HannWindow": _SIGNAL,
    "ImageDecoder": "it decodes files, which belongs to the host",
    "MelWeightMatrix": _SIGNAL,
    "Optional": _SEQUENCES,
    "OptionalGetElement": _SEQUENCES,
    "OptionalHasElement": _SEQUENCES,
    "RegexFullMatch": _TEXT,
    "STFT": _SIGNAL,
    "SequenceMap": _SEQUENCES,
    "StringConcat": _TEXT,
    "StringSplit": _TEXT,
    "TensorScatter": "it writes into a cache between runs, whose place the host has to keep",
}
"""Born after opset 11 and left alone, with the reason."""


@dataclass(frozen=True)
class Defined:
    """An operator and its definition."""

    node: Node
    function: Function


class Definition(Rule[Defined]):
    """``CastLike(x, t) -> Cast<to=...>(x)`` and the like: the body by which ONNX defines an operator.

    In the form for the model's opset, with what nothing reads left out. Operators that ``substitute-ops`` brings
    into a form that the vendor's optimiser fuses are not among them.
    """

    name, roots = "definition", DEFINED | REFUSED.keys()
    purpose, exactness = Purpose.LEGALISE, Exactness.ROUNDING
    cures = frozenset(f"{op}.opset" for op in DEFINED | REFUSED.keys())

    def match(self, node: Node, ctx: Context) -> Defined:
        """An operator that has a definition, for operands of these types."""
        if (reason := REFUSED.get(node.op)) is not None:
            raise Mismatch(f"{node.op} cannot be written in older operators: {reason}", node)
        function = definition(node, ctx.opset)
        if function is None:
            types = ", ".join(str(t.dtype) for t in node.inputs if t.name)
            raise Mismatch(f"ONNX does not define {node.op} of {types} at opset {ctx.opset} by older operators", node)
        inline.check(node, function)
        return Defined(node, function)

    def rewrite(self, match: Defined, rw: Rewriter) -> None:
        """The nodes of the body."""
        inline.inline(rw, match.node, match.function)
