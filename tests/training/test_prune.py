"""Plans made for modules, and what they gain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import surgery
from surgery.errors import InputError
from surgery.ir.session import open_session
from surgery.training import apply_plan, prune
from tests.training.networks import Bare, Masked, Residual, Tied, example, settled


def test_a_plan_names_parameters_and_cuts_a_share_of_the_work() -> None:
    net = settled(Residual())
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    found = prune(net, example(), march="X5", ratio=0.5)
    assert {kept.name for kept in found.plan.weights} <= set(before)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    macs = surgery.cost(net, march="X5", example=example()).macs
    assert apply_plan(net, found.plan, example()) == found.plan
    assert 0.3 * macs < surgery.cost(net, march="X5", example=example()).macs <= 0.5 * macs
    wanted = open_session(found.model).run({"x": example().numpy()})["output"]
    with torch.no_grad():
        np.testing.assert_allclose(net.eval()(example()).numpy(), wanted, rtol=1e-4, atol=1e-5)


def test_the_latency_is_brought_down_to_the_target() -> None:
    net = Residual(64)
    whole = surgery.cost(net, march="X3", example=example()).latency_ms.mid
    found = prune(net, example(), march="X3", target_latency_ms=0.98 * whole, multiple=4)
    assert found.before_ms.mid == pytest.approx(whole, rel=1e-3)
    assert found.after_ms.mid <= 0.98 * whole
    apply_plan(net, found.plan, example())
    assert surgery.cost(net, march="X3", example=example()).latency_ms.mid == pytest.approx(
        found.after_ms.mid, rel=1e-3
    )
    assert net.branch.out_channels % 4 == 0


def test_samples_say_what_matters() -> None:
    net = settled(Residual())
    with torch.no_grad():
        net.head.weight[:, 2] = 5.0
        net.hidden.weight[2].mul_(3)
    samples = [example(seed) for seed in range(3)]
    for importance in ("activation", "l2", "batch-norm"):
        protect = {"batch-norm": "head"}.get(importance)
        options = {"march": "X5", "ratio": 0.3, "importance": importance, "samples": samples, "protect": protect}
        kept = {row.name: row.keep for row in prune(net, example(), **options).plan.weights}
        assert 2 in kept.get("hidden.bias", {0: (2,)})[0]


def test_protected_parameters_keep_their_channels() -> None:
    net = settled(Residual())
    names = {kept.name for kept in prune(net, example(), march="X5", ratio=0.4, protect=r"^head\.").plan.weights}
    assert "stem.weight" in names
    assert not names & {"hidden.bias", "head.weight"}


def test_values_that_are_no_parameters_keep_their_channels() -> None:
    with pytest.raises(InputError, match="clamp-conv-channels: no channel"):
        prune(Masked(), example(), march="X5", ratio=0.2)


@pytest.mark.parametrize(
    ("make", "options", "reason"),
    [
        (Bare, {"ratio": 0.5}, "Bare has no parameters"),
        (Residual, {"target_latency_ms": 1e-6}, "no channel would be left"),
        (Residual, {}, "mode prune needs ratio"),
        (Residual, {"ratio": 2.0}, "ratio"),
        (Residual, {"ratio": 0.5, "importance": "l3"}, "importance"),
        (Residual, {"ratio": 0.5, "march": "X9"}, "unknown march"),
        (Tied, {"ratio": 0.5, "importance": "batch-norm"}, "have no BatchNormalization"),
        (Residual, {"ratio": 0.5, "protect": "("}, "not a regular expression"),
    ],
)
def test_what_cannot_be_done_is_refused(make: Callable[[], nn.Module], options: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        prune(make(), example(), **{"march": "X5", **options})
