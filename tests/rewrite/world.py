"""A model, the context of its rules, and the hands to edit it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from surgery.ir import Graph, Model, Node, Tensor
from surgery.ir.edit import Editor
from surgery.rewrite import Limit, Rewriter
from tests.support import model_of


@dataclass
class World:
    """What a rule sees (a Context), and the Rewriter; without a march."""

    model: Model
    editor: Editor
    rw: Rewriter
    target: Any = None

    @property
    def main(self) -> Graph:
        return self.model.graph

    @property
    def opset(self) -> int:
        return self.model.opset

    def violations(self, node: Node) -> Sequence[Limit]:
        return ()

    def device(self, node: Node) -> str:
        return "unknown"

    def is_output(self, tensor: Tensor) -> bool:
        return bool(self.main.returned_by(tensor))

    def node(self, op: str) -> Node:
        """The first node of a type."""
        return next(n for n in self.model.nodes() if n.op == op)

    @property
    def ops(self) -> list[str]:
        """Operator types once the edits are settled."""
        self.editor.settle()
        return [n.op for n in self.model.nodes()]


def world(text: str, opset: int = 17) -> World:
    """The world around the model of ``text``."""
    model, editor = model_of(text, opset=opset), Editor()
    return World(model, editor, Rewriter(model.graph, model.opset, editor))
