from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from surgery.errors import InputError, ModelError, WeightsMissing
from surgery.ir import save, staging, wire
from surgery.ir.store import Absent, FileSlice
from surgery.ir.weights import Weight

Model = tuple[ModelProto, dict[str, Weight]]


def model_of(arrays: dict[str, np.ndarray], *, doc: str = "") -> ModelProto:
    """A model that adds up its weights; each carries ``doc``."""
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    for tensor in tensors:
        tensor.doc_string = doc
    names = ["x", *arrays]
    nodes = [helper.make_node("Sum", names, ["y"])]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None]) for n in ("x", "y")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


def light(model: ModelProto, source: Callable[[TensorProto], Weight] = Weight.from_proto) -> Model:
    """The model with its weights declared, and these."""
    skeleton = ModelProto()
    skeleton.CopyFrom(model)
    heavy = {}
    for tensor in skeleton.graph.initializer:
        heavy[tensor.name] = source(tensor)
        declared = heavy[tensor.name].declare(tensor.name)
        declared.doc_string = tensor.doc_string
        tensor.CopyFrom(declared)
    return skeleton, heavy


def load(path: Path) -> Model:
    """What the importer does, as far as saving is concerned."""
    skeleton, blobs = wire.split(path, min_bytes=1)
    return light(ModelProto.FromString(skeleton), lambda t: Weight.from_proto(t, path.parent, blobs))


def content(folder: Path) -> dict[str, bytes]:
    """Every file of the folder, hidden ones included."""
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def arrays_of(path: Path) -> dict[str, list[float]]:
    model = onnx.load(path)
    return {t.name: numpy_helper.to_array(t, str(path.parent)).tolist() for t in model.graph.initializer}


A = {"a": np.arange(300, dtype=np.float32), "b": np.ones(7, np.float32)}
B = {"a": np.arange(300, dtype=np.float32) + 1, "b": np.ones(7, np.float32)}
LISTS_A, LISTS_B = ({n: v.tolist() for n, v in arrays.items()} for arrays in (A, B))


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.dictionaries(st.text(min_size=1, max_size=4), st.integers(0, 300), max_size=4), st.text(max_size=4))
def test_embedded_weights_are_written_as_protobuf_would(sizes: dict[str, int], doc: str) -> None:
    model = model_of({name: np.arange(size, dtype=np.int16) for name, size in sizes.items()}, doc=doc)
    with tempfile.TemporaryDirectory() as folder:
        save.write(*light(model), Path(folder) / "m.onnx")
        assert content(Path(folder)) == {"m.onnx": model.SerializeToString(deterministic=True)}


