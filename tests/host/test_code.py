"""Host code of runs: with the stripped model it is the original; what cannot be printed is refused; names are text."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import surgery
from scripts.corpus import items
from scripts.host_cpp import compile_headers
from surgery.api import Run
from surgery.errors import DefectError, InputError
from surgery.host import HostCode, operators
from surgery.host.code import check_folder
from surgery.host.program import read_program
from surgery.host.step import NoEmitter
from surgery.ir.session import open_session
from surgery.pipeline.iomap import as_model
from tests.support import ROOT, model_of

BOTH = """g (float[1,3,4,4] image, float[1,2] size) => (float[1,4,4,4] y, float[1,2] s)
<float k = {0.05}, uint8 z = {128}, float[4] so = {0.1, 0.2, 0.3, 0.4}, int8[4] zo = {0, -1, 2, 3},
 float[4,3,1,1] w = {1,2,3,4,5,6,7,8,9,10,11,12}>
{
    q = QuantizeLinear (image, k, z)
    d = DequantizeLinear (q, k, z)
    c = Conv (d, w)
    qo = QuantizeLinear <axis = 1> (c, so, zo)
    y = DequantizeLinear <axis = 1> (qo, so, zo)
    s = Neg (size)
}"""
HOSTILE = "a\"; */ // \\\n''' ../../x {0} é"


STRIP = surgery.Pipeline.of("fold-constants", "strip-io-nodes")


def stripped(text: str, opset: int = 17) -> Run:
    return surgery.run(model_of(text, opset=opset), march="bayes-e", pipeline=STRIP, samples=1)


def whole(run: Run, code: HostCode) -> dict[str, np.ndarray]:
    """What prologue, model and epilogue compute of the first sample."""
    assert run.result.inputs is not None
    functions = code.functions()
    fed = functions["prologue"](run.result.inputs.samples[0])
    return functions["epilogue"](open_session(run.model).run(fed))


def same_bits(run: Run) -> bool:
    assert run.result.inputs is not None
    known = open_session(run.result.original).run(run.result.inputs.samples[0])
    found = whole(run, run.host_code())
    return list(found) == list(known) and all(np.array_equal(found[name], known[name]) for name in known)


def test_the_stripped_model_with_its_host_code_is_the_original_bit_by_bit() -> None:
    run = stripped(BOTH)
    assert [step.op for step in run.host_code().manifest.epilogue.steps] == ["QuantizeLinear", "DequantizeLinear"]
    assert same_bits(run)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "removed"),
    [
        ("r_Ultra-Light-_models__onnx__version-RFB-320_simplified", 1),
        ("r_Ultra-Light-_models__onnx__version-slim-320_without_postprocessing", 1),
        ("r_digits_repvgg_op13", 0),
        ("r_digits_vit_op17", 0),
        ("q_resnet18_qdq_int8io_op17", 2),
    ],
)
def test_trained_models_are_stripped_bit_by_bit_and_their_host_code_rounds(name: str, removed: int) -> None:
    types = '["Quantize", "Dequantize", "Cast", "Transpose", "Reshape", "Softmax"]'
    pipeline = STRIP.with_options({"strip-io-nodes.types": types})
    [item] = items([f"*/{name}"])
    run = surgery.run(item.filled(), march="bayes-e", pipeline=pipeline, samples=1)
    assert len(run.report.io.removed) == removed
    assert run.report.drift is not None
    assert all(output.bit_identical for output in run.report.drift.outputs)
    assert run.result.inputs is not None
    known = open_session(run.result.original).run(run.result.inputs.samples[0])
    for output, value in whole(run, run.host_code()).items():
        np.testing.assert_allclose(value, known[output], rtol=1e-6, atol=1e-7)


def test_shipped_digits_stripped_with_its_host_code_is_the_original_bit_by_bit() -> None:
    run = surgery.run(ROOT / "models/digits.onnx", march="bernoulli2", pipeline=STRIP, samples=1)
    assert len(run.report.io.removed) == 6
    assert same_bits(run)


def test_a_run_that_moved_nothing_has_host_code_that_hands_on() -> None:
    run = surgery.run(model_of("g (float[2] x) => (float[2] y) { y = Neg (x) }"), march="bayes-e", samples=1)
    code = run.host_code()
    assert [port.name for port in code.manifest.epilogue.outputs] == ["y"]
    assert same_bits(run)


def test_the_manifest_has_types_sizes_and_quantisation() -> None:
    manifest = stripped(BOTH).host_code("my model").manifest
    assert (manifest.namespace, manifest.python, manifest.cpp) == (
        "my_model_host",
        "my_model_host.py",
        "my_model_host.hpp",
    )
    [image, size] = manifest.prologue.inputs
    assert (image.name, image.argument, image.dtype, image.shape) == ("image", 0, "float32", (1, 3, 4, 4))
    assert (size.name, size.argument) == ("size", None)
    run = surgery.run(
        model_of(BOTH), march="bayes-e", samples=1, verify="off",
        pipeline=surgery.Pipeline.of({"strip-io-nodes": {"types": ["Dequantize"], "side": "outputs"}}),
    )  # fmt: skip
    quantisation = run.host_code().manifest.epilogue.inputs[0].quantisation
    assert quantisation is not None
    assert (quantisation.dtype, quantisation.zero_points, quantisation.axis) == ("int8", (0, -1, 2, 3), 1)
    assert quantisation.scales == pytest.approx((0.1, 0.2, 0.3, 0.4))


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    model = model_of(BOTH)
    for tensor in (*model.graph.inputs, *model.graph.outputs):
        tensor.name = f"{HOSTILE}{tensor.name}"
    for node in model.graph.nodes:
        node.name = f"{HOSTILE}{node.name}"
    run = surgery.run(model, march="bayes-e", pipeline=STRIP, samples=1)
    code = run.host_code(HOSTILE)
    assert code.name.isidentifier()
    assert same_bits(run)
    files = code.save(tmp_path / "host")
    assert {file.parent for file in files} == {tmp_path / "host"}
    assert sorted(p.name for p in tmp_path.rglob("*")) == sorted(["host", *(file.name for file in files)])
    assert json.loads(files[2].read_text())["prologue"]["inputs"][0]["name"] == f"{HOSTILE}image"
    assert code.python.isascii()
    assert code.cpp.isascii()


def test_hostile_names_compile(tmp_path: Path) -> None:
    model = model_of(BOTH)
    for tensor in (*model.graph.inputs, *model.graph.outputs):
        tensor.name = f"{tensor.name}{HOSTILE}\\"
    run = surgery.run(model, march="bayes-e", pipeline=STRIP, samples=1)
    code = run.host_code(HOSTILE)
    io = run.result.io
    assert io is not None
    program = read_program("epilogue", as_model(io.epilogue, run.model.opset), io.outputs)
    compiled = compile_headers([code.cpp], [code.name], [program], tmp_path)
    feeds = {program.inputs[0].name: np.linspace(-20, 20, program.inputs[0].size, dtype=np.float32)}
    found = compiled.run(0, {n: v.reshape(program.inputs[0].shape) for n, v in feeds.items()})
    assert [name.endswith("\\") for name in found] == [True]


def test_an_operator_that_is_not_printed_is_named() -> None:
    text = "g (float[1,2,4,4] x) => (float[1,2,4,4] y) { y = MaxPool <kernel_shape = [1, 1]> (x) }"
    with pytest.raises(NoEmitter, match=r"^no host code for MaxPool 'MaxPool': it is none of the \d+ operators"):
        read_program("epilogue", model_of(text), ["y"])


def test_an_operator_of_another_domain_is_named_with_it() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "my.ops": 1]>
        g (float[2] x) => (float[2] y) { y = my.ops.Relu (x) }"""
    with pytest.raises(NoEmitter, match=r"no host code for my\.ops:Relu"):
        read_program("epilogue", model_of(text), ["y"])


