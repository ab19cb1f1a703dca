"""``surgery config`` and ``surgery run --config-out``: complete YAMLs, clean to lint, of the model that they name."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import onnx
import pytest
import yaml

from tests.cli.conftest import Surgery
from tests.cli.test_bad_input import refused
from tests.cli.test_json import SCHEMAS
from tests.passes.lifts import LIFTED
from tests.support import model_of, proto_of

WEIGHT = ",".join(["0.125"] * (16 * 3 * 3 * 3))
SOFTMAX = f"""g (float[1,3,64,64] x) => (float[1,16,64,64] y) <float[16,3,3,3] w = {{{WEIGHT}}},
    float[16,16,1,1] v = {{{",".join(["0.1"] * 256)}}}> {{
    [c] c = Conv <pads = [1,1,1,1]> (x, w)
    [s] s = Softmax <axis = 3> (c)
    [e] y = Conv (s, v)
}}"""
TAIL = f"""g (float[1,3,8,8] x) => (float[1,16,64] y) <float[16,3,3,3] w = {{{WEIGHT}}}, int64[3] s = {{1,64,16}}> {{
    [c] c = Conv <pads = [1,1,1,1]> (x, w)
    [r] r = Reshape (c, s)
    [t] y = Transpose <perm = [0,2,1]> (r)
}}"""


@pytest.fixture(autouse=True)
def _files(folder: Path) -> None:  # noqa: ARG001 - the working folder
    model_of(SOFTMAX, opset=11).save("softmax.onnx")
    model_of(TAIL, opset=11).save("tail.onnx")


def made(path: str = "c.yaml") -> dict[str, dict[str, object]]:
    """The values of a file that was written."""
    return dict(yaml.safe_load(Path(path).read_text()))


def test_complete_and_clean(surgery: Surgery) -> None:
    called = surgery("config", "clean.onnx", "-m", "X5", "-o", "c.yaml")
    assert called.code == 0
    assert "hb_mapper makertbin --config c.yaml --model-type onnx" in called.out
    assert surgery("lint", "c.yaml", "--model", "clean.onnx").code == 0
    said = made()
    assert said["model_parameters"]["onnx_model"] == "clean.onnx"
    assert said["input_parameters"]["input_shape"] == "1x3x8x8"
    assert said["compiler_parameters"]["optimize_level"] == "O3"
    assert "remove_node_type" not in said["model_parameters"]


def test_the_model_is_named_from_where_the_file_is(surgery: Surgery) -> None:
    Path("deep").mkdir()
    surgery("config", "clean.onnx", "-m", "X5", "-o", "deep/c.yaml")
    assert made("deep/c.yaml")["model_parameters"]["onnx_model"] == "../clean.onnx"


def test_for_the_other_tool(surgery: Surgery) -> None:
    called = surgery("config", "clean.onnx", "-m", "S100", "-o", "c.yaml")
    assert "hb_compile -c c.yaml" in called.out
    assert surgery("lint", "c.yaml").code == 0
    assert made()["compiler_parameters"]["optimize_level"] == "O2"
    assert "norm_type" not in made()["input_parameters"]


def test_an_image(surgery: Surgery) -> None:
    image = ["--input-type", "x=nv12", "--trained-on", "x=bgr", "--mean", "x=123.6 116.2 103.5", "--scale", "x=0.017"]
    Path("samples").mkdir()
    called = surgery("config", "clean.onnx", "-m", "X5", "-o", "c.yaml", *image, "--cal-data", "samples")
    assert called.code == 0
    said = made()
    assert said["input_parameters"]["norm_type"] == "data_mean_and_scale"
    assert said["input_parameters"]["input_type_train"] == "bgr"
    assert said["calibration_parameters"] == {
        "calibration_type": "default", "cal_data_dir": "samples", "cal_data_type": "float32", "preprocess_on": False,
    }  # fmt: skip


def test_what_the_bpu_runs_on_request_is_asked_for_where_it_pays(surgery: Surgery) -> None:
    called = surgery("config", "softmax.onnx", "-m", "X5", "-o", "c.yaml")
    assert made()["calibration_parameters"]["run_on_bpu"] == "s"
    assert "1 node asked onto the BPU" in called.out


def test_names_with_the_syntax_of_globs(surgery: Surgery) -> None:
    model = model_of(SOFTMAX, opset=11)
    model.graph.nodes[1].name = "s[0]*"
    model.save("odd.onnx")
    assert surgery("config", "odd.onnx", "-m", "X5", "-o", "c.yaml").code == 0
    assert made()["calibration_parameters"]["run_on_bpu"] == "s[0]*"


def test_nodes_without_a_name_cannot_be_asked_for(surgery: Surgery) -> None:
    onnx.save(proto_of(SOFTMAX.replace("[s] ", ""), opset=11), "odd.onnx")
    assert surgery("config", "odd.onnx", "-m", "X5", "-o", "c.yaml").code == 0
    assert "run_on_bpu" not in made()["calibration_parameters"]


def test_what_is_at_the_edges_is_removed_from_outside(surgery: Surgery) -> None:
    called = surgery("config", "tail.onnx", "-m", "X5", "-o", "c.yaml", "--remove", "auto")
    assert "Taken off the ends" in called.out
    assert made()["model_parameters"]["remove_node_type"] == "Transpose;Reshape;Dequantize;Quantize"
    surgery("config", "tail.onnx", "-m", "X5", "-o", "c.yaml", "--remove", "Dequantize")
    assert made()["model_parameters"]["remove_node_type"] == "Dequantize"


def test_a_preview_of_removal_writes_nothing(surgery: Surgery) -> None:
    called = surgery("check", "tail.onnx", "-m", "X5", "--preview-removal", "Quantize;Dequantize", "--json", "-")
    data = json.loads(called.out)
    jsonschema.validate(data, json.loads((SCHEMAS / "surgery.check.1.json").read_text()))
    assert [one["type"] for one in data["removal"]["removed"]] == ["Quantize"]
    assert {"Transpose", ""} == {one["type"] for one in data["removal"]["stays"]}
    assert "hb_model_modifier lists" in surgery("check", "tail.onnx", "-m", "X5", "--preview-removal", "auto").out
    said = refused(surgery, "check", "tail.onnx", "-m", "X5", "--preview-removal", "Dequantise").err
    assert "unknown removable type 'Dequantise'" in said


def test_a_model_that_is_refused_itself_is_told(surgery: Surgery) -> None:
    model_of(TAIL, opset=13).save("new.onnx")
    called = surgery("config", "new.onnx", "-m", "X5", "-o", "c.yaml")
    assert called.code == 1
    assert "will refuse the model itself (model.opset)" in called.out
    assert "hb_mapper will take the configuration, and refuse the model." in called.out
    assert "hb_mapper converts the model" not in called.out


def test_the_document_follows_its_schema(surgery: Surgery) -> None:
    data = json.loads(surgery("config", "softmax.onnx", "-m", "X5", "-o", "c.yaml", "--json", "-").out)
    jsonschema.validate(data, json.loads((SCHEMAS / "surgery.config.1.json").read_text()))
    assert data["settings"] == made()


def test_run_writes_the_yaml_of_the_result(surgery: Surgery) -> None:
    assert surgery("run", "clean.onnx", "-m", "X5", "-o", "out.onnx", "--config-out", "c.yaml").code == 0
    assert made()["model_parameters"]["onnx_model"] == "out.onnx"
    assert surgery("lint", "c.yaml", "--model", "out.onnx").code == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["dynamic.onnx", "-m", "X5"], "input 'x' has sizes that are not fixed"),
        (["dynamic.onnx", "-m", "X5"], "--input-shape 'x=NxL'"),
        (["clean.onnx", "-m", "X5", "--cal-data", "absent"], "there is no folder 'absent'"),
        (["clean.onnx", "-m", "X5", "--input-type", "y=nv12"], "unknown input 'y'"),
        (["clean.onnx", "-m", "X5", "--input-type", "x=nv21"], "it has to be one of nv12"),
        (["clean.onnx", "-m", "X5", "--input-type", "x=nv12", "--mean", "x=a"], "is no number"),
        (["clean.onnx", "-m", "X5", "--mean", "x=1"], "input 0 is a featuremap, which is fed as it is"),
        (["negated.onnx", "-m", "X5", "--input-type", "x=nv12"], "an image (nv12) has 4 dims, 1x4 has 2"),
        (["clean.onnx", "-m", "X5", "--cal-data", "a", "--cal-data", "b"], "2 folders for 1 inputs"),
        (["clean.onnx", "-m", "X5", "--remove", "Dequantise"], "unknown removable type 'Dequantise'"),
    ],
)
def test_what_is_refused_writes_nothing(surgery: Surgery, args: list[str], said: str) -> None:
    assert said in refused(surgery, "config", *args, "-o", "c.yaml").err


def test_the_model_is_not_overwritten(surgery: Surgery) -> None:
    said = "is a model, or another result"
    assert said in refused(surgery, "config", "clean.onnx", "-m", "X5", "-o", "./clean.onnx").err


@pytest.mark.parametrize("place", ["./clean.onnx", "./out.onnx"])
def test_run_overwrites_neither_the_model_nor_its_result(surgery: Surgery, place: str) -> None:
    called = refused(surgery, "run", "clean.onnx", "-m", "X5", "-o", "out.onnx", "--config-out", place)
    assert "is a model, or another result" in called.err


def test_run_writes_nothing_where_its_result_has_no_yaml(surgery: Surgery) -> None:
    called = refused(
        surgery, "run", "dynamic.onnx", "-m", "X5", "-o", "out.onnx", "--verify", "off", "--config-out", "c.yaml"
    )
    assert "has sizes that are not fixed" in called.err


@pytest.mark.parametrize("args", [["--dry-run"], ["pooled.onnx", "-o", "out"]])
def test_run_writes_a_yaml_for_one_result_only(surgery: Surgery, args: list[str]) -> None:
    Path("out").mkdir()
    called = refused(surgery, "run", "clean.onnx", "-m", "X5", *args, "--config-out", "c.yaml")
    assert "is for one result that is written" in called.err


def test_what_was_lifted_from_the_graph_is_told_to_the_tool(surgery: Surgery) -> None:
    LIFTED["Gather, then arithmetic"].model().save("graph.onnx")
    lift = ["run", "graph.onnx", "-o", "out.onnx", "--add", "lift-normalisation"]
    assert surgery(*lift, "-m", "X5", "--config-out", "c.yaml").code == 0
    said = made()["input_parameters"]
    assert (said["norm_type"], said["mean_value"]) == ("data_mean", "123.5 116.25 103.5")
    assert (said["input_type_rt"], said["input_type_train"]) == ("rgb", "bgr")
    assert (said["input_layout_rt"], said["input_layout_train"]) == ("NHWC", "NCHW")
    assert surgery("config", "out.onnx", "-m", "S100", "-o", "d.yaml").code == 0
    assert made("d.yaml")["input_parameters"]["mean_value"] == "123.5, 116.25, 103.5"


def test_what_was_lifted_gives_way_to_what_is_said(surgery: Surgery) -> None:
    LIFTED["Gather, then arithmetic"].model().save("graph.onnx")
    surgery("run", "graph.onnx", "-o", "out.onnx", "--add", "lift-normalisation", "-m", "X5")
    said = ["--input-type", "n=nv12", "--trained-on", "n=rgb", "--mean", "n=1"]
    surgery("config", "out.onnx", "-m", "X5", "-o", "c.yaml", *said)
    found = made()["input_parameters"]
    assert (found["input_type_rt"], found["input_type_train"], found["mean_value"]) == ("nv12", "rgb", "1")
    called = surgery("config", "out.onnx", "-m", "X5", "-o", "c.yaml", "--input-type", "n=featuremap")
    assert "is left to the application" in called.out
    assert made()["input_parameters"]["norm_type"] == "no_preprocess"


def test_a_model_without_inputs(surgery: Surgery) -> None:
    model_of("g () => (float[2] y) <float[2] w = {1, 2}> { y = Relu (w) }", opset=11).save("none.onnx")
    assert "the model has no input" in refused(surgery, "config", "none.onnx", "-m", "X5", "-o", "c.yaml").err


def test_a_name_that_the_format_cannot_say(surgery: Surgery) -> None:
    model = model_of(TAIL, opset=11)
    model.graph.inputs[0].name = "a;b"
    model.save("odd.onnx")
    assert "has a ';' in its name" in refused(surgery, "config", "odd.onnx", "-m", "X5", "-o", "c.yaml").err
