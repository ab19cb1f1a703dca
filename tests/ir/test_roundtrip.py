"""Load and save, nothing between: the same outputs to the last bit, and nothing lost that is not said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import ModelProto, SparseTensorProto, TensorProto, numpy_helper

from surgery.drift.inputs import make_inputs
from surgery.ir import Model
from surgery.ir.session import open_file
from tests.support import SHARED, proto_of


def round_trip(proto: ModelProto, folder: Path, *, run: bool = True, given: Any = None) -> Model:
    """Save ``proto``, load it, save it again; outputs of both files are compared bit by bit."""
    before, after = folder / "before.onnx", folder / "after.onnx"
    onnx.save(proto, before)
    return files_agree(before, after, run=run, given=given)


def files_agree(before: Path, after: Path, *, run: bool = True, given: Any = None) -> Model:
    model = Model.load(before)
    model.save(after)
    again = Model.load(after)
    assert again.digest() == model.digest()
    assert again.normalised == []
    if run:
        [sample, *_] = make_inputs(model, samples=1, given=given).samples
        ours, theirs = open_file(after).run(sample), open_file(before).run(sample)
        assert list(ours) == list(theirs)
        for name, array in theirs.items():
            assert (ours[name].dtype, ours[name].shape) == (array.dtype, array.shape)
            assert ours[name].tobytes() == array.tobytes() if array.dtype != object else (ours[name] == array).all()
    return again


def text(body: str, opset: int = 17, ir_version: int = 8) -> ModelProto:
    return proto_of(f'<ir_version: {ir_version}, opset_import: ["": {opset}]> {body}')


def ops(model: Model) -> list[str]:
    return sorted(n.op for n in model.nodes())


def test_if_round_trip(tmp_path: Path) -> None:
    proto = text("""g (float[2] x) => (float[2] y) <float[1] limit = {0}> {
        m = ReduceMax <keepdims = 0> (x)  c = Greater (m, limit)
        y = If (c) <then_branch = t () => (float[2] p) { k = Constant <value_floats = [2.0, 3.0]> ()  p = Mul (x, k) },
                    else_branch = e () => (float[2] q) { q = Neg (x) }> }""")
    assert ops(round_trip(proto, tmp_path)) == ["Greater", "If", "Mul", "Neg", "ReduceMax"]


def test_loop_round_trip(tmp_path: Path) -> None:
    proto = text("""g (float[2] x) => (float[2] y, float[3,2] ys) <int64 n = {3}, float[2] k = {0.5, 2}> {
        y, ys = Loop (n, "", x) <body = b (int64 i, bool c, float[2] v) => (bool d, float[2] w, float[2] s) {
            d = Identity (c)  w = Mul (v, k)  s = Exp (w) }> }""")
    assert "Loop" in ops(round_trip(proto, tmp_path))


def test_scan_round_trip(tmp_path: Path) -> None:
    proto = text("""g (float[2] x, float[5,2] xs) => (float[2] y, float[5,2] ys) {
        y, ys = Scan <num_scan_inputs = 1, body = b (float[2] s, float[2] e) => (float[2] t, float[2] o) {
            t = Add (s, e)  o = Neg (t) }> (x, xs) }""")
    assert ops(round_trip(proto, tmp_path)) == ["Add", "Neg", "Scan"]


def test_outer_scope_values(tmp_path: Path) -> None:
    """Two graphs up, and a weight of the main graph that only a body reads."""
    proto = text("""g (float[2] x, bool c) => (float[2] y) <float[2] w = {1, 2}> {
        a = Relu (x)
        y = If (c) <then_branch = t () => (float[2] p) {
                p = If (c) <then_branch = t2 () => (float[2] r) { r = Add (a, w) },
                            else_branch = e2 () => (float[2] s) { s = Sub (a, w) }> },
            else_branch = e () => (float[2] q) { q = Mul (a, w) }> }""")
    assert ops(round_trip(proto, tmp_path)) == ["Add", "If", "If", "Mul", "Relu", "Sub"]


def test_functions_round_trip(tmp_path: Path) -> None:
    proto = proto_of("""<ir_version: 8, opset_import: ["": 17, "f": 1]>
        g (float[2] x) => (float[2] y) { a = f.scaled <factor = 2.5> (x)  y = f.scaled <factor = 0.5> (a) }
        <domain: "f", opset_import: ["": 17]> scaled <factor> (a) => (b) {
            k = Constant <value_float: float = @factor> ()  b = Mul (a, k) }""")
    model = round_trip(proto, tmp_path)
    assert list(model.to_proto().functions[0].attribute) == ["factor"]


def test_custom_domain_round_trip(tmp_path: Path) -> None:
    proto = proto_of("""<ir_version: 8, opset_import: ["": 17, "nobody.knows": 3]>
        g (float[2] x) => (float[?] y) { a = nobody.knows.Thing <depth = 3, name = "n"> (x, , x)  y = Relu (a) }""")
    node = round_trip(proto, tmp_path, run=False).to_proto().graph.node[0]
    assert (node.domain, node.op_type, list(node.input)) == ("nobody.knows", "Thing", ["x", "", "x"])
    assert {a.name for a in node.attribute} == {"depth", "name"}


def test_microsoft_operators_run(tmp_path: Path) -> None:
    proto = proto_of("""<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]>
        g (float[2] x) => (float[2] y) { y = com.microsoft.Gelu (x) }""")
    assert ops(round_trip(proto, tmp_path)) == ["Gelu"]


def test_sparse_initializer(tmp_path: Path) -> None:
    proto = text("g (float[2,3] x) => (float[2,3] y) { y = Add (x, w) }")
    values = numpy_helper.from_array(np.array([5, 7], np.float32), "w")
    indices = numpy_helper.from_array(np.array([1, 5], np.int64), "at")
    proto.graph.sparse_initializer.append(SparseTensorProto(values=values, indices=indices, dims=[2, 3]))
    model = round_trip(proto, tmp_path)
    assert model.graph.nodes[0].inputs[1].values.tolist() == [[0, 5, 0], [0, 0, 7]]


def test_external_round_trip(tmp_path: Path) -> None:
    proto = text("g (float[1,64] x) => (float[1,64] y) { y = MatMul (x, w) }")
    weight = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    proto.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    (tmp_path / "in").mkdir()
    onnx.save(proto, tmp_path / "in" / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    model = files_agree(tmp_path / "in" / "m.onnx", tmp_path / "after.onnx")
    assert (model.heavy()["w"].values == weight).all()
    model.save(tmp_path / "external.onnx", external=True)
    assert (Model.load(tmp_path / "external.onnx").heavy()["w"].values == weight).all()


def _weighted(dtype: Any, elem: int, opset: int = 17, ir_version: int = 8) -> ModelProto:
    """``y = x + w`` with a weight of 2 KiB."""
    values = np.linspace(-3, 3, 2048).astype(dtype)
    proto = text("g (float[2048] x) => (float[2048] y) { c = Cast <to = 1> (w)  y = Add (x, c) }", opset, ir_version)
    proto.graph.initializer.append(numpy_helper.from_array(values, "w"))
    assert proto.graph.initializer[0].data_type == elem
    return proto


def test_fp16_round_trip(tmp_path: Path) -> None:
    assert round_trip(_weighted(np.float16, TensorProto.FLOAT16), tmp_path).heavy()["w"].dtype == np.float16


def test_bf16_round_trip(tmp_path: Path) -> None:
    model = round_trip(_weighted(ml_dtypes.bfloat16, TensorProto.BFLOAT16), tmp_path)
    assert model.heavy()["w"].dtype == ml_dtypes.bfloat16


@pytest.mark.parametrize(("dtype", "elem"), [(ml_dtypes.int4, TensorProto.INT4), (ml_dtypes.uint4, TensorProto.UINT4)])
def test_int4_round_trip(dtype: Any, elem: int, tmp_path: Path) -> None:
    proto = _weighted(np.abs(np.linspace(0, 1, 1)).astype(dtype).dtype, elem, 21, 10)
    model = round_trip(proto, tmp_path)
    weight = next(t for n in model.nodes() for t in n.inputs if t.name == "w")
    assert (str(weight.dtype), weight.nbytes) == (np.dtype(dtype).name, 1024)


@pytest.mark.parametrize("dtype", [ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2])
def test_fp8_round_trip(dtype: Any, tmp_path: Path) -> None:
    proto = text("g (float[2048] x) => (float[2048] y) { c = Cast <to = 1> (w)  y = Add (x, c) }", 19, 9)
    proto.graph.initializer.append(numpy_helper.from_array(np.linspace(-3, 3, 2048).astype(dtype), "w"))
    assert round_trip(proto, tmp_path).heavy()["w"].dtype == dtype


def test_strings_round_trip(tmp_path: Path) -> None:
    proto = text('g (string[2] x) => (bool[2] y) <string[2] w = {"a", "b"}> { y = Equal (x, w) }', 19, 9)
    assert ops(round_trip(proto, tmp_path, given={"x": np.array(["a", "c"], object)})) == ["Equal"]


def test_zero_elements_round_trip(tmp_path: Path) -> None:
    proto = text("g (float[2] x) => (float[?] y) <float[0] w = {}> { y = Concat <axis = 0> (x, w) }")
    assert ops(round_trip(proto, tmp_path)) == ["Concat"]


def test_sequence_types(tmp_path: Path) -> None:
    proto = text("""g (float[2] x) => (float[4] y) { s = SequenceConstruct (x, x)
        t = SequenceInsert (s, x)  e = SequenceErase (t)  y = ConcatFromSequence <axis = 0> (e) }""")
    assert "SequenceErase" in ops(round_trip(proto, tmp_path))


def test_optional_types(tmp_path: Path) -> None:
    proto = text("g (float[2] x) => (float[2] y) { o = Optional (x)  y = OptionalGetElement (o) }", 15)
    assert ops(round_trip(proto, tmp_path)) == ["Optional", "OptionalGetElement"]


def test_empty_optional_inputs(tmp_path: Path) -> None:
    proto = text("""g (float[1,1,2,2] x) => (float[?,?,?,?] y) <float high = {0.5}, float[4] s = {1, 1, 2, 2}> {
        a = Clip (x, , high)  y = Resize (a, , s) }""")
    nodes = round_trip(proto, tmp_path).to_proto().graph.node
    assert [list(n.input) for n in nodes] == [["x", "", "high"], ["a", "", "s"]]


def test_omitted_outputs(tmp_path: Path) -> None:
    ones = ", ".join(["0.5"] * 12)
    proto = text(f"""g (float[3,1,2] x) => (float[1,1,2] h)
        <float[1,6,2] w = {{{ones}}}, float[1,6,2] r = {{{ones}}}> {{
        all, h = GRU <hidden_size = 2> (x, w, r) }}""")
    proto.graph.node[0].output[0] = ""
    assert list(round_trip(proto, tmp_path).to_proto().graph.node[0].output) == ["", "h"]


def test_old_files_stay_old(tmp_path: Path) -> None:
    """IR version 3 lists initializers among the inputs, and so does what is saved."""
    proto = text("g (float[2] x, float[2] w) => (float[2] y) <float[2] w = {1, 2}> { y = Add (x, w) }", 7, 3)
    model = round_trip(proto, tmp_path)
    assert model.ir_version == 3
    assert [v.name for v in onnx.load(tmp_path / "after.onnx").graph.input] == ["x", "w"]


RUN = {"hm_fp16_op13", "hm_loop_scan_op13", "hm_local_function_op17", "hm_bf16_int4_op21", "hm_sequence_ops_op13",
       "hm_old_opset7_attrs", "hm_const_output_op13", "hm_external_small_op13", "hm_if_outer_scope_op13",
       "hm_optional_empty_inputs_op13", "hm_unsorted_noname_op11", "hm_wrong_value_info_op13"}  # fmt: skip


@pytest.mark.shared
@pytest.mark.parametrize("name", sorted(RUN))
def test_awkward_files_of_the_corpus(name: str, tmp_path: Path) -> None:
    files_agree(SHARED / "corpus" / "edge" / f"{name}.onnx", tmp_path / "after.onnx")
