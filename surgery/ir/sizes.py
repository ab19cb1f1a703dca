"""Concrete sizes for the dynamic dims of a model's inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from surgery.errors import InputError, unknown
from surgery.ir.graph import Dim, Graph, Value

Sizes: TypeAlias = "tuple[int, ...]"


def read_sizes(text: str) -> Sizes:
    """The sizes that a text states; raises ValueError for another form.

    >>> read_sizes("1x3x640x640"), read_sizes("")
    ((1, 3, 640, 640), ())
    """
    sizes = tuple(int(size) for size in text.split("x")) if text else ()
    if any(size < 0 for size in sizes):
        raise ValueError(text)
    return sizes


def run_inputs(graph: Graph) -> dict[str, Value]:
    """The inputs that a run has to feed, by name: initializers among them are none."""
    return {v.name: v for v in graph.inputs if isinstance(v, Value)}


def static_shapes(
    inputs: Mapping[str, Value], stated: Mapping[str, Sequence[int]]
) -> tuple[dict[str, Sizes], list[str]]:
    """A shape per input, and the assumptions made.

    A stated shape also settles the symbols it meets elsewhere; a batch (dim 0) nobody settled is 1, elsewhere, too.

    Raises:
        InputError: a shape is stated for no input, contradicts the model or another one, or dims stay open (all of
            them are named).
    """
    if wrong := next((name for name in stated if name not in inputs), None):
        raise unknown("input", wrong, inputs)
    symbols: dict[str, int] = {}
    for name, shape in stated.items():
        _settle(inputs[name], shape, symbols)
    assumed = [n for n, v in inputs.items() if n not in stated and _batch_assumed(v, symbols)]
    symbols |= {dim: 1 for n in assumed if isinstance(dim := (inputs[n].shape or ())[0], str)}
    found = {name: tuple(stated[name]) if name in stated else _fill(v, symbols) for name, v in inputs.items()}
    if still_open := [name for name, shape in found.items() if shape is None]:
        raise _open_dims([inputs[name] for name in still_open])
    notes = [f"batch of {', '.join(assumed)} assumed to be 1"] if assumed else []
    return {name: shape for name, shape in found.items() if shape is not None}, notes


def _settle(value: Value, shape: Sequence[int], symbols: dict[str, int]) -> None:
    where = f"input {value.name!r}"
    if any(size < 1 for size in shape):
        raise InputError(f"shape {_dims(shape)}: sizes must be positive", where=where)
    if value.shape is None:
        return
    fits = len(shape) == len(value.shape) and all(
        dim == size for dim, size in zip(value.shape, shape, strict=True) if isinstance(dim, int)
    )
    if not fits:
        raise InputError(f"shape {_dims(shape)} was given, the model has {_dims(value.shape)}", where=where)
    for dim, size in zip(value.shape, shape, strict=True):
        if isinstance(dim, str) and symbols.setdefault(dim, size) != size:
            raise InputError(f"dim {dim!r} is {symbols[dim]} and {size} at once", where=where)


def _fill(value: Value, symbols: Mapping[str, int]) -> Sizes | None:
    if value.shape is None:
        return None
    sizes = [_size(index, dim, symbols) for index, dim in enumerate(value.shape)]
    return tuple(size for size in sizes if size is not None) if None not in sizes else None


def _size(index: int, dim: Dim, symbols: Mapping[str, int]) -> int | None:
    if isinstance(dim, int):
        return dim
    if dim is not None and dim in symbols:
        return symbols[dim]
    return 1 if index == 0 else None


def _batch_assumed(value: Value, symbols: Mapping[str, int]) -> bool:
    first: Dim = value.shape[0] if value.shape else 0
    return not isinstance(first, int) and first not in symbols


def _open_dims(values: Sequence[Value]) -> InputError:
    said = ", ".join(f"{v.name!r} ({'unknown rank' if v.shape is None else _dims(v.shape)})" for v in values)
    flags = " ".join(f"--input-shape {v.name}={_example(v)}" for v in values)
    return InputError(f"no shape for the dynamic input {said}", hint=f"give one, e.g. {flags}")


def _example(value: Value) -> str:
    rank4 = (1, 3, 640, 640)
    if value.shape is None or len(value.shape) > len(rank4):
        return _dims([d if isinstance(d, int) else 1 for d in value.shape or rank4])
    guess = rank4 if len(value.shape) == len(rank4) else (*[1] * (len(value.shape) - 1), 128)
    return _dims([d if isinstance(d, int) else g for d, g in zip(value.shape, guess, strict=True)])


def _dims(shape: Sequence[Dim]) -> str:
    return "x".join("?" if d is None else str(d) for d in shape) or "scalar"
