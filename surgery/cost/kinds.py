"""What a node costs on the BPU: which engine works on it, or why it costs nothing of its own."""

from __future__ import annotations

from enum import StrEnum
from math import prod

from surgery.cost import activation
from surgery.cost.grid import grid
from surgery.cost.links import features, feeder, filters, is_weight, reader
from surgery.ir.graph import Constant, Node, Tensor
from surgery.ir.ops import permutation, static_shape
from surgery.target.shapes import transposed


class Kind(StrEnum):
    """The engines, and the two ways to be free."""

    DENSE = "dense"
    TRANSPOSED = "transposed"
    DEPTHWISE = "depthwise"
    MULTIPLIED = "multiplied"
    CHANNELS_SCALED = "channels_scaled"
    MATMUL = "matmul"
    LOOKUP = "lookup"
    ELEMENTWISE = "elementwise"
    GATE = "gate"
    SCALE = "scale"
    SHORTCUT = "shortcut"
    MOVE = "move"
    WINDOW = "window"
    JOIN = "join"
    FLATTEN = "flatten"
    PART = "part"
    APART = "apart"
    HEADS = "heads"
    TURN = "turn"
    SCATTER = "scatter"
    BLOCK = "block"
    CONCAT = "concat"
    SLICE = "slice"
    CUT = "cut"
    SPLIT = "split"
    RESIZE = "resize"
    POOL = "pool"
    GLOBAL = "global"
    REDUCE = "reduce"
    NORM = "norm"
    FUSED = "fused"
    VIEW = "view"


_MAP = 4
OF_WINDOWS = 6
"""Axes of a map that is cut into windows."""
_TOKENS = [0, 2, 1]
FREE = frozenset({Kind.FUSED, Kind.VIEW})
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
    CONCAT="Concat Pad Gather GatherElements GatherND ScatterND GridSample",
    RESIZE="Resize Upsample",
    POOL="MaxPool AveragePool LpPool",
    GLOBAL="GlobalAveragePool GlobalMaxPool",
    REDUCE="ReduceMean ReduceMax ReduceMin ReduceSum ReduceL1 ReduceSumSquare ReduceLogSumExp ReduceProd "
    "ReduceLogSum CumSum",
    NORM="ReduceL2",
    VIEW="Squeeze Unsqueeze Identity Dropout Constant Shape Cast QuantizeLinear DequantizeLinear",
)
_COMPOSITE: dict[str, tuple[Kind, ...]] = {
    "Softmax": (Kind.REDUCE, Kind.ELEMENTWISE, Kind.LOOKUP, Kind.REDUCE, Kind.ELEMENTWISE),
    "LogSoftmax": (Kind.REDUCE, Kind.ELEMENTWISE, Kind.LOOKUP, Kind.REDUCE, Kind.LOOKUP, Kind.ELEMENTWISE),
    "LayerNormalization": (Kind.LOOKUP, Kind.ELEMENTWISE, Kind.ELEMENTWISE, Kind.REDUCE, Kind.REDUCE),
    "InstanceNormalization": (Kind.LOOKUP, Kind.ELEMENTWISE, Kind.ELEMENTWISE, Kind.REDUCE, Kind.REDUCE),
    "GroupNormalization": (Kind.LOOKUP, Kind.ELEMENTWISE, Kind.ELEMENTWISE, Kind.REDUCE, Kind.REDUCE),
    "LpNormalization": (Kind.LOOKUP, Kind.ELEMENTWISE, Kind.REDUCE),
    "MeanVarianceNormalization": (Kind.LOOKUP, Kind.ELEMENTWISE, Kind.ELEMENTWISE, Kind.REDUCE, Kind.REDUCE),
}
_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose", "ConvInteger", "QLinearConv"})
_ARITHMETIC = frozenset({"Add", "Sub", "Mul", "Div"})
_BIASED = frozenset({"Add", "BatchNormalization", "Reshape"})
_FACTORS = frozenset({"Mul", "Div"})
_ACTIVATIONS = frozenset({"Relu", "Clip"})
NATIVE = frozenset({"Relu", "LeakyRelu", "PRelu"})
"""Activations that need no table."""
_SUMS = frozenset({"ReduceMean", "ReduceSum"})
_STEPS = 8
"""Nodes that are looked through for how a map lies."""
_ABSORBS = _CONVOLUTIONS | _ARITHMETIC | {"Gemm", "MatMul", "BatchNormalization", "AveragePool"}


