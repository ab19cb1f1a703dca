"""lower-opset: which opset and IR version, what else the header says, bodies, protection, and that it is one step."""

from __future__ import annotations

import re

import onnx
import pytest

from passes.opset import LowerOpset
from surgery.errors import InputError
from surgery.ir import Model
from surgery.pipeline.manager import Manager
from surgery.pipeline.pipeline import Pipeline
from surgery.target import load_target
from tests.matrix import VARIANTS, model_in, runs
from tests.passes.opset.support import lower, one
from tests.support import apply_pass, model_of

RELU = one("y = Relu (x)")


@pytest.mark.parametrize(
    ("march", "opset", "ir", "wanted"),
    [
        ("bayes-e", 17, 8, (11, 7)),
        ("bayes-e", 11, 6, (11, 6)),  # taken as it is
        ("bayes-e", 11, 10, (11, 7)),
        ("bayes-e", 9, 4, (11, 7)),
        ("bernoulli2", 20, 9, (11, 7)),
        ("nash-e", 17, 8, (17, 8)),
        ("nash-e", 21, 10, (20, 9)),
    ],
)
def test_the_march_decides(march: str, opset: int, ir: int, wanted: tuple[int, int]) -> None:
    applied = apply_pass(model_of(RELU, opset=opset, ir_version=ir), LowerOpset(), march)
    assert (applied.model.opset, applied.model.ir_version) == wanted


def test_without_a_march_nothing_is_to_be_lowered() -> None:
    assert lower(RELU, 17, to=None).result.status == "unchanged"


@pytest.mark.parametrize("march", ["bernoulli2", "bayes", "bayes-e"])
def test_it_cures_the_refusal(march: str) -> None:
    target = load_target(march)
    model = model_of(RELU, opset=17, ir_version=10)
    assert {r.rule for r in target.refusals(model)} == {"model.opset", "model.ir_version"}
    assert target.refusals(apply_pass(model, LowerOpset(), march).model) == []
    assert {"model.opset", "model.ir_version"} <= LowerOpset.cures


def test_imports_that_nothing_uses_are_left_out() -> None:
    header = '<ir_version: 8, opset_import: ["": 17, "nobody": 1, "own": 3]>'
    text = f"{header} g (float[2] x) => (float[2] y) {{ y = own.f (x) }}"
    applied = apply_pass(Model.load(onnx.parser.parse_model(text)), LowerOpset(opset=11), verify=False)
    assert applied.model.opsets == {"": 11, "own": 3}


def test_the_rest_of_the_header_stays() -> None:
    model = model_of(RELU)
    model.header.producer_name, model.header.doc_string = "somebody", "a text"
    model.header.metadata_props.add(key="k", value="v")
    header = lower(model).model.header
    assert (header.producer_name, header.doc_string, header.metadata_props[0].value) == ("somebody", "a text", "v")


@pytest.mark.parametrize("variant", VARIANTS)
def test_everywhere(variant: str) -> None:
    text = one(
        "p = Softmax <axis = 1> (x)  a, b = Split <axis = 1> (p, s)  c = Concat <axis = 1> (b, a)  "
        "q = Squeeze (c, n)  u = Unsqueeze (q, n)  y = Mul (u, w)",
        x="float[1,3,4,5]", y="float[1,3,4,5]",
        constants="int64[2] s = {1, 2}, int64[1] n = {0}, float[3,1,1] w = {1.0, 2.0, 3.0}",
    )  # fmt: skip
    if variant == "dynamic_batch":
        text = text.replace("q = Squeeze (c, n)  u = Unsqueeze (q, n)", "u = Relu (c)")
    applied = apply_pass(model_in(variant, text), LowerOpset(opset=11), verify=runs(variant))
    assert (applied.model.opset, applied.result.status) == (11, "applied")


def test_a_protected_node_is_not_restated() -> None:
    model = model_of(one("y = Softmax (x)"))
    model.graph.nodes[0].name = "head"
    result = Manager(model, load_target("bayes-e"), protect=re.compile("head")).run([("low", LowerOpset())])[-1]
    assert (result.status, model.opset) == ("refused", 17)
    assert result.reason == "Softmax: would change 'head', which is protected (1)"


def test_edits_name_the_nodes_of_before_and_after() -> None:
    applied = lower(one("y = Softmax <axis = 1> (x)"), 13)
    [edit] = applied.result.edits
    assert edit.change.old == ("Softmax",)
    assert set(edit.change.new) == {"Softmax/Transpose", "Softmax", "Softmax/Transpose_1"}


def test_it_is_one_match() -> None:
    """So that a bisection finds the pass, which is all or nothing."""
    model = model_of(one("a = Softmax <axis = 1> (x)  y = Softmax <axis = 1> (a)"), opset=13)
    results = Manager(model, None).run([("low", LowerOpset(opset=11))], limits={"low": 0})
    assert (results[-1].status, model.opset) == ("unchanged", 13)
    assert Manager(model, None).run([("low", LowerOpset(opset=11))])[-1].applied == 1


def test_what_failed_is_undone_header_and_all() -> None:
    model = model_of(one("a = Softmax <axis = 1> (x)  y = Mish (a)"), opset=18)
    before = model.digest()
    assert Manager(model, None).run([("low", LowerOpset(opset=11))])[-1].status == "refused"
    assert (model.digest(), model.opset) == (before, 18)


def test_an_opset_before_eleven_is_no_option() -> None:
    with pytest.raises(InputError, match="opset: Input should be greater than or equal to 11"):
        Pipeline.of({"lower-opset": {"opset": 9}})


def test_it_runs_after_what_makes_room_for_it() -> None:
    with pytest.raises(InputError, match="lower-opset has to run after substitute-ops"):
        Pipeline.of("lower-opset", "substitute-ops")


APART = one(
    "q = QuantizeLinear (x, s, z)  t = Tanh (x)  d = DequantizeLinear (q, s, z)  y = Add (d, t)",
    constants="float s = {0.05}, int8 z = {3}",
)


@pytest.mark.parametrize("opset", [11, 17])
def test_what_dequantises_is_put_right_behind_what_quantises(opset: int) -> None:
    target = load_target("bayes-e")
    model = model_of(APART, opset=opset)
    assert "model.parted" in {refusal.rule for refusal in target.refusals(model)} & LowerOpset.cures
    applied = apply_pass(model, LowerOpset(), "bayes-e")
    assert [node.op for node in applied.model.graph.nodes] == ["QuantizeLinear", "DequantizeLinear", "Tanh", "Add"]
    assert target.refusals(applied.model) == []
    assert apply_pass(applied.model, LowerOpset(), "bayes-e").result.status == "unchanged"


def test_their_order_stays_where_no_march_asks_for_another() -> None:
    assert apply_pass(model_of(APART, opset=17), LowerOpset(), "nash-e").result.status == "unchanged"


def test_a_protected_node_is_not_put_elsewhere() -> None:
    model = model_of(APART, opset=11)
    model.graph.nodes[0].name = "head"
    result = Manager(model, load_target("bayes-e"), protect=re.compile("head")).run([("low", LowerOpset())])[-1]
    assert result.status == "unchanged"
