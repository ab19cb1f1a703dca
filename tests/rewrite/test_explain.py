"""Why a rule fired or refused, for any node."""

from __future__ import annotations

import pytest

from surgery.errors import InputError
from surgery.ir import Model
from surgery.pipeline.explain import explain
from tests.support import model_of, proto_of

TEXT = "g (float[2] x) => (float[2] y) <float k = {2}> { a = Identity (x)  b = Mul (a, k)  c = Relu (b)  y = Relu (c) }"


def test_refusal_of_a_node() -> None:
    told = explain(model_of(TEXT), "remove-noops", None, node="Mul")
    assert [(e.rule, e.outcome, e.reason) for e in told.events] == [
        ("drop-neutral", "refused", "every element of 'k' must be 1"),
    ]


def test_every_node_that_was_asked_about() -> None:
    told = explain(model_of(TEXT), "remove-noops", None)
    applied = {(e.rule, e.node) for e in told.events if e.outcome == "applied"}
    assert applied == {("drop-identity", "Identity"), ("drop-repeated", "Relu_1")}


def test_the_model_stays_as_it_is() -> None:
    model = model_of(TEXT)
    before = model.digest()
    explain(model, "remove-noops", None)
    assert model.digest() == before


def test_unknown_node() -> None:
    proto = proto_of(TEXT)
    proto.graph.node[1].name = "scale"
    with pytest.raises(InputError, match=r"unknown node 'scael'") as error:
        explain(Model.load(proto), "remove-noops", None, node="scael")
    assert "did you mean scale?" in str(error.value)


def test_unknown_pass() -> None:
    with pytest.raises(InputError, match="remove-noops"):
        explain(model_of(TEXT), "remove-noop", None)
