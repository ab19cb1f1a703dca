"""int8 simulated: what is rounded follows the placement; both models, layer by layer."""

from __future__ import annotations

import numpy as np
import pytest

import surgery
from surgery import simulated
from surgery.drift.inputs import make_inputs
from surgery.drift.thresholds import Method
from surgery.errors import SurgeryError
from surgery.ir import Model
from surgery.report.view import page, to_markdown
from surgery.target import place
from surgery.target.target import load_target
from tests.support import ROOT, model_of

X5 = load_target("bayes-e")
CONV = ", ".join(["0.5", "-0.25", "0.125", "1.0"] * 16)
CHAIN = f"""g (float[1,8,8,8] x) => (float[1,8,8,8] y) <float[8,8,1,1] v = {{{CONV}}}, float[8,8,1,1] w = {{{CONV}}}> {{
    a = Conv(x, v)
    b = Relu(a)
    c = Transpose<perm=[0,1,3,2]>(b)
    d = Sigmoid(c)
    e = Mul(c, d)
    y = Conv(e, w)
}}"""
LOSES = f"""g (float[1,8,8,8] x) => (float[1,8,8,8] y) <float[8,8,1,1] v = {{{CONV}}}, float[1,8,1,1] k = {{OFFSET}}> {{
    a = Conv(x, v)
    s = Sigmoid(a)
    b = Add(s, k)
    c = Sub(b, k)
    y = Conv(c, v)
}}"""
"""The offset takes the levels that the signal would need."""


def offset(size):
    return model_of(LOSES.replace("OFFSET", ", ".join([str(size)] * 8)), opset=11)


def grid(text, target=X5, **options):
    return simulated.grid_of(place(model_of(text, opset=11), target), **options)


def test_what_enters_and_what_is_made_for_others_is_rounded_and_no_inside_of_a_fusion():
    found = grid(CHAIN)
    assert found.values == {"x": 8, "b": 8, "e": 8}
    assert found.weights == {"v": 0, "w": 0}


def test_nodes_by_name_have_16_bits():
    model = model_of(CHAIN, opset=11)
    node = next(n for n in model.graph.nodes if n.outputs[0].name == "b")
    assert simulated.grid_of(place(model, X5), [node.name]).values["b"] == 16


def test_only_nodes_on_the_bpu_are_rounded():
    text = f"g (float[1,8,8,8] x) => (float[1,8,8,8] y) <float[8,8,1,1] v = {{{CONV}}}> "
    found = grid(text + "{ a = Conv(x, v) b = Softmax<axis=1>(a) c = Conv(b, v) y = Relu(c) }")
    assert set(found.values) == {"x", "b"}


def test_nodes_whose_device_nobody_knows_are_rounded_and_counted():
    model = model_of(CHAIN, opset=11)
    found = simulated.diff_simulated(model, model, make_inputs(model, samples=1), load_target("nash-e"))
    assert found.rows[0].assumed > 0
    assert {"x", "b", "e"} <= set(grid(CHAIN, load_target("nash-e")).values)
    document = surgery.diff(model, model, march="nash-e", int8=True, samples=1)
    assert "of unknown device count as on the BPU" in to_markdown(page(document))


@pytest.mark.parametrize(
    ("line", "shape", "axis"),
    [
        ("y = ConvTranspose(x, w)", "8,4,1,1", 1),
        ("y = ConvTranspose<group=8>(x, w)", "8,1,1,1", 0),
        ("y = ConvTranspose<group=2>(x, w)", "8,4,1,1", None),
        ("y = Conv(x, w)", "4,8,1,1", 0),
        ("y = MatMul(x, w)", "8,4", 1),
    ],
)
def test_scales_are_per_output_channel(line, shape, axis):
    size = int(np.prod([int(s) for s in shape.split(",")]))
    text = (
        f"g (float[1,8,8,8] x) => (float[N,C,H,W] y) <float[{shape}] w = {{{', '.join(['0.5'] * size)}}}> {{ {line} }}"
    )
    node = model_of(text, opset=13).graph.nodes[0]
    assert simulated._axis(node) == axis


