"""Models: from every source, to every form, copied, saved, checked."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from surgery.errors import InputError, ModelError, WeightsMissing
from surgery.ir import Model
from surgery.ir.session import open_session
from tests.support import model_of, proto_of

TEXT = "g (float[1,4] x) => (float[1,4] y) <float[4] b = {1, 2, 3, 4}> { a = MatMul (x, w) y = Add (a, b) }"


def heavy() -> onnx.ModelProto:
    """A weight of 4 KiB, which stays out of light protos, and one of 16 bytes, which does not."""
    proto = proto_of(TEXT.replace("1,4", "1,32").replace("float[4] b = {1, 2, 3, 4}", "float[1] b = {1}"))
    weight = np.arange(1024, dtype=np.float32).reshape(32, 32)
    proto.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    return proto


def test_load_from_every_source(tmp_path: Path) -> None:
    proto, path = heavy(), tmp_path / "m.onnx"
    onnx.save(proto, path)
    models = [Model.load(s) for s in (path, str(path), path.read_bytes(), proto, Model.load(proto))]
    assert len({m.digest() for m in models}) == 1
    assert [m.path for m in models] == [path, path, None, None, None]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert [m.sha256 for m in models] == [digest, digest, "", "", ""]


def test_the_digest_of_a_file_that_became_shorter(tmp_path: Path) -> None:
    onnx.save(heavy(), tmp_path / "m.onnx")
    model = Model.load(tmp_path / "m.onnx")
    os.truncate(tmp_path / "m.onnx", 10)
    with pytest.raises(ModelError, match="became shorter while it was read"):
        _ = model.sha256


def test_what_cannot_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "empty.onnx").touch()
    with pytest.raises(InputError, match="cannot load a model from a int"):
        Model.load(3)  # type: ignore[arg-type]
    for source in (tmp_path / "missing.onnx", tmp_path / "empty.onnx", tmp_path):
        with pytest.raises(InputError) as error:
            Model.load(source)
        assert str(source) in str(error.value)
        assert error.value.exit_code == 2


def test_save_and_load_again(tmp_path: Path) -> None:
    model = Model.load(heavy())
    model.save(tmp_path / "m.onnx")
    again = Model.load(tmp_path / "m.onnx")
    assert again.digest() == model.digest()
    assert again.normalised == []
    assert (again.heavy()["w"].values == model.heavy()["w"].values).all()
    onnx.checker.check_model(str(tmp_path / "m.onnx"), full_check=True)
    again.save(tmp_path / "n.onnx")
    assert (tmp_path / "n.onnx").read_bytes() == (tmp_path / "m.onnx").read_bytes()


def test_copy_is_independent_and_shares_weights() -> None:
    model = Model.load(heavy())
    before, twin = model.digest(), model.copy()
    twin.graph.nodes[0].op, twin.header.producer_name = "Gemm", "other"
    assert (model.digest(), model.header.producer_name) == (before, "")
    assert twin.heavy()["w"].weight is model.heavy()["w"].weight


def test_shapes_are_inferred_at_load() -> None:
    model = Model.load(heavy())
    assert [n.outputs[0].shape for n in model.graph.nodes] == [(1, 32), (1, 32)]


def test_the_three_forms_of_a_proto() -> None:
    model = Model.load(heavy())
    inline, external, inputs = (model.to_proto(form) for form in ("inline", "external", "inputs"))
    assert inline.ByteSize() > 4096
    assert max(external.ByteSize(), inputs.ByteSize()) < 1024
    assert [t.name for t in external.graph.initializer if t.data_location == 1] == ["w"]
    assert [v.name for v in inputs.graph.input] == ["x", "w"]
    assert [t.name for t in inputs.graph.initializer] == ["b"]
    onnx.checker.check_model(inputs)
    onnx.checker.check_model(inline)


def test_versions() -> None:
    header = '<ir_version: 9, opset_import: ["": 17, "my": 3]>'
    model = model_of(f"{header} g (float[1] x) => (float[1] y) {{ y = my.Foo (x) }}")
    assert (model.opset, model.opsets, model.ir_version) == (17, {"": 17, "my": 3}, 9)


def test_nodes_and_graphs_include_bodies() -> None:
    model = model_of("""<ir_version: 8, opset_import: ["": 17]> g (bool c, float[1] x) => (float[1] y) {
        y = If (c) <then_branch = t () => (float[1] p) { p = Neg (x) },
                    else_branch = e () => (float[1] q) { q = Abs (x) }> }""")
    assert sorted(n.op for n in model.nodes()) == ["Abs", "If", "Neg"]
    assert sorted(g.name for g in model.graphs()) == ["e", "g", "t"]


def test_weights_in_bodies_are_hoisted() -> None:
    """onnxruntime takes external initializers for the main graph only."""
    proto = proto_of("""<ir_version: 8, opset_import: ["": 17]> g (bool c, float[1,32] x) => (float[1,32] y) {
        y = If (c) <then_branch = t () => (float[1,32] p) { p = MatMul (x, w) },
                    else_branch = e () => (float[1,32] q) { q = Neg (x) }> }""")
    weight = np.arange(1024, dtype=np.float32).reshape(32, 32)
    branch = next(a.g for a in proto.graph.node[0].attribute if a.name == "then_branch")
    branch.initializer.append(numpy_helper.from_array(weight, "w"))
    model = Model.load(proto)
    assert [t.name for t in model.to_proto("external").graph.initializer] == ["w"]
    x = np.ones((1, 32), np.float32)
    found = open_session(model).run({"c": np.array(True), "x": x})["y"]
    assert (found == x @ weight).all()


def test_functions_are_graphs_too() -> None:
    model = model_of("""<ir_version: 8, opset_import: ["": 17, "f": 1]>
        g (float[1] x) => (float[1] y) { y = f.twice (x) }
        <domain: "f", opset_import: ["": 17]> twice (a) => (b) {
            two = Constant <value_floats = [2.0]> ()  b = Mul (a, two) }""")
    assert [g.name for g in model.graphs()] == ["g", "twice"]
    assert [n.op for n in model.nodes()] == ["twice"]
    [function] = model.to_proto().functions
    assert [n.op_type for n in function.node] == ["Constant", "Mul"]


def test_absent_data_is_no_error_until_it_is_read(tmp_path: Path) -> None:
    onnx.save(heavy(), tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=1024)
    (tmp_path / "m.data").unlink()
    model = Model.load(tmp_path / "m.onnx")
    assert model.missing_weights() == ["w"]
    model.check()
    with pytest.raises(WeightsMissing):
        model.save(tmp_path / "n.onnx")
    assert not (tmp_path / "n.onnx").exists()


def test_check_speaks_for_onnx() -> None:
    model = model_of("g (float[1] x) => (float[1] y) { y = Relu (x) }")
    model.graph.nodes[0].op = "NoSuchOperator"
    with pytest.raises(ModelError, match=r"onnx.checker: No Op registered for NoSuchOperator"):
        model.check()


def test_the_digest_tells_structure_not_weights() -> None:
    one, other = heavy(), heavy()
    other.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.zeros((32, 32), np.float32), "w"))
    assert Model.load(one).digest() == Model.load(other).digest()
    other.graph.node[0].op_type = "Add"
    assert Model.load(one).digest() != Model.load(other).digest()


def test_a_loaded_model_runs() -> None:
    y = open_session(Model.load(heavy())).run({"x": np.ones((1, 32), np.float32)})["y"]
    assert (y == np.arange(1024).reshape(32, 32).sum(axis=0) + 1).all()
