"""Named parameters of a node: what the limits of a chip are written in.

Each is a small pure function of :class:`Params`, registered under its own name, computed when first asked for
and kept. Dims are read in NCHW order. A parameter that depends on something unknown (a symbolic dim, a shape
nobody inferred, an operand known at run time only) raises :class:`Unknown` with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, TypeAlias

from surgery.ir.graph import Constant, Node, Tensor
from surgery.target.shapes import (
    Dims,
    aligned,
    broadcast_kinds,
    broadcast_sides,
    matmul_batch_ok,
    merged_rank,
)


class Unknown(Exception):
    """A parameter cannot be computed; the message is the reason, and names the dim or value it hangs on."""


class Params(dict[str, Any]):
    """The parameters of one node in a model of one opset, each computed once, when first looked up."""

    __slots__ = ("node", "opset")

    def __init__(self, node: Node, opset: int) -> None:
        super().__init__()
        self.node, self.opset = node, opset

    def __missing__(self, name: str) -> Any:
        value = self[name] = PARAMS[name](self)
        return value

    def attr(self, name: str, default: Any = None) -> Any:
        """An attribute as a Python value (bytes decoded), or ``default``."""
        value = self.node.attrs.get(name, default)
        return value.decode() if isinstance(value, bytes) else value


Param: TypeAlias = Callable[[Params], Any]
PARAMS: dict[str, Param] = {}
"""Every parameter by name."""


def param(function: Param) -> Param:
    """Register a function as the parameter of its own name."""
    PARAMS[function.__name__] = function
    return function


def shape_of(tensor: Tensor | None, what: str = "tensor") -> tuple[Any, ...]:
    """The dims as far as known (ints, names, None); Unknown when absent or of unknown rank."""
    if tensor is None:
        raise Unknown(f"there is no {what}")
    if tensor.shape is None:
        raise Unknown(f"the shape of {tensor.name!r} is not known")
    return tuple(tensor.shape)


def size_of(tensor: Tensor, axis: int) -> int:
    """One dim as an int; Unknown, naming the dim, when it is symbolic."""
    size = shape_of(tensor)[axis]
    if not isinstance(size, int):
        named = f"dim {size!r}" if size else f"dim {axis}"
        raise Unknown(f"{named} of {tensor.name!r} is symbolic")
    return size


def dims_of(tensor: Tensor | None, what: str = "tensor") -> Dims:
    """All dims as ints; Unknown, naming the first symbolic one, otherwise."""
    shape = shape_of(tensor, what)
    for axis, size in enumerate(shape):
        if not isinstance(size, int):
            size_of(tensor, axis)  # type: ignore[arg-type]
    return shape


def ints_of(tensor: Tensor | None, what: str) -> tuple[int, ...]:
    """The integers of a small constant operand; Unknown when it is computed at run time."""
    if not isinstance(tensor, Constant):
        raise Unknown(f"{what} is not a constant")
    return tuple(int(v) for v in tensor.values.reshape(-1))


def _first(p: Params) -> Tensor:
    found = p.node.input(0)
    if found is None:
        raise Unknown("there is no first input")
    return found


def _output(p: Params) -> Tensor:
    return p.node.outputs[0]


# --- the first input and output -------------------------------------------------------------------------------


@param
def rank(p: Params) -> int:
    """Rank of the first input."""
    return len(shape_of(_first(p)))


@param
def ranks(p: Params) -> Dims:
    """Ranks of everything computed that goes in and out (constants aside)."""
    data = [t for t in p.node.inputs if not t.is_empty() and not isinstance(t, Constant)]
    return tuple(len(shape_of(t)) for t in (*data, p.node.outputs[0]))


@param
def dims(p: Params) -> Dims:
    """Dims of the first input."""
    return dims_of(_first(p))


@param
def output_dims(p: Params) -> Dims:
    """Dims of the first output."""
    return dims_of(_output(p))


@param
def N(p: Params) -> int:  # noqa: N802
    """Batch of the first input."""
    return size_of(_first(p), 0)


@param
def C(p: Params) -> int:  # noqa: N802
    """Channels (dim 1) of the first input, 1 below rank 2."""
    return size_of(_first(p), 1) if p["rank"] > 1 else 1


@param
def D(p: Params) -> int:  # noqa: N802
    """Depth of the first input: the third dim from the end at rank 5, else 1."""
    return size_of(_first(p), -3) if p["rank"] > 4 else 1


@param
def H(p: Params) -> int:  # noqa: N802
    """Height of the first input, 1 below rank 4."""
    return size_of(_first(p), -2) if p["rank"] > 3 else 1


@param
def W(p: Params) -> int:  # noqa: N802
    """Width of the first input, 1 below rank 3."""
    return size_of(_first(p), -1) if p["rank"] > 2 else 1


@param
def bytes_in(p: Params) -> int:
    """Bytes of the first input as int8."""
    return prod(p["dims"])


@param
def bytes_out(p: Params) -> int:
    """Bytes of the first output as int8."""
    return prod(p["output_dims"])


@param
def opset(p: Params) -> int:
    """Opset of the default domain."""
    return p.opset


@param
def batch_size(p: Params) -> int:
    """Batch of a recurrent operator: dim 1, or dim 0 with layout 1."""
    return size_of(_first(p), 0 if p.attr("layout", 0) else 1)


# --- windows: convolution and pooling -------------------------------------------------------------------------


@param
def kernel(p: Params) -> Dims:
    """Kernel size per spatial axis; for Gemm and MatMul that of the convolution they become."""
    given = p.attr("kernel_shape")
    if given:
        return tuple(given)
    if p.node.op in ("Gemm", "MatMul"):
        return p["flattened"][1:] or (1, 1)
    return dims_of(p.node.input(1), "weight")[2:]


def _window(p: Params, name: str, default: int) -> Dims:
    given = p.attr(name)
    return tuple(given) if given else (default,) * len(p["kernel"])


@param
def stride(p: Params) -> Dims:
    """Stride per spatial axis."""
    return _window(p, "strides", 1)


@param
def dilation(p: Params) -> Dims:
    """Dilation per spatial axis."""
    return _window(p, "dilations", 1)


@param
def output_padding(p: Params) -> Dims:
    """Extra rows and columns of a ConvTranspose's output, per spatial axis."""
    return _window(p, "output_padding", 0)


