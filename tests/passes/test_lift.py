"""lift-normalisation: what goes, what the toolchain is told to do in its place, and what stays and why."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest

import surgery
from passes.lift import LiftNormalisation
from surgery.drift.metrics import Array
from surgery.ir import Model
from surgery.ir.session import open_session
from surgery.pipeline.lifted import KEY, Lifted, lifted
from surgery.pipeline.manager import Manager
from surgery.pipeline.pipeline import Pipeline
from tests.passes.lifts import COLOURS, LIFTED, MEANS, REFUSED, Image
from tests.support import apply_pass, interface, model_of

NORMALISED = LIFTED["integers in NHWC"]


@pytest.mark.parametrize("name", LIFTED)
def test_what_is_in_front_of_the_network_goes_and_is_remembered(name: str) -> None:
    case = LIFTED[name]
    done = apply_pass(case.model(), LiftNormalisation(pixels=case.pixels))
    [(_, found)] = lifted(done.model).items()
    assert done.result.drift_total == 0.0
    assert (found.swapped, found.layout) == (case.lifted.swapped, case.lifted.layout)
    np.testing.assert_allclose(found.mean, case.lifted.mean, rtol=1e-6)
    np.testing.assert_allclose(found.scale, case.lifted.scale, rtol=1e-6)
    assert {"Conv", "Relu"} <= set(done.ops)


def test_the_network_is_left_with_an_input_of_float32_in_its_own_layout() -> None:
    done = apply_pass(NORMALISED.model(), LiftNormalisation())
    assert done.ops == ["Conv", "Relu"]
    assert interface(done.model)[0] == ("n", "float32", "1x3x16x16")
    assert done.manager.io is not None
    assert done.manager.io.removed == ("k", "t", "a")


@pytest.mark.parametrize("name", LIFTED)
def test_what_is_remembered_is_what_the_graph_did(name: str) -> None:
    """``(pixels - mean) * scale`` over pixels of 0 to 255 is what the network was fed by the original."""
    case = LIFTED[name]
    original = case.model()
    done = apply_pass(original.copy(), LiftNormalisation(pixels=case.pixels))
    [(_, found)] = lifted(done.model).items()
    shape, dtype = original.graph.inputs[0].shape, original.graph.inputs[0].dtype
    pixels = np.random.default_rng(0).integers(0, 256, [int(str(dim)) for dim in shape or ()])
    fed = pixels / 255 if case.pixels == 1 else pixels
    wanted = open_session(original).run({"x": fed.astype(dtype)})["y"]
    ours = open_session(done.model).run({done.model.graph.inputs[0].name: told(pixels, found)})["y"]
    np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-3)


def told(pixels: Array, found: Lifted) -> Array:
    """What the toolchain makes of pixels."""
    image = pixels.transpose(0, 3, 1, 2) if pixels.shape[1] != 3 else pixels
    image = (image[:, ::-1] if found.swapped else image).astype(np.float64)
    image = image - np.reshape(found.mean or (0.0,) * 3, (3, 1, 1))
    image = image * np.reshape(found.scale or (1.0,) * 3, (3, 1, 1))
    made: Array = image.astype(np.float32)
    return made


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    case, reason = REFUSED[name]
    done = apply_pass(case.model(), LiftNormalisation(pixels=case.pixels), verify=False)
    assert done.result.applied == 0
    assert any(reason in said for said in done.reasons), done.reasons
    assert not lifted(done.model)


def test_each_of_several_images_is_lifted_and_remembered() -> None:
    body = "a = Sub (x, m)  b = Mul (z, s)  [c] y = Add (a, b)"
    held = "<float m = {128}, float s = {0.0625}>"
    done = apply_pass(
        model_of(f"g (float[1,3,4,4] x, float[1,3,4,4] z) => (float[1,3,4,4] y) {held} {{ {body} }}"),
        LiftNormalisation(),
    )
    assert done.ops == ["Add"]
    assert lifted(done.model) == {"a": Lifted(mean=(128.0,) * 3), "b": Lifted(scale=(0.0625,) * 3)}


def test_an_output_and_a_protected_node_stay() -> None:
    image = model_of("g (float[1,3,4,4] x) => (float[1,3,4,4] y) <float m = {128}> { [a] y = Sub (x, m) }")
    done = apply_pass(image, LiftNormalisation())
    assert done.reasons == ["'y' is also a graph output, the normalisation must be the only path"]
    manager = Manager(NORMALISED.model(), protect=re.compile("^t$"), trace=True)
    result = manager.run([("lift-normalisation", LiftNormalisation())])[-1]
    assert "'t' is protected" in {event.reason for event in result.events}


def test_networks_without_normalisation_are_left_alone_in_silence() -> None:
    done = apply_pass(Image("[p] n = Relu (x)").model(), LiftNormalisation())
    assert (done.result.status, done.reasons) == ("unchanged", [])


def test_in_two_steps_as_in_one() -> None:
    half = Image("[a] a = Sub (x, m)  [g] n = Gather <axis = 1> (a, i)", constants=f"{MEANS}, int64[3] i = {{2, 1, 0}}")
    first = apply_pass(half.model(), LiftNormalisation()).model
    [(name, _)] = lifted(first).items()
    proto = first.to_proto()
    proto.graph.node.insert(0, onnx.helper.make_node("Mul", [name, "f"], ["scaled"], "later"))
    proto.graph.node[1].input[0] = "scaled"
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array(0.5, np.float32), "f"))
    second = apply_pass(Model.load(proto), LiftNormalisation(pixels=255)).model
    assert lifted(second) == {"scaled": Lifted(mean=COLOURS[::-1], scale=(0.5,) * 3, swapped=True)}


def test_lifting_again_goes_on_from_what_was_lifted() -> None:
    first = Lifted(mean=(1.0, 2.0, 3.0), scale=(0.5, 0.25, 0.125), swapped=True)
    whole = first.then(Lifted(mean=(1.0, 1.0, 1.0), scale=(2.0, 2.0, 2.0), swapped=True))
    pixels = np.array([10.0, 20.0, 30.0])
    once = (pixels[::-1] - first.mean) * first.scale
    twice = (once[::-1] - 1) * 2
    np.testing.assert_allclose((pixels - whole.mean) * whole.scale, twice)
    assert not whole.swapped


@pytest.mark.parametrize("text", ["nonsense", '{"x": {"mean": ["a"]}}', '{"x": {"scale": [1e999]}}', '{"y": {}}', "[]"])
def test_metadata_that_says_something_else_is_passed_over(text: str) -> None:
    model = Image("[p] n = Relu (x)").model()
    model.header.metadata_props.add(key=KEY, value=text)
    assert lifted(model) == {}


def test_other_metadata_stays() -> None:
    model = NORMALISED.model()
    model.header.metadata_props.add(key="author", value="me")
    done = apply_pass(model, LiftNormalisation())
    assert [entry.key for entry in done.model.header.metadata_props] == ["author", KEY]


def test_added_by_name_it_runs_before_anything_fuses_with_the_network() -> None:
    steps = [step.id for step in Pipeline.default("bayes-e").adding(["lift-normalisation"]).steps]
    assert steps[steps.index("fold-constants") + 1] == "lift-normalisation"


def test_a_whole_run_is_verified_and_its_host_code_does_what_was_lifted() -> None:
    model = LIFTED["BatchNormalization"].model()
    done = surgery.run(model, march="bayes-e", add=["lift-normalisation"], set_={"lift-normalisation.pixels": "255"})
    assert done.report.verified == "full"
    prologue = done.host_code("lifted").functions()["prologue"]
    x = np.random.default_rng(0).uniform(0, 255, (1, 3, 16, 16)).astype(np.float32)
    made = prologue({"x": x})
    wanted = open_session(model).run({"x": x})["y"]
    np.testing.assert_allclose(open_session(done.model).run(made)["y"], wanted, rtol=1e-4, atol=1e-3)
