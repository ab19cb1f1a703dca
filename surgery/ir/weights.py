"""A weight: the type and shape of a constant, and the place where its bytes are.

The bytes stay outside any protobuf from load to save. ``raw`` bytes are those of ``TensorProto.raw_data``: little
endian, row major, and packed for types narrower than a byte; ``array()`` is their numpy form, a view where the dtype
allows one. The host is taken to be little endian, as onnxruntime's are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from surgery.errors import ModelError
from surgery.ir.external import locate
from surgery.ir.store import Absent, Memory, Source, Strings

PACKED_BITS: dict[int, int] = {
    TensorProto.UINT4: 4,
    TensorProto.INT4: 4,
    TensorProto.FLOAT4E2M1: 4,
    TensorProto.UINT2: 2,
    TensorProto.INT2: 2,
    TensorProto.FLOAT6E2M3: 6,
    TensorProto.FLOAT6E3M2: 6,
}
"""Bits per element of the types that share bytes in their raw form."""


def raw_size(elem_type: int, shape: tuple[int, ...]) -> int:
    """Bytes of the raw form of a tensor; ``elem_type`` is an enum value of ``TensorProto`` other than STRING."""
    bits = PACKED_BITS.get(elem_type) or 8 * helper.tensor_dtype_to_np_dtype(elem_type).itemsize
    return (math.prod(shape) * bits + 7) // 8


class Weight:
    """An immutable tensor.

    Attributes:
        elem_type: element type, a value of ``onnx.TensorProto.DataType``.
        dtype: the numpy dtype of :meth:`array` (ml_dtypes for what numpy lacks, object for strings).
        shape: the dims.
        source: where the bytes are.
    """

    __slots__ = ("__weakref__", "dtype", "elem_type", "shape", "source")

    def __init__(self, elem_type: int, shape: tuple[int, ...], source: Source) -> None:
        self.elem_type, self.shape, self.source = elem_type, shape, source
        self.dtype: np.dtype[Any] = np.dtype(helper.tensor_dtype_to_np_dtype(elem_type))

    def __repr__(self) -> str:
        return f"Weight({self.dtype}, {self.shape}, {type(self.source).__name__})"

    @staticmethod
    def of(array: np.ndarray[Any, Any]) -> Weight:
        """A weight in memory. The array is not copied where it can be avoided: do not write to it afterwards.

        Takes every dtype of ONNX; ``str`` and ``bytes`` elements, or objects of them, make a string tensor.
        Raises ModelError for a dtype that ONNX does not have.
        """
        array = np.asarray(array)
        if array.dtype.kind in "OUS":
            values = tuple(v if isinstance(v, bytes) else _encode(v) for v in array.ravel().tolist())
            return Weight(TensorProto.STRING, array.shape, Strings(values))
        array = np.asarray(array, array.dtype.newbyteorder("="), order="C")
        try:
            elem_type = helper.np_dtype_to_tensor_dtype(array.dtype)
        except (KeyError, ValueError) as error:
            raise ModelError(f"ONNX has no tensors of dtype {array.dtype}") from error
        if elem_type in PACKED_BITS:
            return Weight(elem_type, array.shape, Memory(memoryview(numpy_helper.from_array(array).raw_data)))
        return Weight(elem_type, array.shape, Memory(array.reshape(-1).view(np.uint8).data.toreadonly()))

    @staticmethod
    def from_proto(tensor: TensorProto, base: Path | None = None, blobs: Mapping[str, Source] | None = None) -> Weight:
        """The weight of ``tensor``, wherever its bytes are.

        Args:
            tensor: data inline (raw or typed), external, or cut out by :func:`surgery.ir.wire.split`.
            base: folder of the model file, which external data must not leave; None when there is no file.
            blobs: what was cut out, as returned by ``split``.

        An absent data file makes a weight that is :attr:`missing`. Raises ModelError when the element type is
        unknown, when bytes and shape do not fit, and for external data as :func:`surgery.ir.external.locate` says.
        """
        elem_type, shape = _signature(tensor)
        if tensor.data_location == TensorProto.EXTERNAL:
            if elem_type == TensorProto.STRING:
                raise ModelError("strings cannot be external data", where=_where(tensor))
            return Weight(elem_type, shape, locate(tensor, raw_size(elem_type, shape), base, blobs or {}))
        if elem_type == TensorProto.STRING:
            return Weight(elem_type, shape, _strings(tensor, shape))
        if tensor.HasField("raw_data"):
            raw = memoryview(tensor.raw_data)
            if raw.nbytes != raw_size(elem_type, shape):
                raise _misfit(tensor, raw.nbytes, raw_size(elem_type, shape))
            return Weight(elem_type, shape, Memory(raw))
        try:
            return Weight.of(numpy_helper.to_array(tensor))
        except (ValueError, TypeError) as error:
            raise ModelError(f"the data does not fit the shape {list(shape)}: {error}", where=_where(tensor)) from error

    @property
    def nbytes(self) -> int:
        """Size of the raw form (of the text, for strings)."""
        return self.source.length

    @property
    def missing(self) -> bool:
        """Whether the external data file is absent."""
        return isinstance(self.source, Absent)

    @property
    def is_string(self) -> bool:
        """Whether the elements are strings, which have no raw form and are always stored inline."""
        return isinstance(self.source, Strings)

    def raw(self) -> memoryview:
        """The raw form. Raises WeightsMissing without its file, DefectError for strings."""
        return self.source.read()

    def array(self) -> np.ndarray[Any, Any]:
        """The elements, read-only; a view unless packed or strings. Raises WeightsMissing without its file."""
        array = self._elements()
        array.setflags(write=False)
        return array

    def _elements(self) -> np.ndarray[Any, Any]:
        if isinstance(self.source, Strings):
            texts = [v.decode("utf-8", "surrogateescape") for v in self.source.values]
            return np.array(texts, dtype=object).reshape(self.shape)
        if self.elem_type in PACKED_BITS:
            return np.array(numpy_helper.to_array(self.to_proto("")))
        return np.frombuffer(self.raw(), self.dtype).reshape(self.shape)

    def to_proto(self, name: str, into: TensorProto | None = None) -> TensorProto:
        """The tensor with its data inline, in the empty ``into`` if given. Raises WeightsMissing without its file."""
        tensor = TensorProto() if into is None else into
        tensor.name, tensor.data_type = name, self.elem_type
        tensor.dims.extend(self.shape)
        if isinstance(self.source, Strings):
            tensor.string_data.extend(self.source.values)
        else:
            tensor.raw_data = bytes(self.raw())
        return tensor

    def declare(self, name: str, location: str = "weights") -> TensorProto:
        """The tensor without its data, declared external at ``location``."""
        tensor = TensorProto(name=name, data_type=self.elem_type, dims=self.shape, data_location=TensorProto.EXTERNAL)
        tensor.external_data.append(onnx.StringStringEntryProto(key="location", value=location))
        return tensor


def _encode(value: object) -> bytes:
    return str(value).encode("utf-8", "surrogateescape")


def _where(tensor: TensorProto) -> str:
    return f"tensor '{tensor.name}'"


def _misfit(tensor: TensorProto, found: int, needed: int) -> ModelError:
    return ModelError(f"has {found} bytes of data, its type and shape need {needed}", where=_where(tensor))


def _signature(tensor: TensorProto) -> tuple[int, tuple[int, ...]]:
    """Element type and dims, or ModelError when they are not of a tensor this tool can read."""
    shape = tuple(tensor.dims)
    if min(shape, default=0) < 0:
        raise ModelError(f"has a negative dim in its shape {list(shape)}", where=_where(tensor))
    if tensor.HasField("segment"):
        raise ModelError("is stored in segments, which no reader of ONNX supports", where=_where(tensor))
    try:
        helper.tensor_dtype_to_np_dtype(tensor.data_type)
    except KeyError:
        raise ModelError(f"has the unknown element type {tensor.data_type}", where=_where(tensor)) from None
    return tensor.data_type, shape


def _strings(tensor: TensorProto, shape: tuple[int, ...]) -> Strings:
    if len(tensor.string_data) != math.prod(shape):
        found = len(tensor.string_data)
        raise ModelError(f"has {found} strings, its shape needs {math.prod(shape)}", where=_where(tensor))
    return Strings(tuple(tensor.string_data))
