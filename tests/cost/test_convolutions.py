"""What convolutions make of a march, by form, and where more groups are predicted faster."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from surgery.cost import NoCoefficients
from surgery.cost.convolutions import Convolution, convolutions, totals
from surgery.cost.grouping import Form
from surgery.ir import Model
from surgery.target import load_target, place, registry
from tests.cost.make import X5, weighted

SAME = "pads = [1, 1, 1, 1]"
NET = f"""g (float[1,64,56,56] x, float[64,64,3,3] wa, float[64,1,3,3] wb, float[64,8,3,3] wc, float[64,64,1,1] wd)
    => (z) {{ r = Exp(x) a = Conv <{SAME}> (r, wa) b = Conv <group = 64, {SAME}> (a, wb)
       c = Conv <group = 8, {SAME}> (b, wc) d = Conv (c, wd) z = Exp(d) }}"""


def found(model: Model, march: str = "bayes-e") -> tuple[Convolution, ...]:
    return convolutions(place(model, load_target(march)), model.opset)


@pytest.fixture(scope="module")
def net() -> tuple[Convolution, ...]:
    """Dense, depthwise, grouped and pointwise, in this order, at 56 x 56 x 64."""
    return found(weighted(NET, opset=11))


def test_every_form_is_told(net: tuple[Convolution, ...]) -> None:
    assert [one.channels.form for one in net] == [Form.DENSE, Form.DEPTHWISE, Form.GROUPED, Form.POINTWISE]
    assert [one.parameters for one in net] == [36864, 576, 4608, 4096]
    assert [one.cost.macs for one in net] == [n * 56 * 56 for n in (36864, 576, 4608, 4096)]


def test_what_a_layer_makes_of_the_rates(net: tuple[Convolution, ...]) -> None:
    dense, depthwise, *_ = net
    assert dense.use is not None
    assert depthwise.use is not None
    assert dense.use.compute is not None
    assert depthwise.use.compute is not None
    assert 0.9 < dense.use.compute <= 1
    assert depthwise.use.compute < 0.25


def test_the_time_of_its_own_groups_is_that_of_the_layer(net: tuple[Convolution, ...]) -> None:
    for one in net:
        own = next(choice for choice in one.groupings if choice.groups == one.channels.groups)
        assert (own.us, own.macs, own.parameters) == (one.cost.us, one.cost.macs, one.parameters)
        assert one.dense is not None
        assert one.dense.us.mid >= own.us.mid


def test_the_better_choice_is_the_fastest_of_more_groups(net: tuple[Convolution, ...]) -> None:
    dense, depthwise, grouped, pointwise = (one.better for one in net)
    assert dense is not None
    assert grouped is not None
    assert (dense.groups, grouped.groups, depthwise) == (64, 64, None)
    assert pointwise is not None
    assert pointwise.groups <= 4, "narrower ones of a 1x1 kernel are not known"


def test_a_little_faster_is_not_better() -> None:
    """What a choice would gain is within what the estimate of one layer is off by."""
    text = f"g (float[1,8,8,8] x, float[8,8,3,3] w) => (z) {{ r = Exp(x) a = Conv <{SAME}> (r, w) z = Exp(a) }}"
    (one,) = found(weighted(text, opset=11), "bayes")
    fastest = min(choice.us.mid for choice in one.groupings)
    assert 0.7 * one.cost.us.mid < fastest < one.cost.us.mid
    assert one.better is None


def test_totals_by_form(net: tuple[Convolution, ...]) -> None:
    by_form = {total.form: total for total in totals((*net, net[1]), X5)}
    assert list(by_form) == [Form.DEPTHWISE, Form.GROUPED, Form.DENSE, Form.POINTWISE]
    twice, once = by_form[Form.DEPTHWISE], net[1]
    assert (twice.layers, twice.macs, twice.parameters) == (2, 2 * once.cost.macs, 2 * once.parameters)
    assert once.dense is not None
    assert twice.us.mid == pytest.approx(2 * once.cost.us.mid)
    assert twice.dense_us.mid == pytest.approx(2 * once.dense.us.mid)
    assert twice.use is not None
    assert once.use is not None
    assert twice.use.compute == pytest.approx(once.use.compute)


def test_totals_without_a_dense_form_do_not_make_one_up() -> None:
    text = (
        "g (float[1,4096,8,8] x, float[4096,1,3,3] w) => (z) { r = Exp(x) a = Conv <group = 4096> (r, w) z = Exp(a) }"
    )
    model, march = weighted(text, opset=11), load_target("bernoulli2")
    (total,) = totals(found(model, "bernoulli2"), march)
    assert total.us.known
    assert not total.dense_us.known


def test_off_the_bpu_there_is_nothing_to_compare() -> None:
    text = "g (float[1,8,56,56] x, float[8,8,9,9] w) => (z) { r = Exp(x) a = Conv (r, w) z = Exp(a) }"
    (one,) = found(weighted(text, opset=11), "bernoulli2")
    assert (one.cost.device, one.use, one.groupings, one.better) == ("cpu", None, (), None)
    assert totals((one,), load_target("bernoulli2")) == ()


def test_a_symbolic_dim_has_no_time() -> None:
    text = "g (float[n,8,56,56] x, float[8,8,3,3] w) => (z) { r = Exp(x) a = Conv (r, w) z = Exp(a) }"
    (one,) = found(weighted(text, opset=11))
    assert (one.cost.us.known, one.groupings, one.better) == (False, (), None)


def test_a_march_without_coefficients(tmp_path: Path) -> None:
    copy = tmp_path / "bare.yaml"
    shutil.copy(registry.find("bayes-e"), copy)
    with pytest.raises(NoCoefficients):
        found(weighted(NET, opset=11), str(copy))
