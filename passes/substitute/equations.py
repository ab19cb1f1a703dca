"""Einsum of any number of operands: sums, products and turns of one pair after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from string import ascii_letters

from passes.substitute.base import Substitution, floats, text
from surgery.ir import Node, Tensor
from surgery.ir.graph import Dim
from surgery.rewrite import Context, Mismatch, Rewriter, build, need

Sizes = dict[str, Dim]


@dataclass(frozen=True)
class Equation:
    """An Einsum: one letter per axis of each operand and of the result, and the size of each letter."""

    node: Node
    terms: tuple[str, ...]
    result: str
    sizes: Sizes


@dataclass(frozen=True)
class Part:
    """A value whose axes are ``letters``."""

    value: Tensor
    letters: str


class EinsumByPairs(Substitution[Equation]):
    """``Einsum<"ij,jk,kl->il">(a, b, c) -> MatMul(MatMul(a, b), c)``: its definition, from the left, pair by pair.

    Letters that are not needed any more are summed in one operand or by the product. Each pair is brought into
    the form ``batch... rows summed`` times ``batch... summed columns`` by Transpose and Reshape.
    """

    name, roots = "einsum-by-pairs", frozenset({"Einsum"})

    def match(self, node: Node, ctx: Context) -> Equation:
        """Float operands of known rank, no letter twice in one, at most one letter of unknown size."""
        ranks = [need.rank(floats(node, i), node) for i in range(len(node.inputs))]
        equation = text(node, "equation", "")
        terms, result = spelled(equation, ranks)
        for term in (*terms, result):
            if len(set(term)) != len(term):
                raise Mismatch(f"{equation!r} names an axis twice in one operand, each must be named once", node)
        sizes = _sizes(node, terms)
        unknown = [str(size) for size in sizes.values() if not isinstance(size, int)]
        if len(unknown) > 1:
            names = ", ".join(sorted(set(unknown)))
            raise Mismatch(f"{len(unknown)} axes are of unknown size ({names}), at most one may be", node)
        return Equation(node, terms, result, sizes)

    def build(self, match: Equation, rw: Rewriter) -> Tensor:
        """As many products as there are operands but one."""
        parts = [Part(t, s) for t, s in zip(match.node.inputs, match.terms, strict=True)]
        parts = [_unstretched(rw, part, match.sizes) for part in parts]
        done, *rest = parts
        while rest:
            after, *rest = rest
            wanted = {*match.result, *(s for part in rest for s in part.letters)}
            done = _product(
                rw,
                _summed(rw, done, {*wanted, *after.letters}),
                _summed(rw, after, {*wanted, *done.letters}),
                wanted,
                match.sizes,
            )
        done = _summed(rw, done, set(match.result))
        return _turned(rw, done, match.result).value


def spelled(equation: str, ranks: Sequence[int]) -> tuple[tuple[str, ...], str]:
    """The terms of an Einsum and its result, a letter per axis: an ellipsis gets letters, an absent result its own.

    >>> spelled("...ij,jk", [3, 2])
    (('aij', 'jk'), 'aik')
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    spare = [s for s in ascii_letters if s not in equation]
    wide = max(rank - len(t.replace("...", "")) if "..." in t else 0 for t, rank in zip(terms, ranks, strict=True))
    dots = "".join(spare[:wide])
    whole = [t.replace("...", dots[len(dots) - (rank - len(t) + 3) :]) for t, rank in zip(terms, ranks, strict=True)]
    if arrow:
        return tuple(whole), right.replace("...", dots)
    named = left.replace(",", "").replace("...", "")
    return tuple(whole), dots + "".join(sorted(s for s in named if named.count(s) == 1))


def _sizes(node: Node, terms: Sequence[str]) -> Sizes:
    """The size of each letter; of a stretched one, that it is stretched to."""
    sizes: Sizes = {}
    for tensor, term in zip(node.inputs, terms, strict=True):
        for letter, size in zip(term, tensor.shape or (), strict=True):
            if sizes.get(letter, 1) == 1 or (isinstance(size, int) and size != 1):
                sizes[letter] = size
    return sizes


def _unstretched(rw: Rewriter, part: Part, sizes: Sizes) -> Part:
    """Without the axes of size 1 that another operand stretches."""
    shape = part.value.shape or ()
    single = [i for i, s in enumerate(part.letters) if shape[i] == 1 and sizes[s] != 1]
    if not single:
        return part
    return Part(
        build.squeeze(rw, part.value, single), "".join(s for i, s in enumerate(part.letters) if i not in single)
    )


def _summed(rw: Rewriter, part: Part, wanted: set[str]) -> Part:
    """Without the axes that nothing asks for any more."""
    idle = [i for i, s in enumerate(part.letters) if s not in wanted]
    if not idle:
        return part
    total = build.reduce(rw, "ReduceSum", part.value, idle, keepdims=False)
    return Part(total, "".join(s for s in part.letters if s in wanted))


def _product(rw: Rewriter, a: Part, b: Part, wanted: set[str], sizes: Sizes) -> Part:
    """The product over the letters that both have and nothing wants any more."""
    both = [s for s in a.letters if s in b.letters]
    batch, summed = [s for s in both if s in wanted], [s for s in both if s not in wanted]
    rows = [s for s in a.letters if s not in both]
    columns = [s for s in b.letters if s not in both]
    left = _grouped(rw, a, (*batch, rows, summed), sizes)
    right = _grouped(rw, b, (*batch, summed, columns), sizes)
    letters = "".join([*batch, *rows, *columns])
    product = rw.op("MatMul", left, right)
    return Part(_shaped(rw, product, [sizes[s] for s in letters]), letters)


def _grouped(rw: Rewriter, part: Part, groups: Sequence[Sequence[str]], sizes: Sizes) -> Tensor:
    """``part`` with one axis per group."""
    turned = _turned(rw, part, "".join(s for group in groups for s in group))
    shape = [_total([sizes[s] for s in group]) for group in groups]
    return _shaped(rw, turned.value, shape)


def _total(sizes: Sequence[Dim]) -> Dim:
    known = [size for size in sizes if isinstance(size, int)]
    return prod(known) if len(known) == len(sizes) else None


def _shaped(rw: Rewriter, value: Tensor, shape: Sequence[Dim]) -> Tensor:
    """``value`` in ``shape``, of which one dim may be unknown; as it is where it has that shape."""
    if (
        value.shape is not None
        and len(value.shape) == len(shape)
        and all(a == b or not isinstance(b, int) for a, b in zip(value.shape, shape, strict=True))
    ):
        return value
    return build.reshape(rw, value, [d if isinstance(d, int) else -1 for d in shape])


def _turned(rw: Rewriter, part: Part, letters: str) -> Part:
    """``part`` with its axes in the order ``letters``."""
    perm = [part.letters.index(s) for s in letters]
    value = part.value if perm == sorted(perm) else build.transpose(rw, part.value, perm)
    return Part(value, letters)