@param
def pads(p: Params) -> Dims:
    """Begin pads of every spatial axis, then end pads; worked out for ``auto_pad: SAME``."""
    if str(p.attr("auto_pad", "NOTSET")).startswith("SAME") and p.node.op != "ConvTranspose":
        return _same_pads(p)
    given = p.attr("pads")
    return tuple(given) if given else (0,) * (2 * len(p["kernel"]))


def _same_pads(p: Params) -> Dims:
    sizes, out = p["dims"][2:], []
    for size, k, s, d in zip(sizes, p["kernel"], p["stride"], p["dilation"], strict=True):
        out.append(max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0))
    small, big = tuple(n // 2 for n in out), tuple(n - n // 2 for n in out)
    return small + big if p.attr("auto_pad") == "SAME_UPPER" else big + small


@param
def pad(p: Params) -> Dims:
    """The larger of begin and end pad, per spatial axis."""
    flat = p["pads"]
    half = len(flat) // 2
    return tuple(max(flat[i], flat[i + half]) for i in range(half))


def _axis_of(name: str, from_end: int, default: int) -> Param:
    def read(p: Params) -> int:
        values: Dims = p[name]
        return values[-from_end] if len(values) >= from_end else default

    read.__doc__ = f"``{name}`` along spatial axis {from_end} from the end, {default} where there is none."
    return read


for _name, _default in (("kernel", 1), ("stride", 1), ("dilation", 1), ("pad", 0)):
    for _letter, _from_end in (("w", 1), ("h", 2), ("d", 3)):
        PARAMS[f"{_name}_{_letter}"] = _axis_of(_name, _from_end, _default)


@param
def group(p: Params) -> int:
    """Groups of a convolution."""
    return int(p.attr("group", 1))


@param
def flattened(p: Params) -> Dims:
    """Channels and area of the feature map whose Flatten or Reshape feeds a Gemm; empty where none does."""
    maker = _first(p).producer
    if p.node.op != "Gemm" or maker is None or maker.op not in ("Flatten", "Reshape"):
        return ()
    before = maker.inputs[0].shape
    if before is None or len(before) != 4 or not all(isinstance(d, int) for d in before[1:]):
        return ()
    sizes = tuple(d for d in before[1:] if isinstance(d, int))
    return sizes if prod(sizes) == p["inner"] else ()


@param
def in_channels(p: Params) -> int:
    """Input channels: dim 1 of the input; for Gemm and MatMul those of the convolution they become."""
    if p.node.op in ("Gemm", "MatMul"):
        return int(p["flattened"][0] if p["flattened"] else p["inner"])
    return size_of(_first(p), 1)


@param
def has_dilations(p: Params) -> bool:
    """Whether the dilations of a convolution are written down, not left to their default."""
    return "dilations" in p.node.attrs


@param
def weight_out_channels(p: Params) -> int:
    """Output channels as the weight holds them: per group for ConvTranspose."""
    weight = p.node.input(1)
    if weight is None:
        raise Unknown("there is no weight")
    axis = {"Conv": 0, "ConvTranspose": 1, "Gemm": 0 if p.attr("transB", 0) else 1}.get(p.node.op, -1)
    return size_of(weight, axis)


@param
def out_channels(p: Params) -> int:
    """Output channels in all."""
    return int(p["weight_out_channels"]) * (p["group"] if p.node.op == "ConvTranspose" else 1)


@param
def in_channels_per_group(p: Params) -> int:
    """Input channels that one filter sees."""
    return int(p["in_channels"]) // int(p["group"])


@param
def out_channels_per_group(p: Params) -> int:
    """Output channels of one group."""
    return int(p["out_channels"]) // int(p["group"])


@param
def kernel_volume(p: Params) -> int:
    """Elements of one filter: kernel times input channels per group."""
    return prod(p["kernel"]) * int(p["in_channels_per_group"])


@param
def phase_kernel_volume(p: Params) -> int:
    """Elements of one phase filter of a ConvTranspose, which runs as stride_h x stride_w convolutions."""
    axes = zip(p["kernel"], p["pad"], p["stride"], strict=True)
    return prod((k - 1 + pad % s) // s + 1 for k, pad, s in axes) * int(p["in_channels_per_group"])


@param
def ceil_mode(p: Params) -> int:
    """Whether a pool rounds its output size up."""
    return int(p.attr("ceil_mode", 0))


@param
def outputs(p: Params) -> int:
    """Outputs that something reads or the graph gives out."""
    graph = p.node.graph
    return sum(bool(o.consumers) or (graph is not None and graph.is_output(o)) for o in p.node.outputs)


# --- axes -----------------------------------------------------------------------------------------------------

_AXIS_DEFAULT = {"Flatten": 1, "Softmax": -1, "LogSoftmax": -1, "Hardmax": -1, "TopK": -1, "LayerNormalization": -1}


@param
def axis(p: Params) -> int:
    """The ``axis`` attribute, counted from the front."""
    before_13 = p.opset < 13 and p.node.op in ("Softmax", "LogSoftmax", "Hardmax")
    value = int(p.attr("axis", 1 if before_13 else _AXIS_DEFAULT.get(p.node.op, 0)))
    return value + p["rank"] if value < 0 else value


@param
def axes(p: Params) -> Dims:
    """Axes of a reduction in the order given, counted from the front; all of them when none are given."""
    given = p.attr("axes")
    if given is None and p.node.input(1) is not None:
        given = ints_of(p.node.input(1), "axes")
    if not given:
        return tuple(range(p["rank"])) if not p.attr("noop_with_empty_axes", 0) else ()
    return tuple(a + p["rank"] if a < 0 else a for a in given)


@param
def keepdims(p: Params) -> int:
    """Whether a reduction keeps its axes with size 1."""
    return int(p.attr("keepdims", 1))


@param
def axis_size(p: Params) -> int:
    """Size of the first input along ``axis``."""
    return size_of(_first(p), p["axis"])


@param
def reduced_sizes(p: Params) -> Dims:
    """Sizes of the reduced axes (of ``axis`` alone for ArgMax and ArgMin)."""
    names = (p["axis"],) if p.node.op in ("ArgMax", "ArgMin") else p["axes"]
    return tuple(size_of(_first(p), a) for a in names)


@param
def reduced_axis_size(p: Params) -> int:
    """Size of the largest reduced axis."""
    return max(p["reduced_sizes"], default=1)


@param
def reduced_size(p: Params) -> int:
    """Product of the reduced axes."""
    return prod(p["reduced_sizes"])


@param
def softmax_flattens(p: Params) -> bool:
    """Whether Softmax flattens the dims from ``axis`` on (before opset 13)."""
    return p.opset < 13


@param
def split_sizes(p: Params) -> Dims:
    """Sizes of the pieces of a Split."""
    return tuple(size_of(out, p["axis"]) for out in p.node.outputs)


@param
def changed_axes(p: Params) -> Dims:
    """Axes, counted from the front of the output, along which the output's size is not the input's."""
    before, after = aligned([p["dims"], p["output_dims"]])
    return tuple(i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b)


@param
def changed_dims(p: Params) -> int:
    """How many dims Expand, Tile or Resize changes."""
    return len(p["changed_axes"])


@param
def padded_axes(p: Params) -> Dims:
    """Axes that a Pad changes."""
    flat = p.attr("pads") or ints_of(p.node.input(1), "pads")
    half = len(flat) // 2
    return tuple(i for i in range(half) if flat[i] or flat[i + half])


# --- attributes -----------------------------------------------------------------------------------------------

_MODE = {"Resize": "nearest", "Upsample": "nearest", "Pad": "constant", "DepthToSpace": "DCR", "GridSample": "linear"}


@param
def mode(p: Params) -> str:
    """The ``mode`` attribute; GridSample's ``linear`` is called ``bilinear`` as before opset 20."""
    value = str(p.attr("mode", _MODE.get(p.node.op, "")))
    return "bilinear" if p.node.op == "GridSample" and value == "linear" else value


@param
def blocksize(p: Params) -> int:
    """Block of DepthToSpace and SpaceToDepth."""
    return int(p.attr("blocksize", 1))


@param
def padding_mode(p: Params) -> str:
    """How GridSample reads outside the image."""
    return str(p.attr("padding_mode", "zeros"))


@param
def coordinate_transformation_mode(p: Params) -> str:
    """How Resize maps output to input positions; ``asymmetric`` before opset 11."""
    return str(p.attr("coordinate_transformation_mode", "half_pixel" if p.opset > 10 else "asymmetric"))


@param
def is_sorted(p: Params) -> int:
    """Whether TopK sorts its result."""
    return int(p.attr("sorted", 1))


@param
def scale_h(p: Params) -> float:
    """Height of the output over the input's."""
    return size_of(_output(p), -2) / int(p["H"])


@param
def scale_w(p: Params) -> float:
    """Width of the output over the input's."""
    return size_of(_output(p), -1) / int(p["W"])


# --- operands -------------------------------------------------------------------------------------------------


def _operands(p: Params) -> list[Tensor]:
    return [t for t in p.node.inputs if not t.is_empty()]


@param
def shapes(p: Params) -> tuple[Dims, ...]:
    """Dims of every operand."""
    return tuple(dims_of(t) for t in _operands(p))


@param
def constants(p: Params) -> int:
    """How many operands are constants."""
    return sum(isinstance(t, Constant) for t in p.node.inputs)


@param
def a_constant(p: Params) -> bool:
    """Whether the first operand is a constant."""
    return isinstance(p.node.input(0), Constant)


@param
def b_constant(p: Params) -> bool:
    """Whether the second operand is a constant."""
    return isinstance(p.node.input(1), Constant)


@param
def b_elements(p: Params) -> int:
    """Elements of the second operand."""
    return prod(dims_of(p.node.input(1), "second operand"))


@param
def exponent(p: Params) -> float:
    """The exponent of a Pow by a constant of one element."""
    power = p.node.input(1)
    if not isinstance(power, Constant) or prod(power.shape) != 1:
        raise Unknown("the exponent is not one constant number")
    return float(power.values.reshape(-1)[0])


@param
def operand_channels(p: Params) -> Dims:
    """Dim 1 of every operand of rank 2 and more."""
    return tuple(size_of(t, 1) for t in _operands(p) if len(shape_of(t)) > 1)


@param
def broadcast_operands(p: Params) -> int:
    """How many operands are stretched by broadcasting."""
    return broadcast_sides(p["shapes"])


@param
def broadcast_batch(p: Params) -> bool:
    """Whether broadcasting stretches the first dim."""
    return bool(broadcast_kinds(p["shapes"])[:1] not in ([], [frozenset()]))


@param
def merged_rank_plain(p: Params) -> int:
    """Rank after merging neighbouring dims that no operand broadcasts."""
    return merged_rank(p["shapes"], whole=False)


@param
def merged_rank_whole(p: Params) -> int:
    """Rank after dropping dims of size 1 and merging neighbouring dims that broadcast alike."""
    return merged_rank(p["shapes"], whole=True)


@param
def rank_a(p: Params) -> int:
    """Rank of the first operand."""
    return int(p["rank"])


@param
def rank_b(p: Params) -> int:
    """Rank of the second operand."""
    return len(shape_of(p.node.input(1), "second operand"))


@param
def rows(p: Params) -> int:
    """M of a matrix product: rows of the first operand."""
    return size_of(_first(p), -2) if p["rank"] > 1 else 1


@param
def inner(p: Params) -> int:
    """K of a matrix product: the summed dim."""
    return size_of(_first(p), 0 if p.attr("transA", 0) else -1)


@param
def columns(p: Params) -> int:
    """N of a matrix product: columns of the second operand."""
    return int(p["weight_out_channels"]) if p["rank_b"] > 1 else 1


@param
def batch_dims(p: Params) -> Dims:
    """Batch dims of both operands of a matrix product."""
    return tuple(size for shape in p["shapes"][:2] for size in shape[:-2])


@param
def batch_broadcast_ok(p: Params) -> bool:
    """Whether the batch dims of a matrix product broadcast as the bayes marches allow."""
    left, right = aligned(p["shapes"][:2])
    return matmul_batch_ok(left, right)


@param
def indices_constant(p: Params) -> bool:
    """Whether the indices of a Gather are a constant."""
    return bool(p["b_constant"])


@param
def indices_dtype(p: Params) -> str:
    """Element type of the indices of a Gather."""
    found = p.node.input(1)
    if found is None or found.dtype is None:
        raise Unknown("the type of the indices is not known")
    return str(found.dtype)


@param
def indices_fit(p: Params) -> bool:
    """Whether indices are no larger than the data along every axis but ``axis``."""
    sizes = zip(p["shapes"][1], p["shapes"][0], strict=True)
    return all(a <= b for i, (a, b) in enumerate(sizes) if i != p["axis"])


# --- neighbours -----------------------------------------------------------------------------------------------


@param
def feeds_shortcut_add(p: Params) -> bool:
    """Whether the output goes into an Add of two computed values."""
    adds = (c for c in p.node.outputs[0].consumers if c.op == "Add")
    return any(not any(isinstance(t, Constant) for t in add.inputs) for add in adds)


@param
def feeds_nothing(p: Params) -> bool:
    """Whether only the graph's output reads the first output."""
    return not p.node.outputs[0].consumers


# --- work -----------------------------------------------------------------------------------------------------


def macs(node: Node) -> int:
    """Multiply-accumulates of one run; 0 for operators without, and where the dims are symbolic.

    >>> macs(Node("Relu"))
    0
    """
    count = _MACS.get(node.op)
    if count is None or not node.is_onnx:
        return 0
    try:
        return count(Params(node, 0))
    except Unknown:
        return 0


def _conv_macs(p: Params) -> int:
    return int(p["bytes_out"]) * int(p["kernel_volume"])


def _transpose_macs(p: Params) -> int:
    return int(p["bytes_in"]) * prod(p["kernel"]) * int(p["out_channels_per_group"])


def _matrix_macs(p: Params) -> int:
    return int(p["bytes_out"]) * int(p["inner"])


_MACS = {"Conv": _conv_macs, "ConvTranspose": _transpose_macs, "Gemm": _matrix_macs, "MatMul": _matrix_macs}