def test_a_layer_that_loses_is_named_and_16_bits_help_it():
    model = offset(90.0)
    found = simulated.diff_simulated(model, model, make_inputs(model, samples=2), X5)
    assert found.int16
    eight, sixteen = found.rows[-2:]
    assert (eight.int16, sixteen.int16) == (False, True)
    assert sixteen.outputs[0].sqnr_db > eight.outputs[0].sqnr_db + 10
    assert not simulated.diff_simulated(model, model, make_inputs(model, samples=2), load_target("bernoulli2")).int16


def test_diff_says_both_models_and_the_layers():
    document = surgery.diff(ROOT / "models/digits.onnx", ROOT / "models/digits.onnx", march="bayes-e", int8=True)
    assert document.int8 is not None
    first, second = document.int8.rows
    assert (first.model, second.model) == ("A", "B")
    assert first.outputs == second.outputs
    assert 20 < first.outputs[0].sqnr_db < 60
    assert all(layer.before == layer.after for layer in document.int8.layers)
    text = to_markdown(page(document))
    assert "No toolchain was asked" in text
    assert "The lowest SQNR" in text


def test_names_are_no_globs():
    model = model_of(CHAIN, opset=11)
    node = next(n for n in model.graph.nodes if n.outputs[0].name == "b")
    node.name = "b[0]"
    assert simulated.grid_of(place(model, X5), ["b[0]"]).values["b"] == 16


def test_a_model_of_which_nothing_is_rounded_is_told():
    host = model_of("g (double[1,4] x) => (double[1,4] y) { y = Relu(x) }", opset=11)
    document = surgery.diff(host, host, march="X5", int8=True)
    assert [row.rounded for row in document.int8.rows] == [0, 0]
    text = to_markdown(page(document))
    assert "Nothing of A was rounded" in text
    assert "The lowest SQNR" not in text


def test_a_layer_that_a_rewrite_made_worse_is_named():
    before = offset(0.01)
    found = simulated.diff_simulated(before, offset(90.0), make_inputs(before, samples=2), X5)
    assert [layer.value for layer in found.layers if layer.worse] == ["c", "y"]


def test_what_cannot_be_simulated_is_said():
    model = model_of(CHAIN, opset=11)
    with pytest.raises(SurgeryError, match=r"(?s)--int8: models are quantised for a march.*--march X5"):
        surgery.diff(model, model, int8=True)
    with pytest.raises(SurgeryError, match="unknown calibration 'maks'"):
        surgery.diff(model, model, int8=True, march="X5", calibration="maks")
    with pytest.raises(SurgeryError, match=r"(?s)--calibration kl: nothing is quantised.*--int8"):
        surgery.diff(model, model, calibration="kl")


@pytest.mark.witness
def test_the_toolchain_rounds_the_same():
    from surgery.toolchain import Witness, find
    from surgery.toolchain.quantised import Stage

    model = model_of(CHAIN, opset=11)
    inputs = make_inputs(model, samples=2)
    ours = simulated.Simulation(model, X5, inputs, Method.MAX).drift.outputs[0]
    with Witness(find("auto")) as witness, witness.quantise(model, "bayes-e", inputs.samples) as made:
        theirs = made.run_all(inputs.samples, Stage.CALIBRATED)
        inside = made.inside(inputs.samples, ["a", "y", "gone"])
    session = surgery.ir.session.open_session(Model.load(model))
    floats = np.stack([session.run(sample)["y"] for sample in inputs.samples])
    error = np.stack([value["y"] for value in theirs]) - floats
    assert ours.sqnr_db == pytest.approx(10 * np.log10((floats**2).sum() / (error**2).sum()), abs=1.5)
    assert "gone" not in inside[0]
    assert np.array_equal(inside[0]["y"], theirs[0]["y"])
