"""The shipped model: small, right, and with the trouble it promises."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from models.eval import accuracy, held_out

MODEL = Path(__file__).parent.parent / "models" / "digits.onnx"


@pytest.fixture(scope="module")
def graph() -> onnx.GraphProto:
    return onnx.load(MODEL).graph


def _only(graph: onnx.GraphProto, op: str, **attributes: list[int]) -> onnx.NodeProto:
    def attrs(node: onnx.NodeProto) -> dict[str, object]:
        return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}

    (found,) = (n for n in graph.node if n.op_type == op and attributes.items() <= attrs(n).items())
    return found


def test_file_is_small_and_of_the_versions_that_x_marches_take() -> None:
    model = onnx.load(MODEL)
    assert MODEL.stat().st_size < 2_000_000
    assert (model.ir_version, [(o.domain, o.version) for o in model.opset_import]) == (7, [("", 11)])


def test_accuracy_is_what_the_readme_says() -> None:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(MODEL), options, providers=["CPUExecutionProvider"])
    found = accuracy(lambda feeds: {"scores": session.run(None, dict(feeds))[0]})
    assert found["accuracy"].mean() == pytest.approx(0.9861, abs=1 / 360)
    assert f"accuracy {0.9861} on 360" in (MODEL.parent / "README.md").read_text()


def test_accuracy_of_a_runner_that_always_says_three() -> None:
    scores = np.zeros((1, 2, 4, 4, 10), np.float32)
    scores[..., 3] = 1
    assert np.array_equal(accuracy(lambda _: {"scores": scores})["accuracy"], held_out()[1] == 3)


def test_inputs_and_outputs_are_quantised(graph: onnx.GraphProto) -> None:
    ops = [n.op_type for n in graph.node]
    assert ops[:2] == ops[-2:] == ["QuantizeLinear", "DequantizeLinear"]


def test_a_kernel_over_7(graph: onnx.GraphProto) -> None:
    _only(graph, "Conv", kernel_shape=[9, 9])


def test_a_dilated_convolution_over_2048_channels(graph: onnx.GraphProto) -> None:
    conv = _only(graph, "Conv", dilations=[2, 2])
    (weight,) = (w for w in graph.initializer if w.name == conv.input[1])
    assert weight.dims[1] > 2048


def test_hardswish_in_both_forms_of_opset_11(graph: onnx.GraphProto) -> None:
    assert {"HardSigmoid", "Clip"} <= {n.op_type for n in graph.node}


def test_batchnorm_is_not_fused(graph: onnx.GraphProto) -> None:
    assert sum(n.op_type == "BatchNormalization" for n in graph.node) == 4


def test_the_head_is_5d(graph: onnx.GraphProto) -> None:
    assert len(graph.output[0].type.tensor_type.shape.dim) == 5
    _only(graph, "Transpose", perm=[0, 1, 3, 4, 2])
