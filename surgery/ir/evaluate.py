"""Computes nodes at load time by onnxruntime, so that what stands for them has the same bits.

All nodes go into one session. When onnxruntime refuses that, halves are tried, down to the node that is to blame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import onnx

from surgery.ir.exporter import INLINE_BYTES, Exporter, Weights
from surgery.ir.graph import Constant, Node, Value
from surgery.ir.session import Session, SessionError
from surgery.ir.weights import PACKED_BITS, Weight

Array: TypeAlias = "np.ndarray[Any, Any]"

SESSIONS = 200
"""Sessions one evaluator opens at most."""


class Evaluator:
    """Evaluates nodes whose inputs are constants, given values, or outputs of nodes before them.

    Args:
        header: IR version and opsets.
        given: arrays that stand for values.

    Attributes:
        values: the given arrays, and what nodes compute that others (or nobody) read.
        refusals: by node, why it could not be computed.
    """

    def __init__(self, header: onnx.ModelProto, given: Mapping[Value, Array]) -> None:
        self.values: dict[Value, Array] = dict(given)
        self.refusals: dict[Node, str] = {}
        self._base = onnx.ModelProto(ir_version=header.ir_version, opset_import=header.opset_import)
        opset = next((o.version for o in header.opset_import if o.domain in ("", "ai.onnx")), 1)
        self._export = Exporter(Weights.INPUTS, opset).node
        self._left = SESSIONS

    def run(self, nodes: Sequence[Node]) -> None:
        """Compute ``nodes``, which are in topological order; fills ``values`` and ``refusals``."""
        nodes = self._ready(nodes)
        wanted = list(_read_outside(nodes))
        if not wanted:
            return
        try:
            self._left -= 1
            self.values.update(self._compute(nodes, wanted))
        except SessionError as error:
            self._halve(nodes, error)

    def _halve(self, nodes: Sequence[Node], error: SessionError) -> None:
        if len(nodes) == 1:
            self.refusals[nodes[0]] = error.what
        elif self._left <= 0:
            self.refusals.update((n, f"not tried after {SESSIONS} attempts, the last: {error.what}") for n in nodes)
        else:
            middle = len(nodes) // 2
            self.run(nodes[:middle])
            self.run(nodes[middle:])

    def _ready(self, nodes: Sequence[Node]) -> list[Node]:
        """Those among ``nodes`` that do not depend on a refused one."""
        known = set(self.values)
        ready = []
        for node in nodes:
            if all(isinstance(t, Constant) or t.is_empty() or t in known for t in node.inputs):
                ready.append(node)
                known.update(node.outputs)
        return ready

    def _compute(self, nodes: Sequence[Node], wanted: Sequence[Value]) -> dict[Value, Array]:
        proto = onnx.ModelProto()
        proto.CopyFrom(self._base)
        proto.graph.name = "fold"
        proto.graph.node.extend(self._export(n) for n in nodes)
        proto.graph.output.extend(onnx.ValueInfoProto(name=v.name) for v in wanted)
        heavy: dict[str, tuple[Array, int]] = {}
        for name, weight in self._operands(nodes).items():
            if weight.nbytes > INLINE_BYTES and not weight.is_string and weight.elem_type not in PACKED_BITS:
                proto.graph.initializer.append(weight.declare(name))
                heavy[name] = (np.ascontiguousarray(weight.array()), weight.elem_type)
            else:
                proto.graph.initializer.append(weight.to_proto(name))
        found = Session(proto.SerializeToString(), heavy, "constant folding").run({})
        return {v: found[v.name] for v in wanted}

    def _operands(self, nodes: Sequence[Node]) -> dict[str, Weight]:
        """What stands for the tensors that ``nodes`` read and do not compute, by name."""
        made = {v for n in nodes for v in n.outputs}
        operands: dict[str, Weight] = {}
        for tensor in (t for n in nodes for t in n.inputs if not t.is_empty() and t not in made):
            if isinstance(tensor, Constant):
                operands[tensor.name] = tensor.weight
            elif tensor.name not in operands:
                operands[tensor.name] = Weight.of(self.values[tensor])
        return operands


def _read_outside(nodes: Sequence[Node]) -> Iterator[Value]:
    """The outputs of ``nodes`` that another node reads."""
    inside = set(nodes)
    for node in nodes:
        yield from (v for v in node.outputs if any(reader not in inside for reader in v.outputs))