def test_weights_of_bodies_and_constant_nodes_are_embedded_too(tmp_path: Path) -> None:
    inner = model_of(A).graph
    outer = model_of({"c": np.zeros(5, np.float32)})
    outer.graph.node.append(helper.make_node("If", ["c"], ["z"], then_branch=inner, else_branch=inner))
    whole = outer.SerializeToString(deterministic=True)
    skeleton, heavy = light(outer)
    heavy |= {t.name: Weight.from_proto(t) for t in inner.initializer}
    for attribute in skeleton.graph.node[-1].attribute:
        for tensor in attribute.g.initializer:
            tensor.CopyFrom(heavy[tensor.name].declare(tensor.name))
            tensor.doc_string = ""
    save.write(skeleton, heavy, tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").read_bytes() == whole


def test_external_data_of_others_is_left_alone(tmp_path: Path) -> None:
    model, heavy = light(model_of(A))
    other = heavy.pop("b").declare("b", "weights.bin")
    model.graph.initializer[1].CopyFrom(other)
    for external in (False, True):
        save.write(model, heavy, tmp_path / "m.onnx", external)
        assert onnx.load(tmp_path / "m.onnx", load_external_data=False).graph.initializer[1] == other


def test_external_weights_are_beside_the_model(tmp_path: Path) -> None:
    save.write(*light(model_of(A)), tmp_path / "m.onnx", True)
    (data,) = tmp_path.glob("*.data")
    assert data.name == f"m-{hashlib.sha256(data.read_bytes()).hexdigest()[:16]}.data"
    assert sorted(content(tmp_path)) == [data.name, "m.onnx"]
    assert arrays_of(tmp_path / "m.onnx") == LISTS_A
    onnx.checker.check_model(tmp_path / "m.onnx")


def test_large_weights_begin_at_a_page(tmp_path: Path) -> None:
    arrays = {"a": np.ones(3, np.float32), "b": np.ones(1 << 18, np.float32), "c": np.ones(3, np.float32)}
    save.write(*light(model_of(arrays)), tmp_path / "m.onnx", True)
    offsets = [
        int(t.external_data[1].value)
        for t in onnx.load(tmp_path / "m.onnx", load_external_data=False).graph.initializer
    ]
    assert offsets == [0, 4096, 4096 + (1 << 20)]


def test_a_shared_weight_is_stored_once(tmp_path: Path) -> None:
    model, heavy = light(model_of({"a": A["a"], "b": A["a"]}))
    heavy["b"] = heavy["a"]
    save.write(model, heavy, tmp_path / "m.onnx", True)
    assert next(tmp_path.glob("*.data")).stat().st_size == 1200
    save.write(*load(tmp_path / "m.onnx"), tmp_path / "n.onnx", True)
    assert next(tmp_path.glob("n-*.data")).stat().st_size == 1200


def test_large_models_go_external_by_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(save, "MAX_EMBEDDED", 1000)
    save.write(*light(model_of(A)), tmp_path / "m.onnx")
    assert len(list(tmp_path.glob("*.data"))) == 1
    assert arrays_of(tmp_path / "m.onnx") == LISTS_A


def test_a_model_without_heavy_weights_has_no_data_file(tmp_path: Path) -> None:
    save.write(model_of(A), {}, tmp_path / "m.onnx", True)
    assert list(content(tmp_path)) == ["m.onnx"]


@pytest.mark.parametrize("external", [False, True])
def test_saving_again_changes_nothing(tmp_path: Path, external: bool) -> None:
    path = tmp_path / "m.onnx"
    save.write(*light(model_of(A)), path, external)
    before = content(tmp_path)
    for _ in range(2):  # also: in place, reading the very files that are replaced
        save.write(*load(path), path, external)
        assert content(tmp_path) == before


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("then", [False, True])
def test_the_old_data_goes_with_the_old_model(tmp_path: Path, first: bool, then: bool) -> None:
    path = tmp_path / "m.onnx"
    others = {"m-0123456789abcdef.data": b"not named by the model", "weights.bin": b"not ours"}
    for name, data in others.items():
        (tmp_path / name).write_bytes(data)
    save.write(*light(model_of(A)), path, first)
    loaded = load(path)
    save.write(*light(model_of(B)), path, then)
    assert arrays_of(path) == LISTS_B
    assert len(content(tmp_path)) == len(others) + 1 + then
    assert content(tmp_path).items() >= others.items()
    assert {n: w.array().tolist() for n, w in loaded[1].items()} == LISTS_A  # a loaded model keeps its weights


@pytest.mark.parametrize("old", [b"", b"garbage", None])
def test_what_is_replaced_need_not_be_a_model(tmp_path: Path, old: bytes | None) -> None:
    path = tmp_path / "m.onnx"
    if old is None:
        path.symlink_to("nowhere")
    else:
        path.write_bytes(old)
    save.write(*light(model_of(A)), path)
    assert arrays_of(path) == LISTS_A


def test_permissions_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    save.write(*light(model_of(A)), path)
    mask = os.umask(0o022)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    path.chmod(0o640)
    save.write(*light(model_of(B)), path, True)
    assert {stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()} == {0o640}


# Copying between files.


def no_copy(*_: object) -> int:
    raise OSError(errno.EXDEV, "Invalid cross-device link")


def half_a_copy(fd: int, to: int, count: int, at: int) -> int:
    return os.write(to, os.pread(fd, count // 2, at))


@pytest.mark.parametrize("copy", [None, no_copy, half_a_copy], ids=["absent", "refused", "partial"])
@pytest.mark.parametrize("external", [False, True])
def test_any_way_of_copying_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copy: object, external: bool
) -> None:
    monkeypatch.setattr(wire, "SMALL_FILE", 0)
    save.write(*light(model_of(A)), tmp_path / "m.onnx", external)
    monkeypatch.setattr(os, "copy_file_range", copy)
    model, heavy = load(tmp_path / "m.onnx")
    assert isinstance(heavy["a"].source, FileSlice)
    save.write(model, heavy, tmp_path / "n.onnx", external)
    assert arrays_of(tmp_path / "n.onnx") == LISTS_A


def test_a_source_that_became_shorter_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "SMALL_FILE", 0)
    save.write(*light(model_of(A)), tmp_path / "m.onnx")
    loaded = load(tmp_path / "m.onnx")
    os.truncate(tmp_path / "m.onnx", 500)
    with pytest.raises(ModelError, match="became shorter while it was read"):
        save.write(*loaded, tmp_path / "n.onnx")
    assert list(content(tmp_path)) == ["m.onnx"]


# Failure leaves everything as it was.


def fail_at(monkeypatch: pytest.MonkeyPatch, step: str, count: int, fail: Callable[[], None]) -> None:
    """Have the ``count``-th system call of a kind fail."""
    owner, name = (Path, "replace") if step == "rename" else (os, step)
    original, calls = getattr(owner, name), []

    def call(*args: object, **kwargs: object) -> object:
        calls.append(1)
        if len(calls) == count:
            fail()
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, call)


