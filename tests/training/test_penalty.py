"""Predicted time of channels as a penalty that gradients flow through."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import surgery
from surgery.errors import InputError
from surgery.training import LatencyPenalty, apply_plan, prune
from tests.training.networks import Bare, Residual, Tied, example, settled

MARCH = "X3"


@pytest.fixture(scope="module")
def net() -> Residual:
    made = settled(Residual(32))
    assert isinstance(made, Residual)
    return made


@pytest.fixture(scope="module")
def penalty(net: Residual) -> LatencyPenalty:
    return LatencyPenalty(net, example(), march=MARCH)


def test_groups_and_what_a_channel_of_each_costs(penalty: LatencyPenalty) -> None:
    stem, hidden = penalty.prices
    assert [(price.group, price.channels) for price in penalty.prices] == [("stem.weight", 32), ("hidden.weight", 9)]
    assert stem.us > hidden.us > 0


def test_half_the_channels_cost_half_of_what_goes_with_them(net: Residual, penalty: LatencyPenalty) -> None:
    half = Residual(16)
    us = [1000 * surgery.cost(each, march=MARCH, example=example()).latency_ms.mid for each in (net, half)]
    assert 16 * penalty.prices[0].us == pytest.approx(us[0] - us[1], rel=0.05)


def test_the_gradient_of_a_scale_is_the_price_of_its_channel(net: Residual, penalty: LatencyPenalty) -> None:
    net.zero_grad()
    found = penalty(net)
    found.backward()
    assert found.shape == ()
    price = penalty.prices[0].us / 2  # the mean of two layers
    torch.testing.assert_close(net.stem_norm.weight.grad, torch.full((32,), price))
    torch.testing.assert_close(net.branch_norm.weight.grad, torch.full((32,), price))
    assert net.stem.weight.grad is None


def test_scales_of_one_count_the_predicted_time_of_all_channels(penalty: LatencyPenalty) -> None:
    plain = Residual(32)
    nn.init.constant_(plain.hidden.weight, -1.0)
    assert penalty(plain).item() == pytest.approx(sum(price.us * price.channels for price in penalty.prices), rel=1e-5)


@pytest.mark.parametrize(("norm", "size"), [("l1", 2.0), ("l2", 2.5**0.5 * 2**0.5)])
def test_filters_count_where_there_is_no_normalisation(norm: str, size: float) -> None:
    made = nn.Sequential(nn.Conv2d(3, 8, 2), nn.ReLU(), nn.Conv2d(8, 4, 1))
    with torch.no_grad():
        made[0].weight.copy_(torch.tensor([1.0, -3.0]).repeat(48).reshape(8, 3, 2, 2))
    found = LatencyPenalty(made, example(), march=MARCH, norm=norm)
    (price,) = found.prices
    assert found(made).item() == pytest.approx(8 * price.us * size, rel=1e-5)


def test_a_filter_of_zeros_has_a_gradient() -> None:
    made = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 1))
    nn.init.zeros_(made[0].weight)
    LatencyPenalty(made, example(), march=MARCH)(made).backward()
    assert torch.isfinite(made[0].weight.grad).all()


def test_gates_stand_in_for_the_parameters_of_their_group(net: Residual, penalty: LatencyPenalty) -> None:
    net.zero_grad()
    gate = torch.linspace(-1, 1, 32, requires_grad=True)
    both = penalty(net, {"stem": gate, "branch_norm": gate})
    assert torch.equal(both, penalty(net, {"stem": gate}))
    both.backward()
    torch.testing.assert_close(gate.grad, penalty.prices[0].us * gate.sign())
    assert net.stem_norm.weight.grad is None
    assert net.hidden.weight.grad is not None


def test_a_penalty_presses_dear_channels_down() -> None:
    torch.manual_seed(0)
    made = Residual(16)
    penalty = LatencyPenalty(made, example(), march=MARCH)
    optimizer = torch.optim.SGD(made.parameters(), 0.1)
    before = penalty(made).item()
    for _ in range(20):
        optimizer.zero_grad()
        penalty(made).backward()
        optimizer.step()
    assert penalty(made).item() < 0.95 * before


@pytest.mark.parametrize(
    ("gates", "reason"),
    [
        ({"stems": torch.ones(32)}, "unknown gate 'stems'"),
        ({"head": torch.ones(5)}, "unknown gate 'head'"),
        ({"stem": torch.ones(31)}, r"stem: a gate per output channel has the shape \[32\], not \[31\]"),
    ],
)
def test_gates_that_do_not_fit(net: Residual, penalty: LatencyPenalty, gates: dict[str, Tensor], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        penalty(net, gates)


def test_a_module_that_lost_channels_needs_another_penalty() -> None:
    made = settled(Residual())
    penalty = LatencyPenalty(made, example(), march=MARCH)
    apply_plan(made, prune(made, example(), march=MARCH, ratio=0.5).plan, example())
    with pytest.raises(InputError, match=r"has the shape \[\d+\], priced was \[12\][\s\S]*make a new LatencyPenalty"):
        penalty(made)
    assert LatencyPenalty(made, example(), march=MARCH)(made).item() > 0


def test_another_module_is_refused(penalty: LatencyPenalty) -> None:
    with pytest.raises(InputError, match=r"stem_norm\.weight: the module has no such parameter"):
        penalty(Tied())


@pytest.mark.parametrize(
    ("make", "options", "reason"),
    [
        (Bare, {}, "Bare has no parameters"),
        (Residual, {"norm": "l3"}, "unknown norm 'l3'"),
        (Residual, {"march": "X9"}, "unknown march"),
        (lambda: nn.Conv2d(3, 4, 1), {}, "Conv2d has no channels that can go: those of"),
    ],
)
def test_what_has_no_prices(make: Callable[[], nn.Module], options: dict[str, str], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        LatencyPenalty(make(), example(), **{"march": MARCH, **options})
