"""Matrix products: running sums, Gemm of two computed operands, and the simple ones among Einsum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from passes.substitute.arithmetic import pointwise
from passes.substitute.base import Substitution, floats, text, times
from surgery.ir import Constant, Node, Tensor, ops
from surgery.rewrite import Context, Mismatch, Rewriter, build, need

LONGEST = 512
"""The longest axis a running sum is made a product over: its matrix then takes 1 MiB."""


@dataclass(frozen=True)
class Running:
    """A running sum: over which axis, of which length, whether without the own element, whether from the end."""

    node: Node
    x: Tensor
    axis: int
    length: int
    exclusive: bool
    reverse: bool


class CumSum(Substitution[Running]):
    """``CumSum(x) -> MatMul(x, triangle of ones)`` along a short last axis; over channels a 1x1 convolution.

    The sums of each prefix, of finite numbers in another order. Another axis is turned to the end and back.
    """

    name, roots = "cumsum", frozenset({"CumSum"})

    def match(self, node: Node, ctx: Context) -> Running:
        """A constant axis, not longer than LONGEST."""
        x = floats(node)
        rank = need.rank(x, node)
        axis = int(need.constant(node, 1).reshape(())) % rank
        length = (x.shape or ())[axis]
        if not isinstance(length, int) or length > LONGEST:
            raise Mismatch(f"axis {axis} has the size {length}, it must be known and at most {LONGEST}", node)
        exclusive, reverse = (bool(ops.attr(node, name, 0)) for name in ("exclusive", "reverse"))
        return Running(node, x, axis, length, exclusive, reverse)

    def build(self, match: Running, rw: Rewriter) -> Tensor:
        """One node, or three."""
        matrix, rank = _triangle(match), match.x.rank or 0
        if match.axis == 1 and rank == 4:
            return pointwise(rw, match.x, rw.constant(matrix.T.reshape(*matrix.shape, 1, 1), like=match.x))
        perm = [a for a in range(rank) if a != match.axis] + [match.axis]
        total = rw.op("MatMul", _turned(rw, match.x, perm), rw.constant(matrix, like=match.x))
        return _turned(rw, total, np.argsort(perm).tolist())


def _triangle(match: Running) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Ones where element ``row`` is part of sum ``column``."""
    ones = np.ones((match.length, match.length))
    return np.tril(ones, -int(match.exclusive)) if match.reverse else np.triu(ones, int(match.exclusive))


def _turned(rw: Rewriter, x: Tensor, perm: list[int]) -> Tensor:
    return x if perm == sorted(perm) else build.transpose(rw, x, perm)


@dataclass(frozen=True)
class Product:
    """A Gemm: two matrices and what is added."""

    node: Node
    a: Tensor
    b: Tensor
    c: Tensor | None


class GemmAsMatMul(Substitution[Product]):
    """``Gemm(a, b, c) -> MatMul(a, b) * alpha + c * beta`` where b is computed; its definition."""

    name, roots = "gemm-as-matmul", frozenset({"Gemm"})
    cures = frozenset({"Gemm.b_constant"})

    def match(self, node: Node, ctx: Context) -> Product:
        """Float operands."""
        if isinstance(node.input(2), Constant):
            need.constant(node, 2)
        return Product(node, floats(node, 0), floats(node, 1), node.input(2))

    def build(self, match: Product, rw: Rewriter) -> Tensor:
        """A product, and what its attributes ask for."""
        node = match.node
        a, b = (_turned(rw, t, [1, 0] if ops.attr(node, n, 0) else [0, 1]) for t, n in _transposed(match))
        product = _times(rw, rw.op("MatMul", a, b), float(ops.attr(node, "alpha", 1.0)))
        if match.c is None:
            return product
        return rw.op("Add", product, _times(rw, match.c, float(ops.attr(node, "beta", 1.0))))


def _transposed(match: Product) -> tuple[tuple[Tensor, str], tuple[Tensor, str]]:
    return (match.a, "transA"), (match.b, "transB")


def _times(rw: Rewriter, x: Tensor, factor: float) -> Tensor:
    if factor == 1.0:
        return x
    return rw.constant(x.values * factor, like=x) if isinstance(x, Constant) else times(rw, x, factor)


@dataclass(frozen=True)
class Contraction:
    """An Einsum as a product: how to turn each operand, and the result, to ``batch rows columns``."""

    node: Node
    left: tuple[int, ...]
    right: tuple[int, ...]
    result: tuple[int, ...]


class Einsum(Substitution[Contraction]):
    """``Einsum<"bhid,bhjd->bhij">(a, b) -> MatMul(a, Transpose(b))``: two operands that share one summed letter.

    Letters that all three share are the batch; one letter each is left for rows and columns (for the rows
    several, where there is no batch). Its definition.
    """

    name, roots = "einsum", frozenset({"Einsum"})

    def match(self, node: Node, ctx: Context) -> Contraction:
        """Two float operands and an equation of that kind."""
        equation = text(node, "equation", "").replace(" ", "")
        for index in range(len(node.inputs)):
            floats(node, index)
        found = contraction(equation)
        if found is None:
            raise Mismatch(f"{equation!r} must be a product of two operands over one letter", node)
        return Contraction(node, *found)

    def build(self, match: Contraction, rw: Rewriter) -> Tensor:
        """A product, turned where the letters stand in another order."""
        a, b = match.node.inputs
        product = rw.op("MatMul", _turned(rw, a, list(match.left)), _turned(rw, b, list(match.right)))
        return _turned(rw, product, list(match.result))


def contraction(equation: str) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]] | None:
    """How to turn operands and result of an Einsum so that it is a MatMul; None where it is none.

    >>> contraction("bhid,bhjd->bhij")
    ((0, 1, 2, 3), (0, 1, 3, 2), (0, 1, 2, 3))
    """
    terms = equation.replace("->", ",").split(",")
    if "->" not in equation or len(terms) != 3 or any(not t.isalpha() or len(set(t)) != len(t) for t in terms):
        return None
    a, b, out = terms
    batch = [s for s in out if s in a and s in b]
    rows, columns = ([s for s in out if s in one and s not in other] for one, other in ((a, b), (b, a)))
    summed = [s for s in a if s in b and s not in out]
    if len(summed) != 1 or len(columns) != 1 or not rows or (batch and len(rows) > 1):
        return None
    if set(a) != {*batch, *rows, *summed} or set(b) != {*batch, *columns, *summed}:
        return None
    found = [*batch, *rows, *columns]
    turned = tuple(a.index(s) for s in [*batch, *rows, *summed]), tuple(b.index(s) for s in [*batch, *summed, *columns])
    return *turned, tuple(found.index(s) for s in out)
