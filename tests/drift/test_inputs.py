"""Inputs: drawn and given, and every way in which they do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surgery.drift.inputs import InputSet, make_inputs
from surgery.errors import InputError
from surgery.ir.session import SessionError
from tests.support import model_of

STATIC = model_of("g (float[1,3] x, int64[2] i, bool c, uint8[4] u) => (float[1,3] y) { y = Relu(x) }")
BATCH = model_of("g (float[N,3] x) => (float[N,3] y) { y = Relu(x) }")
IMAGE = model_of("g (float[N,3,H,W] x, float[N,H] z) => (float[N,3,H,W] y) { y = Relu(x) }")
ONE = model_of("g (float[2,3] x) => (float[2,3] y) { y = Relu(x) }")


def given(model: Any, data: Any, **options: Any) -> InputSet:
    return make_inputs(model, given=data, **options)


def test_drawn_values_have_the_dtypes_and_shapes_of_the_model() -> None:
    inputs = make_inputs(STATIC, samples=3)
    assert len(inputs.samples) == 3
    assert not inputs.extra
    kinds = {name: (array.dtype.name, array.shape) for name, array in inputs.samples[0].items()}
    assert kinds == {"x": ("float32", (1, 3)), "i": ("int64", (2,)), "c": ("bool", ()), "u": ("uint8", (4,))}
    assert "x float32 1x3: standard normal" in inputs.description
    assert "u uint8 4: integers 0 to 255" in inputs.description


def test_the_seed_decides_and_samples_differ() -> None:
    first, again, other = (make_inputs(STATIC, samples=2, seed=s).samples for s in (0, 0, 1))
    np.testing.assert_array_equal(first[0]["x"], again[0]["x"])
    assert (first[0]["x"] != first[1]["x"]).any()
    assert (first[0]["x"] != other[0]["x"]).any()


def test_a_stated_range_is_kept_and_said() -> None:
    inputs = make_inputs(STATIC, samples=20, ranges={"x": (0, 1), "i": (5, 6)})
    x, i = (np.stack([s[n] for s in inputs.samples]) for n in "xi")
    assert x.min() >= 0
    assert x.max() <= 1
    assert set(i.ravel()) == {5, 6}
    assert "uniform 0 to 1" in inputs.description
    assert "integers 5 to 6" in inputs.description


def test_an_index_stays_inside_the_table_it_reads() -> None:
    model = model_of("g (int64[50] i, float[3,2] t) => (float[50,2] y) { y = Gather(t, i) }")
    assert make_inputs(model, samples=1).samples[0]["i"].max() == 2


def test_a_symbolic_batch_is_1_and_said_and_2_beside_it() -> None:
    inputs = make_inputs(BATCH)
    assert inputs.samples[0]["x"].shape == (1, 3)
    assert inputs.extra[0]["x"].shape == (2, 3)
    assert inputs.notes == ["batch of x assumed to be 1"]


def test_the_batch_of_one_input_is_that_of_another_wherever_it_stands() -> None:
    model = model_of("g (float[N,3] x, float[2,N] h) => (float[N,3] y) { y = Relu(x) }")
    inputs = make_inputs(model)
    assert [a.shape for a in inputs.samples[0].values()] == [(1, 3), (2, 1)]
    assert inputs.notes == ["batch of x assumed to be 1"]


def test_a_shape_settles_the_symbols_of_other_inputs() -> None:
    inputs = make_inputs(IMAGE, samples=1, shapes={"x": (1, 3, 64, 8)})
    assert inputs.samples[0]["z"].shape == (1, 64)
    assert [a.shape for a in inputs.extra[0].values()] == [(2, 3, 32, 16), (2, 32)]


def test_open_dims_are_named_with_the_way_to_give_them() -> None:
    with pytest.raises(InputError, match=r"'x' \(Nx3xHxW\), 'z' \(NxH\)") as caught:
        make_inputs(IMAGE)
    assert "--input-shape x=1x3x640x640" in str(caught.value)


@pytest.mark.parametrize(
    ("model", "shapes", "message"),
    [
        (ONE, {"x": (2, 4)}, "shape 2x4 was given, the model has 2x3"),
        (ONE, {"x": (2, 3, 1)}, "the model has 2x3"),
        (BATCH, {"x": (0, 3)}, "must be positive"),
        (IMAGE, {"x": (1, 3, 8, 8), "z": (1, 9)}, "dim 'H' is 8 and 9 at once"),
        (ONE, {"xx": (2, 3)}, "unknown input 'xx'"),
    ],
)
def test_shapes_that_do_not_fit(model: Any, shapes: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_inputs(model, shapes=shapes)


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        make_inputs(ONE, ranges={"x": (1, 0)})


def test_an_input_that_is_no_tensor_cannot_be_made() -> None:
    model = model_of("g (seq(float[2]) x) => (int64 y) { y = SequenceLength(x) }")
    with pytest.raises(SessionError, match="input x is no tensor"):
        make_inputs(model)


def test_a_leading_axis_is_samples() -> None:
    data = np.arange(24, dtype=np.float32).reshape(8, 3)
    inputs = given(ONE, {"x": data}, samples=3)
    np.testing.assert_array_equal(inputs.samples[1]["x"], data[2:4])
    assert len(inputs.samples) == 3
    assert "3 of 4 given samples used" in inputs.notes


def test_a_single_sample_goes_with_all_of_another_input() -> None:
    model = model_of("g (float[1,3] x, float[1] s) => (float[1,3] y) { y = Mul(x, s) }")
    inputs = given(model, {"x": np.zeros((3, 3), np.float32), "s": np.ones(1, np.float32)})
    assert len(inputs.samples) == 3
    with pytest.raises(InputError, match="different numbers of samples: x 3, s 2"):
        given(model, {"x": np.zeros((3, 3), np.float32), "s": np.ones(2, np.float32)})


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 3), np.float32), "shape 3x3, the model has 2x3"),
        (np.zeros((2, 4), np.float32), "shape 2x4, the model has 2x3"),
        (np.zeros(3, np.float32), "shape 3, the model has 2x3"),
        (np.zeros((2, 3), np.uint8), "the data is uint8, the model wants float32"),
        (np.array([[np.nan, 0, np.inf]] * 2, np.float32), "4 values are NaN or infinite"),
    ],
)
def test_data_that_does_not_fit(array: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        given(ONE, {"x": array})


def test_floats_and_integers_are_cast_within_their_family() -> None:
    assert given(ONE, {"x": np.ones((2, 3))}).samples[0]["x"].dtype == np.float32
    model = model_of("g (int8[2] i) => (int8[2] y) { y = Identity(i) }")
    assert given(model, {"i": np.array([1, -1])}).samples[0]["i"].dtype == np.int8
    with pytest.raises(InputError, match="outside int8"):
        given(model, {"i": np.array([1, 300])})


def test_a_missing_input_is_named_with_what_there_is() -> None:
    with pytest.raises(InputError, match=r"no data for input 'x' \(found: X\)"):
        given(ONE, {"X": np.zeros((2, 3), np.float32)})


def test_files_and_folders(tmp_path: Path) -> None:
    data = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.savez(tmp_path / "d.npz", x=data, labels=np.zeros(4))
    assert "not an input, not used: labels" in given(ONE, tmp_path / "d.npz").notes
    np.save(tmp_path / "d.npy", data)
    assert len(given(ONE, tmp_path / "d.npy").samples) == 2
    for name, rows in (("x", data), ("s0", data[:2])):
        folder = tmp_path / name
        folder.mkdir()
        np.save(folder / f"{name}.npy", rows)
    np.save(tmp_path / "s0" / "s1.npy", data[2:])
    by_name, by_sample = given(ONE, tmp_path / "x"), given(ONE, tmp_path / "s0")
    np.testing.assert_array_equal(by_name.samples[1]["x"], by_sample.samples[1]["x"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.npz", None, "no such file"),
        ("d.txt", b"", "no format for input data"),
        ("d.npz", b"garbage", "not readable as numpy data"),
        ("folder/a.png", b"", "a.png is neither npy nor npz"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        given(ONE, path.parent if "/" in name else path)


def test_no_samples_are_refused() -> None:
    with pytest.raises(InputError, match="at least one"):
        make_inputs(ONE, samples=0)
