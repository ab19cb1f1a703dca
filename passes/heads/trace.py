"""What becomes of each element of a tensor that a head is cut at: the operator that first computes with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from surgery.ir import Constant, Model, Node, Tensor, Value
from surgery.ir.evaluate import Evaluator
from surgery.ir.ops import static_shape

MOVES = frozenset(
    {
        "Concat", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose",
        "Unsqueeze",
    }
)  # fmt: skip
"""Operators that carry elements to other places."""
OUTPUT = "output"
SQUASHED = 1 << 12
"""Added to the label of an element that went through a Sigmoid."""

Labels = np.ndarray[Any, np.dtype[np.int32]]


@dataclass
class Tracer:
    """Carries labels through the nodes that only move data, and notes where they end.

    Attributes:
        model: for its opset.
        found: per source, how many of its elements end in which operator, as ``Op`` or ``Sigmoid>Op``; ``output``
            stands for an output of the graph.
    """

    model: Model
    found: dict[Value, Counter[str]] = field(default_factory=dict)
    labels: dict[Value, Labels] = field(default_factory=dict)

    def trace(self, sources: Sequence[Value], nodes: Sequence[Node]) -> Mapping[Value, Counter[str]]:
        """Follow every source through ``nodes``, which are in topological order."""
        order = list(sources)
        for number, source in enumerate(order, start=1):
            self.found[source] = Counter()
            shape = static_shape(source)
            if shape is not None:
                self.labels[source] = np.full(shape, number, np.int32)
        header = onnx.ModelProto(ir_version=self.model.ir_version, opset_import=self.model.header.opset_import)
        for node in nodes:
            self._step(node, header, order)
        return self.found

    def _step(self, node: Node, header: onnx.ModelProto, order: Sequence[Value]) -> None:
        ends = any(self.model.graph.is_output(value) for value in node.outputs)
        labelled = [t for t in node.inputs if isinstance(t, Value) and t in self.labels]
        if not labelled:
            return
        if node.op == "Sigmoid":
            labels = self.labels[labelled[0]]
            self._pass_on(node.outputs[0], np.where(labels > 0, labels | SQUASHED, 0))
            if ends:
                self._note(node.outputs[0], OUTPUT, order)
            return
        moved = node.op in MOVES and node.is_onnx
        if moved and not ends and self._move(node, header):
            return
        for tensor in dict.fromkeys(labelled):
            self._note(tensor, OUTPUT if moved and ends else node.op, order)

    def _move(self, node: Node, header: onnx.ModelProto) -> bool:
        """Whether the labels could be carried over ``node``; what has none there counts as 0."""
        given = {}
        for tensor in node.inputs:
            if isinstance(tensor, Constant) or tensor.is_empty():
                continue
            shape = static_shape(tensor)
            if shape is None:
                return False
            given[tensor] = self.labels.get(tensor, np.zeros(shape, np.int32))
        evaluator = Evaluator(header, given)
        evaluator.run([node])
        for value in (v for v in node.outputs if v in evaluator.values):
            self._pass_on(value, evaluator.values[value])
        return not evaluator.refusals

    def _pass_on(self, value: Value, labels: Labels) -> None:
        if labels.any():
            self.labels[value] = labels

    def _note(self, tensor: Tensor, end: str, order: Sequence[Value]) -> None:
        if not isinstance(tensor, Value):
            return
        numbers, counts = np.unique(self.labels[tensor], return_counts=True)
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            if number:
                name = f"Sigmoid>{end}" if number & SQUASHED else end
                self.found[order[(number & ~SQUASHED) - 1]][name] += count
