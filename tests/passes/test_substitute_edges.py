"""substitute-ops in unusual places: bodies, shared values, graph outputs, unknown sizes, every opset."""

from __future__ import annotations

import re

import onnx
import pytest

from passes.substitute import SubstituteOps
from surgery.ir import Model
from surgery.pipeline.manager import Manager
from surgery.pipeline.result import Status
from surgery.target import load_target
from tests.passes.substitutions import CASES, CHANNELS, net
from tests.passes.test_substitute import path, run
from tests.support import apply_pass, model_of


def test_a_body_is_left() -> None:
    """What is inside an If runs on the CPU as a whole."""
    body = "{ t = Neg (x) }"
    model = model_of(
        f"g (bool c, float[1,8,6,6] x) => (float[1,8,6,6] y) "
        f"{{ y = If (c) <then_branch = a () => (float[1,8,6,6] t) {body}, else_branch = b () => (float[1,8,6,6] u) "
        f"{{ u = Relu (x) }}> }}"
    )
    done = apply_pass(model, SubstituteOps(), path("bayes-e"))
    assert done.result.status is not Status.APPLIED
    assert "inside a body, which runs on the CPU as a whole" in done.reasons


def test_shared_constants_stay() -> None:
    body = "a = GroupNormalization <num_groups = 2> (x, g, g)  y = GroupNormalization <num_groups = 4> (a, g, g)"
    done = run(net(body, 21, g=CHANNELS), "bayes-e")
    assert done.result.applied == 2


@pytest.mark.parametrize("op", ["HardSwish", "Neg", "Mish"])
def test_operand_and_result_are_graph_outputs(op: str) -> None:
    model = model_of(
        f"g (float[1,8,6,6] x) => (float[1,8,6,6] r, float[1,8,6,6] y, float[1,8,6,6] z) "
        f"{{ r = Relu (x)  y = {op} (r)  z = Sigmoid (y) }}",
        opset=18,
    )
    assert apply_pass(model, SubstituteOps(), path("bayes-e")).result.applied == 1


@pytest.mark.parametrize(
    "name", ["HardSwish", "Neg", "ReduceL2", "ReduceSum", "LogSoftmax", "LayerNormalization", "GroupNormalization"]
)
def test_dynamic_batch(name: str) -> None:
    case, kind = CASES[name], "float[N,8,6,6]"
    done = run(net(case.body, case.opset, kind, kind, **case.constants), case.march)
    assert " ".join(done.ops) == case.after


@pytest.mark.parametrize("opset", [9, 11, 13, 17, 18, 21, onnx.defs.onnx_opset_version() - 2])
@pytest.mark.parametrize(
    "name", ["Neg", "Sub", "Min-Max-to-Clip", "LogSoftmax", "LRN", "ReduceMin", "ReduceSum of everything", "Mean"]
)
def test_every_opset(name: str, opset: int) -> None:
    """Axes and bounds are attributes in one opset and inputs in the next."""
    case = CASES[name]
    body = case.body.replace("ReduceMin <axes = [1]> (x)", "ReduceMin (x)")
    model = net(body, opset, **case.constants)
    done = run(model, case.march)
    assert done.result.status is Status.APPLIED
    assert all(onnx.defs.has(op, opset, "") for op in done.ops)


def test_names_and_origin() -> None:
    model = model_of("g (float[1,8,6,6] x) => (float[1,8,6,6] y) { [swish] y = HardSwish (x) }")
    nodes = list(apply_pass(model, SubstituteOps(), path("bayes-e")).model.nodes())
    assert all(n.name.startswith(f"swish/{n.op}") for n in nodes)
    assert {n.metadata["surgery.origin"] for n in nodes} == {"substitute-ops/hardswish: swish"}


def test_a_custom_operator_nearby() -> None:
    model = model_of(
        '<ir_version: 8, opset_import: ["": 17, "made.up": 1]> '
        "g (float[1,8,6,6] x) => (float[1,8,6,6] y) { h = HardSwish (x)  y = made.up.HardSwish (h) }"
    )
    done = apply_pass(model, SubstituteOps(), path("bayes-e"), verify=False)
    assert done.ops == ["HardSigmoid", "Mul", "HardSwish"]


def test_a_protected_node_is_left() -> None:
    model: Model = net("y = Neg (x)")
    manager = Manager(model, load_target(path("bayes-e")), protect=re.compile("Neg"))
    assert manager.run([("substitute-ops", SubstituteOps())])[0].status is Status.UNCHANGED


def test_without_a_march_nothing_is_done() -> None:
    assert apply_pass(net("y = Neg (x)"), SubstituteOps(), None).result.status is Status.UNCHANGED
