"""onnxruntime sessions that compute a graph as it is written.

Graph optimisation and weight prepacking are off and one thread works, so that equal graphs give equal bits and
a weight computes the same whether it is a constant or not. Heavy weights reach onnxruntime from the weight store,
beside the proto. onnxruntime is imported when the first session is opened.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSequence, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import ml_dtypes
import numpy as np
import onnx

from surgery.errors import ModelError, WeightsMissing
from surgery.ir.graph import Constant

if TYPE_CHECKING:
    from surgery.ir.model import Model

Array: TypeAlias = "np.ndarray[Any, Any]"
Perturb: TypeAlias = "Callable[[str, Array], Array]"

_M = TypeVar("_M")

_PLAIN = {
    "float": np.float32, "double": np.float64, "float16": np.float16, "string": np.object_, "bool": np.bool_,
    "int8": np.int8, "int16": np.int16, "int32": np.int32, "int64": np.int64,
    "uint8": np.uint8, "uint16": np.uint16, "uint32": np.uint32, "uint64": np.uint64,
}  # fmt: skip
_EXOTIC = {
    "bfloat16": (ml_dtypes.bfloat16, onnx.TensorProto.BFLOAT16),
    "float8e4m3fn": (ml_dtypes.float8_e4m3fn, onnx.TensorProto.FLOAT8E4M3FN),
    "float8e4m3fnuz": (ml_dtypes.float8_e4m3fnuz, onnx.TensorProto.FLOAT8E4M3FNUZ),
    "float8e5m2": (ml_dtypes.float8_e5m2, onnx.TensorProto.FLOAT8E5M2),
    "float8e5m2fnuz": (ml_dtypes.float8_e5m2fnuz, onnx.TensorProto.FLOAT8E5M2FNUZ),
    "int4": (ml_dtypes.int4, onnx.TensorProto.INT4),
    "uint4": (ml_dtypes.uint4, onnx.TensorProto.UINT4),
}
_FOUR_BIT = frozenset({"int4", "uint4"})
_UNSUPPORTED = (
    re.compile(r"([\w.]+:\w+)\(-?\d+\) is not a registered function/op"),
    re.compile(r"No Op registered for (\w+) with"),
    re.compile(r"Could not find an implementation for (?:[\w.]+\.)?(\w+)\("),
)


class SessionError(ModelError):
    """onnxruntime cannot load or run a model.

    ``unsupported`` names the operator (``Op`` or ``domain:Op``) that onnxruntime has no kernel for, when that is
    the reason; verification then goes on without it.
    """

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what, where=where, hint=hint)
        found = next((m for pattern in _UNSUPPORTED if (m := pattern.search(what))), None)
        self.unsupported: str | None = found.group(1) if found else None


class Spec(NamedTuple):
    """Type of an input: ``dtype`` is None for what is no tensor; symbolic dims are names, unnamed ones None."""

    dtype: np.dtype[Any] | None
    shape: tuple[int | str | None, ...]


class Session:
    """A loaded model; frees its memory when the last reference goes.

    Args:
        source: path of a file, or a serialised ModelProto.
        weights: the tensors declared external in ``source``, by name, as (array in memory form, elem_type).
        where: what errors call the model.

    Raises:
        SessionError: onnxruntime refuses the model.
    """

    def __init__(self, source: str | bytes, weights: Mapping[str, tuple[Array, int]], where: str) -> None:
        import onnxruntime as ort

        self._where = where
        options = _options()
        make = ort.OrtValue.ortvalue_from_numpy_with_onnx_type
        try:
            if weights:
                values = [make(array, kind) for array, kind in weights.values()]
                options.add_external_initializers(list(weights), values)
            self._ort = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own classes share no other base
            raise SessionError(f"onnxruntime cannot load the model: {_reason(error)}", where=where) from error
        self._inputs = {v.name: v.type for v in self._ort.get_inputs()}
        self._outputs = {v.name: v.type for v in self._ort.get_outputs()}
        self.inputs = {v.name: Spec(_dtype(v.type), tuple(v.shape)) for v in self._ort.get_inputs()}
        self.output_names = tuple(self._outputs)

    def run(self, feeds: Mapping[str, Array], outputs: Sequence[str] | None = None) -> dict[str, Array]:
        """The values of ``outputs`` (default: all) by name.

        A sequence ``y`` comes back as ``y[0]``, ``y[1]`` ..., an empty optional not at all. Feeds that the model
        has no input for are ignored.

        Raises:
            SessionError: an input is missing, or onnxruntime cannot compute the model on these values.
        """
        if missing := [name for name in self.inputs if name not in feeds]:
            given = ", ".join(feeds) or "none"
            raise SessionError(f"no values for input {', '.join(missing)} (given: {given})", where=self._where)
        wanted = list(self.output_names if outputs is None else outputs)
        try:
            values = self._fetch({name: feeds[name] for name in self.inputs}, wanted)
        except Exception as error:  # as above
            raise SessionError(f"onnxruntime cannot run the model: {_reason(error)}", where=self._where) from error
        return dict(item for name, value in zip(wanted, values, strict=True) for item in _flat(name, value))

    def _fetch(self, feeds: dict[str, Array], wanted: list[str]) -> list[Any]:
        kinds = {_element(kind) for kind in (*self._inputs.values(), *(self._outputs[n] for n in wanted))}
        if kinds.isdisjoint(_EXOTIC):
            values: list[Any] = self._ort.run(wanted, {n: np.ascontiguousarray(a) for n, a in feeds.items()})
            return values
        fed = {name: _ort_value(array, _element(self._inputs[name])) for name, array in feeds.items()}
        return [_array(value) for value in self._ort.run_with_ort_values(wanted, fed)]


def open_session(model: Model, *, outputs: Sequence[str] | None = None, perturb: Perturb | None = None) -> Session:
    """A session over ``model`` as it is in memory.

    Args:
        model: its heavy weights are shared with onnxruntime, not copied.
        outputs: values to return in place of the graph outputs, inner ones included; what they do not need is left out.
        perturb: what stands for each weight: called with name and array, returns an array of the same type.

    Raises:
        SessionError: onnxruntime refuses the model.
        WeightsMissing: the model's external data is absent.
    """
    where = str(model.path) if model.path else "model"
    if missing := model.missing_weights():
        raise WeightsMissing(f"the data of {len(missing)} weights is absent, first {missing[0]!r}", where=where)
    proto = model.to_proto("external")
    if outputs is not None:
        retarget(proto.graph, outputs)
    if perturb is not None:
        _perturb_inline(proto.graph, perturb)
    kept = {t.name for t in proto.graph.initializer}
    heavy = {name: _memory(c, perturb) for name, c in model.heavy().items() if name in kept}
    return Session(proto.SerializeToString(), heavy, where)


def open_file(path: str | Path) -> Session:
    """A session over the file as it is, by onnxruntime's own reader.

    Raises:
        SessionError: onnxruntime refuses the file.
    """
    return Session(str(path), {}, str(path))


def retarget(graph: onnx.GraphProto, outputs: Sequence[str]) -> None:
    """Make ``outputs`` the outputs of ``graph`` and drop the nodes and initializers that none of them needs."""
    typed = {v.name: v for v in (*graph.output, *graph.value_info)}
    infos = [typed.get(name, onnx.ValueInfoProto(name=name)) for name in outputs]
    needed, nodes = set(outputs), []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(_reads(node))
            nodes.append(node)
    _replace(graph.output, infos)
    _replace(graph.node, nodes[::-1])
    _replace(graph.initializer, [t for t in graph.initializer if t.name in needed])
    _replace(graph.sparse_initializer, [t for t in graph.sparse_initializer if t.values.name in needed])


def _replace(field: MutableSequence[_M], kept: list[_M]) -> None:
    del field[:]
    field.extend(kept)


def _reads(node: onnx.NodeProto) -> Iterator[str]:
    """Names that ``node`` reads, those of its bodies included (their inner names are harmless: names are unique)."""
    yield from filter(None, node.input)
    for body in _bodies(node):
        yield from (out.name for out in body.output)
        for inner in body.node:
            yield from _reads(inner)


def _bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _perturb_inline(graph: onnx.GraphProto, perturb: Perturb) -> None:
    for tensor in graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL and tensor.data_type != onnx.TensorProto.STRING:
            array = perturb(tensor.name, onnx.numpy_helper.to_array(tensor))
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    for node in graph.node:
        for body in _bodies(node):
            _perturb_inline(body, perturb)


def _memory(constant: Constant, perturb: Perturb | None) -> tuple[Array, int]:
    """The array in the form onnxruntime holds it (4-bit types packed at the front of a byte array), and its type."""
    kind = constant.weight.elem_type
    if constant.dtype.name in _FOUR_BIT:
        packed = np.frombuffer(constant.weight.raw(), np.uint8)
        memory = np.zeros(constant.shape, np.uint8)
        memory.reshape(-1)[: packed.size] = packed
        return memory, kind
    array = constant.values if perturb is None else perturb(constant.name, constant.values)
    return np.ascontiguousarray(array), kind


def _options() -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False  # memory goes back after each run
    options.add_session_config_entry("session.disable_prepacking", "1")
    return options


def _reason(error: Exception) -> str:
    """What onnxruntime says, in one line, without its codes, source files and function signatures."""
    text = " ".join(str(error).split())
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    return re.sub(r"/\S+?\.(?:cc|h):\d+ .*?\([^()]*\)(?: const)?\s+", "", text)


def _element(kind: str) -> str:
    """``float`` of ``tensor(float)`` and of ``seq(tensor(float))``."""
    return kind.rsplit("(", 1)[-1].rstrip(")")


def _dtype(kind: str) -> np.dtype[Any] | None:
    element = _element(kind)
    plain = _EXOTIC[element][0] if element in _EXOTIC else _PLAIN.get(element)
    return np.dtype(plain) if plain is not None and kind.startswith("tensor(") else None


def _ort_value(array: Array, element: str) -> Any:
    import onnxruntime as ort

    array = np.ascontiguousarray(array)
    if element not in _EXOTIC:
        return ort.OrtValue.ortvalue_from_numpy(array)
    return ort.OrtValue.ortvalue_from_numpy_with_onnx_type(array, _EXOTIC[element][1])


def _array(value: Any) -> Any:
    """The content of an OrtValue as a numpy array of its own; types that numpy lacks are read from memory."""
    element = _element(value.data_type())
    if element not in _EXOTIC or not value.is_tensor():
        return value.numpy()
    dtype, shape = np.dtype(_EXOTIC[element][0]), tuple(value.shape())
    if element in _FOUR_BIT:
        return _unpack(ctypes.string_at(value.data_ptr(), -(-prod(shape) // 2)), dtype, shape)
    return np.frombuffer(ctypes.string_at(value.data_ptr(), prod(shape) * dtype.itemsize), dtype).reshape(shape)


def _unpack(raw: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    packed = np.frombuffer(raw, np.uint8)
    nibbles = np.stack([packed & 15, packed >> 4], axis=-1).reshape(-1)[: prod(shape)]
    if dtype == np.dtype(ml_dtypes.int4):
        nibbles = (nibbles.astype(np.int8) ^ 8) - 8
    return nibbles.astype(dtype).reshape(shape)


def _flat(name: str, value: Any) -> Iterable[tuple[str, Array]]:
    if value is None:
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _flat(f"{name}[{index}]", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(f"{name}[{key}]", item)
    else:
        yield name, np.asarray(value)
