"""The networks that layers are measured on, and the fit to what they cost."""

from __future__ import annotations

import random
from types import ModuleType

import onnx
import pytest
import yaml

from surgery.cost.coefficients import Rates, rates
from surgery.cost.estimate import estimate_by
from surgery.ir import Model
from surgery.target import place
from surgery.target.registry import march_names
from surgery.target.target import load_target
from tests.support import ROOT

RATES = {"dense": 500.0, "lookup": 30.0, "layer": 2.0}


@pytest.fixture
def fit_cost(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import fit_cost as module

    return module


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import cost_networks as module

    return module


def table(fit_cost: ModuleType, outliers: int = 0) -> object:
    """Layers that cost what RATES say, but some."""
    draw = random.Random(0)
    layers = []
    for number in range(200):
        terms = {"layer": 1.0, draw.choice(("dense", "lookup")): draw.uniform(0.01, 2)}
        us = sum(RATES[term] * amount for term, amount in terms.items())
        weights = draw.randrange(100_000, 1_000_000)
        slow = 10 if number < outliers else 1
        family = f"{draw.choice('abcdef')}net"
        took = {"compute": slow * us, "transfer": 120e-6 * weights}
        layers.append(fit_cost.Layer(family, "0", terms, weights, weights, **took))
    return fit_cost.Table(tuple(layers), {f"{one}net": whole(fit_cost, layers, f"{one}net") for one in "abcdef"})


def whole(fit_cost: ModuleType, layers: list[object], model: str) -> object:
    """A model of layers that take as long as the longer of computing and moving."""
    own = tuple(layer for layer in layers if layer.model == model)
    return fit_cost.Whole(own, sum(max(n.compute, n.transfer) for n in own), sum(n.weights for n in own))


@pytest.mark.parametrize("outliers", [0, 20])
def test_rates_are_found_again_whatever_a_few_layers_do(fit_cost: ModuleType, outliers: int) -> None:
    found = fit_cost.fit(table(fit_cost, outliers))
    assert {term: found.rates[term] for term in RATES} == pytest.approx(RATES, rel=0.05)
    assert found.rate == pytest.approx(120, rel=0.05)


def test_layers_that_hide_nothing_of_each_other(fit_cost: ModuleType) -> None:
    found = fit_cost.fit(table(fit_cost))
    assert (found.memory.exposed, found.memory.window) == (0, 1)


def test_what_small_networks_take_longer_by_the_segment_is_at_their_ends(fit_cost: ModuleType) -> None:
    import fit_memory

    never = fit_memory.NEVER
    memory = fit_memory.Memory(never, 1.0, never, 1.0, 0.0, never, 0.0, 1, never)

    def network(segments: int, layers: int) -> fit_memory.Known:
        nodes = tuple(fit_cost.Work("random_0", str(i % segments), {"layer": 1.0}) for i in range(layers))
        return fit_memory.known(fit_cost.Whole(nodes, 10.0 * layers + 3 * segments + layers, 0), {"layer": 10.0}, 1.0)

    several = [network(segments, layers) for segments in (1, 2, 3) for layers in (4, 7, 9)]
    assert fit_memory.ends(several, memory, 1.0, 1.0) == pytest.approx(3, abs=0.1)
    assert fit_memory.ends([], memory, 1.0, 1.0) == 0


def test_what_is_faster_and_what_a_board_took_count_in_the_choice_of_memory(fit_cost: ModuleType) -> None:
    import fit_memory

    def model(family: str, computing: float, mb: float, us: float, board: float = 0.0) -> fit_memory.Known:
        node = fit_cost.Work(family, "0", {"layer": computing}, int(mb * 1e6), int(mb * 1e6))
        return fit_memory.known(fit_cost.Whole((node,), us, mb * 1e6, board), {"layer": 1.0}, 1.0)

    never = fit_memory.NEVER
    none = fit_memory.Memory(never, 1.0, never, 1.0, 0.0, never, 0.0, 1, never)
    told = [[model("a", 100.0, 0.5, 100.0, board)] for board in (0.0, 125.0)]
    without, there = (fit_memory._error(one, fit_memory._near(one), none, 100.0, 0.0) for one in told)
    assert (without, there) == (0, pytest.approx(fit_memory.size([0.2])))
    first, second = model("a", 100.0, 0.1, 101.0), model("b", 95.0, 0.9, 102.0)
    near = fit_memory._near([first, second])
    assert near.tolist() == [[0, 1]]
    tried = (none._replace(exposed=exposed) for exposed in (0, 0.1))
    wrong, right = (fit_memory._error([first, second], near, memory, 100.0, 0.0) for memory in tried)
    assert wrong - right > fit_memory.MISORDERED / 2
    others = model("a", 1, 1, 102.0), model("b", 1, 1, 203.0)
    assert [len(fit_memory._near([first, other])) for other in others] == [0, 0]


def test_a_term_that_every_march_has_stands_where_no_layer_had_it(fit_cost: ModuleType) -> None:
    known = table(fit_cost)
    pools = [fit_cost.Layer("anet", "0", {"layer": 1.0, "global": float(k)}, compute=2.0 + 5 * k) for k in range(1, 9)]
    found = fit_cost.fit(fit_cost.Table((*known.layers, *pools), known.models))
    assert found.rates["reduce"] == found.rates["global"] == pytest.approx(5, rel=0.05)


def test_a_term_of_few_layers_is_not_fitted(fit_cost: ModuleType) -> None:
    known = table(fit_cost)
    odd = fit_cost.Layer("anet", "0", {"layer": 1.0, "turn": 1.0}, compute=9.0)
    found = fit_cost.fit(fit_cost.Table((*known.layers, odd), known.models))
    assert "turn" not in found.rates
    assert set(found.rates) == {"dense", "lookup", "layer"}


def test_families(fit_cost: ModuleType) -> None:
    known = table(fit_cost)
    left = known.without({"anet"})
    assert {layer.family for layer in left.layers} == {layer.family for layer in known.layers} - {"anet"}
    assert "anet" not in left.models
    assert fit_cost.family_of("latency/yolov8n_seg") == fit_cost.family_of("latency/yolov8m")


def numbers(data: object, name: str = "") -> dict[str, float]:
    """Every number of a YAML file by its path."""
    if isinstance(data, dict):
        return {k: v for key, part in data.items() for k, v in numbers(part, f"{name}.{key}").items()}
    if isinstance(data, list):
        return {k: v for key, part in enumerate(data) for k, v in numbers(part, f"{name}.{key}").items()}
    return {name: data} if isinstance(data, int | float) else {}


def test_the_shipped_rates_are_those_of_the_shipped_tables(fit_cost: ModuleType) -> None:
    """Of one march, for the time it takes; another processor may round the last digit otherwise."""
    assert {path.stem for path in fit_cost.DATA.glob("*.json")} <= set(march_names())
    path = fit_cost.MARCHES / "bernoulli2.cost.yaml"
    table = fit_cost.read(fit_cost.DATA, "bernoulli2")
    once, again = (fit_cost.written(path, fit_cost.fit(table)) for _ in range(2))
    assert once == again
    ours, shipped = (numbers(yaml.safe_load(text)) for text in (once, path.read_text(encoding="utf-8")))
    assert ours.keys() == shipped.keys()
    for name, value in shipped.items():
        assert ours[name] == pytest.approx(value, rel=2e-2 if ".spread." in name else 5e-3, abs=0), name


def test_networks_are_valid_and_the_same_for_a_seed(networks: ModuleType) -> None:
    for seed in range(4):
        made = networks.network(seed)
        onnx.checker.check_model(made, full_check=True)
        assert made.SerializeToString() == networks.network(seed).SerializeToString()
    assert networks.network(0) != networks.network(1)


def test_every_kind_of_cell_is_made(networks: ModuleType) -> None:
    ops = {node.op_type for seed in range(70) for node in networks.network(seed).graph.node}
    assert {"Conv", "ConvTranspose", "MatMul", "Softmax", "Resize", "DepthToSpace", "Transpose", "Concat", "Erf"} <= ops


@pytest.mark.parametrize(("march", "looked_up"), [("bernoulli2", 1.0), ("bayes-e", 0.0)])
@pytest.mark.parametrize("seed", range(4))
def test_memory_is_fitted_to_the_bytes_and_times_of_the_estimate(
    fit_cost: ModuleType, networks: ModuleType, march: str, looked_up: float, seed: int
) -> None:
    """The nodes of a network as the fit has them, and as the estimate has them by the same numbers."""
    import cost_layers
    import fit_memory

    memory = fit_memory.Memory(0.01, 0.5, 0.02, 0.25, looked_up, 0.001, 0.1, 4, 1.25)
    model, target = Model.load(networks.network(seed)), load_target(march)
    sheet = rates(target).sheet
    same = {**memory._asdict(), "looked_up_share": looked_up or None, "output_factor": fit_memory.OUTPUT}
    of_memory = sheet.memory.model_copy(update={**same, "input_factor": 1.5})
    table = Rates(sheet.model_copy(update={"memory": of_memory}))
    lines = (map(str, line) for line in cost_layers.nodes_of("cells", model, target))
    told = (dict(zip(cost_layers.OF_NODES, line, strict=True)) for line in lines)
    nodes = tuple(fit_cost.Work(**fit_cost._work(line)) for line in told)
    per_unit = {str(term): rate.us.mid for term, rate in table.engine.items()}

    found = estimate_by(table, place(model, target))
    known = fit_memory.known(fit_cost.Whole(nodes, 1.0, 1.0), per_unit, 1.5)
    assert found.bytes_read + found.bytes_written == pytest.approx(known.moved(memory).sum() * 1e6, rel=0.01)
    us = known.computed(memory, table.moved.us.mid, table.moving.mid) + table.ends.mid * len(known.segments)
    assert us == pytest.approx(found.compiler_ms.mid * 1e3, rel=0.01)
