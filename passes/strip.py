"""Take quantise, dequantise and layout nodes off the edges of a model, as the toolchain's ``remove_node_type`` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pydantic import field_validator

from surgery.errors import unknown
from surgery.ir import Constant, Node, Tensor, Value
from surgery.pipeline import Outcome, Pass, PassRun
from surgery.pipeline.iomap import IoMap, excerpt
from surgery.rewrite import Event, Exactness, Mismatch, Purpose

REMOVABLE = ("QuantizeLinear", "DequantizeLinear", "Transpose", "Cast", "Reshape", "Softmax")
"""What the toolchains can take off an edge (hb_model_modifier, ``remove_node_type``, hbdk4 ``remove_io_op``)."""
SHORT = {"Quantize": "QuantizeLinear", "Dequantize": "DequantizeLinear"}
"""The toolchain's own names of two of them."""


class StripIoNodes(Pass):
    """Remove Quantize, Dequantize, Transpose, Cast, Reshape and Softmax nodes at inputs and outputs.

    A node can go when it is the only reader of a graph input, or computes a graph output from a tensor that nothing
    else reads. What it did is returned as an IoMap: host code has to do it, and the model with that code around it
    is verified bit by bit against the original. ``order: recursive`` goes on until no listed node is left at an
    edge, as hb_compile does; ``order: listed`` treats the types (then the names) once each in the order given, as
    hb_mapper does, so that the outermost type has to come first.
    """

    name: ClassVar[str] = "strip-io-nodes"
    cures: ClassVar[frozenset[str]] = frozenset({"model.unscaled"})
    after: ClassVar[frozenset[str]] = frozenset({"fold-constants"})

    types: tuple[str, ...] = ("Quantize", "Dequantize", "Cast", "Transpose", "Reshape")
    """Operator types, with the toolchain's names (Quantize) or ONNX's (QuantizeLinear)."""
    names: tuple[str, ...] = ()
    """Nodes by name, a list or `a;b` as in `remove_node_name`, whatever else is listed; of a removable type, too."""
    side: Literal["both", "inputs", "outputs"] = "both"
    """Which end of the model."""
    order: Literal["recursive", "listed", "march"] = "recursive"
    """How the lists are gone through; ``march`` for what the march's own toolchain does."""

    @field_validator("types")
    @classmethod
    def _known(cls, types: tuple[str, ...]) -> tuple[str, ...]:
        for name in types:
            if SHORT.get(name, name) not in REMOVABLE:
                raise ValueError(str(unknown("removable type", name, [*SHORT, *REMOVABLE])))
        return types

    @field_validator("names", mode="before")
    @classmethod
    def _separated(cls, names: Any) -> Any:
        """No toolchain takes a name with a separator in it, and what is removed here may have to be removed there."""
        listed = names.split(";") if isinstance(names, str) else names
        for name in listed if isinstance(listed, list | tuple) else ():
            if isinstance(name, str) and (found := next((sign for sign in ";," if sign in name), None)):
                raise ValueError(f"the name {name!r} holds {found!r}, which separates names; give its type in types")
        return [n.strip() for n in listed if n.strip()] if isinstance(names, str) else names

    def purposes(self, target: Any) -> list[Purpose]:
        """INTERFACE."""
        return [Purpose.INTERFACE]

    def exactness(self, target: Any) -> Exactness:
        """EXACT: the nodes only move to the host."""
        return Exactness.EXACT

    def run(self, run: PassRun) -> Outcome:
        """Strip, and return how the interface moved."""
        nodes = {n.name: n for n in run.model.graph.nodes}
        if wrong := next((n for n in self.names if n not in nodes), None):
            raise unknown("node", wrong, nodes, where="strip-io-nodes.names")
        stripper = _Stripper(run, self.side)
        wanted = [_of_type(SHORT.get(t, t)) for t in self.types] + [_named(n) for n in self.names]
        if self._order(run) == "listed":
            for want in wanted:
                stripper.strip(want)
        else:
            stripper.strip(lambda node: any(want(node) for want in wanted))
        return stripper.outcome()

    def _order(self, run: PassRun) -> str:
        if self.order != "march" or run.ctx.target is None:
            return self.order
        return str(run.ctx.target.march.removal.order)


Want = Callable[[Node], bool]


def _of_type(op: str) -> Want:
    return lambda node: node.op == op


def _named(name: str) -> Want:
    return lambda node: node.name == name


