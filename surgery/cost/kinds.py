"""What a node costs on the BPU: which engine works on it, or why it costs nothing of its own."""

from __future__ import annotations

from enum import StrEnum

from surgery.cost import activation
from surgery.cost.links import features, feeder, filters, is_weight
from surgery.ir.graph import Node
from surgery.ir.ops import permutation, static_shape
from surgery.target.shapes import transposed


class Kind(StrEnum):
    """The engines (each a coefficient of the march), and the two ways to be free."""

    DENSE = "dense"
    DEPTHWISE = "depthwise"
    MATMUL = "matmul"
    LOOKUP = "lookup"
    ELEMENTWISE = "elementwise"
    MOVE = "move"
    SCATTER = "scatter"
    BLOCK = "block"
    CONCAT = "concat"
    REDUCE = "reduce"
    FUSED = "fused"
    VIEW = "view"


PARTED, RUN = 4, 64
"""Axes from which a Transpose is many times slower on bayes-e, most where fewer elements than these stay together (seen
at O2: pixel unshuffle, windows of NxCxHxW, heads of fused attention; channel shuffle and windows of NxHxWxC less)."""


def _table(**ops: str) -> dict[str, Kind]:
    return {op: Kind[kind] for kind, names in ops.items() for op in names.split()}


_FIXED = _table(
    LOOKUP="Sigmoid HardSigmoid Tanh Exp Log Sqrt Reciprocal Erf Gelu HardSwish Mish Softplus Softsign Elu Selu Celu "
    "LeakyRelu PRelu ThresholdedRelu Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Abs Neg Floor Ceil Round "
    "Sign Pow Swish",
    ELEMENTWISE="Where Min Max Mean Sum Expand Tile Mod And Or Xor Not Equal Less LessOrEqual Greater GreaterOrEqual "
    "ArgMax ArgMin",
    BLOCK="DepthToSpace SpaceToDepth",
    CONCAT="Concat Slice Resize Upsample Pad Gather GatherElements GatherND ScatterND GridSample",
    REDUCE="ReduceMean ReduceMax ReduceMin ReduceSum ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSumExp ReduceProd "
    "ReduceLogSum MaxPool AveragePool GlobalAveragePool GlobalMaxPool LpPool CumSum",
    VIEW="Flatten Squeeze Unsqueeze Identity Dropout Constant Shape Cast QuantizeLinear DequantizeLinear",
)
_COMPOSITE: dict[str, tuple[Kind, ...]] = {
    "Softmax": (Kind.LOOKUP, Kind.REDUCE),
    "LogSoftmax": (Kind.LOOKUP, Kind.LOOKUP, Kind.REDUCE),
    "LayerNormalization": (Kind.LOOKUP, Kind.ELEMENTWISE, Kind.ELEMENTWISE, Kind.REDUCE, Kind.REDUCE),
    "InstanceNormalization": (Kind.LOOKUP, Kind.ELEMENTWISE, Kind.ELEMENTWISE, Kind.REDUCE, Kind.REDUCE),
    "GroupNormalization": (Kind.LOOKUP, Kind.ELEMENTWISE, Kind.ELEMENTWISE, Kind.REDUCE, Kind.REDUCE),
    "LpNormalization": (Kind.LOOKUP, Kind.ELEMENTWISE, Kind.REDUCE),
    "MeanVarianceNormalization": (Kind.LOOKUP, Kind.ELEMENTWISE, Kind.ELEMENTWISE, Kind.REDUCE, Kind.REDUCE),
}
_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose", "ConvInteger", "QLinearConv"})
_ARITHMETIC = frozenset({"Add", "Sub", "Mul", "Div"})
_ACTIVATIONS = frozenset({"Relu", "Clip"})
_ABSORBS = _CONVOLUTIONS | _ARITHMETIC | {"Gemm", "MatMul", "BatchNormalization"}


