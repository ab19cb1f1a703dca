"""Integers of a model whose ends moved to the host: calibrated on what reaches it, measured with its interface."""

from __future__ import annotations

import numpy as np

from surgery.drift.inputs import make_inputs
from surgery.drift.runner import open_runner
from surgery.drift.thresholds import Method
from surgery.pipeline import Pipeline
from surgery.pipeline.run import run
from surgery.target import load_target
from surgery.tradeoff.int8 import fed, simulated
from tests.support import model_of

WEIGHT = ",".join(["0.125", "-0.25"] * (8 * 3 * 9 // 2))
TEXT = f"""g (uint8[1,3,8,8] q) => (float[1,8,8,8] y) <
    float scale = {{0.5}}, uint8 zero = {{128}}, float[8,3,3,3] w = {{{WEIGHT}}}
> {{
    x = DequantizeLinear (q, scale, zero)
    y = Conv <pads = [1,1,1,1]> (x, w)
}}"""


def test_thresholds_are_of_what_reaches_the_model() -> None:
    model = model_of(TEXT, opset=11)
    data = make_inputs(model, samples=2, ranges={"q": (0, 255)})
    result = run(model, march="bayes-e", pipeline=Pipeline.of("strip-io-nodes"), samples=2)
    assert result.io is not None
    (inside,) = (value.name for value in result.model.graph.inputs)
    samples = fed(result.model, result.io, data.samples)
    assert np.array_equal(samples[0][inside], (data.samples[0]["q"].astype(np.float32) - 128) * 0.5)
    whole = simulated(result.model, result.io, load_target("bayes-e"), data, Method.MAX)
    assert [value.name for value in whole.graph.inputs] == ["q"]
    wanted, found = (open_runner(m).run(data.samples[0])["y"] for m in (model, whole))
    error = np.abs(wanted - found).max() / np.ptp(wanted)
    assert 0 < error < 0.01


def test_a_model_whose_ends_stayed_is_fed_as_it_is() -> None:
    model = model_of(
        TEXT.replace("uint8[1,3,8,8] q", "float[1,3,8,8] x").replace("x = Deq", "q = Deq").split("> {")[0]
        + """> {
        y = Conv <pads = [1,1,1,1]> (x, w)
    }""",
        opset=11,
    )
    data = make_inputs(model, samples=1)
    made = simulated(model, None, load_target("bayes-e"), data, Method.MAX)
    wanted, found = (open_runner(m).run(data.samples[0])["y"] for m in (model, made))
    assert 0 < np.abs(wanted - found).max() / np.ptp(wanted) < 0.02