REFUSED = {
    "its size is not a number": "g (float[N,2] x) => (float[N,2] y) { y = Neg (x) }",
    "it must be of bool, float32": "g (float16[2] x) => (float16[2] y) { y = Neg (x) }",
    "3 zero points and 1 scales, there must be as many of both": """g (float[1,3] x) => (uint8[1,3] y)
        <float s = {0.1}, uint8[3] z = {1, 2, 3}> { y = QuantizeLinear <axis = 1> (x, s, z) }""",
    "'s' is 2, it must be one number or 3, one per element of axis 1": """g (float[1,3] x) => (uint8[1,3] y)
        <float[2] s = {0.1, 0.2}, uint8[2] z = {1, 2}> { y = QuantizeLinear <axis = 1> (x, s, z) }""",
    "its kernel is 3x3, it must be 1x1": """g (float[1,1,3,3] x, float[1,1,3,3] w) => (float[1,1,1,1] y)
        { y = Conv (x, w) }""",
    "mode is cubic, it must be nearest or linear": """g (float[1,1,3,3] x) => (float[1,1,6,6] y)
        <float[4] s = {1, 1, 2, 2}> { y = Resize <mode = "cubic"> (x, , s) }""",
    "coordinate_transformation_mode is tf_crop_and_resize": """g (float[1,1,3,3] x) => (float[1,1,6,6] y)
        <float[8] r = {0, 0, 0, 0, 1, 1, 1, 1}, float[4] s = {1, 1, 2, 2}>
        { y = Resize <coordinate_transformation_mode = "tf_crop_and_resize"> (x, r, s) }""",
    "alpha is inf, it must be finite": "g (float[2] x) => (float[2] y) { y = LeakyRelu <alpha = inf> (x) }",
    "batch_dims is 1, it must be 0": """g (float[2,3] x, int64[2,1] i) => (float[2] y)
        { y = GatherND <batch_dims = 1> (x, i) }""",
    "reduction is add, it must be none": """g (float[3] x, int64[1,1] i, float[1] u) => (float[3] y)
        { y = ScatterND <reduction = "add"> (x, i, u) }""",
    "it selects the last of equals, it must select the first": """g (float[3] x) => (int64[1] y)
        { y = ArgMax <select_last_index = 1> (x) }""",
    "an operand is a vector, both must be matrices": """g (float[2,3] x, float[3] w) => (float[2] y)
        { y = MatMul (x, w) }""",
    "its input is int32, it must be a float": """g (int32[4] x) => (int32[2] y, int64[2] i) <int64[1] k = {2}>
        { y, i = TopK (x, k) }""",
    "input 1 is computed, it must be a constant": """g (float[4] x, int64[1] s, int64[1] e) => (float[2] y)
        { y = Slice (x, s, e) }""",
    "it reduces no axis, it must reduce one": """g (float[2,3] x) => (float[2,3] y)
        { y = ReduceSum <noop_with_empty_axes = 1> (x) }""",
    "an output is left out, all must be there": """g (float[4] x) => (float[2] z)
        <int64[2] s = {2, 2}> { , z = Split (x, s) }""",
}  # fmt: skip


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_printed_is_refused_by_reason(reason: str) -> None:
    model = model_of(REFUSED[reason])
    with pytest.raises(NoEmitter) as caught:
        read_program("epilogue", model, [t.name for t in model.graph.outputs])
    assert reason in str(caught.value)