def kinds(node: Node) -> tuple[Kind, ...]:
    """The engines a node keeps busy, one after the other; empty when there is no estimate for its operator."""
    op = node.op
    if op in _CONVOLUTIONS:
        return (_convolution(node),)
    if op in ("Gemm", "MatMul"):
        return (Kind.DENSE if any(is_weight(t) for t in node.inputs[:2]) else Kind.MATMUL,)
    if op in _ARITHMETIC:
        return (_arithmetic(node),)
    if op in _ACTIVATIONS or op == "BatchNormalization":
        return (_after_engine(node, Kind.LOOKUP if op in _ACTIVATIONS else Kind.ELEMENTWISE),)
    if op == "Transpose":
        return (_transposed(node),)
    if op in ("Split", "Slice"):
        return (_sliced(node),)
    if op in ("Reshape", "Flatten"):
        return (_reshaped(node),)
    fixed = _FIXED.get(op)
    if fixed is None:
        return _COMPOSITE.get(op, ())
    if fixed is Kind.LOOKUP and activation.inside(node):
        return (Kind.FUSED,)
    return (Kind.GLOBAL if fixed is Kind.REDUCE and _over_a_map(node) else fixed,)


def _convolution(node: Node) -> Kind:
    """How a convolution runs: one channel per group is its own engine, of which several outputs are another matter."""
    group, weight = node.attrs.get("group", 1), static_shape(filters(node))
    if node.op == "ConvTranspose":
        return Kind.DEPTHWISE if group > 1 and weight is not None and weight[:2] == (group, 1) else Kind.TRANSPOSED
    if group == 1 or weight is None or weight[1] != 1:
        return Kind.DENSE
    if weight[0] != group:
        return Kind.MULTIPLIED
    scales = prod(weight[2:]) == 1 and all(s == 1 for s in node.attrs.get("strides", (1,)))
    return Kind.CHANNELS_SCALED if scales else Kind.DEPTHWISE


def _arithmetic(node: Node) -> Kind:
    fed = features(node)
    if activation.inside(node):
        return Kind.FUSED
    if node.op == "Mul" and activation.region(node):
        return Kind.LOOKUP
    if len(fed) < 2:
        if _differs_by_place(node):
            return Kind.GATE if node.op in _FACTORS else Kind.ELEMENTWISE
        if _scales_a_sum(node):
            return Kind.CHANNELS_SCALED
        return Kind.SCALE if _scales_product(node) else _after_engine(node, Kind.ELEMENTWISE)
    if node.op in _FACTORS and all(map(_is_map, fed)):
        return Kind.GATE
    return Kind.SHORTCUT if node.op == "Add" and _is_shortcut(node) else Kind.ELEMENTWISE


def _scales_product(node: Node) -> bool:
    """Whether the matrices that come of two computed ones are multiplied by numbers, as depthwise convolutions are."""
    made = feeder(features(node)[0], alone=True) if node.op in _FACTORS and features(node) else None
    return made is not None and made.op == "MatMul" and kinds(made) == (Kind.MATMUL,) and node.outputs[0].rank == _MAP


def _scales_a_sum(node: Node) -> bool:
    """Whether the channels of a sum or a difference of two maps are multiplied by numbers: no sum takes them up."""
    made = feeder(features(node)[0], alone=True) if node.op in _FACTORS and features(node) else None
    return made is not None and made.op in ("Add", "Sub") and len(features(made)) > 1 and _is_map(node.outputs[0])


def _differs_by_place(node: Node) -> bool:
    """Whether a constant has other numbers for the places of a map, which no engine takes up as it does channels."""
    made = feeder(features(node)[0], alone=True) if features(node) else None
    constants = (tensor for tensor in node.inputs if isinstance(tensor, Constant))
    of_a_map = made is not None and (made.op in _CONVOLUTIONS or _FIXED.get(made.op) is Kind.POOL)
    return of_a_map and node.outputs[0].rank == _MAP and any(prod(tensor.shape[-2:]) > 1 for tensor in constants)


def _is_map(tensor: Tensor) -> bool:
    shape = static_shape(tensor)
    return shape is not None and len(shape) == _MAP and shape[2] * shape[3] > 1


