"""Plans: written, read, applied to arrays and models, and carried over to the model that a rewritten one came from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from surgery.channels import Kept, Plan, Thinned, analyse, plan_for, plan_of, thinned_layers
from surgery.errors import InputError
from surgery.ir import Constant, Model
from tests.channels.networks import network, run, silence, some

TEXT = """g (float[1,4,6,6] x) => (float[1,5,6,6] y) {
    a = Conv(x, w, b) n = BatchNormalization(a, s, c, m, r) d = Conv<group=12>(n, k) y = Conv(d, v, e) }"""
WEIGHTS = {"w": (12, 4, 1, 1), "b": (12,), "k": (12, 1, 1, 1), "v": (5, 12, 1, 1), "e": (5,)}
NORM = dict.fromkeys("scmr", (12,))


def model() -> Model:
    return network(TEXT, **WEIGHTS, **NORM)


def plan(of: Model) -> Plan:
    channels = analyse(of.graph, of.opset)
    return plan_of(channels, some(channels, 0))


def arrays(of: Model) -> dict[str, np.ndarray]:
    tensors = (t for node in of.nodes() for t in node.inputs)
    return {t.name: t.values for t in tensors if isinstance(t, Constant)}


def test_a_plan_names_every_weight_that_loses_something() -> None:
    made = plan(model())
    stays = tuple(i for i in range(12) if i % 4 != 1)
    assert {kept.name: kept.keep for kept in made.weights} == {
        "w": {0: stays}, "v": {1: stays}, "k": {0: stays}, **{name: {0: stays} for name in ("b", *"scmr")},
    }  # fmt: skip


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    made, file = plan(model()), tmp_path / "p.json"
    file.write_text(made.to_json())
    assert Plan.read(file) == made
    assert file.read_text().startswith('{"schema": "surgery.plan/1", "weights": [\n')


@pytest.mark.parametrize("keep", [{1: (0,)}, {0: ()}, {0: (0, 3)}, {0: (-1, 0)}, {0: (1, 0)}, {0: (1, 1)}])
def test_indices_that_are_none_are_refused(keep: dict[int, tuple[int, ...]], tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text(json.dumps({"schema": "surgery.plan/1", "weights": [{"name": "w", "shape": [3], "keep": keep}]}))
    with pytest.raises(InputError, match=r"w has no axis 1|w, axis 0: indices ascend"):
        Plan.read(file)


@pytest.mark.parametrize(
    "text", ["", "{}", '{"schema": "surgery.plan/2", "weights": []}', '{"schema": "surgery.plan/1"}']
)
def test_what_is_no_plan_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text(text)
    with pytest.raises(InputError, match=r"p\.json: no plan of channels"):
        Plan.read(file)


def test_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        Plan.read(tmp_path / "none.json")


def test_arrays_and_model_are_thinned_alike() -> None:
    whole = model()
    made = plan(whole)
    thin = made.apply_to(whole)
    for name, array in made.apply(arrays(whole)).items():
        np.testing.assert_array_equal(array, arrays(thin)[name])
    assert [kept.thin_shape for kept in made.weights] == [arrays(thin)[kept.name].shape for kept in made.weights]


def test_the_thinned_model_computes_what_is_left() -> None:
    whole = model()
    channels = analyse(whole.graph, whole.opset)
    silence(channels, some(channels, 0))
    np.testing.assert_allclose(run(plan(whole).apply_to(whole))["y"], run(whole)["y"], rtol=1e-4, atol=1e-4)


def test_other_weights_stay() -> None:
    whole = arrays(model())
    assert plan(model()).apply({**whole, "more": np.zeros(3)})["more"].shape == (3,)
    assert plan(model()).apply(whole)["e"] is whole["e"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"w": np.zeros((9, 4, 1, 1))}, r"w: has the shape \[9, 4, 1, 1\]"), ({}, "unknown weight 'w'")],
)
def test_weights_of_another_model_are_refused(change: dict[str, np.ndarray], reason: str) -> None:
    given = {name: a for name, a in arrays(model()).items() if name != "w"}
    with pytest.raises(InputError, match=reason):
        plan(model()).apply({**given, **change})


def test_a_plan_that_tears_a_group_is_refused() -> None:
    half = Plan(weights=plan(model()).weights[:1])
    with pytest.raises(InputError, match="does not fit the rest of the plan"):
        half.apply_to(model())


def test_a_plan_for_another_model_is_refused() -> None:
    made = Plan(weights=(Kept(name="gone", shape=(3,), keep={0: (1,)}),))
    with pytest.raises(InputError, match="no weight 'gone'"):
        made.apply_to(model())


def test_a_shared_bias_is_told_apart_by_its_readers() -> None:
    text = "g (float[1,4,6,6] x) => (float[1,5,6,6] y) { a = Conv(x, w, b) c = Conv(a, u, b) y = Conv(c, v) }"
    whole = network(text, w=(12, 4, 1, 1), u=(12, 12, 1, 1), b=(12,), v=(5, 12, 1, 1))
    made = plan(whole)
    assert [(kept.name, kept.node) for kept in made.weights if kept.name == "b"] == [("b", "Conv")]
    assert set(made.apply(arrays(whole))) == {"w", "u", "v", "b@Conv"}
    thin = made.apply_to(whole)
    assert [node.inputs[2].shape for node in thin.nodes() if len(node.inputs) > 2] == [(9,), (12,)]


def test_a_plan_is_carried_over_to_a_model_with_other_weights() -> None:
    text = "g (float[1,4,6,6] x) => (float[1,5,6,6] y) { a = Conv(x, p) d = Conv<group=12>(a, q) y = Conv(d, o) }"
    plain = network(text, p=(12, 4, 1, 1), q=(12, 1, 1, 1), o=(5, 12, 1, 1))
    for here, there in zip((n for n in plain.nodes()), (n for n in model().nodes() if n.op == "Conv"), strict=True):
        here.name = there.name
    channels = analyse(plain.graph, plain.opset)
    assert plan_for(model(), thinned_layers(channels, some(channels, 0))) == plan(model())


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (Thinned("none", (12, 4, 1, 1), {0: (0,)}), "no layer 'none'"),
        (Thinned("Conv", (9, 4, 1, 1), {0: (0,)}), "no layer 'Conv' with a weight"),
        (Thinned("Conv", (12, 4, 1, 1), {0: (0,)}), "other channels would go"),
    ],
)
def test_a_plan_that_cannot_be_carried_over_is_refused(layer: Thinned, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        plan_for(model(), [layer])


def test_a_plan_of_the_users_may_take_channels_of_an_output() -> None:
    text = "g (float[1,4,6,6] x) => (float[1,5,6,6] y) { a = Conv(x, w, b) d = Relu(a) y = Conv(d, v, e) }"
    whole, stays = network(text, **{name: WEIGHTS[name] for name in "wbve"}), (0, 3, 4)
    made = Plan(
        weights=(
            Kept(name="v", shape=(5, 12, 1, 1), keep={0: stays}),
            Kept(name="e", shape=(5,), keep={0: stays}),
        )
    )
    thin = made.apply_to(whole)
    assert thin.graph.outputs[0].shape == (1, 3, 6, 6)
    before, after = (run(one)["y"] for one in (whole, thin))
    kept = before[:, list(stays)]
    assert np.abs(after - kept).max() <= 1e-5 * np.abs(kept).max()
