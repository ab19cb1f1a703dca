"""Loop and Scan as copies of their bodies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from passes.fold.trips import trips
from surgery.ir import Graph, Node, Tensor
from surgery.ir.fold import RANDOM
from surgery.ir.infer import dims
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule, build, need
from surgery.rewrite.inline import repeat


@dataclass(frozen=True)
class Bound:
    """What unrolling may come to: iterations of a loop, and nodes of the whole model."""

    iterations: int
    nodes: int

    def check(self, node: Node, count: int, main: Graph) -> None:
        """Refuse ``count`` copies of the body of ``node``."""
        if count > self.iterations:
            known = f"{count} times" if count > self.iterations + 1 else f"more than {self.iterations} times"
            raise Mismatch(f"it runs {known}, at most {self.iterations} are unrolled (max_iterations)", node)
        copied, there = _size(node.attrs["body"]), _size(main)
        if there + count * copied > self.nodes:
            raise Mismatch(f"{count} times {copied} nodes beside {there} are more than {self.nodes} (max_nodes)", node)


@dataclass(frozen=True)
class Unrolled:
    """A Loop or Scan that runs ``count`` times."""

    node: Node
    body: Graph
    count: int


class UnrollLoop(Rule[Unrolled]):
    """``y, s = Loop (3, true, x) <body>`` to three copies of the body, each reading what the one before carries on.

    What the iterations return is stacked: ``s = Concat <axis = 0> (Unsqueeze (s0), Unsqueeze (s1), Unsqueeze (s2))``.
    Exact: the same operators compute the same values.
    """

    name, roots = "unroll-loop", frozenset({"Loop"})
    purpose, exactness = Purpose.NORMALISE, Exactness.EXACT
    cures = frozenset({"Loop.*"})

    def __init__(self, bound: Bound) -> None:
        self.bound = bound

    def match(self, node: Node, ctx: Context) -> Unrolled | Mismatch:
        """How often it runs has to follow from constants."""
        body: Graph = node.attrs["body"]
        _need_unrollable(node, body)
        count = trips(node, ctx.opset, self.bound.iterations)
        self.bound.check(node, count, ctx.main)
        stacked = node.outputs[len(body.inputs) - 2 :]
        if not count and any(_is_read(v, ctx) for v in stacked):
            return Mismatch("it never runs, and what its iterations return is read", node)
        return Unrolled(node, body, count)

    def rewrite(self, match: Unrolled, rw: Rewriter) -> None:
        """Copy the body, stack what the copies return."""
        node, body = match.node, match.body
        carried: list[Tensor] = list(node.inputs[2:])
        returned: list[list[Tensor]] = []
        for step in range(match.count):
            given = (rw.constant(np.array(step, np.int64)), rw.constant(np.array(True)))
            _, *made = repeat(rw, body, [*given, *carried])
            carried, ends = made[: len(carried)], made[len(carried) :]
            returned.append(ends)
        stacks = _stacks(rw, node.outputs[len(carried) :], returned, [0] * len(node.outputs))
        _replace(rw, node, [*carried, *stacks])


class UnrollScan(Rule[Unrolled]):
    """``y, s = Scan (x, a) <body>`` to a copy of the body for every slice of ``a``, whose number has to be known.

    The slices are ``Squeeze (Split (a))``; axes and directions of Scan are followed. Exact.
    """

    name, roots = "unroll-scan", frozenset({"Scan"})
    purpose, exactness = Purpose.NORMALISE, Exactness.EXACT
    cures = frozenset({"Scan.*"})
    since: ClassVar[int] = 9

    def __init__(self, bound: Bound) -> None:
        self.bound = bound

    def match(self, node: Node, ctx: Context) -> Unrolled | Mismatch:
        """The length of what is scanned has to be known."""
        if ctx.opset < self.since:
            return Mismatch(f"Scan of opset {ctx.opset} has a batch, only that of opset {self.since} is unrolled", node)
        body: Graph = node.attrs["body"]
        _need_unrollable(node, body)
        count = _length(node)
        if not count:
            return Mismatch("what it scans is empty, there is nothing to unroll", node)
        self.bound.check(node, count, ctx.main)
        return Unrolled(node, body, count)

    def rewrite(self, match: Unrolled, rw: Rewriter) -> None:
        """Cut what is scanned, copy the body, put together what the copies return."""
        node, body = match.node, match.body
        scanned = [_slices(rw, node, index, match.count) for index in range(node.attrs["num_scan_inputs"])]
        carried: list[Tensor] = list(node.inputs[: len(node.inputs) - len(scanned)])
        returned: list[list[Tensor]] = []
        for step in range(match.count):
            made = repeat(rw, body, [*carried, *(parts[step] for parts in scanned)])
            carried, ends = made[: len(carried)], made[len(carried) :]
            returned.append(ends)
        outputs = node.outputs[len(carried) :]
        axes = node.attrs.get("scan_output_axes") or [0] * len(outputs)
        backward = node.attrs.get("scan_output_directions") or [0] * len(outputs)
        _replace(rw, node, [*carried, *_stacks(rw, outputs, returned, axes, backward)])


def _need_unrollable(node: Node, body: Graph) -> None:
    for inner in (n for graph in body.walk() for n in graph.nodes):
        if inner.op in RANDOM and (inner.op != "Dropout" or inner.input(2) is not None):
            raise Mismatch(f"{inner.name!r} draws random numbers, each copy would draw its own", inner)
    for index in range(2 if node.op == "Loop" else 0, len(node.inputs)):
        need.present(node, index)


def _size(graph: Graph) -> int:
    return sum(len(inner.nodes) for inner in graph.walk())


def _is_read(value: Tensor, ctx: Context) -> bool:
    return bool(value.outputs) or ctx.is_output(value)


def _length(node: Node) -> int:
    """How many slices there are."""
    first = len(node.inputs) - node.attrs["num_scan_inputs"]
    scanned, axis = node.inputs[first], _axes(node)[0]
    size = scanned.shape[axis] if scanned.shape else None
    if not isinstance(size, int):
        raise Mismatch(
            f"{scanned.name!r} has the shape {dims(scanned.shape)}, its length along axis {axis} must be known", node
        )
    return size


def _axes(node: Node) -> list[int]:
    return list(node.attrs.get("scan_input_axes") or [0] * node.attrs["num_scan_inputs"])


def _slices(rw: Rewriter, node: Node, index: int, count: int) -> list[Tensor]:
    """What the iterations read of scanned input ``index``, in their order."""
    scanned = node.inputs[len(node.inputs) - node.attrs["num_scan_inputs"] + index]
    axis = _axes(node)[index]
    axis += (scanned.rank or 0) if axis < 0 else 0
    parts = [build.squeeze(rw, part, [axis]) for part in build.split(rw, scanned, [1] * count, axis)]
    backward = (node.attrs.get("scan_input_directions") or [0] * (index + 1))[index]
    return parts[::-1] if backward else list(parts)


def _stacks(
    rw: Rewriter,
    outputs: Sequence[Tensor],
    returned: Sequence[Sequence[Tensor]],
    axes: Sequence[int],
    backward: Sequence[int] | None = None,
) -> list[Tensor]:
    """What all iterations returned, one tensor for each of ``outputs``; of what nobody reads, the last."""
    stacks: list[Tensor] = []
    for index, (output, axis) in enumerate(zip(outputs, axes, strict=False)):
        parts = [ends[index] for ends in returned]
        if not parts or not (output.outputs or rw.is_output(output)):
            stacks.append(parts[-1] if parts else output)
            continue
        ordered = parts[::-1] if backward and backward[index] else parts
        stacks.append(build.concat(rw, [build.unsqueeze(rw, part, [axis]) for part in ordered], axis))
    return stacks


def _replace(rw: Rewriter, node: Node, values: Sequence[Tensor]) -> None:
    """Let ``values`` stand for what ``node`` computes, and drop the copies that nothing reads."""
    inner = [n for body in node.bodies() for graph in body.walk() for n in graph.nodes]
    rw.replace(node, *values[: len(node.outputs)])
    rw.removed += inner
    rw.editor.sweep([n for n in rw.made if n.graph is not None], rw.is_output)