def test_code_that_computes_something_else_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    run = stripped(BOTH)
    wrong = dataclasses.replace(
        operators.EMITTERS["DequantizeLinear"], python=lambda step: [f"{step.y.id} = {step.x.id}.astype(np.float32)"]
    )
    monkeypatch.setattr(operators, "EMITTERS", {**operators.EMITTERS, "DequantizeLinear": wrong})
    with pytest.raises(DefectError, match="the generated prologue does not compute what its graph does"):
        run.host_code()


def test_wrong_tensors_are_refused_by_the_module() -> None:
    prologue = stripped(BOTH).host_code().functions()["prologue"]
    image = np.zeros((1, 3, 4, 4), np.float32)
    with pytest.raises(ValueError, match="no tensor 'image'"):
        prologue({})
    with pytest.raises(ValueError, match="it must be float32"):
        prologue({"image": image.astype(np.float64), "size": image})


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("as it was")
    with pytest.raises(InputError, match="is a file, a folder is needed"):
        check_folder(tmp_path / "file")
    with pytest.raises(InputError, match="cannot be written"):
        check_folder(tmp_path / "gone" / "host")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_link_in_the_folder_is_replaced_not_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside.py", tmp_path / "host"
    outside.write_text("as it was")
    folder.mkdir()
    (folder / "m_host.py").symlink_to(outside)
    stripped(BOTH).host_code("m").save(folder)
    assert outside.read_text() == "as it was"
    assert not (folder / "m_host.py").is_symlink()
