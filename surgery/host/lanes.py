"""Operators along axes: reductions, Softmax, the largest elements."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import NamedTuple

from surgery.host.emitter import Emitter
from surgery.host.loops import loop
from surgery.host.step import Sizes, Slot, Step
from surgery.ir import ops

SOFTMAX_ALONG_AXIS = 13
"""Opset from which Softmax works along one axis; before, along all from its axis on."""


class Lane(NamedTuple):
    """How a tensor falls into lanes: ``outer * inner`` of length ``n``."""

    outer: int
    n: int
    inner: int

    def cpp(self, body: list[str]) -> list[str]:
        """C++ that runs ``body`` for each lane: its first element is at ``at``, its number ``lane``."""
        inside = [f"    {line}" for line in body]
        return [f"lanes({self.outer}, {self.n}, {self.inner}, [&](I at, I lane) {{", *inside, "});"]


def lane_of(slot: Slot, axis: int) -> Lane:
    """The lanes along one axis."""
    return Lane(prod(slot.shape[:axis]), slot.shape[axis], prod(slot.shape[axis + 1 :]))


def _softmax_lane(step: Step) -> Lane:
    if step.opset >= SOFTMAX_ALONG_AXIS:
        return lane_of(step.x, step.axis(-1))
    axis = step.axis(1)
    return Lane(prod(step.x.shape[:axis]), prod(step.x.shape[axis:]), 1)


def _softmax_text(step: Step) -> list[str]:
    """In the shape of the lanes, so that one axis serves every opset."""
    x, y, log = step.x.id, step.y.id, step.node.op == "LogSoftmax"
    lines = [
        f"{y} = {x}.reshape({tuple(_softmax_lane(step))})",
        f"{y} = {y} - np.max({y}, axis=1, keepdims=True)",
    ]
    if log:
        lines.append(f"{y} = {y} - np.log(np.sum(np.exp({y}), axis=1, keepdims=True))")
    else:
        lines += [f"{y} = np.exp({y})", f"{y} = {y} / np.sum({y}, axis=1, keepdims=True)"]
    return [*lines, f"{y} = {y}.reshape({step.y.shape})"]


def _softmax(step: Step) -> list[str]:
    x, y, kind, lane = step.x.id, step.y.id, step.y.cpp, _softmax_lane(step)
    walk = f"for (I i = 0, p = at; i < {lane.n}; ++i, p += {lane.inner})"
    head = [f"{kind} top = {x}[at], sum = 0;", f"{walk} top = std::max(top, {x}[p]);"]
    if step.node.op == "LogSoftmax":
        tail = [
            f"{walk} sum += std::exp({x}[p] - top);",
            "sum = std::log(sum);",
            f"{walk} {y}[p] = {x}[p] - top - sum;",
        ]
    else:
        tail = [f"{walk} sum += {y}[p] = std::exp({x}[p] - top);", f"{walk} {y}[p] /= sum;"]
    return lane.cpp([*head, *tail, "(void)lane;"])


def _axes(step: Step) -> tuple[int, ...]:
    axes = ops.axes(step.node)
    if axes is None and step.given(1) is not None:
        axes = [int(axis) for axis in step.constant(1).tolist()]
    if not axes and step.node.attrs.get("noop_with_empty_axes", 0):
        step.refuse("it reduces no axis, it must reduce one")
    rank = len(step.x.shape)
    return tuple(sorted(axis % rank for axis in axes or range(rank)))


def _reduction(name: str, start: str, body: str, finish: str = "") -> Emitter:
    """A reduction: ``body`` takes ``{x}`` into ``{y}``, which begins with ``start``."""

    def python(step: Step) -> list[str]:
        keep = bool(step.node.attrs.get("keepdims", 1))
        return [f"{step.y.id} = np.{name}({step.x.id}, axis={_axes(step)}, keepdims={keep}, dtype={step.y.numpy})"]

    def extreme(step: Step) -> list[str]:
        return [python(step)[0].replace(f", dtype={step.y.numpy}", "")]

    def cpp(step: Step) -> list[str]:
        x, y = step.x, step.y
        axes = _axes(step)
        count = prod(x.shape[axis] for axis in axes)
        kept = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
        write = tuple(0 if axis in axes else prod(kept[axis + 1 :]) for axis in range(len(kept)))
        text = body.format(x=f"{x.id}[at[0]]", y=f"{y.id}[at[1]]", T=y.cpp)
        lines = [f"std::fill_n({y.id}, {y.size}, {start.format(T=y.cpp)});", *loop(x.shape, [x.strides, write], text)]
        return [*lines, finish.format(y=y.id, size=y.size, n=count)] if finish else lines

    return Emitter(extreme if name in ("max", "min") else python, cpp)


def _arg(step: Step) -> tuple[int, Lane]:
    if step.node.attrs.get("select_last_index", 0):
        step.refuse("it selects the last of equals, it must select the first")
    axis = step.axis(0)
    return axis, lane_of(step.x, axis)


def _arg_emitter(function: str, sign: str) -> Emitter:
    def python(step: Step) -> list[str]:
        axis, _ = _arg(step)
        return [f"{step.y.id} = np.{function}({step.x.id}, axis={axis}).astype(np.int64).reshape({step.y.shape})"]

    def cpp(step: Step) -> list[str]:
        _, lane = _arg(step)
        x = step.x.id
        better = f"{x}[at + i * {lane.inner}] {sign} {x}[at + best * {lane.inner}]"
        search = f"for (I i = 1; i < {lane.n}; ++i) if ({better}) best = i;"
        return lane.cpp(["I best = 0;", search, f"{step.y.id}[lane] = best;"])

    return Emitter(python, cpp)


class _Top(NamedTuple):
    axis: int
    lane: Lane
    k: int
    largest: bool


def _top(step: Step) -> _Top:
    if step.x.dtype.kind != "f":
        step.refuse(f"its input is {step.x.dtype}, it must be a float")
    axis, attrs = step.axis(-1), step.node.attrs
    shape: Sizes = next(slot.shape for slot in step.outs if slot is not None)
    return _Top(axis, lane_of(step.x, axis), shape[axis], bool(attrs.get("largest", 1)))


def _top_text(step: Step) -> list[str]:
    """Equals in the order they have; what is not sorted may be."""
    top, x = _top(step), step.x.id
    values, places = (slot.id if slot else "" for slot in (*step.outs, None)[:2])
    order = places or f"{values}_places"
    before = ":, " * top.axis
    sign = "-" if top.largest else ""
    lines = [f'{order} = np.argsort({sign}{x}, axis={top.axis}, kind="stable")[{before}:{top.k}]']
    return [*lines, f"{values} = np.take_along_axis({x}, {order}, axis={top.axis})"] if values else lines


def _top_cpp(step: Step) -> list[str]:
    top, x = _top(step), step.x.id
    lane = top.lane
    element = f"{x}[at + {{}} * {lane.inner}]"
    sign = ">" if top.largest else "<"
    a, b = element.format("a"), element.format("b")
    first = f"lane / {lane.inner} * {top.k * lane.inner} + lane % {lane.inner}"
    body = [
        f"std::vector<I> order({lane.n});",
        "for (std::size_t i = 0; i < order.size(); ++i) order[i] = I(i);",
        f"std::partial_sort(order.begin(), order.begin() + {top.k}, order.end(),",
        f"    [&](I a, I b) {{ return {a} {sign} {b} || ({a} == {b} && a < b); }});",
    ]
    for slot, value in zip(step.outs, (element.format("order[i]"), "order[i]"), strict=False):
        if slot is not None:
            body.append(f"for (I i = 0, p = {first}; i < {top.k}; ++i, p += {lane.inner}) {slot.id}[p] = {value};")
    return lane.cpp(body)


_MEAN = "for (I i = 0; i < {size}; ++i) {y}[i] /= {n};"

LANES: Mapping[str, Emitter] = {
    "ArgMax": _arg_emitter("argmax", ">"),
    "ArgMin": _arg_emitter("argmin", "<"),
    "LogSoftmax": Emitter(_softmax_text, _softmax),
    "ReduceMax": _reduction("max", "std::numeric_limits<{T}>::lowest()", "{y} = std::max({y}, {x});"),
    "ReduceMean": _reduction("mean", "{T}(0)", "{y} += {x};", _MEAN),
    "ReduceMin": _reduction("min", "std::numeric_limits<{T}>::max()", "{y} = std::min({y}, {x});"),
    "ReduceProd": _reduction("prod", "{T}(1)", "{y} *= {x};"),
    "ReduceSum": _reduction("sum", "{T}(0)", "{y} += {x};"),
    "Softmax": Emitter(_softmax_text, _softmax),
    "TopK": Emitter(_top_text, _top_cpp),
}
"""Emitters of what looks at more than one element along an axis."""