@dataclass
class _Stripper:
    """Takes nodes off both ends, outermost first, and remembers them in the order of computation."""

    run: PassRun
    side: str
    first: list[Node] = field(default_factory=list)
    last: list[Node] = field(default_factory=list)
    outcome_: Outcome = field(default_factory=Outcome)

    def __post_init__(self) -> None:
        graph = self.run.model.graph
        self.inputs, self.outputs = list(graph.inputs), list(graph.outputs)

    def strip(self, want: Want) -> None:
        """Remove what ``want`` says of at every edge, going inwards while it says so."""
        if self.side != "outputs":
            for index in range(len(self.inputs)):
                while self._done(self._at_input(index, want)):
                    pass
        if self.side != "inputs":
            for index in range(len(self.outputs)):
                while self._done(self._at_output(index, want)):
                    pass

    def outcome(self) -> Outcome:
        """What was stripped; with an IoMap when anything was."""
        graph, opset = self.run.model.graph, self.run.model.opset
        if self.first or self.last:
            inputs, new_inputs = _changed(self.inputs, graph.inputs)
            outputs, new_outputs = _changed(self.outputs, graph.outputs)
            self.outcome_.io = IoMap(
                excerpt("prologue", self.first, inputs, new_inputs, opset),
                excerpt("epilogue", self.last, new_outputs, outputs, opset),
                tuple(t.name for t in self.inputs),
                tuple(t.name for t in self.outputs),
                tuple(n.name for n in (*self.first, *self.last)),
            )
        return self.outcome_

    def _done(self, found: Node | Mismatch | None) -> bool:
        stats = self.outcome_.stats
        if found is None or stats.applied == self.run.limit:
            return False
        if isinstance(found, Mismatch):
            stats.refused += 1
            stats.reasons[found.reason] += 1
            self._note(found.at, "refused", found.reason)
            return False
        return True

    def _at_input(self, index: int, want: Want) -> Node | Mismatch | None:
        """Remove the node behind input ``index``: returned; a Mismatch when it is wanted but cannot go."""
        graph = self.run.model.graph
        edge = graph.inputs[index]
        node = next((n for n in edge.consumers if want(n)), None)
        if node is None:
            return None
        reason = self._stays(node, node.outputs[0]) or self._shared(edge, node, "input")
        if reason is not None:
            return Mismatch(reason, node)
        self._remove(node)
        self.run.rw.editor.set_graph_inputs(graph, _put(graph.inputs, index, node.outputs[0]))
        self.first.append(node)
        return node

    def _at_output(self, index: int, want: Want) -> Node | Mismatch | None:
        """Remove the node before output ``index``, likewise."""
        graph = self.run.model.graph
        edge = graph.outputs[index]
        node = edge.producer
        if node is None or not want(node):
            return None
        reason = self._stays(node, node.inputs[0]) or self._shared(node.inputs[0], node, "tensor")
        if reason is None and (edge.outputs or sum(out is edge for out in graph.outputs) > 1):
            reason = f"output {edge.name!r} is also read inside the model, the node must be the end of a single path"
        if reason is not None:
            return Mismatch(reason, node)
        self._remove(node)
        self.run.rw.editor.set_graph_outputs(graph, _put(graph.outputs, index, node.inputs[0]))
        self.last.insert(0, node)
        return node

    def _stays(self, node: Node, inner: Tensor) -> str | None:
        """Why ``node``, whose inner side is ``inner``, cannot go whatever is around it."""
        if node.op not in REMOVABLE or not node.is_onnx:
            return f"{node.op} is no type that can be removed ({', '.join(REMOVABLE)})"
        if self.run.ctx.is_protected(node):
            return f"{node.name!r} is protected"
        if any(not isinstance(t, Constant) and not t.is_empty() for t in node.inputs[1:]):
            return f"{node.name!r} has a second input that is computed, it must have one path through it"
        if not isinstance(inner, Value) or inner.dtype is None or inner.shape is None:
            return f"the type of {inner.name!r} is not known, it would become an end of the model"
        return None

    def _shared(self, tensor: Tensor, node: Node, kind: str) -> str | None:
        graph = self.run.model.graph
        others = [n.name for n in tensor.consumers if n is not node]
        if others:
            return f"{kind} {tensor.name!r} also feeds {others[0]!r}, the node must be the only path"
        if graph.is_output(tensor):
            return f"{kind} {tensor.name!r} is also a graph output, the node must be the only path"
        if kind == "tensor" and tensor.producer is None:
            return f"nothing but {node.name!r} stands between {tensor.name!r} and the output"
        return None

    def _remove(self, node: Node) -> None:
        stats, rw = self.outcome_.stats, self.run.rw
        rw.begin(f"{StripIoNodes.name}/{node.op}", node)
        rw.editor.remove(node)
        rw.removed.append(node)
        stats.matched += 1
        stats.applied += 1
        stats.fired[node.op] += 1
        stats.edits.append(rw.change(node.op))
        self._note(node, "applied", "")

    def _note(self, node: Any, outcome: str, reason: str) -> None:
        if self.run.trace:
            self.outcome_.stats.events.append(Event(node.op, node.name, node.op, outcome, reason, node.name))


def _put(tensors: Sequence[Tensor], index: int, tensor: Tensor) -> list[Tensor]:
    return [tensor if i == index else t for i, t in enumerate(tensors)]


def _changed(old: Sequence[Tensor], new: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """The ends that are no longer the same tensor: as they were, and as they are."""
    moved = [(a, b) for a, b in zip(old, new, strict=True) if a is not b]
    return [a for a, _ in moved], [b for _, b in moved]
