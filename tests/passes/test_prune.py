"""clamp-conv-channels, mode prune: which channels go, what is fitted, and what refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import surgery
from passes.clamp import ClampConvChannels
from passes.clamp.layer import read
from passes.clamp.prune.columns import Problem
from passes.clamp.prune.gates import slopes
from passes.clamp.prune.refit import fit, ridges
from surgery.channels import Plan, analyse
from surgery.errors import InputError
from surgery.ir import Constant, Model, Weight
from surgery.ir.session import open_session
from surgery.pipeline import Pipeline
from surgery.pipeline.manager import Manager
from surgery.pipeline.result import PassResult, Status
from surgery.pipeline.run import run as run_pipeline
from surgery.target import load_target
from tests.passes.clamp_marches import seeded

Array = np.ndarray[Any, Any]
TEXT = """g (float[1,4,6,6] x) => (float[1,5,6,6] y) {
    a = Conv(x, w, b) r = Relu(a) d = Conv<pads=[1,1,1,1]>(r, u) n = BatchNormalization(d, s, h, m, v)
    e = Relu(n) y = Conv(e, o, c) }"""
SHAPES = {"w": (24, 4, 1, 1), "b": (24,), "u": (16, 24, 3, 3), "o": (5, 16, 1, 1), "c": (5,)}
NORM = dict.fromkeys("shmv", (16,))


def model() -> Model:
    """Two hidden layers of 24 and 16 channels; positive variances."""
    made = seeded(TEXT, **SHAPES, **NORM)
    for node in made.nodes():
        if node.op == "BatchNormalization":
            constant(node.inputs[4]).weight = Weight.of(np.abs(constant(node.inputs[4]).values) + 0.5)
    return made


def constant(tensor: object) -> Constant:
    assert isinstance(tensor, Constant)
    return tensor


def samples(of: Model, count: int = 16) -> list[dict[str, Array]]:
    rng, value = np.random.default_rng(1), of.graph.inputs[0]
    shape = [size if isinstance(size, int) else 1 for size in value.shape or ()]
    return [{value.name: rng.standard_normal(shape).astype(np.float32)} for _ in range(count)]


def prune(of: Model, march: str | None = None, *, data: bool = True, **options: Any) -> tuple[Model, PassResult]:
    """``of`` after the pass, judged by nobody."""
    manager = Manager(of.copy(), load_target(march) if march else None, samples=samples(of) if data else ())
    step = ClampConvChannels(mode="prune", **options)
    return manager.model, manager.run([(step.name, step)])[-1]


def widths(of: Model) -> list[int]:
    return [n.inputs[1].shape[0] for n in of.nodes() if n.op == "Conv"]


def macs(of: Model) -> int:
    return sum(36 * constant(n.inputs[1]).values.size for n in of.nodes() if n.op == "Conv")


def error(before: Model, after: Model) -> float:
    """Mean square over that of the original, on samples that nothing was fitted on."""
    fresh = samples(before, 24)[16:]
    a, b = (np.stack([open_session(m).run(s)["y"] for s in fresh]) for m in (before, after))
    return float(((a - b) ** 2).mean() / a.var(axis=(0, 1, 3, 4)).mean())


@pytest.mark.parametrize("kind", ["l1", "l2", "batch-norm", "activation", "taylor"])
def test_every_importance_reaches_the_ratio(kind: str) -> None:
    text = """g (float[1,4,6,6] x) => (float[1,5,6,6] y) {
        a = Conv(x, w) n = BatchNormalization(a, s, h, m, v) r = Relu(n) y = Conv(r, o) }"""
    of = seeded(text, w=(24, 4, 1, 1), o=(5, 24, 1, 1), **dict.fromkeys("shm", (24,)), v=(24,))
    norm = next(n for n in of.nodes() if n.op == "BatchNormalization")
    norm.inputs[4].weight = Weight.of(np.ones(24, np.float32))
    thin, result = prune(of, ratio=0.5, importance=kind)
    assert result.status is Status.APPLIED, result.reason
    assert 0.4 < macs(thin) / macs(of) <= 0.5


def test_a_channel_that_says_nothing_goes_first() -> None:
    of = model()
    first = next(n for n in of.nodes() if n.op == "Conv")
    values = constant(first.inputs[1]).values.copy()
    values[5] = 0
    constant(first.inputs[1]).weight = Weight.of(values)
    _, result = prune(of, multiple=23, refit=False)
    assert result.thinned[0].keep == {0: tuple(i for i in range(24) if i != 5)}


def test_fitting_brings_back_what_cutting_lost() -> None:
    of = model()
    cut, fitted = (error(of, prune(of, ratio=0.6, refit=refit)[0]) for refit in (False, True))
    assert fitted < 0.75 * cut


def test_taylor_is_the_slope_of_the_outputs() -> None:
    of = seeded(
        "g (float[1,4,1,1] x) => (float[1,5,1,1] y) { a = Conv(x, w) y = Conv(a, o) }", w=(6, 4, 1, 1), o=(5, 6, 1, 1)
    )
    channels, data = analyse(of.graph, of.opset), samples(of, 3)
    layers = [read(node) for node, _ in channels.layers]
    units = channels.groups[0].units.tolist()
    found = slopes(of, layers, channels, units, data)
    w, o = (constant(layer.node.inputs[1]).values[:, :, 0, 0].astype(np.float64) for layer in layers)
    parts = [o * (w @ sample["x"][0, :, 0, 0]) for sample in data]  # outputs by channel
    expected = sum((part**2).sum(axis=0) / (part.sum(axis=1) ** 2).sum() for part in parts)
    np.testing.assert_allclose([found[unit] for unit in units], expected, rtol=1e-3)


def test_an_open_batch_counts_as_one() -> None:
    of = seeded(TEXT.replace("float[1,", "float[N,"), **SHAPES, **NORM)
    thin, result = prune(of, ratio=0.5, refit=False, importance="l2")
    assert result.status is Status.APPLIED, result.reason
    assert macs(thin) <= macs(of) / 2


def test_a_multiple_leaves_multiples() -> None:
    thin, _ = prune(model(), multiple=7)
    assert widths(thin) == [21, 14, 5]


def test_the_ratio_is_reached_in_multiples() -> None:
    thin, _ = prune(model(), multiple=4, ratio=0.5)
    assert all(width % 4 == 0 for width in widths(thin)[:2])
    assert macs(thin) <= macs(model()) / 2


def test_a_limit_on_channels_is_met_and_nothing_more_goes() -> None:
    thin, _ = prune(model(), max_channels=20)
    assert widths(thin) == [20, 16, 5]


def test_a_channel_counts_as_often_as_it_is_read() -> None:
    text = """g (float[1,4,2,2] x) => (float[1,5] y) {
        a = Conv(x, w) r = Relu(a) f = Flatten(r) y = Gemm<transB=1>(f, u) }"""
    thin, result = prune(seeded(text, w=(12, 4, 1, 1), u=(5, 48)), max_channels=24)
    assert result.status is Status.APPLIED, result.reason
    assert [n.inputs[1].shape for n in thin.nodes() if n.op in ("Conv", "Gemm")] == [(6, 4, 1, 1), (5, 24)]


def test_the_target_is_met_by_the_estimate() -> None:
    target = load_target("bayes-e")
    of = seeded(TEXT.replace("6,6", "56,56"), w=(128, 4, 1, 1), b=(128,), u=(128, 128, 3, 3), o=(5, 128, 1, 1), c=(5,),
                **dict.fromkeys("shm", (128,)), v=(128,))  # fmt: skip
    norm = next(n for n in of.nodes() if n.op == "BatchNormalization")
    norm.inputs[4].weight = Weight.of(np.ones(128, np.float32))
    whole = latency(of)
    goal = 0.8 * whole
    thin, result = prune(of, "bayes-e", target_latency_ms=goal, importance="l2", refit=False)
    assert result.status is Status.APPLIED, result.reason
    assert latency(thin) <= goal
    assert target.name == "bayes-e"


def latency(of: Model) -> float:
    from surgery.cost import estimate
    from surgery.target import place

    return estimate(place(of, load_target("bayes-e"))).latency_ms.mid


def test_the_interface_stays() -> None:
    thin, _ = prune(model(), ratio=0.5)
    assert [(t.name, t.shape) for t in (*thin.graph.inputs, *thin.graph.outputs)] == [
        ("x", (1, 4, 6, 6)), ("y", (1, 5, 6, 6)),
    ]  # fmt: skip


REFUSED = {
    "nothing asked for": ({}, "needs ratio, max_channels, multiple or target_latency_ms"),
    "a ratio that leaves no channel": ({"ratio": 0.999}, "no channel would be left in"),
    "a limit under what is held": ({"max_channels": 2}, "no channel would be left in"),
    "no normalisation": ({"ratio": 0.5, "importance": "batch-norm"}, "have no BatchNormalization"),
    "no march": ({"target_latency_ms": 0.1}, "needs a march with cost coefficients"),
    "no samples to measure": ({"ratio": 0.5, "importance": "taylor", "refit": False, "data": False}, "measured on"),
    "no samples to fit": ({"ratio": 0.5, "importance": "l2", "data": False}, "layers are fitted on samples"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_says_why(case: str) -> None:
    options, reason = REFUSED[case]
    of = model()
    same, result = prune(of, **options)
    assert (result.status, widths(same)) == (Status.REFUSED, widths(of))
    assert reason in result.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("g (float[1,4,6,6] x) => (float[1,5,6,6] y) { y = Conv(x, w) }", "stay for the graph"),
        ("g (float[1,4,6,6] x) => (float[1,4,6,6] y) { y = Relu(x) }", "no layer with weights"),
    ],
)
def test_a_group_that_reaches_an_end_stays(text: str, reason: str) -> None:
    of = seeded(text, w=(5, 4, 1, 1))
    _, result = prune(of, ratio=0.5)
    assert result.status is Status.REFUSED
    assert reason in result.reason


def test_tied_weights_lose_the_same_in_both_places() -> None:
    text = """g (float[1,4,6,6] x) => (float[1,5,6,6] y) {
        a = Conv(x, w) b = Relu(a) c = Conv(b, u) d = Relu(c) e = Conv(d, u) f = Relu(e) y = Conv(f, o) }"""
    of = seeded(text, w=(12, 4, 1, 1), u=(12, 12, 1, 1), o=(5, 12, 1, 1))
    thin, result = prune(of, ratio=0.5)
    assert result.status is Status.APPLIED
    first, second = [n.inputs[1] for n in thin.nodes() if n.op == "Conv"][1:3]
    assert first is second


@pytest.mark.parametrize("kind", ["l2", "activation", "taylor"])
def test_samples_of_another_model_are_refused(kind: str) -> None:
    of = model()
    manager = Manager(of.copy(), samples=[{"z": np.zeros((1, 4, 6, 6), np.float32)}])
    step = ClampConvChannels(mode="prune", ratio=0.5, importance=kind)
    result = manager.run([(step.name, step)])[-1]
    assert (result.status, widths(manager.model)) == (Status.REFUSED, widths(of))
    assert "cannot be run on the samples" in result.reason


def test_values_that_are_not_finite_are_refused() -> None:
    of = model()
    data = [{"x": np.full((1, 4, 6, 6), 3e38, np.float32)}]
    manager = Manager(of.copy(), samples=data)
    step = ClampConvChannels(mode="prune", ratio=0.3, importance="l2")
    result = manager.run([(step.name, step)])[-1]
    assert (result.status, widths(manager.model)) == (Status.REFUSED, widths(of))
    assert "is not finite" in result.reason


def test_what_is_protected_keeps_its_channels() -> None:
    of = model()
    second = [n.name for n in of.nodes() if n.op == "Conv"][1]
    manager = Manager(of.copy(), protect=re.compile(second), samples=samples(of))
    step = ClampConvChannels(mode="prune", multiple=5)
    result = manager.run([(step.name, step)])[-1]
    assert (result.status, widths(manager.model)) == (Status.REFUSED, widths(of))
    assert "no channel can go" in result.reason


BAD_DATA = {
    "wrong shape": (np.zeros((4, 4, 5, 6), np.float32), "the data has shape 4x4x5x6"),
    "NaN": (np.full((4, 4, 6, 6), np.nan, np.float32), "NaN or infinite"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_calibration_data_is_refused(case: str) -> None:
    array, reason = BAD_DATA[case]
    with pytest.raises(InputError, match=reason):
        run_pipeline(model(), march="bayes-e", pipeline=PRUNED, inputs={"x": array}, budget={"cosine": 0.9})


PRUNED = Pipeline.of({"clamp-conv-channels": {"mode": "prune", "ratio": 0.3}})


def test_pruning_needs_a_budget() -> None:
    with pytest.raises(InputError, match="an approximate rewrite needs a budget"):
        run_pipeline(model(), march="bayes-e", pipeline=PRUNED)


def test_what_is_over_the_budget_is_undone() -> None:
    done = run_pipeline(model(), march="bayes-e", pipeline=PRUNED, budget={"cosine": 0.9999999})
    assert (done.passes[0].status, done.plan) == (Status.ROLLED_BACK, None)
    assert "the budget says" in done.passes[0].reason


def test_a_budget_on_a_drop_asks_the_evaluator() -> None:
    def size(runner: Any) -> dict[str, float]:
        return {"score": float(np.abs(runner.run(samples(model(), 1)[0])["y"]).mean())}

    done = run_pipeline(
        model(), march="bayes-e", pipeline=PRUNED, budget={"score_drop": 100.0}, evaluate=size, samples=8
    )
    assert done.passes[0].status is Status.APPLIED
    assert done.plan is not None
    assert done.exceeded == []
    with pytest.raises(InputError, match="none is given"):
        run_pipeline(model(), march="bayes-e", pipeline=PRUNED, budget={"score_drop": 0.1})


def test_a_drop_that_no_pass_is_to_blame_for_is_reported() -> None:
    scores = iter((1.0, 0.5))
    done = run_pipeline(
        model(),
        march="bayes-e",
        pipeline=Pipeline.of(),
        budget={"score_drop": 0.1},
        evaluate=lambda _: {"score": next(scores)},
    )
    assert done.exceeded == ["score falls by 0.5, the budget says 0.1"]


def test_the_plan_is_of_the_model_as_given() -> None:
    pipeline = Pipeline.of("fuse-batchnorm", {"clamp-conv-channels": {"mode": "prune", "ratio": 0.3}})
    done = run_pipeline(model(), march="bayes-e", pipeline=pipeline, budget={"cosine": -1.0})
    assert done.plan is not None
    assert {"w", "b", "u", "s", "h", "m", "v", "o"} >= {kept.name for kept in done.plan.weights} >= {"u", "s", "o"}
    thin = done.plan.apply_to(done.original)
    assert widths(thin) == widths(done.model)


def test_a_plan_that_cannot_be_stated_says_why() -> None:
    asked = {"mode": "prune", "ratio": 0.3}
    twice = Pipeline.of({"clamp-conv-channels": asked}, {"clamp-conv-channels": asked, "id": "again"})
    done = surgery.run(model(), march="bayes-e", pipeline=twice, budget={"cosine": -1.0}, samples=8)
    assert done.result.plan is None
    assert "the model as given has no layer" in done.report.plan_reason
    assert "No plan for the original weights can be stated" in done.report.to_markdown()


def test_the_plan_is_saved_beside_the_model(tmp_path: Path) -> None:
    done = surgery.run(model(), march="bayes-e", pipeline=PRUNED, budget={"cosine": -1.0}, samples=8)
    done.save(tmp_path / "thin.onnx")
    made = Plan.read(tmp_path / "thin.plan.json")
    assert made == done.result.plan
    assert [(row.weight, row.before, row.after) for row in done.report.thinned] == [
        (kept.name, kept.shape, kept.thin_shape) for kept in made.weights
    ]
    assert "Channels taken out" in done.report.to_markdown()


def test_a_layer_that_reads_zeros_keeps_its_weights() -> None:
    w = np.ones((4, 2))
    fitted, bias = fit(Problem(np.zeros((64, 4)), w), np.full((64, 2), 5.0), centred=True)
    np.testing.assert_array_equal(fitted, w)
    np.testing.assert_allclose(bias, 5)


@pytest.mark.parametrize(("rows", "columns"), [(40, 8), (8, 40)])
def test_ridges_are_the_solutions_of_the_normal_equations(rows: int, columns: int) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((rows, columns)), rng.standard_normal((rows, 3))
    found = ridges(x, y, [0.1])[0]
    penalty = 0.1 * (x**2).sum() / columns
    np.testing.assert_allclose(x.T @ (y - x @ found), penalty * found, atol=1e-9)


def test_a_fit_that_says_nothing_leaves_the_weights() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((64, 4)), rng.standard_normal((4, 2))
    fitted, bias = fit(Problem(x, w), x @ w + 3, centred=True)
    np.testing.assert_allclose(fitted, w, atol=1e-6)
    np.testing.assert_allclose(bias, 3, atol=1e-6)
