"""Networks of seeded weights, and the proof that the right channels went: what is not read is not missed."""

from __future__ import annotations

from typing import Any

import numpy as np

from surgery.channels import Channels, Cut, analyse
from surgery.drift.inputs import make_inputs
from surgery.ir import Model, Weight
from surgery.ir.edit import Editor
from surgery.ir.normalise import Names
from surgery.ir.session import open_session
from tests.passes.clamp_marches import seeded

Array = np.ndarray[Any, Any]


def network(text: str, *, opset: int = 17, **weights: tuple[int, ...]) -> Model:
    """``text`` with constants of seeded normal values."""
    return seeded(text, opset=opset, **weights)


def groups(channels: Channels) -> dict[str, list[int]]:
    """Numbers of channels by the weight they are named after."""
    found: dict[str, list[int]] = {}
    for group in channels.groups:
        found.setdefault(group.name, []).append(len(group.units))
    return found


def run(model: Model) -> dict[str, Array]:
    return open_session(model).run(make_inputs(model, samples=1).samples[0])


def take_out(model: Model, channels: Channels, gone: frozenset[int]) -> Model:
    """``model`` without ``gone``, in place."""
    editor, names = Editor(), Names(t.name for n in model.graph.nodes for t in (*n.inputs, *n.outputs))
    Cut(channels, gone, editor, model.opset, names).run()
    editor.settle()
    assert model.infer() == []
    model.check()
    return model


def silence(channels: Channels, gone: frozenset[int]) -> None:
    """Zeros in every weight that reads a channel that is going to go."""
    for node, weight in channels.layers:
        units = channels.units(weight, _input_axis(node.op, dict(node.attrs)), node)
        if units is not None and weight.shape[1] > 1:
            values, axis = weight.values.copy(), _input_axis(node.op, dict(node.attrs))
            np.moveaxis(values, axis, 0)[np.isin(units, list(gone))] = 0
            weight.weight = Weight.of(values)


def _input_axis(op: str, attrs: dict[str, Any]) -> int:
    if op == "Gemm":
        return 1 if attrs.get("transB") else 0
    return 1 if op == "Conv" else 0


def some(channels: Channels, group: int) -> frozenset[int]:
    """Every fourth unit of a group, from the second on: a set that is not its own mirror image."""
    return frozenset(map(int, channels.groups[group].units[1::4]))


def is_not_missed(model: Model) -> None:
    """For each group: channels that nothing reads go without changing an output, and leave the interface alone."""
    count = len(analyse(model.graph, model.opset).groups)
    assert count
    for group in range(count):
        silent = model.copy()
        channels = analyse(silent.graph, silent.opset)
        gone = some(channels, group)
        silence(channels, gone)
        before = run(silent)
        after = run(take_out(silent, channels, gone))
        for name, array in before.items():
            np.testing.assert_allclose(after[name], array, rtol=1e-4, atol=1e-4)