def is_behind_convolution(node: Node) -> bool:
    """Whether an activation, of one node or of several, is of what a convolution computes for it alone."""
    return _reads_convolution(node) or any(map(_reads_convolution, activation.region(node)))


def _reads_convolution(node: Node) -> bool:
    return any((made := feeder(t, alone=False)) is not None and made.op in _CONVOLUTIONS for t in features(node))


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
    return Kind.FUSED if made is not None and _absorbs(made) else otherwise


def _absorbs(made: Node) -> bool:
    """Whether an engine clips what it makes; that of products of two maps does not."""
    return made.op in _ABSORBS and not (made.op in _FACTORS and len(features(made)) > 1)


def _over_a_map(node: Node) -> bool:
    """Whether a reduction is over exactly the places of a feature map, as global pooling is."""
    before, after = static_shape(node.inputs[0]), static_shape(node.outputs[0])
    if before is None or after is None or len(before) != 4:
        return False
    return after in ((*before[:2], 1, 1), before[:2]) and before[2] * before[3] > 1


def line_of(node: Node) -> int | None:
    """The axis of a map that a sum or a mean is over, if that is its height or its width; None for others.

    Of a map that lies channels last, what looks like its width are the channels.
    """
    before, after = static_shape(node.inputs[0]), static_shape(node.outputs[0])
    if node.op not in _SUMS or before is None or after is None or len(before) != _MAP or len(after) != _MAP:
        return None
    gone = [axis for axis, (size, left) in enumerate(zip(before, after, strict=True)) if size != left]
    return gone[0] if len(gone) == 1 and gone[0] > 1 and not _is_channels_last(node.inputs[0]) else None


def _is_channels_last(tensor: Tensor) -> bool:
    """Whether a Transpose that takes channels to the end is behind a tensor, and between them what keeps axes."""
    for _ in range(_STEPS):
        made = feeder(tensor, alone=False)
        if made is None or made.op in _CONVOLUTIONS:
            return False
        if made.op == "Transpose":
            return permutation(made) == [0, 2, 3, 1]
        if made.op in ("Reshape", "MatMul", "Gemm"):
            return True
        shape, fed = static_shape(tensor), features(made)
        tensor = next((t for t in fed if static_shape(t) == shape), fed[0]) if fed else tensor
    return False


def _sliced(node: Node) -> Kind:
    """Whether channels of a map are told apart, or a Split of BxNxC has the compiler turn the layout around."""
    before, after = node.inputs[0], node.outputs[0]
    if node.op == "Split" and before.rank == 3 and node.attrs.get("axis", 0) in (2, -1):
        return Kind.SCATTER
    if before.shape is None or after.shape is None or before.rank != _MAP or after.rank != _MAP:
        return Kind.SLICE
    if before.shape[1] == after.shape[1]:
        return Kind.SLICE
    return Kind.SPLIT if node.op == "Split" else Kind.CUT


def _transposed(node: Node) -> Kind:
    """How a Transpose moves elements: those of four axes or more, besides leading ones that stay, are parted."""
    shape, perm = static_shape(node.inputs[0]), permutation(node)
    if shape is None or perm is None or 0 in shape:
        return Kind.MOVE
    if _lists_tokens(node):
        return Kind.VIEW
    kept = next((i for i, p in enumerate(perm) if p != i), len(perm))
    sizes, moved = shape[kept:], transposed(shape[kept:], [p - kept for p in perm[kept:]])
    if len(moved) < 3 or sum(size > 1 for size in sizes) < PARTED:
        return Kind.TURN if moved and perm[-1] != len(perm) - 1 else Kind.MOVE
    return Kind.BLOCK if moved[-1][1] == 1 and moved[-1][0] >= RUN else Kind.SCATTER


def _is_of_a_map(node: Node) -> bool:
    """Whether a convolution makes what a node reads, which lies channels last then."""
    before = feeder(node.inputs[0], alone=False)
    while before is not None and before.op in _ACTIVATIONS:
        before = feeder(before.inputs[0], alone=False)
    return before is not None and before.op in _CONVOLUTIONS


def _is_parted_by_the_next(node: Node) -> bool:
    """Whether a Transpose of more than four axes alone reads what a Reshape writes, and does both at once."""
    behind = reader(node) if (node.outputs[0].rank or 0) > _MAP else None
    if behind is None or behind.op != "Transpose":
        return False
    return _transposed(behind) is Kind.TURN or _cuts_channels_first(behind)


