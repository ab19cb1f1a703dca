"""What the models are run on: seeded values, or the user's own."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from surgery.drift.given import Given, read_given, split
from surgery.drift.shapes import second_shapes
from surgery.errors import InputError, unknown
from surgery.ir.graph import Value
from surgery.ir.session import SessionError
from surgery.ir.sizes import Sizes, run_inputs, static_shapes

if TYPE_CHECKING:
    from surgery.ir.model import Model

Array: TypeAlias = "np.ndarray[Any, Any]"
Sample: TypeAlias = "dict[str, Array]"
INTEGERS = (0, 10)
"""Range of integer inputs of 16 bits or more about which nothing is known, ends included."""


@dataclass(frozen=True)
class InputInfo:
    """What one input was given: dtype, shape of a sample, and in words where its values come from."""

    name: str
    dtype: str
    shape: Sizes
    values: str


@dataclass
class InputSet:
    """Samples to run models on.

    Attributes:
        samples: values by input name, one dict per run.
        extra: the same at a second assignment of the dynamic dims; a model that cannot run at these sizes as it
            was given need not be judged on them.
        source: ``seeded``, or where the given data came from.
        seed: of the drawn values.
        inputs: what each input was given.
        notes: assumptions that were made, a sentence each.
    """

    samples: list[Sample]
    extra: list[Sample] = field(default_factory=list)
    source: str = "seeded"
    seed: int = 0
    inputs: list[InputInfo] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def sizes(self) -> Mapping[str, Sizes] | None:
        """Sizes of the given samples by input name; None for drawn ones, which say nothing of the user's."""
        return None if self.source == "seeded" else {name: array.shape for name, array in self.samples[0].items()}

    @property
    def description(self) -> str:
        """One paragraph for reports: how many samples of what."""
        parts = [f"{i.name} {i.dtype} {'x'.join(map(str, i.shape)) or 'scalar'}: {i.values}" for i in self.inputs]
        origin = f"seed {self.seed}" if self.source == "seeded" else self.source
        return "; ".join([f"{len(self.samples)} samples ({origin})", *parts, *self.notes])


def make_inputs(
    model: Model,
    *,
    samples: int = 4,
    seed: int = 0,
    given: str | PathLike[str] | Mapping[str, Array] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    frozen: bool = False,
) -> InputSet:
    """Samples for the inputs of ``model``.

    Args:
        model: its graph inputs say names, dtypes and shapes.
        samples: how many, at most; drawn values fill up what is not given.
        seed: of drawn values; equal arguments draw equal values.
        given: path of an npz or npy file or of a folder of them, or arrays by input name. A leading axis that is a
            multiple of the input's batch is samples.
        shapes: shapes of dynamic inputs by name; a symbolic batch alone (dim 0) is 1 unless said.
        ranges: lowest and highest value of drawn inputs by name.
        frozen: the model is to take one shape per input only.

    Raises:
        InputError: unknown names, shapes that do not fit, NaN in the data, dynamic dims without a shape.
        SessionError: an input is no tensor, so that no values can be made for it.
    """
    if samples < 1:
        raise InputError(f"{samples} samples were asked for, at least one is needed")
    inputs = graph_inputs(model)
    if wrong := next((n for n in (*(shapes or {}), *(ranges or {})) if n not in inputs), None):
        raise unknown("input", wrong, inputs)
    if given is not None:
        made = _given(inputs, read_given(given, list(inputs)), samples, shapes or {})
    else:
        made = _seeded(inputs, samples, seed, shapes or {}, ranges or {})
    if frozen:
        made.extra.clear()
        _need_one_shape(made)
    return made


def _need_one_shape(made: InputSet) -> None:
    for info in made.inputs:
        if odd := next((s for s in made.samples if s[info.name].shape != info.shape), None):
            first, other = ("x".join(map(str, shape)) for shape in (info.shape, odd[info.name].shape))
            raise InputError(
                f"samples of {first} and of {other}, a frozen input takes one",
                where=f"{made.source}, input {info.name!r}",
            )


def graph_inputs(model: Model) -> dict[str, Value]:
    """The inputs that a run has to feed, by name. Raises SessionError when one is no tensor."""
    inputs = run_inputs(model.graph)
    if odd := [v.name for v in inputs.values() if v.dtype is None]:
        raise SessionError(f"input {', '.join(odd)} is no tensor of a known type, values for it cannot be made")
    return inputs


