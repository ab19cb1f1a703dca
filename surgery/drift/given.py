"""Reading the user's own input data."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from surgery.errors import InputError, unknown
from surgery.ir.graph import Value

Array: TypeAlias = "np.ndarray[Any, Any]"


@dataclass(frozen=True)
class Given:
    """Arrays by input name, several where a folder held several samples, and where they came from."""

    arrays: dict[str, list[Array]]
    source: str


def read_given(source: str | PathLike[str] | Mapping[str, Array], names: Sequence[str]) -> Given:
    """Read arrays for the inputs ``names``.

    An npz file holds arrays by input name. An npy file holds the only input. In a folder, an npy file called after
    an input holds that input; else all files, in the order of their names, are samples of the kinds above.

    Raises:
        InputError: the path is absent, not of these formats, or an input is not in it.
    """
    if isinstance(source, Mapping):
        given = Given({str(name): [np.asarray(array)] for name, array in source.items()}, "given arrays")
    else:
        path = Path(source)
        arrays = _folder(path, names) if path.is_dir() else _file(path, names)
        given = Given(arrays, str(path))
    if missing := next((name for name in names if name not in given.arrays), None):
        known = ", ".join(given.arrays) or "nothing"
        raise InputError(f"no data for input {missing!r} (found: {known})", where=given.source)
    return given


def _folder(path: Path, names: Sequence[str]) -> dict[str, list[Array]]:
    files = sorted(f for f in path.iterdir() if f.is_file() and not f.name.startswith("."))
    if odd := next((f for f in files if f.suffix not in (".npy", ".npz")), None):
        hint = "decode images into arrays first (as the model's preprocessing does), one npy per input or sample"
        raise InputError(f"{odd.name} is neither npy nor npz", where=str(path), hint=hint)
    if not files:
        raise InputError("the folder holds no npy or npz file", where=str(path))
    arrays: dict[str, list[Array]] = {}
    for file in files:
        named = file.suffix == ".npy" and file.stem in names
        for name, rows in ({file.stem: [_load(file)]} if named else _file(file, names)).items():
            arrays.setdefault(name, []).extend(rows)
    return arrays


def _file(path: Path, names: Sequence[str]) -> dict[str, list[Array]]:
    if not path.is_file():
        raise InputError("no such file", where=str(path))
    if path.suffix not in (".npy", ".npz"):
        raise InputError(f"{path.suffix or 'this'} is no format for input data, npz and npy are", where=str(path))
    loaded = _load(path)
    if isinstance(loaded, dict):
        return {name: [array] for name, array in loaded.items()}
    if len(names) == 1:
        return {names[0]: [loaded]}
    if path.stem in names:
        return {path.stem: [loaded]}
    raise unknown("input", path.stem, names, where=str(path))


def _load(path: Path) -> Any:
    try:
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        return {name: loaded[name] for name in loaded.files} if isinstance(loaded, np.lib.npyio.NpzFile) else loaded
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"not readable as numpy data: {error}", where=str(path)) from error


def split(value: Value, data: Given, shape: Sequence[int] | None) -> list[Array]:
    """The samples of one input: pieces of its arrays that fit its shape and dtype.

    Raises:
        InputError: dtype or shape do not fit, or a value is NaN or infinite.
    """
    where = f"{data.source}, input {value.name!r}"
    return [row for array in data.arrays[value.name] for row in _rows(value, array, shape, where)]


def _rows(value: Value, array: Array, shape: Sequence[int] | None, where: str) -> list[Array]:
    dims = value.shape if shape is None else tuple(shape)
    array = _cast(array, value.dtype, where)
    if dims is None or array.shape == dims == ():
        return [array]
    fits = array.ndim == len(dims) > 0 and all(
        not isinstance(d, int) or d == size for d, size in zip(dims[1:], array.shape[1:], strict=True)
    )
    batch = dims[0] if dims and isinstance(dims[0], int) else 1
    if not fits or array.shape[0] == 0 or array.shape[0] % batch:
        wanted = "x".join("?" if d is None else str(d) for d in dims) or "scalar"
        found = "x".join(map(str, array.shape)) or "scalar"
        hint = "the first axis may be a multiple of the input's: it is cut into samples"
        raise InputError(f"the data has shape {found}, the model has {wanted}", where=where, hint=hint)
    return [array[start : start + batch] for start in range(0, array.shape[0], batch)]


def _cast(array: Array, dtype: np.dtype[Any] | None, where: str) -> Array:
    if dtype is None or array.dtype == dtype:
        result = array
    elif dtype.kind == "O" and array.dtype.kind in "US":
        result = array.astype(object)
    elif _family(array.dtype) != _family(dtype):
        raise InputError(f"the data is {array.dtype}, the model wants {dtype}", where=where)
    else:
        result = array.astype(dtype)
        if _family(dtype) == "int" and not np.array_equal(result, array):
            raise InputError(f"the data is {array.dtype} with values outside {dtype}", where=where)
    if _family(result.dtype) == "float" and (bad := int(np.count_nonzero(~np.isfinite(result.astype(np.float64))))):
        raise InputError(f"{bad} values are NaN or infinite", where=where)
    return result


def _family(dtype: np.dtype[Any]) -> str:
    if "int" in dtype.name:
        return "int"
    return "float" if "float" in dtype.name else dtype.name
