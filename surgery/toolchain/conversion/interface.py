"""What a configuration can be checked against in the model that it names: inputs, their shapes, and names of nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from surgery.ir import Model

Shape = tuple[int | str | None, ...]


@dataclass(frozen=True, slots=True)
class Interface:
    """The outside of a model.

    Attributes:
        inputs: shapes by name, in the order of the graph; a dim that is not fixed is its name or None, all of an
            unknown rank ().
        nodes: operators by name of the node, in the order of the graph, of those that have a name in the file.
        requests: those of them that should be on the BPU, and are only where the tool is asked for it.
        normalising: nodes that normalise a picture, which the tool could do.
    """

    inputs: Mapping[str, Shape]
    nodes: Mapping[str, str]
    requests: tuple[str, ...] = ()
    normalising: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: Model, requests: tuple[str, ...] = (), normalising: tuple[str, ...] = ()) -> Interface:
        """The interface of a loaded model."""
        inputs = {tensor.name: tuple(tensor.shape or ()) for tensor in model.graph.inputs}
        nodes = {node.name: node.op for node in model.graph.nodes if node.named}
        return cls(inputs, nodes, tuple(name for name in requests if name in nodes), normalising)

    def fixed(self, name: str) -> tuple[int, ...] | None:
        """The shape of an input whose dims are all numbers; None for any other."""
        dims = self.inputs.get(name) or ()
        numbers = tuple(dim for dim in dims if isinstance(dim, int))
        return numbers if dims and len(numbers) == len(dims) else None
