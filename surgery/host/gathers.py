"""Operators that pick elements by computed or constant indices; a negative index counts from the end."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from surgery.host.emitter import Emitter
from surgery.host.lanes import lane_of
from surgery.host.loops import loop
from surgery.host.step import Step


def _wrapped(index: str, size: int) -> str:
    """An index as C++; out of range it is brought into range, so that no memory outside is read."""
    return f"inside({index}, {size})"


def _gather_text(step: Step) -> list[str]:
    x, indices = step.x, step.need(1)
    return [f"{step.y.id} = np.take({x.id}, {indices.id}, axis={step.axis(0)})"]


def _gather(step: Step) -> list[str]:
    x, indices, lane = step.x, step.need(1), lane_of(step.x, step.axis(0))
    shape = (lane.outer, indices.size, lane.inner)
    whole = lane.n * lane.inner
    strides = [(whole, 0, 1), (0, 1, 0), (indices.size * lane.inner, lane.inner, 1)]
    place = f"at[0] + {_wrapped(f'{indices.id}[at[1]]', lane.n)} * {lane.inner}"
    return loop(shape, strides, f"{step.y.id}[at[2]] = {x.id}[{place}];")


def _elements_text(step: Step) -> list[str]:
    x, indices, axis = step.x, step.need(1), step.axis(0)
    window = ", ".join(":" if at == axis else f":{size}" for at, size in enumerate(indices.shape))
    wrapped = f"np.where({indices.id} < 0, {indices.id} + {x.shape[axis]}, {indices.id})"
    return [f"{step.y.id} = np.take_along_axis({x.id}[{window}], {wrapped}, axis={axis})"]


def _elements(step: Step) -> list[str]:
    x, indices, axis = step.x, step.need(1), step.axis(0)
    read = tuple(0 if at == axis else stride for at, stride in enumerate(x.strides))
    place = f"at[0] + {_wrapped(f'{indices.id}[at[1]]', x.shape[axis])} * {x.strides[axis]}"
    strides = [read, indices.strides, indices.strides]
    return loop(indices.shape, strides, f"{step.y.id}[at[2]] = {x.id}[{place}];")


def _tuples(step: Step) -> tuple[int, int, int]:
    """Of GatherND and ScatterND: how many tuples, how long each, and how many elements each picks."""
    if step.node.attrs.get("batch_dims", 0):
        step.refuse(f"batch_dims is {step.node.attrs['batch_dims']}, it must be 0")
    indices = step.need(1)
    length = indices.shape[-1]
    return indices.size // length, length, prod(step.x.shape[length:])


def _nd_text(step: Step) -> list[str]:
    _tuples(step)
    return [f"{step.y.id} = {step.x.id}[tuple(np.moveaxis({step.need(1).id}, -1, 0))]"]


def _nd(step: Step) -> list[str]:
    count, length, run = _tuples(step)
    body = f"{step.y.id}[at[2]] = {step.x.id}[{_place(step, length)} + at[1]];"
    return _over_tuples(body, count, length, run)


def _over_tuples(body: str, count: int, length: int, run: int) -> list[str]:
    """``at`` is the tuple, the element it picks, and the place among all that are picked."""
    return loop((count, run), [(length, 0), (0, 1), (run, 1)], body)


def _place(step: Step, length: int) -> str:
    """Where in the first input the tuple at ``at[0]`` points, as C++."""
    x, indices = step.x, step.need(1)
    terms = (f"{_wrapped(f'{indices.id}[at[0] + {i}]', x.shape[i])} * {x.strides[i]}" for i in range(length))
    return " + ".join(terms)


def _scatter_text(step: Step) -> list[str]:
    _need_plain(step)
    y, indices = step.y.id, step.need(1).id
    return [f"{y} = np.array({step.x.id})", f"{y}[tuple(np.moveaxis({indices}, -1, 0))] = {step.need(2).id}"]


def _scatter(step: Step) -> list[str]:
    _need_plain(step)
    x, y, updates = step.x, step.y, step.need(2)
    count, length, run = _tuples(step)
    body = f"{y.id}[{_place(step, length)} + at[1]] = {updates.id}[at[2]];"
    return [f"std::copy_n({x.id}, {x.size}, {y.id});", *_over_tuples(body, count, length, run)]


def _need_plain(step: Step) -> None:
    if step.node.attrs.get("reduction", "none") != "none":
        step.refuse(f"reduction is {step.node.attrs['reduction']}, it must be none")


GATHERS: Mapping[str, Emitter] = {
    "Gather": Emitter(_gather_text, _gather, moves=True),
    "GatherElements": Emitter(_elements_text, _elements, moves=True),
    "GatherND": Emitter(_nd_text, _nd, moves=True),
    "ScatterND": Emitter(_scatter_text, _scatter, moves=True),
}
"""Emitters of what is picked, or put, by index."""
