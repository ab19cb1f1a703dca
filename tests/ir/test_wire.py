from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from surgery.errors import InputError, ModelError
from surgery.ir import wire
from surgery.ir.external import CUT
from surgery.ir.store import FileSlice, Memory
from surgery.ir.weights import Weight

PROPERTY = settings(deadline=None, derandomize=True, max_examples=100)
UNKNOWN = b"\xba\x3e\x03abc"  # field 999, three bytes
FLOATS = st.lists(st.floats(width=32), max_size=20)


@st.composite
def tensors(draw: st.DrawFn) -> TensorProto:
    """Small tensors in all the ways to hold data, raw data most often."""
    values, name = draw(FLOATS), draw(st.text(max_size=3))
    form = draw(st.sampled_from(["raw", "raw", "raw", "float", "double", "half", "string", "external", "both"]))
    tensor = TensorProto(name=name, dims=[len(values)], doc_string=draw(st.text(max_size=3)))
    tensor.data_type = {"double": 11, "half": 10, "string": 8}.get(form, 1)
    if form in ("raw", "both"):
        tensor.raw_data = np.array(values, np.float32).tobytes()
    if form in ("float", "both"):
        tensor.float_data.extend(values)
    if form == "double":
        tensor.double_data.extend(values)
    if form == "half":
        tensor.int32_data.extend(range(len(values)))
    if form == "string":
        tensor.string_data.extend(str(v).encode() for v in values)
    if form == "external":
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="data")
    return tensor


@st.composite
def graphs(draw: st.DrawFn, depth: int = 2) -> GraphProto:
    graph = GraphProto(name="g", initializer=draw(st.lists(tensors(), max_size=3)), doc_string="text")
    graph.node.extend(
        NodeProto(op_type="Constant", attribute=[_value(t)]) for t in draw(st.lists(tensors(), max_size=2))
    )
    if depth:
        bodies = draw(st.lists(graphs(depth - 1), max_size=2))
        graph.node.add(op_type="If", attribute=[AttributeProto(name="b", type=AttributeProto.GRAPHS, graphs=bodies)])
    graph.sparse_initializer.add(dims=[9], values=draw(tensors()))
    return graph


@st.composite
def models(draw: st.DrawFn) -> ModelProto:
    model = ModelProto(
        ir_version=8, producer_name="p", graph=draw(graphs()), opset_import=[helper.make_opsetid("", 17)]
    )
    nodes = [NodeProto(op_type="Constant", attribute=[_value(t)]) for t in draw(st.lists(tensors(), max_size=2))]
    model.functions.add(name="f", node=nodes)
    model.metadata_props.add(key="k", value="v")
    return model


def _value(tensor: TensorProto) -> AttributeProto:
    return AttributeProto(name="value", type=AttributeProto.TENSOR, t=tensor)


def joined(pieces: list[wire.Piece]) -> bytes:
    return b"".join(b"".join(wire.chunks(p)) for p in pieces)


def refill(skeleton: bytes, blobs: dict) -> bytes:
    """The model with the bytes put back."""

    def content(tensor: TensorProto) -> list[wire.Piece] | None:
        entries = {e.key: e.value for e in tensor.external_data}
        return wire.filled(tensor, blobs[entries["offset"]]) if entries.get("location") == CUT else None

    return joined(wire.splice(skeleton, CUT.encode(), content))


def all_raw(model: ModelProto) -> ModelProto:
    """The model with float and double data in raw form, where split would cut them."""

    def content(tensor: TensorProto) -> list[wire.Piece] | None:
        held = [f.name for f, _ in tensor.ListFields() if f.name.endswith("_data") and f.name != "external_data"]
        if held not in (["float_data"], ["double_data"]):
            return None
        dtype, data = (np.float32, tensor.float_data) if held == ["float_data"] else (np.float64, tensor.double_data)
        tensor.raw_data = np.array(data, dtype).tobytes()
        tensor.ClearField(held[0])
        return [tensor.SerializeToString()]

    return ModelProto.FromString(joined(wire.splice(model.SerializeToString(), b"", content)))