def _cuts_channels_first(node: Node) -> bool:
    """Whether a Transpose of six axes scatters windows of a map channels first, and takes these to the end."""
    perm = permutation(node)
    return perm is not None and len(perm) == OF_WINDOWS and perm[-1] == 1 and _transposed(node) is Kind.SCATTER


def _is_beside_windows(node: Node) -> bool:
    """Whether a Reshape parts the rows of a map for a Transpose of six axes, or lists what that made."""
    (read, written), same = (node.inputs[0], node.outputs[0]), False
    if read.shape and written.shape:
        same = read.shape[-1] == written.shape[-1]
    if written.rank == OF_WINDOWS:
        after = reader(node)
        return not same and after is not None and _keeps_runs(after)
    made = feeder(read, alone=True) if read.rank == OF_WINDOWS else None
    return same and made is not None and made.op == "Transpose" and _transposed(made) is Kind.SCATTER


def _keeps_runs(node: Node) -> bool:
    """Whether a Transpose scatters a tensor and leaves its last axis where it is."""
    perm = permutation(node) if node.op == "Transpose" else None
    return perm is not None and perm[-1] == len(perm) - 1 and _transposed(node) is Kind.SCATTER


def _is_of_tokens(node: Node) -> bool:
    """Whether a Reshape only lists the places of a map that lies channels last: a Transpose of BxCxN is beside it."""
    ranks = node.inputs[0].rank, node.outputs[0].rank
    beside = None
    if ranks == (_MAP, 3):
        beside = reader(node)
    elif ranks == (3, _MAP):
        beside = feeder(node.inputs[0], alone=True)
    return beside is not None and beside.op == "Transpose" and permutation(beside) == _TOKENS


def _lists_tokens(node: Node) -> bool:
    """Whether a Transpose turns BxCxN for a Reshape of tokens, which costs nothing then."""
    if permutation(node) != _TOKENS:
        return False
    beside = (feeder(node.inputs[0], alone=True), reader(node))
    return any(n is not None and n.op == "Reshape" and _is_of_tokens(n) for n in beside)


def _reshaped(node: Node) -> Kind:
    """What a Reshape does to rows: nothing, joins them, parts them, or moves them as they are."""
    before, after = node.inputs[0].shape, node.outputs[0].shape
    if before is None or after is None:
        return Kind.MOVE
    if _is_beside_windows(node):
        return Kind.WINDOW
    if _is_of_tokens(node) or (before[:2] == after[:2] and _is_of_a_map(node)) or _is_parted_by_the_next(node):
        return Kind.VIEW  # places of a map that lies channels last are listed, or given their two axes again
    if [d for d in before if d != 1] == [d for d in after if d != 1]:
        return Kind.VIEW
    if _joins_channels(node):
        return Kind.FLATTEN
    first, last = (next((d for d in reversed(s) if d != 1), 1) for s in (before, after))
    if not isinstance(first, int) or not isinstance(last, int) or first == last:
        return Kind.MOVE
    if last > first:
        return Kind.JOIN
    made = _linear(node) if len(before) < _MAP else None
    if made is None:
        return Kind.PART
    return Kind.APART if len(after) > _MAP else Kind.HEADS if grid(made).height > 1 else Kind.PART


def _joins_channels(node: Node) -> bool:
    """Whether a map becomes one row, or a row for every few channels, as groups of them are normalised."""
    before, after = static_shape(node.inputs[0]), static_shape(node.outputs[0])
    if before is None or after is None or len(before) != _MAP or not before[0] == 1 != before[1]:
        return False
    area, last = prod(before[2:]), after[-1] if after else 1
    return sum(d != 1 for d in after) == 1 or (1 < area < last and last % area == 0)


def _linear(node: Node) -> Node | None:
    """The product of rows and a weight that a node reads, with its bias or not, listed anew or not."""
    made = feeder(node.inputs[0], alone=False)
    while made is not None and made.op in _BIASED and len(features(made)) == 1:
        made = feeder(features(made)[0], alone=False)
    return made if made is not None and made.op in ("Gemm", "MatMul") and kinds(made) == (Kind.DENSE,) else None
