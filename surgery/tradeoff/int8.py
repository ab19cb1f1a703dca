"""A rewritten model as the integers of a march have it, with the inputs and outputs of the original."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import onnx

from surgery.drift.inputs import InputSet, Sample
from surgery.drift.thresholds import Method
from surgery.ir import Model
from surgery.ir.session import open_session
from surgery.simulated import Simulation

if TYPE_CHECKING:
    from surgery.pipeline.iomap import IoMap
    from surgery.target import Target


def simulated(model: Model, io: IoMap | None, target: Target, data: InputSet, method: Method) -> Model:
    """``model`` quantised for ``target``, and put between the nodes that moved out of it.

    Thresholds are those of what the moved nodes make of ``data``, whose samples are for the original's inputs.
    """
    if io is None:
        return Simulation(model, target, data, method).made
    inside = replace(data, samples=fed(model, io, data.samples), extra=[])
    return io.compose(Simulation(model, target, inside, method).made)


def fed(model: Model, io: IoMap, samples: Sequence[Sample]) -> list[Sample]:
    """What reaches the inputs of ``model`` when ``samples`` go through the prologue of ``io``."""
    names = [value.name for value in model.graph.inputs]
    return [{name: sample[name] for name in names} for sample in _through(io.prologue, model, samples)]


def given_back(model: Model, io: IoMap, outputs: Sequence[Sample]) -> list[Sample]:
    """The outputs of the original when those of ``model`` go through the epilogue of ``io``."""
    return [{name: each[name] for name in io.outputs} for each in _through(io.epilogue, model, outputs)]


def _through(graph: onnx.GraphProto, model: Model, values: Sequence[Sample]) -> list[Sample]:
    """Values by name, and with them what ``graph``, which moved out of ``model``, makes of them."""
    if not graph.node:
        return list(values)
    made = onnx.helper.make_model(graph, opset_imports=model.header.opset_import, ir_version=model.header.ir_version)
    session = open_session(Model.load(made))
    reads = [value.name for value in graph.input]
    return [{**each, **session.run({name: each[name] for name in reads})} for each in values]