def _given(inputs: dict[str, Value], data: Given, limit: int, shapes: Mapping[str, Sequence[int]]) -> InputSet:
    lists = {name: split(value, data, shapes.get(name)) for name, value in inputs.items()}
    counts = {name: len(rows) for name, rows in lists.items() if len(rows) != 1}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InputError(f"the inputs have different numbers of samples: {said}", where=data.source)
    total = next(iter(counts.values()), 1)
    used = [{n: rows[min(i, len(rows) - 1)] for n, rows in lists.items()} for i in range(min(limit, total))]
    infos = [InputInfo(n, str(v.dtype), used[0][n].shape, "given") for n, v in inputs.items()]
    notes = [f"{len(used)} of {total} given samples used"] if total > len(used) else []
    if unused := [name for name in data.arrays if name not in inputs]:
        notes.append(f"not an input, not used: {', '.join(unused)}")
    return InputSet(used, source=data.source, inputs=infos, notes=notes)


def _seeded(
    inputs: dict[str, Value],
    samples: int,
    seed: int,
    shapes: Mapping[str, Sequence[int]],
    ranges: Mapping[str, tuple[float, float]],
) -> InputSet:
    sizes, notes = static_shapes(inputs, shapes)
    draws = {name: _Draw(value, ranges.get(name)) for name, value in inputs.items()}

    def sample(index: int, at: Mapping[str, Sizes]) -> Sample:
        rngs = {n: np.random.default_rng([seed, index, zlib.crc32(n.encode())]) for n in draws}
        return {n: draw(at[n], rngs[n]) for n, draw in draws.items()}

    other = second_shapes(inputs, sizes)
    return InputSet(
        samples=[sample(i, sizes) for i in range(samples)],
        extra=[sample(samples, other)] if other != sizes else [],
        seed=seed,
        inputs=[InputInfo(n, str(v.dtype), sizes[n], draws[n].words) for n, v in inputs.items()],
        notes=notes,
    )


class _Draw:
    """Draws the values of one input; ``words`` says from what."""

    def __init__(self, value: Value, stated: tuple[float, float] | None) -> None:
        assert value.dtype is not None  # graph_inputs refuses others
        self.dtype = value.dtype
        self.kind = _kind(value.dtype)
        if stated and not (np.isfinite(stated).all() and stated[0] <= stated[1]):
            raise InputError(f"range {stated[0]}:{stated[1]} is empty or not finite", where=f"input {value.name!r}")
        self.range = stated or (_integers(value) if self.kind == "int" else None)
        self.words = self._words()

    def _words(self) -> str:
        if self.kind == "bool":
            return "random booleans"
        if self.kind == "text":
            return "digits 0 to 9 as text"
        if self.range is None:
            return "standard normal"
        return f"{'integers' if self.kind == 'int' else 'uniform'} {self.range[0]:g} to {self.range[1]:g}"

    def __call__(self, shape: Sizes, rng: np.random.Generator) -> Array:
        if self.kind == "bool":
            return rng.integers(0, 2, shape).astype(self.dtype)
        if self.kind == "text":
            return np.asarray(rng.integers(0, 10, shape).astype(str), dtype=object)
        if self.range is None:
            return np.asarray(rng.standard_normal(shape)).astype(self.dtype)
        low, high = self.range
        if self.kind == "int":
            wide = np.uint64 if self.dtype == np.uint64 else np.int64
            return np.asarray(rng.integers(int(low), int(high), shape, dtype=wide, endpoint=True)).astype(self.dtype)
        return np.asarray(rng.uniform(low, high, shape)).astype(self.dtype)


def _kind(dtype: np.dtype[Any]) -> str:
    if dtype.kind in "OUS":
        return "text"
    if dtype.kind == "b":
        return "bool"
    return "int" if "int" in dtype.name else "float"


def _integers(value: Value) -> tuple[float, float]:
    """All of an 8-bit type's range, the rows of the table that a Gather reads by this input, or INTEGERS."""
    name = str(value.dtype)
    if name in ("uint8", "int8", "uint4", "int4"):
        bits = int(name[-1])
        return (0, 2**bits - 1) if name[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return (INTEGERS[0], min([INTEGERS[1], *(rows - 1 for rows in _tables(value))]))


def _tables(value: Value) -> Iterator[int]:
    for node in value.consumers:
        if node.op == "Gather" and node.input(1) is value and (table := node.input(0)) is not None and table.shape:
            rows = table.shape[int(node.attrs.get("axis", 0))]
            if isinstance(rows, int):
                yield rows
