"""Models whose values and weights are rounded to integers."""

from __future__ import annotations

import numpy as np
import pytest

from surgery.drift.quantised import Grid, quantised, rounded
from surgery.ir.session import open_session
from tests.support import model_of

TEXT = """g (float[1,2,1,1] x) => (float[1,2,1,1] y, float[1,2,1,1] h) <float[2,2,1,1] w = {1.0, 0.3, 0.01, 0.004}> {
    h = Conv(x, w)
    y = Neg(h)
}"""


def run(grid, thresholds, opset=17):
    model = quantised(model_of(TEXT, opset=opset), grid, thresholds)
    return open_session(model).run({"x": np.array([0.5, 0.26], np.float32).reshape(1, 2, 1, 1)})


def grid_value(value, threshold, largest=127):
    scale = np.float32(threshold / largest)
    return np.clip(np.rint(np.float32(value) / scale), -largest - 1, largest) * scale


@pytest.mark.parametrize("opset", [9, 11, 17])
@pytest.mark.parametrize(("bits", "largest"), [(8, 127), (16, 32767)])
def test_a_value_is_rounded_and_keeps_its_name_and_its_readers(opset, bits, largest):
    found = run(Grid({"h": bits}, {}), {"h": 0.4}, opset)
    expected = [grid_value(0.578, 0.4, largest), grid_value(0.00604, 0.4, largest)]
    np.testing.assert_allclose(found["h"].ravel(), expected, rtol=1e-6)
    np.testing.assert_array_equal(found["y"], -found["h"])


def test_an_input_is_rounded_for_its_readers():
    found = run(Grid({"x": 8}, {}), {"x": 1.0})
    read = [grid_value(0.5, 1), grid_value(0.26, 1)]
    np.testing.assert_allclose(found["h"].ravel()[0], read[0] + 0.3 * read[1], rtol=1e-5)


def test_weights_have_a_scale_per_channel_and_the_model_keeps_its_own():
    model = model_of(TEXT)
    made = quantised(model, Grid({}, {"w": 0}), {})
    weights = [next(t for n in m.graph.nodes for t in n.inputs if t.name == "w").values.ravel() for m in (model, made)]
    np.testing.assert_allclose(weights[1], [1, 38 / 127, 0.01, 0.01 * 51 / 127], rtol=1e-6)
    np.testing.assert_array_equal(weights[0], np.array([1.0, 0.3, 0.01, 0.004], np.float32))


def test_zeros_stay_as_they_are():
    assert quantised(model_of(TEXT), Grid({"h": 8}, {}), {"h": 0.0}).graph.nodes[0].outputs[0].name == "h"
    np.testing.assert_array_equal(rounded(np.zeros((2, 2), np.float32), 0), 0)


def test_one_scale_for_a_whole_weight():
    np.testing.assert_allclose(rounded(np.array([[127.0, 0.6], [0.4, 1.0]]), None), [[127, 1], [0, 1]])
