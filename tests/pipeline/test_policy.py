"""Purpose decides what is kept; what a march's default pipeline may hold; what stands in for a rounding promise."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from passes.substitute import SubstituteOps
from surgery.drift.inputs import make_inputs
from surgery.drift.verifier import Verifier
from surgery.ir import Model, Node
from surgery.pipeline import Pass, Pipeline, context, policy
from surgery.pipeline.manager import Manager
from surgery.pipeline.result import PassResult, Status
from surgery.pipeline.state import compare, state_of
from surgery.rewrite import Context, Exactness, Mismatch, Purpose, Rewriter, Rule
from surgery.target import Placement, Target, load_target, march_names, place
from tests.passes import rank_models
from tests.passes.test_linear import net
from tests.pipeline.samples import Leaks, Swap, swapping
from tests.support import apply_pass, model_of

EYE = ",".join(str(float(i == j)) for i in range(8) for j in range(8))
NET = f"""g (float[1,8,8,8] x) => (float[1,8,8,8] y) <float[8,8,1,1] w = {{{EYE}}}>
{{ a = Conv (x, w)  b = OP (a)  y = Conv (b, w) }}"""


LONE = "g (float[1,8,8,8] x) => (float[1,8,8,8] y) { y = Neg (x) }"


def unverified(op: str, step: Pass) -> PassResult:
    """The result of a pass on an operator between two convolutions on bayes-e, whatever it does to the numbers."""
    model = model_of(NET.replace("OP", op), opset=11, ir_version=7)
    return Manager(model, load_target("bayes-e"), trace=True).run([(step.name, step)])[-1]


def test_normalise_is_kept_whatever_it_costs() -> None:
    """A Neg in the middle runs on the CPU of bayes-e, with a border on either side."""
    assert unverified("Relu", swapping("Relu", "Neg", Purpose.NORMALISE)).status is Status.APPLIED


def test_accelerate_is_kept_when_it_pays() -> None:
    """An operator on the CPU that becomes one on the BPU, which takes two borders away."""
    assert unverified("Neg", swapping("Neg", "Relu", Purpose.ACCELERATE)).status is Status.APPLIED


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The operators of the whole model, each time that a pass has it placed."""
    seen: list[list[str]] = []

    def noting(model: Model, target: Target) -> Placement:
        seen.append([node.op for node in model.graph.nodes])
        return place(model, target)

    monkeypatch.setattr(context, "place", noting)
    return seen


@pytest.mark.parametrize("purpose", [Purpose.ACCELERATE, Purpose.LEGALISE])
def test_nobody_looks_at_the_whole_while_nothing_matches(purpose: Purpose, looks: list[list[str]]) -> None:
    assert unverified("Relu", swapping("Neg", "Relu", purpose)).status is Status.UNCHANGED
    assert looks == []


def test_what_came_out_is_not_looked_at_when_nothing_was_kept(looks: list[list[str]]) -> None:
    assert unverified("Relu", swapping("Relu", "Neg", Purpose.ACCELERATE)).status is Status.NOT_KEPT
    assert looks == [["Conv", "Relu", "Conv"]]


class Both(Pass):
    """A rule that need not pay, before one that has to."""

    name: ClassVar[str] = "both"

    def rules(self, target: Any) -> tuple[Rule[Any], ...]:
        """The first makes what the second takes."""
        return Swap("Exp", "Neg", Purpose.NORMALISE), Swap("Neg", "Relu", Purpose.ACCELERATE)


def test_what_need_not_pay_is_done_when_the_start_is_seen(looks: list[list[str]]) -> None:
    assert unverified("Exp", Both()).applied == 2
    assert looks == [["Conv", "Neg", "Conv"], ["Conv", "Relu", "Conv"]]


class Rougher(Rule[Node]):
    """``Neg(x) -> Neg(x)``, which cures nothing."""

    name, roots, cures = "rougher", frozenset({"Neg"}), frozenset({"Neg.device"})
    purpose, exactness = Purpose.LEGALISE, Exactness.ROUNDING

    def match(self, node: Node, ctx: Context) -> Node | Mismatch:
        return Mismatch("done", node) if "surgery.origin" in node.metadata else node

    def rewrite(self, match: Node, rw: Rewriter) -> None:
        rw.replace(match, rw.op("Neg", match.inputs[0]))


class Leaving(Rougher):
    """The same, which says that a Neg may stay on the CPU."""

    leaves = frozenset({"Neg"})


@pytest.mark.parametrize(("rule", "kept"), [(Rougher(), False), (Leaving(), True)])
def test_what_a_rule_leaves_on_the_cpu_is_judged_by_time_alone(rule: Rougher, kept: bool) -> None:
    class Only(Pass):
        """One rule."""

        name: ClassVar[str] = "only"

        def rules(self, target: Any) -> list[Rule[Any]]:
            return [rule]

    result = unverified("Neg", Only())
    assert (result.status is Status.APPLIED) == kept
    assert kept or any("makes Neg, which is not legal either" in event.reason for event in result.events)


