"""What the toolchain makes disappear before it places anything: constants, fusions into convolutions and lookups.

Each fusion has a name that a march file lists under ``fuses``; :func:`find_folds` returns, for every node that
goes away, the node it goes into (itself when it is turned into a constant or dropped).
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from math import prod

from surgery.ir.graph import Constant, Graph, Node, Tensor, Value
from surgery.target.facts import QUANTISING
from surgery.target.lookups import fold_lookup, fold_shuffle, sole_reader
from surgery.target.params import Params, Unknown
from surgery.target.params.windows import joins_window
from surgery.target.target import Target

CONVOLUTIONS = frozenset({"Conv", "ConvTranspose", "Gemm"})
RESHAPES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
_RANDOM = frozenset({"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial"})
_IDLE = frozenset({"Pad", "AveragePool", "MaxPool"})
_WAITING = frozenset({"conv-relu", "conv-clip"})
"""Fusions not done at the end of a model where the operator is passive behind a convolution."""


@dataclass
class Folds:
    """The nodes that go away and where each goes.

    ``activated`` are convolutions with an activation in them, ``summed`` those with a shortcut. ``lookups`` are
    survivors that stand for a fused activation or movement, and its name; ``products`` says that products by a constant
    take up what convolutions do, but no constant added behind a shortcut.
    """

    into: dict[Node, Node] = field(default_factory=dict)
    constants: set[Value | Constant] = field(default_factory=set)
    activated: set[Node] = field(default_factory=set)
    summed: set[Node] = field(default_factory=set)
    lookups: dict[Node, str] = field(default_factory=dict)
    products: bool = False

    def home(self, node: Node) -> Node:
        """The survivor that computes what ``node`` computed."""
        while (host := self.into.get(node, node)) is not node:
            node = host
        return node

    def is_constant(self, tensor: Tensor) -> bool:
        """Whether the toolchain knows the tensor before running."""
        return isinstance(tensor, Constant) or tensor in self.constants

    def computed(self, node: Node) -> list[Tensor]:
        """The inputs of ``node`` that are known at run time only."""
        return [t for t in node.inputs if not t.is_empty() and not self.is_constant(t)]

    def drop(self, node: Node, host: Node | None = None) -> None:
        """Let ``node`` go into ``host``, or away altogether."""
        self.into[node] = host or node

    def parts(self, root: Node) -> list[Node]:
        """The nodes that a survivor stands for, itself aside."""
        return [node for node, host in self.into.items() if host is root and node is not root]

    def take_apart(self, root: Node) -> None:
        """Let what a survivor stands for be nodes of their own again."""
        del self.lookups[root]
        for node in self.parts(root):
            del self.into[node]


def find_folds(graph: Graph, target: Target, bound: AbstractSet[Node]) -> Folds:
    """The nodes of ``graph`` that go away on ``target``.

    ``bound`` holds nodes with something quantised behind them: only these are fused where the march calls the
    operator passive behind a convolution. What the vendor's log names stays.
    """
    folds = Folds(products=target.fuses("products"))
    for node in graph.nodes:
        if target.said(node) is not None or not node.is_onnx:
            continue
        if not (
            _fold_constant(node, target, folds) or fold_lookup(node, target, folds) or fold_shuffle(node, target, folds)
        ):
            _fold_local(node, target, folds, bound)
    for node in [node for node in folds.into if target.said(node)]:
        del folds.into[node]
    return folds


def vanishes(node: Node, target: Target) -> bool:
    """Whether the toolchain drops the node: Identity, Dropout, a pool of one pixel, no padding, what says a scale."""
    if node.op in ("Identity", "Dropout"):
        return True
    if node.op in QUANTISING:
        return target.fuses("quantise-pair") and is_paired(node)
    if node.op not in _IDLE or not target.fuses("idle"):
        return False
    params = Params(node, 0)
    try:
        return not any(params["padded_axes"]) if node.op == "Pad" else _is_unit_pool(params)
    except Unknown:
        return False


def is_paired(node: Node) -> bool:
    """Whether the node only says in which scale a value is quantised: QuantizeLinear, read by DequantizeLinear alone.

    A DequantizeLinear of a graph input is so by itself.
    """
    if node.op == "DequantizeLinear":
        maker = node.inputs[0].producer
        return maker is None or (maker.op == "QuantizeLinear" and is_paired(maker))
    out = node.outputs[0]
    read = bool(out.outputs) and all(reader.op == "DequantizeLinear" for reader in out.outputs)
    return read and not (node.graph is not None and node.graph.is_output(out))


def _is_unit_pool(params: Params) -> bool:
    return set(params["kernel"]) == {1} and set(params["stride"]) == {1} and not any(params["pads"])


def _fold_constant(node: Node, target: Target, folds: Folds) -> bool:
    row = target.op(node.op)
    if vanishes(node, target) and not _pads(node, folds):
        folds.drop(node, node.inputs[0].producer)
        if folds.is_constant(node.inputs[0]):
            folds.constants.update(node.outputs)
        return True
    inputs = [t for t in node.inputs if not t.is_empty()]
    known = all(folds.is_constant(t) for t in inputs) and bool(inputs) and not any(True for _ in node.bodies())
    static = node.op in ("Shape", "Size") and all(t.is_static for t in inputs)
    if node.op in _RANDOM or not (known or static or node.op == "Constant"):
        return False
    if row is not None and row.device == "refused":
        return False
    folds.drop(node)
    folds.constants.update(node.outputs)
    return True


def _pads(node: Node, folds: Folds) -> bool:
    """Whether a Pad goes into the node, which then does something."""
    maker = node.inputs[0].producer
    return maker is not None and folds.into.get(maker) is node


# --- into convolutions ----------------------------------------------------------------------------------------


def _open_host(tensor: Tensor, reader: Node, folds: Folds) -> Node | None:
    """The convolution whose result ``tensor`` is, if ``reader`` alone reads it and nothing is applied yet."""
    maker = tensor.producer
    if maker is None or sole_reader(maker) is not reader:
        return None
    host = folds.home(maker)
    return host if _is_convolution(host, folds) and host not in folds.activated else None


def _is_convolution(node: Node, folds: Folds) -> bool:
    """Whether the toolchain has ``node`` as a convolution."""
    return node.op in CONVOLUTIONS or (folds.products and node.op == "MatMul" and len(folds.computed(node)) == 1)


def _fold_local(node: Node, target: Target, folds: Folds, bound: AbstractSet[Node]) -> None:
    for name, fuse in _LOCAL.get(node.op, ()):
        waits = name in _WAITING and node.op in target.march.passive.after_conv and node not in bound
        if not target.fuses(name) or waits or (name == "tail-transpose" and node in bound):
            continue
        host = fuse(node, folds)
        if host is not None:
            folds.drop(node, host)
            return


def _batchnorm(node: Node, folds: Folds) -> Node | None:
    return _open_host(node.inputs[0], node, folds)


def _activation(node: Node, folds: Folds) -> Node | None:
    host = _open_host(node.inputs[0], node, folds)
    if host is not None:
        folds.activated.add(host)
    return host


def _scale(node: Node, folds: Folds) -> Node | None:
    data = folds.computed(node)
    if len(data) != 1 or (node.op == "Div" and data[0] is not node.inputs[0]) or not _per_channel(node, data[0]):
        return None
    maker = data[0].producer
    if node.op in ("Add", "Sub") and maker is not None and _is_scale(maker, folds) and sole_reader(maker) is node:
        return maker
    host = _open_host(data[0], node, folds)
    return None if folds.products and node.op in ("Add", "Sub") and host in folds.summed else host


def _is_scale(node: Node, folds: Folds) -> bool:
    """Whether the toolchain has a product by a constant per channel as a convolution, which then adds a constant."""
    data = folds.computed(node)
    product = folds.products and node.op == "Mul" and node not in folds.into and len(data) == 1
    return product and data[0].rank == 4 and _per_channel(node, data[0])


def _into_root(node: Node, folds: Folds) -> Node | None:
    """The root behind a number that is added, where something is divided by it: all that is one lookup."""
    root = sole_reader(node)
    reader = sole_reader(root) if root is not None and root.op == "Sqrt" else None
    divides = reader is not None and (
        reader.op == "Reciprocal" or (reader.op == "Div" and reader.inputs[1].producer is root)
    )
    number = any(isinstance(t, Constant) and prod(t.shape) == 1 for t in node.inputs)
    return root if divides and number and len(folds.computed(node)) == 1 else None


def _per_channel(node: Node, data: Tensor) -> bool:
    """Whether every constant operand is one number or one number per channel of ``data``."""
    for tensor in node.inputs:
        shape = tensor.shape if tensor is not data else ()
        if shape is None or data.rank is None:
            return False
        wide = [axis - len(shape) for axis, size in enumerate(shape) if size != 1]
        if wide not in ([], [1 - data.rank]):
            return False
    return True


def _residual(node: Node, folds: Folds) -> Node | None:
    data = folds.computed(node)
    if len(data) != 2 or data[0].shape != data[1].shape or data[0] is data[1]:
        return None
    hosts = [host for t in data if (host := _adder(t, node, folds)) is not None]
    host = max(hosts, key=lambda n: n.position, default=None)
    if host is not None:
        folds.summed.add(host)
    return host


def _adder(tensor: Tensor, reader: Node, folds: Folds) -> Node | None:
    """What adds a shortcut to its result ``tensor``: a convolution or, where products are convolutions, a scale."""
    maker = tensor.producer
    if maker is None or sole_reader(maker) is not reader:
        return None
    if folds.products and maker.op == "Mul" and maker not in folds.into and len(folds.computed(maker)) == 1:
        return maker
    host = _open_host(tensor, reader, folds)
    adds = host is not None and (host.op in ("Conv", "MatMul") or (folds.products and host.op == "Gemm"))
    return host if adds else None


def _constant_map(node: Node, folds: Folds) -> Node | None:
    """A constant as large as the result of a convolution, which adds it as it does a shortcut."""
    data = folds.computed(node)
    try:
        whole = len(data) == 1 and Params(node, 0)["constant_whole"]
    except Unknown:
        return None
    return _adder(data[0], node, folds) if whole else None


def _before_conv(node: Node, folds: Folds) -> Node | None:
    """A scale that an unpadded convolution behind it can take into its weights."""
    reader = sole_reader(node)
    data = folds.computed(node)
    if reader is None or reader.op != "Conv" or len(data) != 1 or not _per_channel_or_norm(node, data[0]):
        return None
    try:
        return None if any(Params(reader, 0)["pads"]) else reader
    except Unknown:
        return None


def _per_channel_or_norm(node: Node, data: Tensor) -> bool:
    return node.op == "BatchNormalization" or _per_channel(node, data)


def _pad(node: Node, _folds: Folds) -> Node | None:
    reader = sole_reader(node)
    try:
        return reader if reader is not None and joins_window(node, reader) else None
    except Unknown:
        return None


def _inverse_transpose(node: Node, folds: Folds) -> Node | None:
    first = node.inputs[0].producer
    if first is None or first.op != "Transpose" or sole_reader(first) is not node or first in folds.into:
        return None
    one, two = first.attrs.get("perm"), node.attrs.get("perm")
    if not one or not two or [one[i] for i in two] != list(range(len(one))):
        return None
    host = first.inputs[0].producer or node
    folds.drop(first, host if host is not node else None)
    return host


def _tail_transpose(node: Node, folds: Folds) -> Node | None:
    """To NHWC with nothing quantised behind: it undoes the toolchain's own transpose behind a convolution or lookup."""
    maker = node.inputs[0].producer
    if maker is None or sole_reader(maker) is not node or list(node.attrs.get("perm", ())) != [0, 2, 3, 1]:
        return None
    host = folds.home(maker)
    return host if host.op in CONVOLUTIONS or host in folds.lookups else None


