"""Lookups of what was brought out of rank 4, computed before that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from passes.rank.operators import UNARY
from passes.rank.site import FORMS, LONGEST
from surgery.ir import Constant, Node, Tensor
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, need


@dataclass(frozen=True)
class Late:
    """A lookup of values of rank 4 that were reshaped and joined."""

    node: Node
    ends: tuple[Tensor, ...]


class LookupFirst(Rule[Late]):
    """``Sigmoid(Concat(Reshape(x), Reshape(y))) -> Concat(Reshape(Sigmoid(x)), Reshape(Sigmoid(y)))`` at rank 4.

    So heads of detectors end, whose scores are a Sigmoid on the CPU of bernoulli2. The witness at O2, 80 channels of
    three maps from 40x40 down: 771 us of BPU time and five operators on the CPU, 249 and four.
    """

    name, roots = "lookup-first", UNARY
    purpose, exactness = Purpose.LEGALISE, Exactness.EXACT
    cures = frozenset(f"{op}.ranks" for op in UNARY)
    leaves = FORMS | {"Concat"}

    def match(self, node: Node, ctx: Context) -> Late:
        """Values of rank 4 that nothing else reads once they are moved."""
        for index in range(1, len(node.inputs)):
            if node.input(index) is not None:
                need.constant(node, index)
        if _comes_back(node.outputs[0]):
            raise Mismatch(
                f"{node.outputs[0].name!r} is brought back to rank 4, where the reshapes are what to move", node
            )
        ends = tuple(_ends(node.inputs[0], node, ctx))
        if node.inputs[0] in ends:
            raise Mismatch(f"{node.inputs[0].name!r} is not reshaped from rank 4", node)
        return Late(node, ends)

    def rewrite(self, match: Late, rw: Rewriter) -> None:
        """The lookup of each, then what moved them."""
        rw.replace(match.node, _moved(rw, match.node.inputs[0], match))


def _comes_back(value: Tensor) -> bool:
    """Whether all that reads ``value`` reshapes it to rank 4."""
    return bool(value.consumers) and all(r.op in FORMS and r.outputs[0].rank == 4 for r in value.consumers)


def _ends(value: Tensor, node: Node, ctx: Context, most: int = LONGEST) -> Iterator[Tensor]:
    """The values of rank 4 of which Reshapes and Concats make ``value``, as far as ``most`` in a row tell."""
    if isinstance(value, Constant):
        raise Mismatch(f"{value.name!r} is constant, every part must be computed", node)
    if value.rank == 4:
        yield value
        return
    maker = value.producer
    if maker is None or not maker.is_onnx or maker.op not in FORMS | {"Concat"}:
        raise Mismatch(f"{value.name!r} is of rank {value.rank} and not reshaped or joined from rank 4", node)
    if len(value.consumers) > 1 or ctx.is_output(value):
        raise Mismatch(f"{value.name!r} is read by others, too", node)
    if not most:
        raise Mismatch(f"more than {LONGEST} nodes in a row move what it reads", node)
    for source in _sources(maker):
        yield from _ends(source, node, ctx, most - 1)


def _sources(maker: Node) -> list[Tensor]:
    """What a Reshape or Concat moves."""
    return list(maker.inputs) if maker.op == "Concat" else [maker.inputs[0]]


def _moved(rw: Rewriter, value: Tensor, match: Late) -> Tensor:
    """What ``value`` becomes when the lookup comes before it."""
    node, maker = match.node, value.producer
    if value in match.ends or maker is None:
        return rw.op(node.op, value, *node.inputs[1:], **node.attrs)
    sources = _sources(maker)
    moved = [_moved(rw, source, match) for source in sources]
    return rw.op(maker.op, *moved, *maker.inputs[len(sources) :], heir=maker, **maker.attrs)
