"""Where a limit truly is: the size that parts its two sides is doubled until it is beyond, then bisected."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edge_families import family
from edge_nodes import Edge
from edge_specs import Spec

DOUBLINGS = 6


def sizes(edge: Edge) -> Callable[[int], Spec] | None:
    """The node outside with another number for the knob that parts the sides; None where that is no number."""
    if edge.knob is None:
        return None
    made, knob = family(edge.outside.op), edge.knob
    return lambda number: made.make(edge.outside.op, {**edge.knobs, knob: number})


def bisected(edge: Edge, device: Callable[[Spec], str]) -> Iterator[tuple[int, str]]:
    """Numbers that were tried and the device each had, the last two of them beside the true limit."""
    make, knob = sizes(edge), edge.knob
    if make is None or knob is None:
        return
    good = bad = int(edge.knobs[knob])
    for _ in range(DOUBLINGS):
        found = device(make(bad))
        yield bad, found
        if found != "bpu":
            break
        good, bad = bad, 2 * bad
    else:
        return
    while bad - good > 1:
        middle = (good + bad) // 2
        found = device(make(middle))
        yield middle, found
        good, bad = (middle, bad) if found == "bpu" else (good, middle)
