from __future__ import annotations

import os
import resource
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from surgery.errors import DefectError, InputError, ModelError, WeightsMissing
from surgery.ir.store import FileSlice, MappedFile, Memory
from surgery.ir.weights import Weight, raw_size

PROPERTY = settings(deadline=None, derandomize=True, max_examples=25)
ELEM_TYPES = [v for n, v in sorted(TensorProto.DataType.items()) if n not in ("UNDEFINED", "STRING")]
SHAPES = st.lists(st.integers(0, 5), max_size=3).map(tuple)


def sample(elem_type: int, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Random bits of the type: NaN, infinities and subnormals included."""
    dtype = helper.tensor_dtype_to_np_dtype(elem_type)
    rng = np.random.default_rng(seed)
    if elem_type == TensorProto.BOOL:
        return rng.integers(0, 2, shape).astype(bool)
    data = rng.integers(0, 256, (int(np.prod(shape)), dtype.itemsize)).astype(np.uint8)
    return (data & used_bits(elem_type)).reshape(-1).view(dtype).reshape(shape)


def used_bits(elem_type: int) -> int:
    """Mask of the bits that a byte of numpy's form of a type narrower than a byte uses."""
    return {1: 0x03, 2: 0x0F, 3: 0x3F}.get(raw_size(elem_type, (4,)), 0xFF)


def bits(array: np.ndarray, mask: int) -> bytes:
    return bytes(np.ascontiguousarray(array).reshape(-1).view(np.uint8) & mask)


@pytest.mark.parametrize("elem_type", ELEM_TYPES, ids=TensorProto.DataType.Name)
@PROPERTY
@given(shape=SHAPES, seed=st.integers(0, 9))
def test_every_dtype_goes_there_and_back_like_onnx(elem_type: int, shape: tuple[int, ...], seed: int) -> None:
    array = sample(elem_type, shape, seed)
    weight = Weight.of(array)
    proto = weight.to_proto("w")
    assert proto == numpy_helper.from_array(array, "w")
    back = Weight.from_proto(proto)
    assert (back.elem_type, back.shape, back.dtype) == (elem_type, shape, array.dtype)
    assert back.array().shape == shape
    mask = used_bits(elem_type)
    assert bits(back.array(), mask) == bits(array, mask)
    assert back.nbytes == len(back.raw()) == raw_size(elem_type, shape) == len(proto.raw_data)


@pytest.mark.parametrize("elem_type", ELEM_TYPES, ids=TensorProto.DataType.Name)
def test_typed_data_reads_like_raw_data(elem_type: int) -> None:
    values = np.array([0, 1, 1, 0, 1, 0, 1]).astype(helper.tensor_dtype_to_np_dtype(elem_type))
    tensor = helper.make_tensor("w", elem_type, [7], values)
    raw = bytes(Weight.of(values).raw())
    assert not tensor.HasField("raw_data")
    assert bytes(Weight.from_proto(tensor).raw()) == raw


def test_a_weight_is_a_read_only_view() -> None:
    array = np.arange(6.0).reshape(2, 3)
    held = Weight.of(array)
    assert np.shares_memory(held.array(), array)
    assert not held.array().flags.writeable
    assert array.flags.writeable


@pytest.mark.parametrize("array", [np.zeros(3, ml_dtypes.int4), np.array(["a"])])
def test_what_is_no_view_is_read_only_too(array: np.ndarray) -> None:
    assert not Weight.of(array).array().flags.writeable


@pytest.mark.parametrize(
    "array",
    [np.arange(6).reshape(2, 3).T, np.arange(6.0)[::2], np.arange(3).astype(">i4"), np.array(2.5), np.float32(1)],
    ids=["transposed", "strided", "big-endian", "scalar", "numpy-scalar"],
)
def test_any_layout_is_taken(array: np.ndarray) -> None:
    held = Weight.of(array)
    assert held.array().dtype.isnative
    np.testing.assert_array_equal(held.array(), array)
    assert held.to_proto("w") == numpy_helper.from_array(np.array(array, array.dtype.newbyteorder("=")), "w")


@pytest.mark.parametrize(
    "array", [np.array(["a", "ß"]), np.array([b"a", "ß".encode()], object), np.array(["a", "ß"], object)]
)
def test_strings_stay_strings(array: np.ndarray) -> None:
    held = Weight.of(array)
    assert held.is_string
    assert held.dtype == object
    assert held.nbytes == 3
    assert list(held.array()) == ["a", "ß"]
    assert Weight.from_proto(held.to_proto("s")).source == held.source
    with pytest.raises(DefectError, match="raw bytes of a string tensor"):
        held.raw()


def test_strings_that_are_no_text_survive() -> None:
    tensor = TensorProto(data_type=TensorProto.STRING, dims=[1], string_data=[b"\xff\x00"])
    held = Weight.from_proto(tensor)
    assert Weight.of(held.array()).to_proto("s").string_data == [b"\xff\x00"]


def test_a_dtype_onnx_lacks_is_refused() -> None:
    with pytest.raises(ModelError, match="ONNX has no tensors of dtype datetime64"):
        Weight.of(np.zeros(1, "datetime64[s]"))


def float_tensor(dims: list[int], **fields: object) -> TensorProto:
    return TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, **fields)


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (float_tensor([-1]), "negative dim"),
        (float_tensor([2], raw_data=b"1234567"), "has 7 bytes of data, its type and shape need 8"),
        (float_tensor([1 << 62, 4], raw_data=b""), "its type and shape need"),
        (float_tensor([2], float_data=[1.0]), r"does not fit the shape \[2\]"),
        (float_tensor([1], segment=TensorProto.Segment(begin=0, end=1)), "segments"),
        (TensorProto(name="w", data_type=99), "unknown element type 99"),
        (TensorProto(name="w"), "unknown element type 0"),
        (TensorProto(name="w", data_type=TensorProto.STRING, dims=[2], string_data=[b"a"]), "has 1 strings"),
        (TensorProto(name="w", data_type=TensorProto.INT4, dims=[3], raw_data=b"a"), "has 1 bytes of data"),
    ],
)
def test_broken_tensors_are_refused(tensor: TensorProto, reason: str) -> None:
    with pytest.raises(ModelError, match=reason) as error:
        Weight.from_proto(tensor)
    assert error.value.where == "tensor 'w'"


