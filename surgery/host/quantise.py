"""QuantizeLinear and DequantizeLinear, per tensor and per channel."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from surgery.host.emitter import Emitter
from surgery.host.loops import loop, spread
from surgery.host.step import Sizes, Slot, Step


def parameter_shape(step: Step, slot: Slot) -> Sizes:
    """The shape in which a scale or zero point is broadcast over the tensor.

    Raises:
        NoEmitter: it is neither one number nor one per element of the axis, or the zero points are not of the
            scales' number.
    """
    x, axis = step.x, step.axis(1)
    if slot.size == 1:
        return (1,) * len(x.shape)
    if step.node.attrs.get("block_size") or slot.shape != (x.shape[axis],):
        sizes, count = "x".join(map(str, slot.shape)), x.shape[axis]
        step.refuse(f"{slot.name!r} is {sizes}, it must be one number or {count}, one per element of axis {axis}")
    return tuple(size if at == axis else 1 for at, size in enumerate(x.shape))


def _parameters(step: Step) -> list[tuple[Slot, Sizes]]:
    """Scale and zero point (where there is one) with the shapes they are broadcast in."""
    scale, zero = step.need(1), step.given(2)
    if zero is not None and zero.size != scale.size:
        step.refuse(f"{zero.size} zero points and {scale.size} scales, there must be as many of both")
    return [(slot, parameter_shape(step, slot)) for slot in (scale, zero) if slot is not None]


def _python(step: Step, one: str, with_zero: str) -> list[str]:
    names = [f"{slot.id}.reshape({shape})" for slot, shape in _parameters(step)]
    form = with_zero if len(names) > 1 else one
    info = np.iinfo(step.y.dtype) if step.y.dtype.kind in "iu" else None
    bounds = {"low": info.min, "high": info.max} if info else {}
    return [f"{step.y.id} = {form.format(step.x.id, *names, T=step.y.numpy, F=step.need(1).numpy, **bounds)}"]


def _cpp(step: Step, one: str, with_zero: str) -> list[str]:
    held = _parameters(step)
    elements = [f"{slot.id}[at[{i}]]" for i, slot in enumerate((step.x, *(slot for slot, _ in held)))]
    expression = (with_zero if len(held) > 1 else one).format(*elements, T=step.y.cpp, F=step.need(1).cpp)
    strides = [step.x.strides, *(spread(shape, step.y.shape) for _, shape in held), step.y.strides]
    return loop(step.y.shape, strides, f"{step.y.id}[at[{len(held) + 1}]] = {expression};")


def _quantise() -> Emitter:
    whole = "np.clip(np.rint({0} / {1}){z}, {low}, {high}).astype({T})"
    python = whole.replace("{z}", ""), whole.replace("{z}", " + {2}.astype({F})")
    cpp = "quantise<{T}>({0}, {1}, {F}(0))", "quantise<{T}>({0}, {1}, {F}({2}))"
    return Emitter(lambda step: _python(step, *python), lambda step: _cpp(step, *cpp))


def _dequantise() -> Emitter:
    python = "{0}.astype({F}) * {1}", "({0}.astype(np.int32) - {2}.astype(np.int32)).astype({F}) * {1}"
    cpp = "{F}({0}) * {1}", "{F}(std::int32_t({0}) - std::int32_t({2})) * {1}"
    return Emitter(lambda step: _python(step, *python), lambda step: _cpp(step, *cpp))


QUANTISE: Mapping[str, Emitter] = {"QuantizeLinear": _quantise(), "DequantizeLinear": _dequantise()}
"""Emitters between floats and integers."""