def kinds(node: Node) -> tuple[Kind, ...]:
    """The engines a node keeps busy, one after the other; empty when there is no estimate for its operator."""
    op = node.op
    if op in _CONVOLUTIONS:
        return (Kind.DEPTHWISE if is_depthwise(node) else Kind.DENSE,)
    if op in ("Gemm", "MatMul"):
        return (Kind.DENSE if any(is_weight(t) for t in node.inputs[:2]) else Kind.MATMUL,)
    if op in _ARITHMETIC:
        return (_arithmetic(node),)
    if op in _ACTIVATIONS or op == "BatchNormalization":
        return (_after_engine(node, Kind.LOOKUP if op in _ACTIVATIONS else Kind.ELEMENTWISE),)
    if op == "Transpose":
        return (_transposed(node),)
    if op == "Split":
        return (Kind.SCATTER if _cuts_tokens(node) else Kind.CONCAT,)
    if op == "Reshape":
        return (Kind.VIEW if _keeps_dims(node) else Kind.MOVE,)
    fixed = _FIXED.get(op)
    if fixed is None:
        return _COMPOSITE.get(op, ())
    if fixed is Kind.LOOKUP and activation.inside(node):
        return (Kind.FUSED,)
    return (fixed,)


def is_depthwise(node: Node) -> bool:
    """Whether a convolution has one input and one output channel per group, and more than one group."""
    group, weight = node.attrs.get("group", 1), filters(node)
    if group == 1 or weight.shape is None:
        return False
    outputs = weight.shape[1] if node.op == "ConvTranspose" else weight.shape[0]
    inputs = weight.shape[0] if node.op == "ConvTranspose" else group * int(weight.shape[1] or 0)
    return bool(inputs == group and outputs == (1 if node.op == "ConvTranspose" else group))


def _arithmetic(node: Node) -> Kind:
    fed = features(node)
    if len(fed) < 2:
        if activation.inside(node):
            return Kind.FUSED
        return _after_engine(node, Kind.ELEMENTWISE)
    if node.op == "Mul" and activation.region(node):
        return Kind.LOOKUP
    if activation.inside(node):
        return Kind.FUSED
    return Kind.FUSED if node.op == "Add" and _is_shortcut(node) else Kind.ELEMENTWISE


def _is_shortcut(add: Node) -> bool:
    """Whether one side is a convolution nothing else reads, of the same shape as the other side."""
    left, right = add.inputs[0], add.inputs[1]
    if left.shape != right.shape:
        return False
    makers = (feeder(left, alone=True), feeder(right, alone=True))
    return any(m is not None and m.op in _CONVOLUTIONS for m in makers)


def _after_engine(node: Node, otherwise: Kind) -> Kind:
    fed = features(node)
    made = feeder(fed[0], alone=True) if fed else None
    return Kind.FUSED if made is not None and made.op in _ABSORBS else otherwise


def _cuts_tokens(node: Node) -> bool:
    """Whether a Split cuts the last axis of BxNxC, for which the compiler turns the layout around."""
    return node.inputs[0].rank == 3 and node.attrs.get("axis", 0) in (2, -1)


def _transposed(node: Node) -> Kind:
    """How a Transpose moves elements: those of four axes or more, besides leading ones that stay, are parted."""
    shape, perm = static_shape(node.inputs[0]), permutation(node)
    if shape is None or perm is None or 0 in shape:
        return Kind.MOVE
    kept = next((i for i, p in enumerate(perm) if p != i), len(perm))
    sizes, moved = shape[kept:], transposed(shape[kept:], [p - kept for p in perm[kept:]])
    if len(moved) < 3 or sum(size > 1 for size in sizes) < PARTED:
        return Kind.MOVE
    return Kind.BLOCK if moved[-1][1] == 1 and moved[-1][0] >= RUN else Kind.SCATTER


def _keeps_dims(node: Node) -> bool:
    before, after = node.inputs[0].shape, node.outputs[0].shape
    if before is None or after is None:
        return False
    return [d for d in before if d != 1] == [d for d in after if d != 1]