@PROPERTY
@given(models())
def test_split_and_splice_give_back_the_model(model: ModelProto) -> None:
    data = model.SerializeToString()
    skeleton, blobs = wire.split(data, min_bytes=1)
    assert ModelProto.FromString(refill(skeleton, blobs)) == all_raw(model)
    assert len(skeleton) <= len(data) + 60 * len(blobs)


@PROPERTY
@given(models())
def test_the_weights_of_the_skeleton_are_those_of_the_model(model: ModelProto) -> None:
    skeleton, blobs = wire.split(model.SerializeToString(), min_bytes=8)
    for tensor, whole in zip(ModelProto.FromString(skeleton).graph.initializer, model.graph.initializer, strict=True):
        if tensor != whole:
            cut, given_ = Weight.from_proto(tensor, None, blobs), Weight.from_proto(whole)
            assert (cut.dtype, cut.shape, bytes(cut.raw())) == (given_.dtype, given_.shape, bytes(given_.raw()))


@PROPERTY
@given(models())
def test_what_is_small_is_passed_on_byte_by_byte(model: ModelProto) -> None:
    data = model.SerializeToString()
    assert wire.split(data) == (data, {})


def weighty(count: int = 3, size: int = 2000) -> ModelProto:
    """A chain of additions of ``count`` constants of ``size`` floats each."""
    weights = [numpy_helper.from_array(np.full(size, i, np.float32), f"w{i}") for i in range(count)]
    nodes = [helper.make_node("Add", [f"y{i}", f"w{i}"], [f"y{i + 1}"]) for i in range(count)]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [size]) for name in ("y0", f"y{count}")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], weights)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(weighty().SerializeToString())
    return path


def test_a_small_file_goes_through_whole(path: Path) -> None:
    assert wire.split(path) == (path.read_bytes(), {})


def test_a_large_file_gives_slices_of_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "SMALL_FILE", 0)
    skeleton, blobs = wire.split(str(path))
    assert [type(b) for b in blobs.values()] == [FileSlice] * 3
    assert ModelProto.FromString(refill(skeleton, blobs)) == weighty()
    values = [
        Weight.from_proto(t, path.parent, blobs).array() for t in ModelProto.FromString(skeleton).graph.initializer
    ]
    assert [v[-1] for v in values] == [0, 1, 2]
    assert len(skeleton) < 1000


def test_bytes_give_slices_of_memory() -> None:
    data = weighty().SerializeToString()
    for source in (data, memoryview(data)):
        blobs = wire.split(source).blobs
        assert [(type(b), b.length) for b in blobs.values()] == [(Memory, 8000)] * 3