def disk_full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize("step", ["write", "fsync", "fchmod", "rename"])
@pytest.mark.parametrize(("fail", "error"), [(disk_full, InputError), (interrupt, KeyboardInterrupt)])
def test_a_failure_leaves_everything_as_it_was(
    tmp_path: Path, external: bool, step: str, fail: Callable[[], None], error: type[BaseException]
) -> None:
    """Every call of a kind fails once, until there are no more of them."""
    path = tmp_path / "m.onnx"
    save.write(*light(model_of(A)), path, True)
    before = content(tmp_path)
    for count in range(1, 20):
        with pytest.MonkeyPatch.context() as patch:
            fail_at(patch, step, count, fail)
            try:
                save.write(*light(model_of(B)), path, external)
                break
            except error:
                pass
        if arrays_of(path) == LISTS_A:
            assert content(tmp_path) == before
        else:  # the last flush of the folder: the new model is in place
            assert (step, arrays_of(path)) == ("fsync", LISTS_B)
    assert 1 < count < 19
    assert arrays_of(path) == LISTS_B


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize("step", ["write", "fsync", "rename"])
def test_a_kill_leaves_a_whole_model(tmp_path: Path, external: bool, step: str) -> None:
    path = tmp_path / "m.onnx"
    save.write(*light(model_of(A)), path, True)
    survived = 0
    for count in range(1, 12):
        child = os.fork()
        if child == 0:
            try:
                fail_at(pytest.MonkeyPatch(), step, count, lambda: os._exit(9))
                save.write(*light(model_of(B)), path, external)
                os._exit(0)
            finally:
                os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (0, 9)
        killed = code == 9
        assert arrays_of(path) in ((LISTS_A, LISTS_B) if killed else (LISTS_B,))
        survived += killed
        save.write(*light(model_of(A)), path, True)
    assert survived


def test_an_unwritable_folder_is_one_error(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "m.onnx"
        save.write(*light(model_of(A)), path)
        path.chmod(0o666)
        folder.chmod(0o555)
        before, user = content(folder), os.geteuid()
        if user == 0:  # root may write anywhere
            os.seteuid(65534)
        try:
            with pytest.raises(InputError, match=r"m\.onnx: cannot be written: Permission denied"):
                save.write(*light(model_of(B)), path)
            with pytest.raises(InputError, match="cannot be written: Permission denied"):
                save.write(*light(model_of(B)), tmp_path / "m.onnx")
        finally:
            os.seteuid(user)
            folder.chmod(0o755)
        assert content(folder) == before


def test_a_read_only_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.onnx").write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="is read-only"):
        save.write(*light(model_of(A)), tmp_path / "m.onnx")
    assert content(tmp_path) == {"m.onnx": b"old"}


@pytest.mark.parametrize(
    ("name", "reason"), [("absent/m.onnx", "does not exist"), ("sub", "no regular file"), ("x" * 300, "too long")]
)
def test_impossible_targets_are_refused(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "sub").mkdir()
    with pytest.raises(InputError, match=reason):
        save.write(*light(model_of(A)), tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["sub"]


def test_a_device_is_not_replaced() -> None:
    with pytest.raises(InputError, match="no regular file"):
        save.write(*light(model_of(A)), "/dev/null")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_too_much_for_one_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(save, "MAX_PROTOBUF", 1000)
    with pytest.raises(InputError, match="do not fit into one file") as error:
        save.write(*light(model_of(A)), tmp_path / "m.onnx", False)
    assert error.value.hint == "save with external data"
    assert not content(tmp_path)


@pytest.mark.parametrize("external", [False, True])
def test_missing_weights_are_named(tmp_path: Path, external: bool) -> None:
    model, heavy = light(model_of(A))
    heavy["a"] = Weight(1, (300,), Absent("dir/a.bin", 1200))
    with pytest.raises(WeightsMissing, match=r"1 of 2 weights is missing, first of 'a'.*dir/a\.bin"):
        save.write(model, heavy, tmp_path / "m.onnx", external)
    assert not content(tmp_path)


def test_staging_removes_what_was_not_published(tmp_path: Path) -> None:
    with staging.Staging(tmp_path / "m.onnx") as staged:
        staged.write([b"abc"])
        assert len(content(tmp_path)) == 1
    assert not content(tmp_path)
