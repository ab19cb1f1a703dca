"""Carrying the parts of a value on, through operators that keep channels apart, to where they come together.

A value that was cut is put together by Concat as soon as the march has that Concat. Until then every reader has to
work on the parts: channelwise operators part by part, convolutions and matrix products by partial sums.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import prod

from passes.clamp.layer import OPS as LAYERS
from passes.clamp.layer import Layer, read
from passes.clamp.plan import Plan, plans_for
from passes.clamp.steps import Copies, Cut, Flattened, Join, Product, Step, constant_axis
from passes.clamp.trial import Trial, resized, with_size
from surgery.ir import Constant, Node, Shape, Tensor, Value
from surgery.rewrite import Context, Mismatch


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


ELEMENTWISE = _names(
    "Abs Acos Acosh Add Asin Asinh Atan Atanh BatchNormalization Cast Ceil Celu Clip Cos Cosh Div Dropout Elu Erf Exp "
    "Floor Gelu HardSigmoid HardSwish Identity LeakyRelu Log Max Min Mish Mul Neg PRelu Pow Reciprocal Relu Round "
    "Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Tan Tanh ThresholdedRelu"
)
"""Every element of the output comes from the elements at its place; per-channel constants are cut along."""
SPATIAL = _names("AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool")
"""Every channel (axis 1) of the output comes from that channel of the input."""


class Stopped(Mismatch):
    """The parts cannot pass a node, whatever their sizes."""


def bring_together(value: Value, cut: Cut, ctx: Context, trial: Trial) -> list[Step]:
    """The steps from the parts of ``value`` on: joined at once, unless every layer ahead has to be cut anyway.

    Raises Mismatch, naming what the parts cannot pass.
    """
    try:
        steps = Spread(ctx, trial, eager=False).run(value, cut)
    except Mismatch:
        return Spread(ctx, trial).run(value, cut)
    if all(trial.is_over(step.layer) for step in steps if isinstance(step, Product)):
        return steps
    return Spread(ctx, trial).run(value, cut)


class Spread:
    """The steps that bring the parts of one value to where they come together.

    Args:
        ctx: tells graph outputs.
        trial: tells what is legal.
        eager: join at the first Concat that is legal; else only behind the next layers.
    """

    def __init__(self, ctx: Context, trial: Trial, *, eager: bool = True) -> None:
        self.ctx, self.trial, self.eager = ctx, trial, eager
        self.steps: list[Step] = []
        self._cuts: dict[int, Cut] = {}
        self._pending: deque[Value] = deque()
        self._waiting: dict[int, Node] = {}
        self._done: set[int] = set()

    def run(self, value: Value, cut: Cut) -> list[Step]:
        """The steps from ``value`` on. Raises Mismatch, naming what the parts cannot pass."""
        self._cut(value, cut)
        while self._pending:
            self._settle(self._pending.popleft())
        for node in self._waiting.values():
            other = next(t for t in node.inputs if self._is_whole(node, t))
            raise Stopped(
                f"{self.why(value, cut)}, and {node.op} {node.name!r} joins the parts with {other.name!r}", node
            )
        return self.steps

    def why(self, value: Value, cut: Cut) -> str:
        """Why the parts of ``value`` have to be carried on: the first half of a refusal."""
        return f"{self.trial.target.name} has no Concat of {sum(cut.sizes)} channels"

    def joins(self, value: Value, cut: Cut) -> bool:
        """Whether the parts of ``value`` are put together here."""
        here = self.eager or any(isinstance(step, Product) and step.layer.y is value for step in self.steps)
        return here and self.trial.joins(value, cut.axis, cut.sizes)

    def copies(self, node: Node, cut: Cut) -> Step:
        """How a channelwise operator works on the parts."""
        return Copies(node, cut)

    def product(self, layer: Layer, cut: Cut) -> tuple[Step, Cut | None]:
        """How a layer reads the parts, and how its output is cut then; None where it is whole."""
        step = best(layer, plans_for(layer.work, cut.sizes, self.trial.steps), self.trial)
        sizes = step.plan.output_sizes
        return step, Cut(layer.out_axis, sizes) if len(sizes) > 1 else None

    def _cut(self, value: Value, cut: Cut) -> None:
        self._cuts[id(value)] = cut
        self._pending.append(value)

    def _settle(self, value: Value) -> None:
        cut = self._cuts[id(value)]
        if self.joins(value, cut):
            self.steps.append(Join(value, cut.axis))
            return
        if self.ctx.is_output(value) or not value.consumers:
            raise Stopped(f"{self.why(value, cut)}, and {value.name!r} is a graph output", value)
        for reader in value.consumers:
            if id(reader) not in self._done:
                self._carry(reader, value, cut)

    def _carry(self, node: Node, value: Value, cut: Cut) -> None:
        if node.graph is not self.trial.root.graph:
            raise Stopped(f"{self.why(value, cut)}, and {value.name!r} is read in a body", node)
        if any(self._is_whole(node, t) for t in node.inputs):
            self._waiting[id(node)] = node
            return
        self._waiting.pop(id(node), None)
        self._done.add(id(node))
        if not node.is_onnx or node.op not in _CARRY or len(node.outputs) > 1:
            raise Stopped(f"{self.why(value, cut)}, and {node.op} {node.name!r} cannot work on the parts", node)
        _CARRY[node.op](self, node, cut)

    def _is_whole(self, node: Node, tensor: Tensor) -> bool:
        """Whether ``tensor`` is computed, has all the channels, and comes in one piece (so far)."""
        if tensor.is_empty() or isinstance(tensor, Constant) or id(tensor) in self._cuts:
            return False
        cut = next(self._cuts[id(t)] for t in node.inputs if id(t) in self._cuts)
        return node.op not in ELEMENTWISE or constant_axis(node, tensor, cut.axis) is not None

    def _spatial(self, node: Node, cut: Cut) -> None:
        if cut.axis != 1:
            raise Stopped(f"{node.op} {node.name!r} reads across the parts, which are cut along axis {cut.axis}", node)
        self._copies(node, cut)

    def _flatten(self, node: Node, cut: Cut) -> None:
        area = flattened_area(node)
        if cut.axis != 1 or area is None:
            raise Stopped(f"{node.op} {node.name!r} must merge the axes behind axis 0, of known sizes", node)
        self.trial.flatten(node, cut.sizes, area)
        self.steps.append(Flattened(node, cut))
        self._cut(node.outputs[0], Cut(1, tuple(size * area for size in cut.sizes)))

    def _copies(self, node: Node, cut: Cut) -> None:
        value = node.outputs[0]
        if any(id(t) in self._cuts and self._cuts[id(t)] != cut for t in node.inputs):
            raise Mismatch(f"{node.op} {node.name!r} joins parts of different sizes", node)
        for size in sorted(set(cut.sizes)):
            inputs = [self._stand_in(node, t, cut.axis, size) for t in node.inputs]
            self.trial.copy(node, inputs, _known(with_size(value.shape, cut.axis, size), value))
        self.steps.append(self.copies(node, cut))
        self._cut(value, cut)

    def _stand_in(self, node: Node, tensor: Tensor, axis: int, size: int) -> Tensor:
        if id(tensor) in self._cuts:
            return Value("ghost", tensor.dtype, with_size(tensor.shape, axis, size))
        own = constant_axis(node, tensor, axis)
        return resized(tensor, tensor.shape if own is None else with_size(tensor.shape, own, size))

    def _product(self, node: Node, cut: Cut) -> None:
        layer = read(node)
        if id(layer.x) not in self._cuts or (layer.bias is not None and id(layer.bias) in self._cuts):
            raise Stopped(f"{node.op} {node.name!r} adds the parts as a bias", node)
        if layer.in_axis != cut.axis:
            raise Stopped(f"{node.op} {node.name!r} sums over axis {layer.in_axis}, the parts lie on {cut.axis}", node)
        step, after = self.product(layer, cut)
        self.steps.append(step)
        if after is not None:
            self._cut(layer.y, after)


_CARRY: dict[str, Callable[[Spread, Node, Cut], None]] = {
    **dict.fromkeys(ELEMENTWISE, Spread._copies),
    **dict.fromkeys(SPATIAL, Spread._spatial),
    **dict.fromkeys(LAYERS, Spread._product),
    "Flatten": Spread._flatten,
    "Reshape": Spread._flatten,
}


def flattened_area(node: Node) -> int | None:
    """Elements per channel of what ``node`` flattens behind axis 0; None where it does anything else."""
    before, after = node.inputs[0].shape, node.outputs[0].shape
    if node.op not in ("Flatten", "Reshape") or before is None or after is None or len(before) < 2:
        return None
    rest = [size for size in before[1:] if isinstance(size, int)]
    merges = len(rest) == len(before) - 1 and after == (before[0], prod(rest)) and before[0] is not None
    return prod(rest[1:]) if merges else None


def best(layer: Layer, plans: list[Plan], trial: Trial) -> Product:
    """The first of ``plans`` whose pieces are legal. Raises what was wrong with the last one."""
    reason = Mismatch(f"the parts tear a group of {layer.node.op} {layer.node.name!r}", layer.node)
    for plan in plans:
        try:
            trial.products(layer, plan)
        except Mismatch as mismatch:
            reason = mismatch
        else:
            return Product(layer, plan)
    raise reason


def _known(shape: Shape | None, value: Value) -> Shape:
    if shape is None:
        raise Mismatch(f"{value.name!r} has no known shape", value)
    return shape
