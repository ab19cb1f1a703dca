"""What many tests need: models from ONNX text, and one pass run as the manager runs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import onnx.parser
import onnx.printer

from surgery.drift.inputs import InputSet, make_inputs
from surgery.drift.verifier import Verifier
from surgery.ir import Model
from surgery.ir.infer import dims
from surgery.pipeline import Pass
from surgery.pipeline.manager import Manager
from surgery.pipeline.result import PassResult, Status
from surgery.target import load_target
from surgery.toolchain import Witness

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


def proto_of(text: str, *, opset: int = 17, ir_version: int = 8) -> onnx.ModelProto:
    """The ModelProto of ONNX text; the model header is added when the text starts with the graph."""
    if not text.lstrip().startswith("<"):
        text = f'<ir_version: {ir_version}, opset_import: ["": {opset}]> {text}'
    return onnx.parser.parse_model(text)


def model_of(text: str, *, opset: int = 17, ir_version: int = 8) -> Model:
    """The loaded model of ONNX text."""
    return Model.load(proto_of(text, opset=opset, ir_version=ir_version))


@dataclass
class Applied:
    """A model after one pass, with the verifier's word on it."""

    model: Model
    result: PassResult
    manager: Manager

    @property
    def text(self) -> str:
        """The nodes in ONNX text, one per line, without names of nodes."""
        return nodes_text(self.model)

    @property
    def ops(self) -> list[str]:
        """Operator types in topological order, bodies included."""
        return [node.op for node in self.model.nodes()]

    @property
    def reasons(self) -> list[str]:
        """Every reason a rule refused or was not kept."""
        return [event.reason for event in self.result.events if event.reason]


def apply_pass(
    model: Model | str,
    step: Pass,
    march: str | None = None,
    *,
    opset: int = 17,
    inputs: Any = None,
    verify: bool = True,
    budget: dict[str, float] | None = None,
    idempotent: bool = True,
) -> Applied:
    """Run one pass as the manager does, verified by onnxruntime at the tolerance of its exactness class.

    What every pass has to keep is asserted here: a valid graph, the interface (unless it returns an IoMap), numbers
    within the promise, and (unless told otherwise) that a second run changes nothing.
    """
    original = model_of(model, opset=opset) if isinstance(model, str) else model
    target = load_target(march) if march else None
    verifier = Verifier(original, _inputs(original, step, inputs), budget=budget) if verify else None
    manager = Manager(original.copy(), target, verifier, trace=True)
    result = manager.run([(step.name, step)])[-1]
    assert result.status not in (Status.FAILED, Status.ROLLED_BACK), f"{result.status}: {result.reason}"
    manager.model.check()
    if manager.io is None:
        assert interface(manager.model) == interface(original)
    if not idempotent:
        return Applied(manager.model, result, manager)
    again = Manager(manager.model.copy(), target, trace=True).run([(step.name, step)])[-1]
    assert again.status is not Status.APPLIED, f"not idempotent: {again.edits}"
    return Applied(manager.model, result, manager)


def _inputs(original: Model, step: Pass, given: Any) -> InputSet:
    """What to verify on: at one shape alone where the pass makes that the only one."""
    sizes = step.freezes(original.graph)
    return make_inputs(original, samples=2, given=given, shapes=sizes or {}, frozen=sizes is not None)


def interface(model: Model) -> list[tuple[str, str, str]]:
    """Name, dtype and shape of every graph input and output."""
    return [(t.name, str(t.dtype), dims(t.shape)) for t in (*model.graph.inputs, *model.graph.outputs)]


def nodes_text(model: Model) -> str:
    """The nodes of the main graph in ONNX text, one per line, without node names."""
    proto = model.to_proto()
    for node in proto.graph.node:
        node.ClearField("name")
        del node.metadata_props[:]
    text = onnx.printer.to_text(proto.graph)
    return "\n".join(line.strip() for line in text.split("{\n", 1)[1].rsplit("}", 1)[0].splitlines() if line.strip())


def vendor_devices(vendor: Witness, model: Model, march: str) -> dict[str, str]:
    """Where the vendor's toolchain, which has to take the model, puts every row: ``bpu`` or ``cpu`` by name."""
    answer = vendor.check(model, march)
    assert answer.refusal is None
    assert answer.placement is not None
    return {name: row.device for name, row in zip(answer.placement.names, answer.placement.rows, strict=True)}
