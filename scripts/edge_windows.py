"""Nodes with a window, and those that change the height and width of a map."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from edge_knobs import Knobs, Size, Values, need
from edge_specs import Computed, Shape, Spec, filled

AXES = ("d", "h", "w")


def _axes(k: Knobs) -> tuple[str, ...]:
    """Names of the spatial axes of a rank; those beyond three are called like the first."""
    spatial = k["rank"] - 2
    return (*("d",) * (spatial - 2), "h", "w")[-spatial:]


def _window(k: Knobs) -> tuple[Shape, Shape, Shape, Shape]:
    """Kernel, strides, dilations and pads: begins, then ends."""
    axes = _axes(k)
    kernel = tuple(k[f"kernel_{a}"] if a == axes[0] or a != "d" else 1 for a in axes)
    strides, dilations, begins = (
        tuple(k.get(f"{name}_{a}", default) for a in axes)
        for name, default in (("stride", 1), ("dilation", 1), ("pad", 0))
    )
    ends = tuple(pad + k["uneven"] for pad in begins)
    return kernel, strides, dilations, begins + ends


def _sizes(k: Knobs, reach: Shape, pads: Shape) -> Shape:
    """Sizes of the input per spatial axis, at least what the window reaches over."""
    half = len(reach)
    sizes = [k[name] for name in (*"D" * (half - 2), "H", "W")[-half:]]
    return tuple(
        max(size, r - pads[i] - pads[i + half], 1) for i, (size, r) in enumerate(zip(sizes, reach, strict=True))
    )


def convolution(op: str, k: Knobs) -> Spec:
    """A convolution whose input is as large as its kernel needs."""
    kernel, strides, dilations, pads = _window(k)
    need(k["cin"] % k["group"] == 0 and k["cout"] % k["group"] == 0)
    reach = tuple((n - 1) * d + 1 for n, d in zip(kernel, dilations, strict=True))
    sizes = _sizes(k, reach, pads)
    half = len(sizes)
    out = tuple((sizes[i] + pads[i] + pads[i + half] - reach[i]) // strides[i] + 1 for i in range(half))
    attrs: dict[str, Any] = {"kernel_shape": list(kernel), "strides": list(strides), "pads": list(pads)}
    attrs["group"] = k["group"]
    if k["written"] or max(dilations) > 1:
        attrs["dilations"] = list(dilations)
    taps = (k["cout"], k["cin"] // k["group"], *kernel)
    weight = Computed(taps) if k["computed"] else filled(*taps)
    data = Computed((k["N"], k["cin"], *sizes))
    return Spec(op, (data, weight), ((k["N"], k["cout"], *out),), attrs, reader=k["reader"])


def transposed(op: str, k: Knobs) -> Spec:
    """A transposed convolution."""
    kernel, strides, dilations, pads = _window(k)
    need(k["cin"] % k["group"] == 0 and k["cout"] % k["group"] == 0)
    half = len(kernel)
    more = (*(0,) * (half - 1), k["output_padding"])
    need(more[-1] < max(strides[-1], dilations[-1]))
    sizes = tuple(k[name] for name in (*"D" * (half - 2), "H", "W")[-half:])
    out = tuple(
        (sizes[i] - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 + more[i] - pads[i] - pads[i + half]
        for i in range(half)
    )
    need(min(out) > 0)
    attrs = {"kernel_shape": list(kernel), "strides": list(strides), "pads": list(pads), "group": k["group"],
             "dilations": list(dilations), "output_padding": list(more)}  # fmt: skip
    weight = filled(k["cin"], k["cout"] // k["group"], *kernel)
    return Spec(op, (Computed((k["N"], k["cin"], *sizes)), weight), ((k["N"], k["cout"], *out),), attrs)


def pool(op: str, k: Knobs) -> Spec:
    """A pool; pads are smaller than the kernel, or it would pool nothing."""
    kernel, strides, dilations, pads = _window(k)
    half = len(kernel)
    need(all(pads[i] < kernel[i % half] for i in range(2 * half)))
    reach = tuple((n - 1) * d + 1 for n, d in zip(kernel, dilations, strict=True))
    sizes = _sizes({**k, "D": 8}, reach, pads)
    out = tuple((sizes[i] + pads[i] + pads[i + half] - reach[i]) // strides[i] + 1 for i in range(half))
    shape = (k["N"], k["C"], *out)
    attrs: dict[str, Any] = {"kernel_shape": list(kernel), "strides": list(strides), "pads": list(pads)}
    if max(dilations) > 1:
        need(op == "MaxPool")
        attrs["dilations"] = list(dilations)
    need(k["results"] == 1 or op == "MaxPool")
    return Spec(op, (Computed((k["N"], k["C"], *sizes)),), (shape,) * k["results"], attrs, read=k["results"])


def resize(op: str, k: Knobs) -> Spec:
    """Resize and Upsample by scales per axis."""
    rank = k["rank"]
    shape = (k["N"], k["C"], *(8,) * max(rank - 4, 0), *((k["W"],) if rank == 3 else (k["H"], k["W"])))
    factors = (
        1,
        k["scale_c"],
        *(1,) * max(rank - 4, 0),
        *((k["scale_w"],) if rank == 3 else (k["scale_h"], k["scale_w"])),
    )
    scales = np.array(factors, np.float32)
    out = tuple(int(size * factor) for size, factor in zip(shape, factors, strict=True))
    need(prod(out) > 0)
    if op == "Upsample":
        return Spec(op, (Computed(shape), scales), (out,), {"mode": k["mode"]}, opset=9)
    attrs = {"mode": k["mode"], "coordinate_transformation_mode": k["coordinates"]}
    if k["mode"] == "nearest":
        attrs["nearest_mode"] = "floor"
    region: Any = Computed((2 * rank,)) if k["region"] == "computed" else np.zeros(0, np.float32)
    if k["coordinates"] == "tf_crop_and_resize" and k["region"] == "constant":
        region = np.array([0] * rank + [1] * rank, np.float32)
    return Spec(op, (Computed(shape), region, scales), (out,), attrs)


def _per_axis(name: str, values: Values) -> dict[str, Values]:
    return {f"{name}_{axis}": values for axis in AXES}


CONVOLUTION: dict[str, Values] = {
    "rank": (4, 3, 5, 11), "N": Size(1), "cin": Size(8), "cout": Size(8), "D": Size(8), "H": Size(16), "W": Size(16),
    **_per_axis("kernel", Size(3)), **_per_axis("stride", Size(1)), **_per_axis("dilation", Size(1)),
    "kernel_d": Size(1), **_per_axis("pad", Size(1, 0)), "pad_d": Size(0, 0), "uneven": (0, 1), "group": (1, 2, 8),
    "written": (True, False), "computed": (False, True),
    "reader": ("any", "", "add"),
}  # fmt: skip
TRANSPOSED: dict[str, Values] = {
    "rank": (4, 3, 5, 11), "N": Size(1), "cin": Size(8), "cout": Size(8), "D": Size(4), "H": Size(8), "W": Size(8),
    **_per_axis("kernel", Size(4)), **_per_axis("stride", Size(2)), **_per_axis("dilation", Size(1)),
    **_per_axis("pad", Size(0, 0)), "uneven": (0, 1), "group": (1, 2, 8), "output_padding": (0, 1, 2),
}  # fmt: skip
POOL: dict[str, Values] = {
    "rank": (4, 3, 5, 11), "N": Size(1), "C": Size(8), "H": Size(16), "W": Size(16),
    **_per_axis("kernel", Size(2)), **_per_axis("stride", Size(2)), **_per_axis("dilation", Size(1)),
    **_per_axis("pad", Size(0, 0)), "uneven": (0,), "results": (1, 2),
}  # fmt: skip
UPSAMPLE: dict[str, Values] = {
    "rank": (4, 3, 5, 11), "N": Size(1), "C": Size(8), "H": Size(8), "W": Size(8), "mode": ("nearest", "linear"),
    "scale_c": (1, 2), "scale_h": (2, 1, 3, 4), "scale_w": (2, 1, 3, 4),
}  # fmt: skip
RESIZE: dict[str, Values] = {
    **UPSAMPLE, "mode": ("nearest", "linear", "cubic"), "region": ("none", "constant", "computed"),
    "coordinates": ("asymmetric", "half_pixel", "pytorch_half_pixel", "align_corners", "tf_crop_and_resize",
                    "tf_half_pixel_for_nn"),
}  # fmt: skip
