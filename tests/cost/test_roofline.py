"""Shares of the best rates, and the place under the roofline."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from surgery.cost import Basis, NoCoefficients
from surgery.cost.coefficients import rates
from surgery.cost.roofline import node_use, roof, total_use
from surgery.target.registry import march_names
from surgery.target.target import Target, load_target
from tests.cost.make import X5, estimated, weighted

WIDE = """g (float[1,256,64,64] x, float[256,256,3,3] w) => (y) {
    a = Exp(x) b = Conv<pads=[1,1,1,1]>(a, w) y = Exp(b)
}"""
CLASSIFIER = "g (float[1,2048] x, float[2048,512] w) => (y) { y = MatMul(x, w) }"


@pytest.mark.parametrize("march", march_names())
def test_ceilings_are_the_fastest_engine_and_memory(march: str) -> None:
    sheet, top = rates(load_target(march)).sheet, roof(load_target(march))
    engines = ("dense", "depthwise", "depthwise_large", "transposed", "multiplied")
    best = min(c.value for t, c in sheet.engine.items() if t in engines)
    assert top.macs == pytest.approx(1e6 / best)
    assert sheet.engine[top.engine].value == best
    assert top.bytes == pytest.approx(1e3 / sheet.memory.rate.value)
    assert top.ridge == pytest.approx(top.macs / top.bytes)
    assert sheet.sources[sheet.engine[top.engine].source] in top.source


def test_the_basis_is_that_of_the_less_known_coefficient() -> None:
    assert roof(X5).basis is Basis.FITTED
    assert roof(load_target("nash-p")).basis is Basis.SCALED


def bare(folder: Path, cost: str = "") -> Target:
    """The X5 without coefficients, or with those of a text."""
    (folder / "bare.yaml").write_text(X5.path.read_text(encoding="utf-8"), encoding="utf-8")
    if cost:
        (folder / "bare.cost.yaml").write_text(cost, encoding="utf-8")
    return load_target(str(folder / "bare.yaml"))


def test_a_march_without_coefficients_has_no_ceilings(tmp_path: Path) -> None:
    with pytest.raises(NoCoefficients):
        roof(bare(tmp_path))


def test_memory_that_costs_nothing_is_no_ceiling(tmp_path: Path) -> None:
    text = X5.path.with_suffix(".cost.yaml").read_text(encoding="utf-8")
    free, replaced = re.subn(r"(?<=  rate: \{value: )[\d.]+", "0", text)
    assert replaced == 1
    assert roof(bare(tmp_path, free)) is None


def test_a_layer_that_fills_the_engine_reaches_its_best_rate() -> None:
    cost, top = estimated(weighted(WIDE)).nodes[1], roof(X5)
    use = node_use(cost, top)
    assert 0.9 < use.compute < 1
    assert use.intensity == pytest.approx(cost.macs / (cost.read + cost.written))
    assert use.attained == pytest.approx(use.compute)
    assert cost.weights == 256 * 256 * 9


def test_a_layer_of_many_weights_loads_them_at_the_rate_of_memory() -> None:
    (cost,), top = estimated(weighted(CLASSIFIER)).nodes, roof(X5)
    use = node_use(cost, top)
    assert cost.weights == 2048 * 512
    assert 0.9 < use.parameters <= 1
    assert use.compute == pytest.approx(cost.macs / cost.us.mid / top.macs)
    assert use.compute < 0.05 < 0.9 < use.attained


def test_below_the_ridge_memory_is_the_ceiling() -> None:
    top = roof(X5)
    assert top.at(top.ridge / 2) == pytest.approx(top.macs / 2)
    assert top.at(top.ridge * 2) == top.macs == top.at(None)


def test_what_multiplies_nothing_or_takes_no_time_has_no_share() -> None:
    model = weighted("g (float[1,8,64,64] x, float[8,8,1,1] w) => (y) { a = Exp(x) b = Conv(a, w) y = Relu(b) }")
    exp, conv, relu = (node_use(cost, roof(X5)) for cost in estimated(model).nodes)
    assert (exp, relu) == (None, None)
    assert conv.compute > 0


def test_the_cpu_has_no_share() -> None:
    found = estimated(weighted(WIDE), {"Conv": "cpu", "Exp": "cpu"}, segments=0)
    assert node_use(found.nodes[1], roof(X5)) is None
    assert total_use(found, roof(X5)) is None


def test_the_total_is_of_the_busy_time() -> None:
    found, top = estimated(weighted(WIDE)), roof(X5)
    assert total_use(found, top).compute == pytest.approx(found.macs / (found.bpu_ms.mid * 1e3) / top.macs)
