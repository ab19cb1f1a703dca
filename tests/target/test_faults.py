"""What the toolchain places, and then fails on: which neighbours are refused, and beside which they are taken."""

from __future__ import annotations

import pytest

from surgery.ir import Model
from surgery.target import load_target, place
from surgery.toolchain import Witness
from tests.support import proto_of
from tests.target.networks import FAULTS, network


@pytest.mark.parametrize(("body", "march", "rule"), FAULTS)
def test_which_are_refused(body: str, march: str, rule: str) -> None:
    placement = place(network(body), load_target(march))
    assert [refusal.rule for refusal in placement.refusals] == [f"model.{rule}"] * bool(rule)


@pytest.mark.parametrize("rule", ["shared_roots", "stranded", "sloped", "looped", "forked", "turned"])
def test_the_nodes_are_named(rule: str) -> None:
    body, march = next((body, march) for body, march, found in FAULTS if found == rule)
    (refusal,) = place(network(body), load_target(march)).refusals
    assert refusal.found
    assert refusal.text


def test_a_shuffle_asks_once() -> None:
    """The nodes that became one read each other's results; a Concat asks through them."""
    body = "a = Neg(x) r = Reshape(a, apart) t = Transpose<perm=[0,2,1,3,4]>(r) b = Reshape(t, joined) d = Tanh(a)"
    placement = place(network(f"{body} y = Concat<axis=1>(d, b) z = Softmax<axis=2>(a)"), load_target("bernoulli2"))
    assert placement.accepted


def test_what_a_body_reads_is_no_neighbour() -> None:
    """A node in a body is none of the main graph's, which its values leave there."""
    body = "a = Tanh(x) b = Sigmoid(a) y = Neg(b)"
    size = "float[1,8,16,16]"
    then = f"then_branch = p () => ({size} e) {{ e = Neg(b) }}, else_branch = q () => ({size} h) {{ h = Neg(a) }}"
    proto = proto_of(f"g ({size} x, bool c) => ({size} d) {{ {body} d = If (c) <{then}> }}", opset=11)
    placement = place(Model.load(proto), load_target("bernoulli2"))
    assert all(refusal.rule != "model.turned" for refusal in placement.refusals)


@pytest.mark.witness
@pytest.mark.parametrize(("body", "march", "rule"), FAULTS)
def test_what_is_said_of_them(vendor: Witness, body: str, march: str, rule: str) -> None:
    assert (vendor.check(network(body), march).refusal is not None) is bool(rule)
