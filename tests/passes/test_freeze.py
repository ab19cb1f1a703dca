"""freeze-shapes: what it settles, what it leaves to later passes, and what contradicts it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from passes.fold import FoldConstants
from passes.freeze import FreezeShapes
from surgery.errors import InputError
from surgery.ir import Model
from surgery.ir.infer import dims
from surgery.pipeline import Outcome, Pipeline
from surgery.pipeline.manager import Manager
from surgery.pipeline.result import Status
from surgery.pipeline.run import run
from tests.support import apply_pass, interface, model_of, proto_of

IMAGE = """g (float[N,3,H,W] x, float[N,H] z) => (float[N,3,H,W] y, float[N,H] v) { y = Relu (x)  v = Neg (z) }"""
HALF = """g (float[N,4,H,W] x) => (float[a,4,b,c] y) <int64[1] two = {2}, int64[1] zero = {0}, int64[1] end = {9}> {
    p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x)
    s = Shape (p)  nc = Slice (s, zero, two)  hw = Slice (s, two, end)  d = Mul (hw, two)
    t = Concat <axis = 0> (nc, d)  y = Resize <mode = "nearest"> (p, , , t) }"""


def frozen(text: str, *more: Any, **shapes: Any) -> Model:
    """The model after freezing and the passes ``more``."""
    manager = Manager(model_of(text))
    manager.run([(step.name, step) for step in (FreezeShapes(shapes=shapes), *more)])
    return manager.model


def faces(model: Model) -> list[str]:
    """The shapes of inputs and outputs."""
    return [shape for _, _, shape in interface(model)]


def test_stated_sizes_settle_the_symbols_of_other_inputs_and_outputs() -> None:
    applied = apply_pass(IMAGE, FreezeShapes(shapes={"x": (2, 3, 8, 6)}))
    assert faces(applied.model) == ["2x3x8x6", "2x8", "2x3x8x6", "2x8"]
    assert applied.text == "y = Relu (x)\nv = Neg (z)"
    assert applied.result.status is Status.APPLIED
    assert applied.result.exactness == "exact"
    assert [str(p) for p in applied.result.purposes] == ["interface"]
    assert applied.result.reason.startswith("x Nx3xHxW is 2x3x8x6; z NxH is 2x8; ")
    assert applied.result.events[0].reason == "x Nx3xHxW is 2x3x8x6"


@pytest.mark.parametrize("shape", ["2x3x8x6", [2, 3, 8, 6], (2, 3, 8, 6)])
def test_sizes_are_text_or_lists(shape: Any) -> None:
    assert faces(frozen(IMAGE, x=shape))[0] == "2x3x8x6"


def test_a_scalar_and_a_vector_are_stated_so_too() -> None:
    """A bare number is what YAML makes of ``4``."""
    text = "g (float[N] x, float s) => (float[N] y) { y = Mul (x, s) }"
    assert faces(frozen(text, x=4, s="")) == ["4", "scalar", "4"]


def test_a_batch_that_nobody_settles_is_1_and_said() -> None:
    applied = apply_pass("g (float[N,3] x) => (float[N,3] y) { y = Relu (x) }", FreezeShapes())
    assert faces(applied.model) == ["1x3", "1x3"]
    assert applied.result.reason == "x Nx3 is 1x3; y Nx3 is 1x3; batch of x assumed to be 1"


def test_unnamed_dims_take_what_is_stated() -> None:
    text = "g (float[?,?] x, float z) => (float[?,?] y) { y = Add (x, z) }"
    assert faces(frozen(text, x=(2, 5))) == ["2x5", "scalar", "2x5"]


def test_outputs_become_static_as_soon_as_a_pass_makes_their_sizes_known() -> None:
    """Freezing alone cannot see through the arithmetic; folding does, and may then sharpen the interface."""
    manager = Manager(model_of(HALF))
    results = manager.run([("freeze", FreezeShapes(shapes={"x": (1, 4, 6, 6)})), ("fold", FoldConstants())])
    assert [r.status for r in results] == [Status.APPLIED] * 2
    assert faces(manager.model) == ["1x4x6x6", "1x4x6x6"]
    assert [n.op for n in manager.model.nodes()] == ["MaxPool", "Resize"]
    assert all(v.is_static for n in manager.model.nodes() for v in n.outputs)


def test_without_freezing_outputs_keep_their_symbols() -> None:
    text = HALF.replace("float[N,4,H,W] x", "float[1,4,6,6] x")
    manager = Manager(model_of(text))
    manager.run([("fold", FoldConstants())])
    assert faces(manager.model) == ["1x4x6x6", "ax4xbxc"]
    manager = Manager(model_of(text))
    results = manager.run([("freeze", FreezeShapes()), ("fold", FoldConstants())])
    assert faces(manager.model) == ["1x4x6x6", "1x4x6x6"]
    assert results[0].applied + results[1].applied > 0


def test_symbols_inside_are_settled_where_inference_is_silent() -> None:
    """The file's word on a custom operator's output."""
    proto = proto_of(
        """<ir_version: 8, opset_import: ["": 17, "nobody.knows": 1]> g (float[N,3] x) => (float[N,3] y) {
           m = nobody.knows.Mystery (x)  y = Relu (m) }"""
    )
    info = proto.graph.value_info.add(name="m")
    info.CopyFrom(proto.graph.input[0])
    info.name = "m"
    manager = Manager(Model.load(proto))
    manager.run([("freeze", FreezeShapes(shapes={"x": (4, 3)}))])
    assert [dims(n.outputs[0].shape) for n in manager.model.nodes()] == ["4x3", "4x3"]


def test_what_is_declared_in_bodies_is_settled_too() -> None:
    text = """g (float[N,3] x, bool b) => (float[N,3] y) {
        y = If (b) <then_branch = p () => (float[N,3] q) { q = Relu (x) },
                    else_branch = r () => (float[N,3] o) { o = Neg (x) }> }"""
    model = apply_pass(text, FreezeShapes(shapes={"x": (4, 3)})).model
    assert {dims(v.shape) for n in model.nodes() for v in n.outputs} == {"4x3"}


def test_a_static_model_stays_as_it_is() -> None:
    applied = apply_pass("g (float[2,3] x) => (float[2,3] y) { y = Relu (x) }", FreezeShapes(shapes={"x": (2, 3)}))
    assert applied.result.status is Status.UNCHANGED
    assert applied.manager.io is None


def test_what_is_static_at_these_sizes_is_not_inferred_again(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of("g (float[2,3] x) => (float[2,3] y) { y = Relu (x) }")
    open_ = model_of("g (float[2,3] x) => (float[a,b] y) { y = Relu (x) }")
    calls: list[Model] = []
    infer = Model.inferred
    monkeypatch.setattr(Model, "inferred", lambda self, *_, **__: (calls.append(self), infer(self))[1])
    for each in (model, open_):
        Manager(each).run([("freeze", FreezeShapes(shapes={"x": (2, 3)}))])
    assert calls == [open_]


def test_the_data_decides_sizes_only_when_asked() -> None:
    text = "g (float[N,3,H,W] x) => (float[N,3,H,W] y) { y = Relu (x) }"
    data = {"x": np.ones((2, 3, 5, 7), np.float32)}
    result = run(
        proto_of(text), march="bayes-e", pipeline=Pipeline.of({"freeze-shapes": {"source": "sample"}}), inputs=data
    )
    assert dims(result.model.graph.inputs[0].shape) == "1x3x5x7"
    assert result.verified == "full"
    assert result.pipeline.to_dict()["passes"] == [{"freeze-shapes": {"shapes": {"x": [1, 3, 5, 7]}}}]


@pytest.mark.parametrize("options", [{}, {"verify": "off", "inputs": {"x": np.ones((1, 3), np.float32)}}])
def test_a_sample_that_is_not_there_is_missed(options: dict[str, Any]) -> None:
    model = proto_of("g (float[N,3] x) => (float[N,3] y) { y = Relu (x) }")
    with pytest.raises(InputError, match="source: sample takes the sizes of the data that is verified on") as caught:
        run(model, march="bayes-e", pipeline=Pipeline.of({"freeze-shapes": {"source": "sample"}}), **options)
    assert "--inputs" in str(caught.value)


def test_samples_of_two_sizes_cannot_both_be_frozen(tmp_path: Any) -> None:
    for index, size in enumerate((5, 6)):
        np.savez(tmp_path / f"s{index}.npz", x=np.ones((1, 3, size), np.float32))
    model = proto_of("g (float[N,3,H] x) => (float[N,3,H] y) { y = Relu (x) }")
    with pytest.raises(InputError, match="samples of 1x3x5 and of 1x3x6, a frozen input takes one"):
        run(model, march="bayes-e", pipeline=Pipeline.of({"freeze-shapes": {"source": "sample"}}), inputs=tmp_path)


def test_data_that_contradicts_the_stated_sizes_is_refused() -> None:
    with pytest.raises(InputError, match="the data has shape 1x9, the model has 1x8"):
        run(
            proto_of(IMAGE),
            march="bayes-e",
            pipeline=Pipeline.of({"freeze-shapes": {"shapes": {"x": "1x3x8x8"}}}),
            inputs={"x": np.ones((1, 3, 8, 8), np.float32), "z": np.ones((1, 9), np.float32)},
        )


@pytest.mark.parametrize("verify", ["each", "end", "off"])
@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"xx": (1, 3, 8, 8)}, "unknown input 'xx'"),
        ({"x": (1, 3, 8)}, "shape 1x3x8 was given, the model has Nx3xHxW"),
        ({"x": (1, 4, 8, 8)}, "shape 1x4x8x8 was given, the model has Nx3xHxW"),
        ({"x": (1, 3, 8, 8), "z": (1, 9)}, "dim 'H' is 8 and 9 at once"),
        ({"x": (0, 3, 8, 8)}, "shape 0x3x8x8: sizes must be positive"),
        ({"x": (1, 3, -8, 8)}, "shape 1x3x-8x8: sizes must be positive"),
        ({"z": (1, 8)}, r"no shape for the dynamic input 'x' \(Nx3xHxW\)"),
    ],
)
def test_sizes_that_contradict(shapes: Any, message: str, verify: str) -> None:
    """With one message, whether the numbers are verified or not."""
    with pytest.raises(InputError, match=message):
        run(proto_of(IMAGE), march="bayes-e", pipeline=Pipeline.of(FreezeShapes(shapes=shapes)), verify=verify)


def test_sizes_at_which_the_operators_contradict_each_other() -> None:
    text = "g (float[N,H] x, float[3,2] w) => (float[N,2] y) { y = MatMul (x, w) }"
    with pytest.raises(InputError, match=r"freeze-shapes: the operators do not fit together at these sizes: .*MatMul"):
        frozen(text, x=(1, 4))


@pytest.mark.parametrize(
    ("shapes", "message"),
    [({"x": "1xa"}, "shapes: .* is no shape, 1x3x640x640 is one"), ("1x3", "shapes"), ({"x": "1x-3"}, "is no shape")],
)
def test_options_that_are_no_shapes(shapes: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Pipeline.of({"freeze-shapes": {"shapes": shapes}})


def test_a_frozen_interface_may_not_change_in_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """What freezing allows later passes is sharper dims, no more."""

    def blur(_: FoldConstants, step: Any) -> Any:
        out = step.model.graph.outputs[0]
        step.rw.editor.retype(out, np.dtype(np.float64), out.shape)
        return Outcome()

    monkeypatch.setattr(FoldConstants, "run", blur)
    head = '<ir_version: 8, opset_import: ["": 17, "nobody": 1]>'
    manager = Manager(model_of(f"{head} g (float[N,3] x) => (float[N,3] y) {{ y = nobody.Mystery (x) }}"))
    results = manager.run([("freeze", FreezeShapes()), ("fold", FoldConstants())])
    assert results[1].status is Status.FAILED
    assert results[1].reason == "changed the interface: y float32 1x3 became y float64 1x3"


def test_what_the_sizes_settle_is_inferred_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model, calls = model_of(IMAGE), []
    infer = Model.inferred
    monkeypatch.setattr(Model, "inferred", lambda *args, **options: calls.append(args) or infer(*args, **options))
    done = Manager(model).run([("freeze-shapes", FreezeShapes(shapes={"x": (1, 3, 4, 5)}))])
    assert done[-1].status is Status.APPLIED, done[-1].reason
    assert (len(calls), faces(model)) == (1, ["1x3x4x5", "1x4", "1x3x4x5", "1x4"])
