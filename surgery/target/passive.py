"""Nodes that the toolchain quantises only for the sake of their neighbours.

An active operator is quantised wherever it stands. A passive one is where all that it reads is quantised, or its result
is asked for quantised; a waiting one only where its result is. A value is quantised when an operator on the BPU reads
it, or made it; a convolution's result is float unless it is read so.
"""

from __future__ import annotations

from collections.abc import Iterable

from surgery.ir.graph import Constant, Graph, Node, Tensor
from surgery.target.folds import Folds, gemm_of, vanishes
from surgery.target.params import Params, Unknown
from surgery.target.target import Target
from surgery.target.verdict import Verdict


class Neighbours:
    """Which nodes of one graph are quantised for the sake of others.

    Args:
        graph: the graph.
        target: the chip.
        verdicts: what the chip says of each node by itself.
        opset: of the model.

    Attributes:
        pulled: nodes whose result something on the BPU asks for, directly or through passive ones.
    """

    def __init__(self, graph: Graph, target: Target, verdicts: dict[Node, Verdict], opset: int) -> None:
        self.target, self.verdicts = target, verdicts
        self.waiting = {n for n in graph.nodes if n.op in target.march.passive.waiting and target.is_waiting(n, opset)}
        self.pulled: set[Node] = set()
        for node in reversed(graph.nodes):
            if any(self._pulls(reader) for out in node.outputs for reader in out.outputs):
                self.pulled.add(node)

    def idle(self, nodes: Iterable[Node], folds: Folds) -> dict[Node, str]:
        """The nodes that could run on the BPU and are left on the CPU, with the reason, from the front of the graph."""
        idle: dict[Node, str] = {}
        for node in nodes:
            name = folds.lookups.get(node)
            if node in self.pulled or node in folds.into or (name is None and self.verdicts[node].device != "bpu"):
                continue
            if name is not None:
                if name in self.target.march.passive.waiting:
                    idle[node] = "waiting: nothing quantised reads it"
            elif node in self.waiting:
                idle[node] = "waiting: nothing quantised reads it"
            elif self._waits(node, folds) and not self._fed(node, idle, folds):
                idle[node] = "passive: nothing quantised is before or behind it"
        return idle

    def _fed(self, node: Node, idle: dict[Node, str], folds: Folds) -> bool:
        """Whether all that ``node`` reads is quantised, or float of convolutions beside one that is asked for."""
        read = folds.computed(node)
        others = [
            tensor for tensor in read if not self._is_asked_for(tensor) and not self._is_made_so(tensor, idle, folds)
        ]
        if not others:
            return bool(read)
        return any(map(self._is_asked_for, read)) and all(self._is_of_conv(tensor, folds) for tensor in others)

    def _waits(self, node: Node, folds: Folds | None) -> bool:
        passive = self.target.march.passive
        if node.op in passive.not_after_conv:
            return not self._behind_conv(node, folds)
        return node.op in passive.ops or (node.op in passive.after_conv and self._behind_conv(node, folds))

    def _behind_conv(self, node: Node, folds: Folds | None) -> bool:
        """Whether convolutions on the BPU make everything that ``node`` reads."""
        return all(self._is_of_conv(t, folds or Folds()) for t in node.inputs if not isinstance(t, Constant))

    def _on_bpu(self, node: Node) -> bool:
        return node in self.verdicts and self.verdicts[node].device == "bpu"

    def _pulls(self, reader: Node) -> bool:
        """Whether ``reader`` asks for quantised input: it is active on the BPU, or passes on to one that is."""
        if reader not in self.verdicts:
            return False
        device = self.verdicts[reader].device
        if self.target.fuses("flatten-gemm") and (gemm := gemm_of(reader)) is not None:
            return self._pulls(gemm)
        if device == "folded" or vanishes(reader, self.target):
            return reader in self.pulled
        if device not in ("bpu", "unknown"):
            return device == "cpu" and reader.op in self.target.march.passive.pulling
        return reader in self.pulled or not (reader in self.waiting or self._waits(reader, None))

    def _is_asked_for(self, tensor: Tensor) -> bool:
        return any(self._pulls(reader) for reader in tensor.outputs)

    def _is_made_so(self, tensor: Tensor, idle: dict[Node, str], folds: Folds) -> bool:
        """Whether a node on the BPU makes ``tensor`` quantised, whoever reads it."""
        maker = tensor.producer
        if maker is None or maker not in self.verdicts:
            return False
        home = folds.home(maker)
        on_bpu = self._on_bpu(home) or home in folds.lookups
        return on_bpu and home not in idle and not self._gives_floats(home)

    def _is_of_conv(self, tensor: Tensor, folds: Folds) -> bool:
        home = None if tensor.producer is None else folds.home(tensor.producer)
        while home is not None and home.op == "BatchNormalization":
            home = home.inputs[0].producer
        return home is not None and home.op in ("Conv", "Gemm") and self._on_bpu(home)

    def _gives_floats(self, node: Node) -> bool:
        """Whether the result of ``node`` leaves the BPU as floats where nothing quantised reads it."""
        passive = self.target.march.passive
        if node.op != "ReduceMean" or node.op not in passive.floats:
            return node.op in passive.floats
        try:
            return set(Params(node, 11)["axes"]) == {2, 3}
        except Unknown:
            return False
