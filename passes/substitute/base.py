"""What the substitutions share: their shape as rules, and the questions they ask before they fire."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from surgery.ir import Constant, Node, Tensor, Value, ops
from surgery.rewrite import Exactness, Mismatch, Purpose, Rewriter, Rule, need
from surgery.rewrite.pattern import TextRule, parse


class Found(Protocol):
    """What every match of a substitution knows."""

    @property
    def node(self) -> Node:
        """The node that is replaced."""


M = TypeVar("M", bound=Found)
LACKS = ("device", "kernel", "log", "opset", "unlisted")
"""The ways in which a march, or the vendor's log, says that the BPU has no kernel for an operator at all."""


@dataclass(frozen=True)
class Site:
    """A node, and its float operand."""

    node: Node
    x: Tensor


class Substitution(Rule[M]):
    """One operator written as others that compute the same.

    Attributes:
        limits: what it cures besides the lack of a kernel; names of limits, without the operator.
    """

    purpose, exactness = Purpose.LEGALISE, Exactness.ROUNDING
    limits: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "cures" not in vars(cls):
            cls.cures = ids(getattr(cls, "roots", frozenset()), (*LACKS, *cls.limits))

    @abstractmethod
    def build(self, match: M, rw: Rewriter) -> Tensor:
        """Make what stands for the first output."""

    def rewrite(self, match: M, rw: Rewriter) -> None:
        """Let the result of :meth:`build` stand for the first output; others are not read, or replaced by it."""
        rw.replace_value(match.node.outputs[0], self.build(match, rw))
        rw.remove(match.node)


class TextSubstitution(TextRule):
    """A substitution of one operator that text can say; the operands must be floats."""

    purpose, exactness = Purpose.LEGALISE, Exactness.ROUNDING

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.roots = frozenset({parse(cls.before).node[-1].op_type})
        cls.cures = ids(cls.roots, LACKS)

    def accept(self, bound: Any, node: Node, ctx: Any) -> Mismatch | None:
        """The first operand is of a float type."""
        need.dtype(node.inputs[0], node)
        return None


def ids(roots: frozenset[str], limits: Sequence[str]) -> frozenset[str]:
    """The ids of ``limits`` at each of ``roots``."""
    return frozenset(f"{op}.{limit}" for op in roots for limit in limits)


def floats(node: Node, index: int = 0) -> Tensor:
    """Operand ``index``, which must be there and of a float type."""
    tensor = need.present(node, index)
    need.dtype(tensor, node)
    return tensor


def text(node: Node, name: str, default: str) -> str:
    """A string attribute, or its default."""
    value = ops.attr(node, name, default)
    return value.decode() if isinstance(value, bytes) else str(value)


def wide(node: Node, index: int = 0) -> Tensor:
    """Operand ``index``, which must be float32 or wider, as for squares: those of float16 overflow beyond 255."""
    tensor = floats(node, index)
    assert tensor.dtype is not None
    if tensor.dtype.itemsize < 4:
        raise Mismatch(f"{tensor.name!r} is {tensor.dtype}, which overflows early here, it must be float32", node)
    return tensor


def one_output(node: Node, what: str) -> None:
    """Only the first output of ``node`` is there to be read; ``what`` names the others."""
    used = next((index for index in range(1, len(node.outputs)) if is_read(node, index)), None)
    if used is not None:
        raise Mismatch(f"{what} {node.outputs[used].name!r} is read, only the first output may be", node)


def is_read(node: Node, index: int) -> bool:
    """Whether output ``index`` of ``node`` is there, and read by a node or returned by its graph."""
    if index >= len(node.outputs) or not (value := node.outputs[index]).name:
        return False
    return bool(value.outputs) or (node.graph is not None and node.graph.is_output(value))


def reduced_axes(node: Node) -> tuple[int, ...]:
    """The axes of a reduction, from the front, in the order given; all of them when none are given."""
    rank = need.rank(node.inputs[0], node)
    found = ops.axes(node)
    if found:
        return tuple(found)
    if node.input(1) is not None and not isinstance(node.input(1), Constant):
        raise Mismatch(f"the axes {node.inputs[1].name!r} are computed, they must be constant", node)
    if ops.attr(node, "noop_with_empty_axes", 0):
        raise Mismatch("no axes are given and noop_with_empty_axes is set, so nothing is reduced", node)
    return tuple(range(rank))


def keeps_dims(node: Node) -> bool:
    """Whether a reduction keeps its axes with size 1."""
    return bool(ops.attr(node, "keepdims", 1))


def spread(array: np.ndarray[Any, Any], rank: int) -> np.ndarray[Any, Any]:
    """``array`` with ones put in front of its dims up to ``rank``.

    A constant of lower rank beside a rank-4 value crashes the vendor's compiler in some places.
    """
    return array.reshape((1,) * (rank - array.ndim) + array.shape)


def times(rw: Rewriter, x: Tensor, factor: float | np.ndarray[Any, Any]) -> Value:
    """``x * factor``."""
    return rw.op("Mul", x, rw.constant(factor, like=x))


def plus(rw: Rewriter, x: Tensor, term: float | np.ndarray[Any, Any]) -> Value:
    """``x + term``."""
    return rw.op("Add", x, rw.constant(term, like=x))


def added(rw: Rewriter, parts: Sequence[Tensor]) -> Tensor:
    """The sum of ``parts``, from left to right."""
    total = parts[0]
    for part in parts[1:]:
        total = rw.op("Add", total, part)
    return total


def squared(rw: Rewriter, x: Tensor) -> Value:
    """``x`` squared: as a power it is one lookup, which the witness finds faster than a product of x with itself."""
    return rw.op("Pow", x, rw.constant(2.0, like=x))