def _reshape(node: Node, _folds: Folds) -> Node | None:
    reader = sole_reader(node)
    return reader if reader is not None and reader.op in RESHAPES else None


def _flatten_gemm(node: Node, _folds: Folds) -> Node | None:
    return gemm_of(node)


def gemm_of(node: Node) -> Node | None:
    """The first Gemm that a Flatten or Reshape of a feature map goes into, all of whose readers then read the map."""
    data = node.outputs[0] if node.op in RESHAPES else None
    if data is None or not data.outputs or (node.graph is not None and node.graph.is_output(data)):
        return None
    try:
        return data.outputs[0] if all(Params(reader, 0)["flattened"] for reader in data.outputs) else None
    except Unknown:
        return None


_Fuse = Callable[[Node, Folds], "Node | None"]
_LOCAL: dict[str, tuple[tuple[str, _Fuse], ...]] = {
    "BatchNormalization": (("conv-batchnorm", _batchnorm), ("scale-conv", _before_conv)),
    "Relu": (("conv-relu", _activation),),
    "Clip": (("conv-clip", _activation),),
    "Add": (("rsqrt", _into_root), ("conv-scale", _scale), ("conv-residual", _residual), ("conv-map", _constant_map)),
    "Sub": (("conv-scale", _scale),),
    "Mul": (("conv-scale", _scale), ("scale-conv", _before_conv)),
    "Div": (("conv-scale", _scale),),
    "Pad": (("conv-pad", _pad),),
    "Transpose": (("inverse-transposes", _inverse_transpose), ("tail-transpose", _tail_transpose)),
    **dict.fromkeys(RESHAPES, (("flatten-gemm", _flatten_gemm), ("reshape-chain", _reshape))),
}
