"""The main job as a function, and what it says when it cannot be done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from surgery.drift.inputs import make_inputs
from surgery.errors import InputError, WeightsMissing
from surgery.ir import Model
from surgery.pipeline import Pipeline
from surgery.pipeline.bisect import Bisector
from surgery.pipeline.explain import explain
from surgery.pipeline.result import Status
from surgery.pipeline.run import run
from surgery.target import load_target
from tests.pipeline.samples import Leaks, Roots, Whole
from tests.support import model_of, proto_of

CHAIN = """g (float[1,8,4,4] x) => (float[1,8,4,4] y) <float h = {0.5}>
{ [a] a = Abs (x) [p] p = Pow (a, h) [one] b = Relu (p) [two] c = Relu (b) [n] n = Neg (c) [bad] y = Relu (n) }"""


def test_a_run_says_what_it_did() -> None:
    result = run(model_of(CHAIN), march="bayes-e", pipeline=Pipeline.of(Roots(), Whole()))
    assert [p.status for p in result.passes] == [Status.APPLIED, Status.UNCHANGED]
    assert result.verified == "full"
    assert result.drift is not None
    assert result.drift.outputs[0].name == "y"
    assert [e.change.old for e in result.edits] == [("p",)]
    assert [n.op for n in result.original.nodes()][1] == "Pow"


@pytest.mark.parametrize("verify", ["each", "end"])
def test_a_guilty_pass_is_dropped_and_named(verify: str) -> None:
    result = run(model_of(CHAIN), march="bayes-e", pipeline=Pipeline.of(Roots(), Leaks()), verify=verify)
    status = {p.name: p.status for p in result.passes}
    assert status == {"roots": Status.APPLIED, "leaks": Status.ROLLED_BACK}
    assert [n.op for n in result.model.nodes()] == ["Abs", "Sqrt", "Relu", "Relu", "Neg", "Relu"]
    assert result.verified == "full"


def test_verify_off_says_so() -> None:
    result = run(model_of(CHAIN), march="bayes-e", pipeline=Pipeline.of(Roots()), verify="off")
    assert (result.verified, result.drift, result.inputs) == ("off", None, None)


def test_a_budget_is_held_against_what_came_out() -> None:
    pipeline = Pipeline.of(Roots())
    assert run(model_of(CHAIN), march="bayes-e", pipeline=pipeline, budget={"max_abs": 1e-3}).exceeded == []
    beyond = run(model_of(CHAIN), march="bayes-e", pipeline=pipeline, budget={"cosine": 2.0})  # no cosine is over 1
    assert beyond.exceeded == ["output 'y': cosine is 1, the budget says 2"]
    with pytest.raises(InputError, match="a budget is measured"):
        run(model_of(CHAIN), march="bayes-e", pipeline=pipeline, budget={"cosine": 0.9}, verify="off")


def test_an_evaluator_sees_both_models_through_the_original_interface() -> None:
    seen: list[list[str]] = []

    def evaluate(runner: Any) -> Mapping[str, float]:
        outputs = runner.run({"x": np.full((1, 8, 4, 4), -4.0, np.float32)})
        seen.append(list(outputs))
        return {"mean": float(outputs["y"].mean())}

    result = run(model_of(CHAIN), march="bayes-e", pipeline=Pipeline.of(Roots()), evaluate=evaluate)
    assert result.metrics == ({"mean": 0.0}, {"mean": 0.0})
    assert seen == [["y"], ["y"]]


def test_models_without_their_weights_are_refused() -> None:
    proto = proto_of("g (float[1,4] x) => (float[1,4] y) <float[600] w> { y = Relu (x) }")
    tensor = proto.graph.initializer.add(name="w", data_type=1, dims=[4, 100])
    tensor.data_location = 1
    tensor.external_data.add(key="location", value="gone.bin")
    proto.graph.node[0].op_type = "MatMul"
    proto.graph.node[0].input.append("w")
    proto.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 100
    model = Model.load(proto)
    with pytest.raises(WeightsMissing, match="the external data of 'w' is missing"):
        run(model, march="bayes-e", pipeline=Pipeline.of(Whole()))


def test_bad_choices() -> None:
    with pytest.raises(InputError, match="unknown value of verify 'eech'"):
        run(model_of(CHAIN), march="bayes-e", pipeline=Pipeline.of(Whole()), verify="eech")
    with pytest.raises(InputError, match="not a regular expression"):
        run(model_of(CHAIN), march="bayes-e", pipeline=Pipeline.of(Whole()), protect="(")


def test_what_onnxruntime_cannot_run_is_not_verified() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "custom": 1]>
    g (float[1,4] x) => (float[1,4] y) <float h = {0.5}> { a = Pow (x, h) y = custom.Thing (a) }"""
    result = run(model_of(text), march="bayes-e", pipeline=Pipeline.of(Roots()))
    assert result.verified in ("none", "partial")
    assert result.reasons
    assert result.passes[0].status is Status.APPLIED


def test_bisect_finds_the_pass_and_the_match() -> None:
    model = model_of(CHAIN)
    inputs = make_inputs(model, samples=2)
    guilty = Bisector(model, Pipeline.of(Roots(), Leaks()), load_target("bayes-e"), inputs).first()
    assert guilty is not None
    assert (guilty.name, guilty.index, guilty.matches, guilty.match) == ("leaks", 1, 3, 3)
    assert guilty.change is not None
    assert guilty.change.old == ("bad",)
    assert "'y'" in guilty.reason


def test_bisect_finds_nothing_when_all_is_well() -> None:
    model = model_of(CHAIN)
    assert Bisector(model, Pipeline.of(Roots()), None, make_inputs(model, samples=1)).first() is None


def test_explain_says_why_without_changing_anything() -> None:
    model = model_of("g (float[1,4] x) => (float[1,4] y) <float h = {3}> { [p] a = Pow (x, h) y = Relu (a) }")
    before = model.to_proto()
    told = explain(model, "strip-io-nodes", load_target("bayes-e"), node="p")
    assert told.events == ()
    assert model.to_proto() == before
    with pytest.raises(InputError, match="unknown node 'q'"):
        explain(model, "strip-io-nodes", None, node="q")
    with pytest.raises(InputError, match="unknown pass 'strip'"):
        explain(model, "strip", None)


def test_the_same_run_twice_gives_the_same_bytes() -> None:
    first, second = (
        run(model_of(CHAIN), march="bayes-e", pipeline=Pipeline.of(Roots())).model.to_proto() for _ in range(2)
    )
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True)
