"""pack-weights: the smallest weights of a layer become zero, where that pays, and what stays as it is."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from typer.testing import CliRunner

import surgery
from passes.pack import PackWeights, ZeroSmallest
from surgery.cli.app import app
from surgery.cost import estimate
from surgery.errors import InputError
from surgery.ir import Constant, Model
from surgery.ir.session import open_session
from surgery.pipeline import Pipeline
from surgery.pipeline.context import PassContext
from surgery.pipeline.result import Status
from surgery.rewrite import Mismatch
from surgery.target import load_target, march_names, place
from surgery.toolchain import Witness
from tests.support import ROOT, SHARED, Applied, apply_pass, proto_of

Array = np.ndarray[Any, Any]
BUDGET = {"max_abs": 1e9}
WIDE, SIDE = 256, 8
LAYERS = {
    "Conv": ("Conv <kernel_shape = [1, 1]>", "float[1,6,5,5]", (8, 6, 1, 1), 0),
    "grouped Conv": ("Conv <group = 3>", "float[1,6,5,5]", (9, 2, 3, 3), 0),
    "ConvTranspose": ("ConvTranspose", "float[1,6,5,5]", (6, 8, 2, 2), 1),
    "Gemm": ("Gemm <transB = 1>", "float[1,6]", (8, 6), 0),
    "Gemm as stored": ("Gemm", "float[1,6]", (6, 8), 1),
    "MatMul": ("MatMul", "float[1,1,4,6]", (6, 8), 1),
}
"""What is written, what it reads, the shape of its weight, and the axis of output channels in it."""


def normal(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def layer(written: str, x: str, weight: Array, *more: Array) -> Model:
    """One node, which reads ``x``, weights ``w`` and whatever is in ``more``."""
    names = ["w", *(f"c{index}" for index in range(len(more)))]
    kind = x.partition("[")[0]
    proto = proto_of(f"g ({x} x) => ({kind}[] y) {{ y = {written} (x, {', '.join(names)}) }}", opset=11)
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    arrays = zip(names, (weight, *more), strict=True)
    proto.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays)
    return Model.load(onnx.shape_inference.infer_shapes(proto))


def wide(weight: Array | None = None) -> Model:
    """A 3x3 convolution whose weights take longer to load than it takes to compute."""
    weight = normal(WIDE, WIDE, 3, 3) if weight is None else weight
    written = "Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]>"
    return layer(written, f"float[1,{WIDE},{SIDE},{SIDE}]", weight, np.ones(len(weight), np.float32))


def pack(model: Model, march: str | None = "bayes-e", **options: Any) -> Applied:
    return apply_pass(model, PackWeights(**options), march, budget=BUDGET)


def weights(model: Model) -> Array:
    (node,) = model.nodes()
    constant = node.inputs[1]
    assert isinstance(constant, Constant)
    return constant.values


@pytest.mark.usefixtures("paying")
@pytest.mark.parametrize("zeros", [0.2001, 0.25, 0.5, 0.9])
def test_the_share_of_zeros_is_reached_and_no_more(zeros: float) -> None:
    before, after = wide(), pack(wide(), zeros=zeros).model
    assert np.count_nonzero(weights(after) == 0) == ceil(zeros * weights(before).size)


@pytest.mark.usefixtures("paying")
def test_equal_weights_go_up_to_the_share_alone() -> None:
    weight = np.full((2, 8), 0.5, np.float32)
    weight[:, 0] = 1
    after = weights(pack(layer("Gemm <transB = 1>", "float[1,8]", weight), zeros=0.25).model)
    assert np.count_nonzero(after == 0) == 4
    assert np.array_equal(after[:, 0], [1, 1])


@pytest.mark.usefixtures("paying")
@pytest.mark.parametrize("kind", LAYERS)
def test_the_smallest_go_against_the_largest_of_their_output_channel(kind: str) -> None:
    written, x, shape, axis = LAYERS[kind]
    rest = tuple(other for other in range(len(shape)) if other != axis)
    weight = normal(*shape) * np.expand_dims(np.float32(10) ** np.arange(-4, shape[axis] - 4), rest).astype(np.float32)
    after = weights(pack(layer(written, x, weight), zeros=0.3).model)
    gone = after == 0
    levels = np.abs(weight) / np.abs(weight).max(axis=rest, keepdims=True)
    assert levels[gone].max() <= levels[~gone].min()
    assert np.array_equal(after[~gone], weight[~gone])


def test_nothing_else_of_the_layer_changes() -> None:
    (old,), (new,) = (list(model.nodes()) for model in (wide(), pack(wide()).model))
    assert (new.op, new.name, new.attrs) == (old.op, old.name, old.attrs)
    assert np.array_equal(new.inputs[2].values, old.inputs[2].values)
    assert (new.inputs[1].shape, new.inputs[1].dtype) == (old.inputs[1].shape, old.inputs[1].dtype)


@pytest.mark.parametrize("march", ["bayes", "bayes-e"])
def test_a_layer_that_waits_for_its_weights_takes_less_time(march: str) -> None:
    before, applied = wide(), pack(wide(), march)
    assert applied.result.status is Status.APPLIED
    times = [estimate(place(model, load_target(march))).compiler_ms.mid for model in (before, applied.model)]
    assert times[1] < 0.7 * times[0]


def test_it_has_to_pay() -> None:
    for march, reason in (
        ("bernoulli2", "under 10 % are saved"),
        ("nash-e", "the time of Conv on this march is assumed, not measured"),
        (None, "no cost coefficients"),
    ):
        applied = pack(wide(), march)
        assert applied.result.status is not Status.APPLIED
        assert any(reason in said for said in applied.reasons), applied.reasons
    busy = layer("Conv", "float[1,64,112,112]", normal(64, 64, 1, 1))
    assert any("under 10 % are saved" in said for said in pack(busy).reasons)
    dense = pack(wide(), zeros=0.1)
    assert any("under 10 % are saved" in said for said in dense.reasons), "less than a fifth is not packed"


def test_what_has_enough_zeros_stays() -> None:
    weight = normal(WIDE, WIDE, 3, 3)
    weight[np.abs(weight) < 0.5] = 0.004  # a thousandth of the largest is 0 as int8
    applied = pack(wide(weight))
    assert applied.result.status is Status.UNCHANGED
    assert applied.reasons == ["38.2 % of its weights are zero as int8 already"]


def _shared() -> Model:
    proto = layer("Conv", "float[1,8,5,5]", normal(8, 8, 1, 1)).to_proto()
    proto.graph.node.append(onnx.helper.make_node("Conv", ["y", "w"], ["z"], "second"))
    return Model.load(proto)


def _returned() -> Model:
    proto = layer("Conv", "float[1,8,5,5]", normal(8, 8, 1, 1)).to_proto()
    proto.graph.output.append(onnx.helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [8, 8, 1, 1]))
    return Model.load(proto)


def _quantised() -> Model:
    text = """g (float[1,8,5,5] x) => (float[1,8,5,5] y) <float s = {0.1}, int8 z = {0}> {
        d = DequantizeLinear (w, s, z)  y = Conv (x, d) }"""
    proto = proto_of(text, opset=13)
    proto.graph.initializer.append(numpy_helper.from_array(np.ones((8, 8, 1, 1), np.int8), "w"))
    return Model.load(proto)


def _odd(value: float) -> Array:
    weight = normal(8, 8, 1, 1)
    weight[3, 3] = value
    return weight


REFUSED = {
    "depthwise": (
        layer("Conv <group = 8>", "float[1,8,5,5]", normal(8, 1, 3, 3)),
        "bayes-e",
        "reads one channel per group, as depthwise convolutions do: that is not packed",
    ),
    "depthwise, transposed": (
        layer("ConvTranspose <group = 8>", "float[1,8,5,5]", normal(8, 1, 3, 3)),
        "bayes-e",
        "reads one channel per group",
    ),
    "read twice": (_shared(), "bayes-e", "'w' is also read by 'second', one reader must be the only one"),
    "returned": (_returned(), "bayes-e", "'w' is also a graph output"),
    "int8": (_quantised(), "bayes-e", "input 1 ('d') must be constant"),
    "float16": (
        layer("Conv", "float16[1,8,5,5]", normal(8, 8, 1, 1).astype(np.float16)),
        "bayes-e",
        "'w' has dtype float16, it must be float32",
    ),
    "integers": (
        layer("MatMul", "int32[1,8]", np.ones((8, 8), np.int32)),
        "bayes-e",
        "'w' has dtype int32, it must be float32",
    ),
    "a vector": (layer("MatMul", "float[4,8]", normal(8)), "bayes-e", "'w' has rank 1, it must be 2 or more"),
    "on the CPU": (
        layer("Conv", "float[1,8,9,9]", normal(8, 8, 9, 9)),
        "bernoulli2",
        "is on the CPU, only what runs on the BPU has packed weights",
    ),
    "infinite": (layer("Conv", "float[1,8,5,5]", _odd(np.inf)), "bayes-e", "'w' is not finite"),
    "no number": (layer("Conv", "float[1,8,5,5]", _odd(np.nan)), "bayes-e", "'w' is not finite"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused(kind: str) -> None:
    model, march, reason = REFUSED[kind]
    node = next(node for node in model.nodes() if node.op in ZeroSmallest.roots)
    found = ZeroSmallest(0.25).attempt(node, PassContext(model, load_target(march)))
    assert isinstance(found, Mismatch)
    assert reason in str(found)


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    wide().save(tmp_path / "wide.onnx", external=True)
    for path in tmp_path.iterdir():
        if path.suffix != ".onnx":
            path.unlink()
    model = Model.load(tmp_path / "wide.onnx")
    found = ZeroSmallest(0.25).attempt(next(model.nodes()), PassContext(model, load_target("bayes-e")))
    assert str(found) == "the weights of 'w' are not there"


def test_it_runs_when_asked_for_within_a_budget(tmp_path: Path) -> None:
    assert all("pack-weights" not in {step.id for step in Pipeline.default(march).steps} for march in march_names())
    wide().save(tmp_path / "wide.onnx")
    given = {"march": "bayes-e", "add": ["pack-weights"]}
    with pytest.raises(InputError, match="an approximate rewrite needs a budget"):
        surgery.run(tmp_path / "wide.onnx", **given)
    for least, status in ((0.999999, "rolled-back"), (0.9, "applied")):
        report = surgery.run(tmp_path / "wide.onnx", budget={"cosine": least}, **given).report
        (row,) = (row for row in report.passes if row.name == "pack-weights")
        assert (row.status, row.exactness) == (status, "approximate")
        assert (report.after.latency_ms.mid < report.before.latency_ms.mid) == (status == "applied")


@pytest.mark.parametrize("zeros", ["0", "1", "-0.2", "1.5", "many", ".nan"])
def test_a_share_that_cannot_be(zeros: str, tmp_path: Path) -> None:
    wide().save(tmp_path / "wide.onnx")
    out = tmp_path / "out.onnx"
    asked = ["--add", "pack-weights", "--set", f"pack-weights.zeros={zeros}", "-o", str(out)]
    called = CliRunner().invoke(app, ["run", str(tmp_path / "wide.onnx"), "-m", "X5", *asked])
    assert called.exit_code == 2
    assert called.stderr.startswith("surgery: --set pack-weights.zeros: ")
    assert not out.exists()


def test_shipped_digits_keep_what_they_know() -> None:
    from models.eval import accuracy

    run = surgery.run(
        ROOT / "models/digits.onnx", march="bayes-e", add=["pack-weights"], eval_=accuracy,
        budget={"accuracy_drop": 0.01},
    )  # fmt: skip
    (row,) = (row for row in run.report.passes if row.name == "pack-weights")
    assert (row.status, row.applied) == ("applied", 2)


@pytest.mark.shared
def test_trained_digits_of_the_corpus_keep_what_they_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    from bench_prune import enlarged

    real = SHARED / "corpus" / "real"
    with np.load(real / "digits.npz") as data:
        images, labels = enlarged(data["x_test"]), data["y_test"]
    given = {"march": "bayes-e", "verify": "off", "input_shape": {"input": images[:1].shape}}
    right = []
    for add in ([], ["pack-weights"]):
        run = surgery.run(real / "r_digits_repvgg_op13.onnx", add=add, **given)
        session = open_session(run.model)
        scores = [next(iter(session.run({"input": image[None]}).values())) for image in images]
        right.append(float(np.mean([score.argmax() == label for score, label in zip(scores, labels, strict=True)])))
    assert run.report.passes[-1].applied == 4
    assert right[0] >= 0.99
    assert right[1] >= right[0] - 0.005


@pytest.mark.witness
@pytest.mark.usefixtures("paying")
@pytest.mark.parametrize("march", ["bayes", "bayes-e"])
def test_the_vendor_packs_from_a_fifth_of_zeros_on(vendor: Witness, march: str) -> None:
    times = []
    for zeros in (0.199, 0.201):
        answer = vendor.compile(pack(wide(), march, zeros=zeros).model, march)
        assert answer.performance is not None
        times.append(answer.performance.latency_us)
    assert times[1] < 0.75 * times[0]
