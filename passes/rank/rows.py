"""Products of tokens on a map: over a single row of tokens an engine that works on several rows at once idles."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from surgery.ir import Constant, Node, Tensor, ops
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, build, need

Sides = tuple[int, int]
"""Height and width."""
MAP = 4


@dataclass(frozen=True)
class Laid:
    """A product of one row of tokens by a constant, and the map to lay them out on.

    Attributes:
        node: the product.
        last: the Add of a bias behind it, or the product itself.
        bias: what is added; None when nothing is.
        source: tokens of C features, or the map that they were listed of.
        features: how many the product makes.
        sides: of the map.
    """

    node: Node
    last: Node
    bias: Tensor | None
    source: Tensor
    features: int
    sides: Sides

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of what comes out, on the map."""
        return (1, *self.sides, self.features)


class LayOutRows(Rule[Laid]):
    """``x @ W -> Reshape(Reshape(x, 1 x H x W x C) @ W, N x M)``: N tokens as a map of H times W of them.

    The engine of bayes and bayes-e works on four rows of a map at once, so that three quarters of it idle over a single
    row of tokens. The compiler moves the Reshapes past what is between two products, and they meet. Where the tokens
    are a map that was listed for a Gemm, the Reshapes around it go, on any march. The witness on bayes-e at O2, without
    and with: 2387 and 1748 us of edgenext_xx_small (scripts/accelerated.py).

    Rounding: another kernel may add up in another order.
    """

    name, roots = "lay-out-rows", frozenset({"MatMul", "Gemm"})
    purpose, exactness = Purpose.ACCELERATE, Exactness.ROUNDING

    def match(self, node: Node, ctx: Context) -> Laid | Mismatch:
        """One row of tokens, a constant weight of two axes, and a map that they fill better."""
        need.constant(node, 1)
        rows = need.static(node.outputs[0], node)
        if need.rank(node.inputs[1], node) != 2 or len(rows) not in (2, 3) or prod(rows[:-2]) != 1:
            return Mismatch(f"makes {'x'.join(map(str, rows))} by a weight, it must be one row of tokens", node)
        if node.op == "Gemm" and not _is_plain(node):
            return Mismatch("alpha, beta and transA must be 1, 1 and 0", node)
        last, bias = _biased(node, ctx)
        if bias is not None and not _is_of_features(bias):
            return Mismatch("adds another number to every row, it must add one per feature", node)
        source = _listed(node.inputs[0])
        sides = _sides(source) or fullest(rows[-2], *_steps(ctx.target))
        if sides[0] == 1:
            return Mismatch(f"{rows[-2]} tokens in one row fill the engine as well as any map of them", node)
        return Laid(node, last, bias, source, rows[-1], sides)

    def rewrite(self, match: Laid, rw: Rewriter) -> None:
        """The product on the map; Reshapes where the tokens come in, and where they are read as tokens."""
        node, height, width = match.node, *match.sides
        channels = need.static(match.source, node)[-1]
        laid = match.source
        if match.source.rank != MAP:
            laid = build.reshape(rw, match.source, (1, height, width, channels))
        weight = node.inputs[1]
        if ops.attr(node, "transB", 0):
            weight = rw.constant(np.ascontiguousarray(need.constant(node, 1).T), name=weight.name)
        made: Tensor = rw.op("MatMul", laid, weight, heir=node)
        if match.bias is not None:
            made = rw.op("Add", made, match.bias, heir=match.last if match.last is not node else None)
        _spread(match, made, rw)


def fullest(count: int, height: int, width: int) -> Sides:
    """The sides of the map of ``count`` places that an engine of so many rows and columns fills best.

    >>> fullest(196, 4, 8), fullest(197, 4, 8), fullest(196, 1, 8)
    ((4, 49), (1, 197), (1, 196))
    """
    maps = [(h, count // h) for h in range(1, count + 1) if count % h == 0]
    return min(maps, key=lambda sides: -(-sides[0] // height) * height * -(-sides[1] // width) * width)


def _steps(target: Any) -> Sides:
    """What the engine of the march rounds height and width up to."""
    align = {} if target is None else target.cost.get("align", {})
    return int(align.get("height", 1)), int(align.get("width", 1))


def _is_plain(gemm: Node) -> bool:
    return [float(ops.attr(gemm, name, 1.0)) for name in ("alpha", "beta")] == [1, 1] and not gemm.attrs.get("transA")


def _listed(tokens: Tensor) -> Tensor:
    """The map of one picture, channels last, whose places ``tokens`` lists; else the tokens themselves."""
    made = tokens.producer
    if made is None or made.op != "Reshape":
        return tokens
    before, after = (ops.static_shape(t) for t in (made.inputs[0], tokens))
    if before is None or after is None or len(before) != MAP or before[0] != 1 or before[-1] != after[-1]:
        return tokens
    return made.inputs[0]


def _sides(source: Tensor) -> Sides | None:
    """Those of a map; None of tokens."""
    shape = ops.static_shape(source) or ()
    return (shape[1], shape[2]) if len(shape) == MAP else None


def _biased(node: Node, ctx: Context) -> tuple[Node, Tensor | None]:
    """The node that adds a constant of one number per feature, and that constant."""
    if node.op == "Gemm":
        return node, node.input(2)
    readers = node.outputs[0].consumers
    if len(readers) == 1 and readers[0].op == "Add" and not ctx.is_output(node.outputs[0]):
        bias = next((t for t in readers[0].inputs if isinstance(t, Constant)), None)
        if bias is not None and _is_of_features(bias):
            return readers[0], bias
    return node, None


def _is_of_features(bias: Tensor) -> bool:
    shape = ops.static_shape(bias)
    return shape is not None and set(shape[:-1]) <= {1}


def _spread(match: Laid, made: Tensor, rw: Rewriter) -> None:
    """Let what makes the same map of the tokens read ``made`` itself, and what else reads them a list of it."""
    value = match.last.outputs[0]
    for reader in value.consumers:
        if reader.op == "Reshape" and ops.static_shape(reader.outputs[0]) == match.shape:
            rw.replace(reader, made)
    tokens = need.static(value, match.node)
    if value.consumers or rw.is_output(value):
        rw.replace(match.last, build.reshape(rw, made, tokens))
    else:
        rw.remove(match.last)
