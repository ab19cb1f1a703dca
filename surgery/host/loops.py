"""The one loop of the C++ header: every place of a shape, with the offset of each tensor at it."""

from __future__ import annotations

from collections.abc import Sequence

from surgery.host.step import Sizes


def loop(shape: Sizes, strides: Sequence[Sizes], body: str, starts: Sequence[int] = ()) -> list[str]:
    """C++ statements that run ``body`` at every place of ``shape``.

    In ``body``, ``at[i]`` is the offset of tensor ``i``: the sum of index times stride, plus its start.
    """
    shape, strides = merged(shape, strides)
    rows = ", ".join(f"{{{_list(row)}}}" for row in strides)
    first = _list(starts or [0] * len(strides))
    return [
        "{",
        f"    static constexpr I shape[{len(shape)}] = {{{_list(shape)}}};",
        f"    static constexpr I strides[{len(strides)}][{len(shape)}] = {{{rows}}};",
        f"    I begin[{len(strides)}] = {{{first}}};",
        f"    each(shape, strides, begin, [&](const I* at) {{ {body} }});",
        "}",
    ]


def merged(shape: Sizes, strides: Sequence[Sizes]) -> tuple[Sizes, list[Sizes]]:
    """The same loop over fewer axes: those of size 1 left out, neighbours that every tensor walks through joined.

    >>> merged((2, 1, 3, 4), [(12, 12, 4, 1), (1, 2, 2, 6)])
    ((2, 3, 4), [(12, 4, 1), (1, 2, 6)])
    >>> merged((2, 3, 4), [(12, 4, 1), (0, 0, 0)])
    ((24,), [(1,), (0,)])
    """
    kept: list[tuple[int, Sizes]] = []
    for axis, size in enumerate(shape):
        steps = tuple(row[axis] for row in strides)
        if size == 1:
            continue
        if kept and kept[-1][1] == tuple(step * size for step in steps):
            kept[-1] = (kept[-1][0] * size, steps)
        else:
            kept.append((size, steps))
    kept = kept or [(1, (0,) * len(strides))]
    return tuple(size for size, _ in kept), [tuple(steps[i] for _, steps in kept) for i in range(len(strides))]


def spread(shape: Sizes, out: Sizes) -> Sizes:
    """The strides with which a tensor of ``shape`` is read at the places of ``out``, as ONNX broadcasts it.

    >>> spread((3, 1), (2, 3, 4))
    (0, 1, 0)
    """
    strides, step = list[int](), 1
    for size in reversed(shape):
        strides.append(0 if size == 1 else step)
        step *= size
    return (0,) * (len(out) - len(shape)) + tuple(reversed(strides))


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
