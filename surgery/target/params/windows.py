"""Parameters of convolutions, pools and matrix products: kernels, strides, pads, channels."""

from __future__ import annotations

from math import prod

from surgery.ir.graph import Node
from surgery.target.params.core import PARAMS, Param, Params, Unknown, around, dims_of, first_input, param, size_of
from surgery.target.shapes import Dims


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


@around
def merged_pads(p: Params) -> Dims:
    """``pads`` with those of a Pad in front that the toolchain takes into the convolution."""
    own: Dims = p["pads"]
    maker = first_input(p).producer
    if maker is None or not joins_window(maker, p.node):
        return own
    before = Params(maker, p.opset)["pad_amounts"]
    rank = len(before) // 2
    spatial = (*before[2:rank], *before[rank + 2 :])
    return tuple(mine + added for mine, added in zip(own, spatial, strict=True))


@param
def uneven_pads(p: Params) -> bool:
    """Whether begin and end pads of a spatial axis differ, a Pad in front counted in."""
    flat = p["merged_pads"]
    half = len(flat) // 2
    return bool(flat[:half] != flat[half:])


def joins_window(pad: Node, reader: Node) -> bool:
    """Whether the toolchain takes ``pad`` into ``reader``, a convolution or mean: zeros at height and width alone.

    Raises Unknown where the pads are not known.
    """
    out = pad.outputs[0]
    if pad.op != "Pad" or reader.op not in ("Conv", "AveragePool") or len(out.outputs) != 1:
        return False
    if pad.graph is not None and pad.graph.is_output(out):
        return False
    params = Params(pad, 0)
    return params["mode"] == "constant" and set(params["padded_axes"]) <= {2, 3} and params["pad_value"] == 0.0


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


LARGEST_MAP = 7
"""Height and width up to which the toolchain makes a Gemm of a flattened map one convolution of the map (probed)."""


@around
def flattened(p: Params) -> Dims:
    """Channels and area of the map, of 7 by 7 at most, whose Flatten or Reshape feeds a Gemm; empty where none does."""
    maker = first_input(p).producer
    if p.node.op != "Gemm" or maker is None or maker.op not in ("Flatten", "Reshape"):
        return ()
    before = maker.inputs[0].shape
    if before is None or len(before) != 4 or not all(isinstance(d, int) for d in before[1:]):
        return ()
    sizes = tuple(d for d in before[1:] if isinstance(d, int))
    return sizes if prod(sizes) == p["inner"] and max(sizes[1:]) <= LARGEST_MAP else ()


@param
def in_channels(p: Params) -> int:
    """Input channels: dim 1 of the input; for Gemm and MatMul those of the convolution they become."""
    if p.node.op in ("Gemm", "MatMul"):
        return int(p["flattened"][0] if p["flattened"] else p["inner"])
    return size_of(first_input(p), 1)


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
    return int(prod(p["kernel"])) * int(p["in_channels_per_group"])


@param
def phase_kernel_volume(p: Params) -> int:
    """Elements of one phase filter of a ConvTranspose, which runs as stride_h x stride_w convolutions."""
    axes = zip(p["kernel"], p["pad"], p["stride"], strict=True)
    return int(prod((k - 1 + pad % s) // s + 1 for k, pad, s in axes)) * int(p["in_channels_per_group"])


@param
def ceil_mode(p: Params) -> int:
    """Whether a pool rounds its output size up."""
    return int(p.attr("ceil_mode", 0))


@around
def outputs(p: Params) -> int:
    """Outputs that something reads or the graph gives out."""
    graph = p.node.graph
    return sum(bool(o.consumers) or (graph is not None and graph.is_output(o)) for o in p.node.outputs)
