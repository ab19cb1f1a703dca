"""Inputs and outputs of rank 1 to 3 that become rank 4, and what the host has to do for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeGuard

import numpy as np

from surgery.ir import Constant, Graph, Node, Shape, Tensor, Value
from surgery.ir.normalise import Names
from surgery.pipeline import PassRun
from surgery.pipeline.iomap import IoMap, excerpt
from surgery.rewrite import build
from surgery.rewrite.rewriter import Change

AXES = {1: (0, 1, 2), 2: (2, 3), 3: (2,)}
"""By rank, the axes of size 1 that are put in: L to 1x1x1xL, NxC to NxCx1x1, NxCxL to NxCx1xL."""


@dataclass
class Ends:
    """Lifts the ends of a model one by one.

    Attributes:
        first: what the host does to inputs.
        last: what it does to outputs.
    """

    run: PassRun
    first: list[Node] = field(default_factory=list)
    last: list[Node] = field(default_factory=list)
    edits: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        graph = self.graph
        self.inputs, self.outputs = list(graph.inputs), list(graph.outputs)
        tensors = (t for n in graph.nodes for t in (*n.inputs, *n.outputs))
        self._fresh = Names(t.name for t in (*tensors, *self.inputs, *self.outputs))

    @property
    def graph(self) -> Graph:
        """The main graph."""
        return self.run.model.graph

    def lift(self) -> IoMap | None:
        """Lift every end that can be; None where there is none."""
        for tensor in self.inputs:
            if self._wants(tensor) and tensor.consumers and not self.run.ctx.is_output(tensor):
                self._input(tensor, tensor.consumers[0])
        for tensor in self.outputs:
            if self._wants(tensor) and tensor.producer is not None and self.outputs.count(tensor) == 1:
                self._output(tensor, tensor.producer)
        if not self.edits:
            return None
        opset, graph = self.run.model.opset, self.graph
        before = [t for t, new in zip(self.inputs, graph.inputs, strict=True) if t is not new]
        after = [t for t, new in zip(self.outputs, graph.outputs, strict=True) if t is not new]
        return IoMap(
            excerpt("prologue", self.first, before, [n.outputs[0] for n in self.first], opset),
            excerpt("epilogue", self.last, [n.inputs[0] for n in self.last], [_twin(t) for t in after], opset),
            tuple(t.name for t in self.inputs),
            tuple(t.name for t in self.outputs),
        )

    def _wants(self, tensor: Tensor) -> TypeGuard[Value]:
        """Whether an end is a value of floats of rank 1 to 3, and the run may still change something."""
        if self.run.limit is not None and len(self.edits) >= self.run.limit:
            return False
        floats = isinstance(tensor, Value) and tensor.dtype is not None and tensor.dtype.kind == "f"
        return floats and tensor.rank in AXES

    def _input(self, old: Value, reader: Node) -> None:
        rw, axes = self.run.rw, AXES[old.rank or 0]
        while reader.graph is not None and reader.graph.owner is not None:  # the main graph is where inputs are
            reader = reader.graph.owner
        rw.begin("normalise-rank/rank4-inputs", reader)
        new = Value(self._fresh(f"{old.name}_rank4"), old.dtype, lifted(old.shape or ()))
        rw.replace_value(old, build.squeeze(rw, new, axes))
        rw.editor.set_graph_inputs(self.graph, [new if t is old else t for t in self.graph.inputs])
        self.first.append(self._host("Unsqueeze", old, _twin(new), axes))
        self.edits.append(rw.change("rank4-inputs"))

    def _output(self, old: Value, maker: Node) -> None:
        rw, axes = self.run.rw, AXES[old.rank or 0]
        rw.begin("normalise-rank/rank4-outputs", maker)
        new = build.unsqueeze(rw, old, axes)
        rw.editor.rename(new, self._fresh(f"{old.name}_rank4"))
        rw.editor.set_graph_outputs(self.graph, [new if t is old else t for t in self.graph.outputs])
        self.last.append(self._host("Squeeze", _twin(new), _twin(old), axes))
        self.edits.append(rw.change("rank4-outputs"))

    def _host(self, op: str, source: Value, result: Value, axes: tuple[int, ...]) -> Node:
        """One node of the host's, in the model's opset."""
        name = self._fresh(f"{source.name}/{op}")
        if self.run.model.opset < 13:
            return Node(op, name, {"axes": list(axes)}, [source], [result])
        return Node(op, name, {}, [source, Constant(f"{name}/axes", np.array(axes, np.int64))], [result])


def lifted(shape: Shape) -> Shape:
    """``shape``, of rank 1 to 3, with the axes of size 1 that are put in.

    >>> lifted(("N", 8))
    ('N', 8, 1, 1)
    """
    left = list(shape)
    return tuple(1 if axis in AXES[len(shape)] else left.pop(0) for axis in range(4))


def _twin(value: Tensor) -> Value:
    """A value of the same name and type that is linked to nothing."""
    return Value(value.name, value.dtype, value.shape)
