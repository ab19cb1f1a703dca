from __future__ import annotations

import pytest
import yaml

from surgery.errors import InputError
from surgery.toolchain.config import Options, makertbin


def test_two_inputs_and_nodes_to_remove() -> None:
    options = Options("O3", remove=("Reshape", "Dequantize"), optimization=("run_fast", "set_all_nodes_int16"))
    said = yaml.safe_load(makertbin("model.onnx", "bayes-e", {"a": (1, 3, 8, 8), "b": (1, 4)}, options))
    inputs, model, compiler = (said[f"{part}_parameters"] for part in ("input", "model", "compiler"))
    assert (inputs["input_name"], inputs["input_shape"]) == ("a;b", "1x3x8x8;1x4")
    assert inputs["input_type_rt"] == "featuremap;featuremap"
    assert (model["remove_node_type"], model["march"]) == ("Reshape;Dequantize", "bayes-e")
    assert (compiler["optimize_level"], compiler["debug"]) == ("O3", True)
    assert said["calibration_parameters"]["optimization"] == "run_fast;set_all_nodes_int16"


def test_cores_and_a_batch_are_said_where_they_are_asked_for():
    plain, said = (
        yaml.safe_load(makertbin("m.onnx", "bernoulli2", {"x": (1, 3, 8, 8)}, options))
        for options in (Options(), Options(cores=2, batch=4))
    )
    assert (plain["compiler_parameters"]["core_num"], said["compiler_parameters"]["core_num"]) == (1, 2)
    assert "input_batch" not in plain["input_parameters"]
    assert said["input_parameters"]["input_batch"] == 4


def test_nothing_is_removed_unasked() -> None:
    text = makertbin("model.onnx", "bayes", {"a": (1,)}, Options())
    assert "remove_node_type" not in text
    assert "optimization" not in text


def test_a_separator_in_a_name() -> None:
    for name, options in (("a;b", Options()), ("a", Options(run_on_bpu=("s;t",)))):
        with pytest.raises(InputError, match="has a ';' in its name"):
            makertbin("model.onnx", "bayes", {name: (1,)}, options)


def test_nodes_to_run_on_the_bpu() -> None:
    said = yaml.safe_load(makertbin("model.onnx", "bayes", {"a": (1,)}, Options(run_on_bpu=("s", "t"))))
    assert said["calibration_parameters"]["run_on_bpu"] == "s;t"


def test_unknown_level() -> None:
    with pytest.raises(InputError, match="O0, O1, O2 or O3"):
        Options("O4")
