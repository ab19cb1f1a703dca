"""Parameters of the first input and output, and of the neighbours."""

from __future__ import annotations

from math import prod

from surgery.ir.graph import Constant
from surgery.target.params.core import Params, around, dims_of, first_input, first_output, param, shape_of, size_of
from surgery.target.shapes import Dims


@param
def rank(p: Params) -> int:
    """Rank of the first input."""
    return len(shape_of(first_input(p)))


@param
def ranks(p: Params) -> Dims:
    """Ranks of everything computed that goes in and out (constants aside)."""
    data = [t for t in p.node.inputs if not t.is_empty() and not isinstance(t, Constant)]
    return tuple(len(shape_of(t)) for t in (*data, p.node.outputs[0]))


@param
def dims(p: Params) -> Dims:
    """Dims of the first input."""
    return dims_of(first_input(p))


@param
def output_dims(p: Params) -> Dims:
    """Dims of the first output."""
    return dims_of(first_output(p))


@param
def N(p: Params) -> int:  # noqa: N802
    """Batch of the first input."""
    return size_of(first_input(p), 0)


@param
def C(p: Params) -> int:  # noqa: N802
    """Channels (dim 1) of the first input, 1 below rank 2."""
    return size_of(first_input(p), 1) if p["rank"] > 1 else 1


@param
def D(p: Params) -> int:  # noqa: N802
    """Depth of the first input: the third dim from the end at rank 5, else 1."""
    return size_of(first_input(p), -3) if p["rank"] > 4 else 1


@param
def prime(p: Params) -> int:
    """The largest prime factor of the height and the width of the first input."""
    left, largest = int(p["H"]) * int(p["W"]), 1
    for factor in range(2, max(int(p["H"]), int(p["W"])) + 1):
        while left % factor == 0:
            left, largest = left // factor, factor
    return largest


@param
def H(p: Params) -> int:  # noqa: N802
    """Height of the first input, 1 below rank 4."""
    return size_of(first_input(p), -2) if p["rank"] > 3 else 1


@param
def W(p: Params) -> int:  # noqa: N802
    """Width of the first input, 1 below rank 3."""
    return size_of(first_input(p), -1) if p["rank"] > 2 else 1


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
    return size_of(first_input(p), 0 if p.attr("layout", 0) else 1)


@around
def feeds_shortcut_add(p: Params) -> bool:
    """Whether the output goes into an Add of two computed values."""
    adds = (c for c in p.node.outputs[0].consumers if c.op == "Add")
    return any(not any(isinstance(t, Constant) for t in add.inputs) for add in adds)


@around
def feeds_nothing(p: Params) -> bool:
    """Whether only the graph's output reads the first output."""
    return not p.node.outputs[0].consumers
