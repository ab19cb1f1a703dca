"""The manager keeps of each pass only what holds, and says why of the rest."""

from __future__ import annotations

import re

import pytest

from surgery.drift.inputs import make_inputs
from surgery.drift.verifier import Verifier
from surgery.ir import Model
from surgery.pipeline import Pass
from surgery.pipeline.manager import Manager
from surgery.pipeline.result import PassResult, Status
from surgery.rewrite import ORIGIN, Exactness, Purpose
from surgery.target import load_target
from tests.pipeline.samples import Breaks, Forever, Leaks, Narrows, Roots, Whole, swapping
from tests.support import model_of

CHAIN = """g (float[1,8,4,4] x) => (float[1,8,4,4] y) <float h = {0.5}>
{ [a] a = Abs (x) [p] p = Pow (a, h) [good] g1 = Relu (p) [bad] n = Neg (g1) [bad2] g2 = Relu (n)
[end] y = Neg (g2) }"""


def manage(model: Model | str, *steps: Pass, march: str | None = None, protect: str = "") -> tuple[Manager, PassResult]:
    original = model_of(model) if isinstance(model, str) else model
    verifier = Verifier(original, make_inputs(original, samples=2))
    pattern = re.compile(protect) if protect else None
    manager = Manager(original.copy(), load_target(march) if march else None, verifier, pattern, trace=True)
    return manager, manager.run([(step.name, step) for step in steps])[-1]


def test_an_applied_pass_is_counted_timed_and_measured() -> None:
    manager, result = manage(CHAIN, Roots())
    assert (result.status, result.matched, result.applied) == (Status.APPLIED, 1, 1)
    assert result.exactness is Exactness.ROUNDING
    assert result.purposes == (Purpose.NORMALISE,)
    assert result.drift_step is not None
    assert result.drift_step < 1e-6
    assert result.edits[0].kind == "replaced"
    assert result.edits[0].change.old == ("p",)
    assert [n.op for n in manager.model.nodes()][1] == "Sqrt"


def test_new_nodes_carry_their_origin() -> None:
    manager, _ = manage(CHAIN, Roots())
    node = next(n for n in manager.model.nodes() if n.op == "Sqrt")
    assert node.metadata[ORIGIN] == "roots/square-root: p"


def test_a_broken_promise_is_rolled_back_and_measured() -> None:
    manager, result = manage(CHAIN, Leaks())
    assert result.status is Status.ROLLED_BACK
    assert "'y'" in result.reason
    assert result.drift_total is not None
    assert result.drift_total > 0.01
    assert manager.model.to_proto() == model_of(CHAIN).to_proto()


def test_what_was_accepted_before_stays() -> None:
    manager, result = manage(CHAIN, Roots(), Leaks())
    assert result.status is Status.ROLLED_BACK
    assert [n.op for n in manager.model.nodes()] == ["Abs", "Sqrt", "Relu", "Neg", "Relu", "Neg"]
    manager.model.check()


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (Forever(), "still firing after 1000 rewrites: 'endless'"),
        (Narrows(), "changed the interface"),
        (Breaks(), "NoSuchOperator"),
    ],
    ids=lambda v: v.name if isinstance(v, Pass) else "",
)
def test_a_pass_that_breaks_something_failed_and_left_no_trace(step: Pass, reason: str) -> None:
    text = "g (float[1,4] x) => (float[1,4] y) { n = Neg (x) y = Relu (n) }"
    manager, result = manage(text, step)
    assert result.status is Status.FAILED
    assert reason in result.reason
    assert manager.model.to_proto() == model_of(text).to_proto()


def test_nothing_to_do_is_unchanged_and_nothing_possible_is_refused() -> None:
    assert manage(CHAIN, Whole())[1].status is Status.UNCHANGED
    refused = manage("g (float[1,4] x) => (float[1,4] y) <float h = {3}> { y = Pow (x, h) }", Roots())[1]
    assert refused.status is Status.REFUSED
    assert refused.reason == "the graph above is not Pow(x, 0.5) (1)"


def test_protected_nodes_are_left_alone() -> None:
    manager, result = manage(CHAIN, Roots(), protect="^p$")
    assert result.status is Status.UNCHANGED
    assert [e.reason for e in result.events] == ["protected"]
    assert [n.op for n in manager.model.nodes()][1] == "Pow"


EYE = ",".join(str(float(i == j)) for i in range(8) for j in range(8))
CONV = f"""g (float[1,8,8,8] x) => (float[1,8,8,8] y) <float[8,8,1,1] w = {{{EYE}}}>
{{ a = Conv (x, w) [act] b = OP (a) y = Conv (b, w) }}"""


def conv(op: str) -> Model:
    """An operator between two convolutions."""
    return model_of(CONV.replace("OP", op), opset=11, ir_version=7)


def test_legalise_is_tried_only_on_what_violates_a_limit_it_cures() -> None:
    legal = manage(conv("Relu"), swapping("Relu", "Relu", Purpose.LEGALISE, "Relu.*"), march="bayes-e")[1]
    assert [e.reason for e in legal.events] == ["violates no limit of the march"]
    other = manage(conv("Neg"), swapping("Neg", "Abs", Purpose.LEGALISE, "Conv.kernel_h"), march="bayes-e")[1]
    assert other.events[0].outcome == "not-wanted"
    assert other.events[0].reason.startswith("does not cure Neg.")


def test_legalise_into_something_illegal_is_undone() -> None:
    manager, result = manage(conv("Neg"), swapping("Neg", "Not", Purpose.LEGALISE, "Neg.*"), march="bayes-e")
    assert result.status is Status.NOT_KEPT
    assert "makes Not, which is not legal either" in result.reason
    assert [n.op for n in manager.model.nodes()] == ["Conv", "Neg", "Conv"]


def test_legalise_into_something_legal_is_verified_like_everything() -> None:
    manager, result = manage(conv("Neg"), swapping("Neg", "Abs", Purpose.LEGALISE, "Neg.*"), march="bayes-e")
    assert result.status is Status.ROLLED_BACK  # legal, and another function whatever it claims
    assert [n.op for n in manager.model.nodes()][1] == "Neg"


def test_accelerate_needs_a_gain() -> None:
    _, result = manage(conv("Relu"), swapping("Relu", "Sigmoid", Purpose.ACCELERATE), march="bayes-e")
    assert result.status is Status.NOT_KEPT
    assert "predicted to save" in result.reason


def test_accelerate_does_not_rest_on_an_assumed_time() -> None:
    _, result = manage(conv("Relu"), swapping("Relu", "Not", Purpose.ACCELERATE), march="bayes-e")
    assert result.status is Status.NOT_KEPT
    assert "the time of Not on this march is assumed, not measured" in result.reason


def test_accelerate_without_a_march_is_not_tried() -> None:
    _, result = manage(conv("Relu"), swapping("Relu", "Sigmoid", Purpose.ACCELERATE))
    assert result.events[0].reason == "no cost coefficients: whether it pays cannot be said"


def test_a_trial_that_does_not_end_is_taken_back_before_anybody_looks() -> None:
    model = model_of(CHAIN)
    before = model.to_proto()
    assert Manager(model).tried("forever", Forever(), Model.to_proto) == before
    assert model.to_proto() == before
