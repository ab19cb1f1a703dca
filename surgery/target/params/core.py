"""Named parameters of a node: what the limits of a chip are written in.

Each is a small pure function of :class:`Params`, registered under its own name, computed when first asked for
and kept. Dims are read in NCHW order. A parameter that depends on something unknown (a symbolic dim, a shape
nobody inferred, an operand known at run time only) raises :class:`Unknown` with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeAlias

from surgery.ir.graph import Constant, Node, Tensor
from surgery.target.shapes import Dims


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


Form: TypeAlias = Hashable
Param: TypeAlias = Callable[[Params], Any]
PARAMS: dict[str, Param] = {}
"""Every parameter by name."""


AROUND: list[str] = []
"""The parameters that read more of a node than its :func:`form`."""


def param(function: Param) -> Param:
    """Register a function as the parameter of its own name; it reads the node's :func:`form`, and other parameters."""
    PARAMS[function.__name__] = function
    return function


def around(function: Param) -> Param:
    """As :func:`param`, for one that reads what constants hold, or the nodes and the graph around."""
    AROUND.append(function.__name__)
    return param(function)


def form(p: Params) -> Form:
    """What a node is by itself: operator, attributes, and type and shape of what it reads and computes."""
    node = p.node
    inputs, outputs = tuple(map(_type, node.inputs)), tuple(map(_type, node.outputs))
    return node.op, p.opset, repr(node.attrs) if node.attrs else "", inputs, outputs


def _type(tensor: Tensor) -> Hashable:
    return tensor.dtype, tensor.shape, isinstance(tensor, Constant), not tensor.name


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


def first_input(p: Params) -> Tensor:
    """The first input; Unknown when there is none."""
    found = p.node.input(0)
    if found is None:
        raise Unknown("there is no first input")
    return found


def first_output(p: Params) -> Tensor:
    """The first output."""
    return p.node.outputs[0]