def test_a_model_with_nothing_on_the_bpu_has_no_time() -> None:
    """The toolchain refuses it, so that whatever gets something onto the BPU pays."""
    target = load_target("bayes-e")
    alone, whole = (model_of(text, opset=11) for text in (LONE, NET.replace("OP", "Relu")))
    before, after = (state_of(place(model, target)) for model in (alone, whole))
    assert compare(before, after).reason.startswith("nothing of the original runs on the BPU")
    assert compare(after, before).interval is not None


def test_what_cures_a_refused_model_is_kept_though_it_is_slower() -> None:
    """A Conv3d so small that four convolutions are predicted to take longer than it does on the CPU."""
    cube = "a = Conv <kernel_shape = [3, 3, 3], pads = [1, 1, 1, 1, 1, 1]> (x, w)  y = Relu (a)"
    done = rank_models.run(rank_models.net(cube, "[1,4,4,16,16]", "[1,4,4,16,16]", 11, w=(4, 4, 3, 3, 3)), "bernoulli2")
    assert done.ops.count("Conv") == 4, done.reasons


def test_what_comes_to_the_bpu_with_it_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Relu behind a group normalisation leaves the CPU of the X3 with it, which its own nodes do not show."""
    held = {"g": np.array([0, 8, -1]), "k": np.array([1, 64, 8, 8]), "a": (8,), "b": (8,), "w": (64, 64, 1, 1)}
    body = "r = Reshape (p, g)  n = InstanceNormalization (r, a, b)  q = Reshape (n, k)  s = Relu (q)"
    model = net(f"p = Conv (x, w)  {body}  y = Conv (s, w)", "float[1,64,8,8]", "", 11, **held)
    assert apply_pass(model, SubstituteOps(), "bernoulli2", verify=False).result.status is Status.APPLIED
    monkeypatch.setattr(policy, "CLOSE", 0.0)
    done = apply_pass(model, SubstituteOps(), "bernoulli2", verify=False)
    assert any("predicted" in reason for reason in done.reasons)
    assert "InstanceNormalization" in done.ops


@pytest.mark.parametrize("march", march_names())
def test_interface_runs_only_when_asked(march: str) -> None:
    target = load_target(march)
    for step in Pipeline.default(march).steps:
        assert Purpose.INTERFACE not in step.step.purposes(target), step.id
    asked = Pipeline.default(march).adding(["strip-io-nodes"])
    assert asked.steps[-1].step.purposes(target) == [Purpose.INTERFACE]


class Nudge(Rule[Node]):
    """``Neg(x) -> x * -1.00012``: beyond no bound by itself, whatever it claims, but twice."""

    roots = frozenset({"Neg"})
    purpose, exactness = Purpose.NORMALISE, Exactness.ROUNDING

    def __init__(self, at: str) -> None:
        self.name = at  # type: ignore[misc]

    def match(self, node: Node, ctx: Context) -> Node | Mismatch:
        return node if node.name == self.name else Mismatch("not this one", node)

    def rewrite(self, match: Node, rw: Rewriter) -> None:
        rw.replace(match, rw.op("Mul", match.inputs[0], rw.constant(np.asarray(-1.00012, np.float32))))


class Nudges(Pass):
    """Nudges one node."""

    name: ClassVar[str] = "nudges"
    at: str
    """Its name."""

    def rules(self, target: Any) -> list[Rule[Any]]:
        return [Nudge(self.at)]


def test_rounding_is_held_against_the_original_too() -> None:
    """Each step is within the bound of the one before; their sum is not, and the second is undone."""
    model = model_of("g (float[1,1,16] x) => (float[1,1,16] y) { [one] a = Neg (x)  b = Sin (x)  [two] y = Neg (a) }")
    manager = Manager(model.copy(), None, Verifier(model, make_inputs(model, samples=2)))
    first, second = manager.run([(at, Nudges(at=at)) for at in ("one", "two")])
    assert (first.status, second.status) == (Status.APPLIED, Status.ROLLED_BACK)
    assert second.reason.endswith("(against the original)")
    assert second.drift_step is not None
    assert second.drift_step <= 1e-4


def test_a_rounding_pass_beyond_its_bound_is_rolled_back() -> None:
    model = model_of("g (float[1,4,4] x) => (float[1,4,4] y) { n = Neg (x) [bad] r = Relu (n) y = Neg (r) }")
    verifier = Verifier(model, make_inputs(model, samples=2))
    result = Manager(model.copy(), None, verifier).run([("leaks", Leaks())])[-1]
    assert result.status is Status.ROLLED_BACK
    assert "at most 0.0001 is rounding" in result.reason
