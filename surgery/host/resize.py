"""Resize by nearest and linear interpolation: along one axis after the other, places and weights known beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import prod
from typing import NamedTuple

import numpy as np

from surgery.drift.metrics import Array
from surgery.host.emitter import Emitter
from surgery.host.step import Sizes, Step

ROUNDS: Mapping[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}
"""How nearest picks a place, by ``nearest_mode``."""


class Pass(NamedTuple):
    """One axis: the two places that every output lies between, and the weight of the second (None for nearest)."""

    axis: int
    size: int
    low: Array
    high: Array
    weight: Array | None


def _passes(step: Step) -> list[Pass]:
    """The axes whose size changes; refuses what is neither nearest nor linear, or looks outside."""
    attrs, x, y = step.node.attrs, step.x, step.y
    mode = attrs.get("mode", "nearest")
    nearest = attrs.get("nearest_mode", "round_prefer_floor")
    if nearest not in ROUNDS:
        step.refuse(f"nearest_mode is {nearest}, it must be one of {', '.join(ROUNDS)}")
    odd = [
        n for n in ("antialias", "exclude_outside", "keep_aspect_ratio_policy") if attrs.get(n, 0) not in (0, "stretch")
    ]
    if mode not in {"nearest", "linear"} or odd or "axes" in attrs or len(x.shape) != len(y.shape):
        step.refuse(f"mode is {mode}{f' with {odd[0]}' if odd else ''}, it must be nearest or linear, of all axes")
    given = step.given(2)
    scales = None if given is None or given.values is None or not given.size else given.values.reshape(-1)
    found = []
    for axis, (size, out) in enumerate(zip(x.shape, y.shape, strict=True)):
        scale = out / size if scales is None else float(scales[axis])
        if size != out or scale != 1.0:
            found.append(_pass(step, axis, size, out, scale, linear=mode == "linear"))
    return found


def _pass(step: Step, axis: int, size: int, out: int, scale: float, *, linear: bool) -> Pass:
    places = _coordinates(step, size, out, scale)
    if not linear:
        name = step.node.attrs.get("nearest_mode", "round_prefer_floor")
        nearest = np.clip(ROUNDS[name](places), 0, size - 1).astype(np.int64)
        return Pass(axis, out, nearest, nearest, None)
    places = np.clip(places, 0, size - 1)
    low = np.floor(places).astype(np.int64)
    return Pass(axis, out, low, np.minimum(low + 1, size - 1), (places - low).astype(np.float32))


def _coordinates(step: Step, size: int, out: int, scale: float) -> Array:
    """Where in the input every output lies, in float32 as onnxruntime has it."""
    mode, x = step.node.attrs.get("coordinate_transformation_mode", "half_pixel"), np.arange(out, dtype=np.float32)
    if mode == "half_pixel" or (mode == "pytorch_half_pixel" and out > 1):
        return (x + np.float32(0.5)) / np.float32(scale) - np.float32(0.5)
    if mode == "pytorch_half_pixel":
        return x * 0
    if mode == "asymmetric":
        return x / np.float32(scale)
    if mode == "align_corners":
        return x * np.float32(size - 1) / np.float32(out - 1) if out > 1 else x * 0
    return step.refuse(f"coordinate_transformation_mode is {mode}, it must be one without a region")


def _python(step: Step) -> list[str]:
    y, lines = step.y.id, [f"{step.y.id} = {step.x.id}"]
    for axis, size, low, high, weight in _passes(step):
        if weight is None:
            lines.append(f"{y} = np.take({y}, {low.tolist()}, axis={axis})")
            continue
        shape = (size, *[1] * (len(step.y.shape) - axis - 1))
        first, second = (f"np.take({y}, {places.tolist()}, axis={axis})" for places in (low, high))
        lines.append(f"{y}_w = np.array({[float(w) for w in weight]}, {step.y.numpy}).reshape({shape})")
        lines.append(f"{y} = {first} * (1 - {y}_w) + {second} * {y}_w")
    return lines


def _cpp(step: Step) -> list[str]:
    source, shape, lines = step.x.id, step.x.shape, ["{"]
    passes = _passes(step)
    for number, one in enumerate(passes):
        last = number == len(passes) - 1
        shape_out = (*shape[: one.axis], one.size, *shape[one.axis + 1 :])
        target = step.y.id if last else f"stage{number}"
        if not last:
            lines.append(f"    std::vector<{step.y.cpp}> stage{number}({prod(shape_out)});")
        lines += [f"    {line}" for line in _along(step, one, shape, source, target)]
        source, shape = target, shape_out
    if not passes:
        lines.append(f"    std::copy_n({source}, {step.y.size}, {step.y.id});")
    return [*lines, "}"]


def _along(step: Step, one: Pass, shape: Sizes, source: str, target: str) -> Iterator[str]:
    """C++ for one axis of a tensor of ``shape``."""
    outer, inner, kind = prod(shape[: one.axis]), prod(shape[one.axis + 1 :]), step.y.cpp
    yield "{"
    yield f"    static constexpr I low[{one.size}] = {{{', '.join(map(str, one.low.tolist()))}}};"
    if one.weight is not None:
        yield f"    static constexpr I high[{one.size}] = {{{', '.join(map(str, one.high.tolist()))}}};"
        numbers = ", ".join(f"{kind}({float(w).hex()})" for w in one.weight)
        yield f"    static constexpr {kind} weight[{one.size}] = {{{numbers}}};"
    yield f"    for (I o = 0; o < {outer}; ++o)"
    yield f"        for (I j = 0; j < {one.size}; ++j)"
    yield f"            for (I i = 0; i < {inner}; ++i) {{"
    first = f"{source}[(o * {shape[one.axis]} + low[j]) * {inner} + i]"
    if one.weight is None:
        yield f"                {target}[(o * {one.size} + j) * {inner} + i] = {first};"
    else:
        second = f"{source}[(o * {shape[one.axis]} + high[j]) * {inner} + i]"
        value = f"{first} * ({kind}(1) - weight[j]) + {second} * weight[j]"
        yield f"                {target}[(o * {one.size} + j) * {inner} + i] = {value};"
    yield from ("            }", "}")


RESIZE = {"Resize": Emitter(_python, _cpp)}
"""The emitter of Resize."""
