"""Operators too young for the march's toolchain stop the whole model: what replaces them need only be older."""

from __future__ import annotations

import re
from typing import Any, ClassVar

import pytest

import surgery
from surgery.ir import Model
from surgery.pipeline import Pass, policy
from surgery.pipeline.manager import Manager
from surgery.pipeline.policy import ByPurpose
from surgery.pipeline.result import PassResult, Status
from surgery.rewrite import Purpose, Rule
from surgery.target import load_target
from tests.pipeline.samples import Swap
from tests.support import model_of

EYE = ",".join(str(float(i == j)) for i in range(8) for j in range(8))


class Swaps(Pass):
    """The first of the operators in place of Mish (or another) that stays."""

    name: ClassVar[str] = "swaps"
    old: str = "Mish"
    """What is replaced."""
    new: tuple[str, ...]
    """By what, in the order tried."""

    def rules(self, target: Any) -> list[Rule[Any]]:
        cure = f"{self.old}.{'opset' if self.old == 'Mish' else 'device'}"
        return [_named(new, Swap(self.old, new, Purpose.LEGALISE, cure)) for new in self.new]


def _named(name: str, rule: Swap) -> Swap:
    rule.name = name  # type: ignore[misc]
    return rule


def net(op: str = "Mish") -> Model:
    """An operator between two convolutions, at opset 20."""
    return model_of(
        f"g (float[1,8,8,8] x) => (float[1,8,8,8] y) <float[8,8,1,1] w = {{{EYE}}}> "
        f"{{ a = Conv (x, w)  [middle] b = {op} (a)  y = Conv (b, w) }}",
        opset=20,
    )


def swap(model: Model, *new: str, old: str = "Mish", **options: Any) -> PassResult:
    """The result of the pass on bayes-e, whatever it does to the numbers."""
    manager = Manager(model, load_target("bayes-e"), trace=True, **options)
    return manager.run([("swaps", Swaps(old=old, new=new))])[-1]


def test_the_cpu_is_no_reason_against_it() -> None:
    model = net()
    assert swap(model, "Neg").status is Status.APPLIED
    assert [n.op for n in model.nodes()] == ["Conv", "Neg", "Conv"]


def test_of_an_older_operator_it_is() -> None:
    result = swap(net("Neg"), "Softmax", old="Neg")
    assert result.status is Status.NOT_KEPT
    assert "makes Softmax, which is not legal either" in result.reason


def test_what_is_legal_is_tried_first() -> None:
    model = net()
    result = swap(model, "Neg", "Sigmoid")
    assert [n.op for n in model.nodes()] == ["Conv", "Sigmoid", "Conv"]
    assert [(e.rule, e.outcome) for e in result.events][:2] == [("Neg", "not-kept"), ("Sigmoid", "applied")]


def test_what_comes_out_must_not_be_too_young_itself() -> None:
    result = swap(net(), "Gelu")
    assert result.status is Status.NOT_KEPT
    assert "makes Gelu, which is not legal either (Gelu.opset 20" in result.reason
    assert sum(e.outcome == "not-kept" for e in result.events) == 2  # as legal, and as a last resort


def test_in_a_body_nothing_else_is_wanted() -> None:
    body = "{ m = Mish (x)  t = Neg (m) }"
    text = (
        "g (bool c, float[1,8] x) => (float[1,8] y) "
        f"{{ y = If (c) <then_branch = a () => (float[1,8] t) {body}, "
        "else_branch = b () => (float[1,8] u) { u = Relu (x) }> }"
    )
    model = model_of(text, opset=20)
    assert swap(model, "Abs").status is Status.APPLIED
    assert {n.op for n in model.nodes()} == {"If", "Abs", "Neg", "Relu"}
    again = swap(model, "Abs", old="Neg")
    assert [e.reason for e in again.events] == ["inside a body, which runs on the CPU as a whole"]


def test_protected_is_protected() -> None:
    result = swap(net(), "Neg", protect=re.compile("middle"))
    assert result.status is Status.UNCHANGED
    assert [e.reason for e in result.events] == ["protected"]


@pytest.mark.parametrize("old", ["Mish", "Neg"])
def test_no_estimate_of_the_whole_model_excuses_it(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where rewrites are judged by the whole model, and that is done too often already."""
    monkeypatch.setattr(policy, "WHOLE", 0)
    monkeypatch.setattr(ByPurpose, "slower", lambda self: None if self.careful else "slower")
    assert (swap(net(old), "Sigmoid", old=old).status is Status.APPLIED) is (old == "Mish")


def test_rolling_back_a_match_forgets_that_it_was_a_last_resort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ByPurpose, "slower", lambda self: None if self.careful else "slower")
    model = net()
    result = swap(model, "Neg", "Sigmoid")
    assert [n.op for n in model.nodes()] == ["Conv", "Sigmoid", "Conv"]
    assert result.applied == 1


def test_what_is_left_to_the_cpu_is_not_made_more_of_in_vain() -> None:
    """A difference on the CPU stays one: as a sum and a product it is on the CPU of X3, too, and two nodes."""
    model = model_of(
        "g (float[1,16,8] x) => (float[1,16,8] y) <float[8] g1 = {1,2,1,2,1,2,1,2}> "
        "{ a = Neg (x) b = LayerNormalization <axis=-1> (a, g1) y = Neg (b) }",
        opset=17,
    )
    done = surgery.run(model, march="bernoulli2", verify="off")
    ops = [node.op for node in done.model.nodes()]
    assert "LayerNormalization" not in ops
    assert "Sub" in ops
