"""What became of inputs and outputs: two small graphs that undo it.

The prologue computes the inputs of the new model from those of the original, the epilogue the outputs of the
original from those of the new one. ``prologue; model; epilogue`` is the original again, which is how a change of
the interface is verified; the same graphs say what host code has to compute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import onnx

from surgery.ir import Graph, Model, Node, Tensor, Weight
from surgery.ir.edit import Editor
from surgery.ir.exporter import Exporter, Weights
from surgery.ir.importer import Importer
from surgery.ir.normalise import normalise
from surgery.pipeline.heads import Head

LEAST_IR = 4
"""IR version from which an initializer need not be an input."""


@dataclass(frozen=True)
class IoMap:
    """How an interface moved.

    Attributes:
        prologue: from original inputs to new inputs; inputs it does not mention are unchanged.
        epilogue: from new outputs to original outputs, likewise.
        inputs: names of the original inputs, in order.
        outputs: names of the original outputs, in order.
        removed: names of the nodes that moved out of the model, inputs' side first.
        frozen: dims of inputs became numbers, and those of outputs may.
        heads: what is known of heads that the epilogue decodes.
    """

    prologue: onnx.GraphProto
    epilogue: onnx.GraphProto
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    removed: tuple[str, ...] = field(default=())
    frozen: bool = False
    heads: tuple[Head, ...] = ()

    @classmethod
    def freezing(cls, graph: Graph) -> IoMap:
        """The map of a change that leaves values as they are, and makes dims numbers."""
        inputs, outputs = (tuple(t.name for t in tensors) for tensors in (graph.inputs, graph.outputs))
        return cls(onnx.GraphProto(), onnx.GraphProto(), inputs, outputs, frozen=True)

    def then(self, later: IoMap) -> IoMap:
        """The map of this change followed by ``later``."""
        return IoMap(
            _chain(self.prologue, later.prologue),
            _chain(later.epilogue, self.epilogue),
            self.inputs,
            self.outputs,
            self.removed + later.removed,
            self.frozen or later.frozen,
            self.heads + later.heads,
        )

    def rewritten(self, opset: int, change: Callable[[Model], None]) -> IoMap:
        """The map with ``change`` done in place to both graphs, which are of ``opset``."""
        before, after = (_rewritten(graph, opset, change) for graph in (self.prologue, self.epilogue))
        return replace(self, prologue=before, epilogue=after)

    def compose(self, model: Model) -> Model:
        """``prologue; model; epilogue`` as one model with the original interface; ``model`` stays as it is."""
        if not (self.prologue.node or self.epilogue.node):
            return model
        whole = model.copy()
        graph = whole.graph
        before, after = (Importer(Weight.from_proto).graph(g, {}) for g in (self.prologue, self.epilogue))
        editor = Editor()
        ends = {t.name: t for t in graph.inputs}
        moved = {ends.pop(value.name): value for value in before.outputs}
        for end, value in moved.items():
            editor.redirect(end, value)
        starts = {t.name: t for t in (*before.inputs, *ends.values())}
        finals = {t.name: moved.get(t, t) for t in graph.outputs}
        for value in after.inputs:
            editor.redirect(value, finals[value.name])
        finals.update({t.name: t for t in after.outputs})
        _absorb(graph, before.nodes, first=True)
        _absorb(graph, after.nodes, first=False)
        graph.inputs = [starts[name] for name in self.inputs]
        graph.outputs = [finals[name] for name in self.outputs]
        normalise(graph, keep_input_initializers=True)  # what moved out may share names with what was made since
        return whole


def as_model(graph: onnx.GraphProto, opset: int) -> Model:
    """A prologue or epilogue, which is not empty, as a model of its own."""
    domains = sorted({node.domain for node in graph.node if node.domain not in ("", "ai.onnx")})
    ids = [onnx.helper.make_opsetid(*pair) for pair in (("", opset), *((domain, 1) for domain in domains))]
    ir_version = max(LEAST_IR, onnx.helper.find_min_ir_version_for(ids, ignore_unknown=True))
    return Model.load(onnx.ModelProto(ir_version=ir_version, graph=graph, opset_import=ids))


def _rewritten(graph: onnx.GraphProto, opset: int, change: Callable[[Model], None]) -> onnx.GraphProto:
    if not graph.node:
        return graph
    model = as_model(graph, opset)
    change(model)
    return Exporter(Weights.INLINE, model.opset).main(model.graph)


def excerpt(
    name: str, nodes: Sequence[Node], inputs: Sequence[Tensor], outputs: Sequence[Tensor], opset: int
) -> onnx.GraphProto:
    """A graph of its own made of ``nodes`` of another, from ``inputs`` to ``outputs``."""
    graph = Graph(name)
    graph.nodes, graph.inputs, graph.outputs = list(nodes), list(inputs), list(outputs)
    return Exporter(Weights.INLINE, opset).main(graph)


def _absorb(graph: Graph, nodes: list[Node], *, first: bool) -> None:
    for index, node in enumerate(nodes):
        node.graph = graph
        node.position = (-len(nodes) + index,) if first else (len(graph.nodes) + index,)
    graph.nodes = [*nodes, *graph.nodes] if first else [*graph.nodes, *nodes]


def _chain(first: onnx.GraphProto, second: onnx.GraphProto) -> onnx.GraphProto:
    """``first``, then ``second``, whose inputs are outputs of ``first`` or come from outside."""
    made = {o.name for o in first.output}
    read = {i.name for i in second.input}
    known = {t.name for t in first.initializer}
    whole = onnx.GraphProto(name=first.name)
    whole.node.extend((*first.node, *second.node))
    whole.initializer.extend((*first.initializer, *(t for t in second.initializer if t.name not in known)))
    whole.input.extend((*first.input, *(i for i in second.input if i.name not in made)))
    whole.output.extend((*(o for o in first.output if o.name not in read), *second.output))
    return whole