def test_a_declared_weight_has_type_and_dims_and_no_data() -> None:
    tensor = Weight.of(np.zeros((3, 4), np.float16)).declare("w")
    assert (tensor.name, tensor.data_type, list(tensor.dims)) == ("w", TensorProto.FLOAT16, [3, 4])
    assert tensor.data_location == TensorProto.EXTERNAL
    assert not tensor.HasField("raw_data")


# External data.


def external(
    location: str, *, dims: tuple[int, ...] = (2,), elem_type: int = TensorProto.FLOAT, **more: object
) -> TensorProto:
    tensor = TensorProto(name="w", data_type=elem_type, dims=dims, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder with a data file of four floats, beside a file that is none of its business."""
    base = tmp_path / "model"
    (base / "sub").mkdir(parents=True)
    (base / "data").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    (tmp_path / "secret").write_bytes(bytes(8))
    (base / "link").symlink_to(tmp_path / "secret")
    (base / "linked").symlink_to(tmp_path, target_is_directory=True)
    (base / "nowhere").symlink_to(tmp_path / "absent")
    (base / "inner").symlink_to("data")
    (base / "loop").symlink_to("loop")
    os.mkfifo(base / "pipe")
    return base


@pytest.mark.parametrize(
    ("location", "more", "expected"),
    [
        ("data", {}, [0, 1]),
        ("data", {"offset": 8}, [2, 3]),
        ("data", {"offset": 4, "length": 8}, [1, 2]),
        ("sub/../data", {"length": 8, "checksum": "x"}, [0, 1]),
        ("inner", {}, [0, 1]),
    ],
)
def test_external_data_is_a_slice_of_its_file(folder: Path, location: str, more: dict, expected: list[int]) -> None:
    weight = Weight.from_proto(external(location, **more), folder)
    assert isinstance(weight.source, FileSlice)
    assert weight.array().tolist() == expected
    assert not weight.array().flags.writeable


@pytest.mark.parametrize(
    ("location", "more", "reason"),
    [
        ("", {}, "no usable location"),
        ("a\0b", {}, "no usable location"),
        ("\0surgery", {"offset": 1}, "no usable location"),
        ("/etc/passwd", {}, "absolute location"),
        ("C:\\data", {}, "absolute location"),
        ("\\\\host\\data", {}, "absolute location"),
        ("../secret", {}, "outside the model's folder"),
        ("../absent", {}, "outside the model's folder"),
        ("link", {}, "outside the model's folder"),
        ("linked/secret", {}, "outside the model's folder"),
        ("linked/absent", {}, "outside the model's folder"),
        ("nowhere", {}, "outside the model's folder"),
        ("loop", {}, "cannot be read"),
        ("x" * 300, {}, "cannot be read"),
        ("pipe", {}, "not a regular file"),
        ("sub", {}, "not a regular file"),
        ("data", {"offset": 12}, "needs bytes 12 to 20 of 'data', which has only 16"),
        ("data", {"offset": -4}, "the offset '-4', which is no natural number"),
        ("data", {"offset": "x"}, "the offset 'x'"),
        ("data", {"offset": "9" * 30}, "the offset '9999"),
        ("data", {"length": -8}, "the length '-8'"),
        ("data", {"length": 16}, "has 16 bytes, its type and shape need 8"),
        ("data", {"length": 4}, "has 4 bytes, its type and shape need 8"),
    ],
)
def test_external_data_is_refused(folder: Path, location: str, more: dict, reason: str) -> None:
    with pytest.raises(ModelError, match=reason) as error:
        Weight.from_proto(external(location, **more), folder)
    assert "external data" in str(error.value)
    assert error.value.where == "tensor 'w'"


def test_external_strings_are_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match="strings cannot be external"):
        Weight.from_proto(external("data", elem_type=TensorProto.STRING), folder)


def test_packed_external_data(folder: Path) -> None:
    weight = Weight.from_proto(external("data", dims=(31,), elem_type=TensorProto.INT4, length=16), folder)
    assert weight.array().shape == (31,)


@pytest.mark.parametrize(("location", "base"), [("absent", True), ("data/x", True), ("data", False)])
def test_an_absent_file_is_no_error_until_it_is_read(folder: Path, location: str, base: bool) -> None:
    weight = Weight.from_proto(external(location), folder if base else None)
    assert weight.missing
    assert (weight.shape, weight.nbytes) == ((2,), 8)
    for read in (weight.array, weight.raw, lambda: weight.to_proto("w"), lambda: list(weight.source.chunks())):
        with pytest.raises(WeightsMissing, match="external data file is missing"):
            read()


def test_tensors_of_one_file_share_it(folder: Path) -> None:
    first, second = (Weight.from_proto(external("data", offset=at), folder) for at in (0, 8))
    assert first.source.file is second.source.file
    assert first.source != second.source
    assert first.source == Weight.from_proto(external("data"), folder).source


def test_a_replaced_file_is_opened_anew_and_the_old_weight_keeps_its_bytes(folder: Path) -> None:
    old = Weight.from_proto(external("data"), folder)
    (folder / "new").write_bytes(bytes(16))
    (folder / "new").replace(folder / "data")
    assert Weight.from_proto(external("data"), folder).array().tolist() == [0, 0]
    assert old.array().tolist() == [0, 1]


def test_chunks_are_the_bytes(tmp_path: Path) -> None:
    data = np.random.default_rng(0).bytes(5_000_000)
    (tmp_path / "data").write_bytes(data)
    file = MappedFile(tmp_path / "data")
    for source in (Memory(memoryview(data)[3:]), FileSlice(file, 3, len(data) - 3)):
        assert b"".join(source.chunks()) == bytes(source.read()) == data[3:]


def test_a_file_that_became_shorter_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(bytes(100))
    slice_ = FileSlice(MappedFile(tmp_path / "data"), 0, 100)
    os.truncate(tmp_path / "data", 50)
    with pytest.raises(ModelError, match="became shorter while it was read: nothing at byte 50"):
        list(slice_.chunks())


def test_an_unreadable_file_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        MappedFile(tmp_path / "absent")


def test_a_model_of_many_files_is_no_trouble(tmp_path: Path) -> None:
    for index in range(50):
        (tmp_path / f"w{index}").write_bytes(np.full(2, index, np.float32).tobytes())
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len([*Path("/proc/self/fd").iterdir()]) + 10, limits[1]))
    try:
        weights = [Weight.from_proto(external(f"w{index}"), tmp_path) for index in range(50)]
        assert [w.array()[1] for w in weights] == list(range(50))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_onnx_reads_what_we_declare(tmp_path: Path) -> None:
    tensor = Weight.of(np.arange(2, dtype=np.float32)).declare("w", "data")
    (tmp_path / "data").write_bytes(np.arange(2, dtype=np.float32).tobytes())
    assert onnx.numpy_helper.to_array(tensor, str(tmp_path)).tolist() == [0, 1]