def test_hundreds_of_megabytes_are_not_read(tmp_path: Path) -> None:
    size = 300_000_000
    tensor = TensorProto(name="w", data_type=1, dims=[size // 4]).SerializeToString()
    head = b"\x4a" + wire.varint(size)
    graph = b"\x2a" + wire.varint(len(tensor + head) + size) + tensor + head
    with (tmp_path / "m.onnx").open("wb") as file:
        file.write(b"\x08\x08\x3a" + wire.varint(len(graph) + size) + graph)
        file.truncate(file.tell() + size)  # a hole
    skeleton, blobs = wire.split(tmp_path / "m.onnx")
    weight = Weight.from_proto(ModelProto.FromString(skeleton).graph.initializer[0], None, blobs)
    assert weight.shape == (size // 4,)
    assert len(skeleton) < 200


def test_fields_keep_their_order_and_unknown_ones_stay() -> None:
    model = weighty(1)
    graph = model.graph.SerializeToString() + UNKNOWN
    rest = ModelProto(ir_version=8, producer_name="p").SerializeToString()
    data = UNKNOWN + b"\x3a" + wire.varint(len(graph)) + graph + rest + UNKNOWN
    skeleton, blobs = wire.split(data)
    view = memoryview(skeleton)
    assert [f.number for f in wire.fields(view, 0, len(view))] == [999, 7, 1, 2, 999]
    assert len(blobs) == 1
    assert refill(skeleton, blobs) == data


def test_a_tensor_refers_only_to_what_was_cut() -> None:
    skeleton, blobs = wire.split(weighty(1).SerializeToString())
    tensor = ModelProto.FromString(skeleton).graph.initializer[0]
    tensor.dims[0] = 7
    with pytest.raises(ModelError, match="has 8000 bytes, its type and shape need 28"):
        Weight.from_proto(tensor, None, blobs)
    tensor.dims[0] = 2000
    tensor.external_data[1].value = "1"
    with pytest.raises(ModelError, match="no usable location"):
        Weight.from_proto(tensor, None, blobs)


def test_external_data_is_never_taken_for_a_cut(tmp_path: Path) -> None:
    skeleton, blobs = wire.split(weighty(1).SerializeToString())
    tensor = ModelProto.FromString(skeleton).graph.initializer[0]
    tensor.external_data[0].value = "data"
    assert Weight.from_proto(tensor, tmp_path, blobs).missing


def test_a_tensor_said_to_be_external_is_left_as_it_is() -> None:
    model = weighty(1)
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    data = model.SerializeToString()
    assert wire.split(data) == (data, {})


# Files that are no models.


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git-lfs pointer"),
        (b"PK\x03\x04" + bytes(40), "not an ONNX model"),
        (b"<html></html>", "not an ONNX model"),
        (b'{"a": 1}', "not an ONNX model"),
        (b"\x0a\x03abc", "there is no graph"),
        (b"\x08\x08", "there is no graph"),
        (b"\x0a\x03abc\x3a\x00", "there is no graph"),
        (b"\x08\x08\x3a\x05ab", "byte 2 announces a field up to byte 9 of 6"),
        (b"\x08\x08\x3a\xff", "byte 3 begins a number without an end"),
        (b"\x08" + b"\xff" * 11, "byte 1 begins a number without an end"),
        (b"\x00\x00", "byte 0 begins no field"),
        (b"\x0d\x00", "announces a field up to byte 5 of 2"),
    ],
)
def test_what_is_no_model_is_one_error(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=reason) as error:
        wire.split(path)
    assert str(error.value).startswith(f"{path}: ")
    with pytest.raises(ModelError, match=reason):
        wire.split(data)


def test_unreadable_places_are_one_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, reason in {"absent": "No such file", ".": "not a regular file", "pipe": "not a regular file"}.items():
        with pytest.raises(InputError, match=reason):
            wire.split(tmp_path / name)


def test_nesting_is_bounded() -> None:
    inner = bytes(5000)
    for _ in range(60):
        for tag in (b"\x32", b"\x2a", b"\x0a"):  # graph of attribute of node of graph
            inner = tag + wire.varint(len(inner)) + inner
    with pytest.raises(ModelError, match="nested deeper than 100 messages"):
        wire.split(b"\x08\x08\x3a" + wire.varint(len(inner)) + inner)


def test_every_truncation_is_found() -> None:
    data = weighty(2, 8).SerializeToString()
    for end in range(len(data)):
        try:
            skeleton, _ = wire.split(data[:end], min_bytes=1)
        except ModelError:
            continue
        assert ModelProto.FromString(skeleton).HasField("graph")  # it ended between two fields of the model


@PROPERTY
@given(st.data())
def test_damage_never_ends_in_another_error(data: st.DataObject) -> None:
    model = bytearray(weighty(2, 8).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        model[data.draw(st.integers(0, len(model) - 1))] = data.draw(st.integers(0, 255))
    try:
        wire.split(bytes(model), min_bytes=1)
    except ModelError:
        return


@PROPERTY
@given(st.binary(max_size=200))
def test_garbage_never_ends_in_another_error(data: bytes) -> None:
    try:
        wire.split(data, min_bytes=1)
    except ModelError:
        return


def test_onnx_agrees_with_our_bytes() -> None:
    model = weighty()
    skeleton, blobs = wire.split(model.SerializeToString())
    onnx.checker.check_model(onnx.load_from_string(refill(skeleton, blobs)))
