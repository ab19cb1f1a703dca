"""What emitters print from: one operator with its tensors, whose types and sizes are all known."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import NoReturn, TypeAlias

import numpy as np

from surgery.errors import InputError
from surgery.ir.graph import DType, Node

CPP_TYPES = {
    "bool": "bool", "float32": "float", "float64": "double",
    "int8": "std::int8_t", "int16": "std::int16_t", "int32": "std::int32_t", "int64": "std::int64_t",
    "uint8": "std::uint8_t", "uint16": "std::uint16_t", "uint32": "std::uint32_t", "uint64": "std::uint64_t",
}  # fmt: skip
"""The element types that host code computes with, and their C++ names."""

Sizes: TypeAlias = "tuple[int, ...]"


class NoEmitter(InputError):
    """Host code cannot be printed for an operator, or for a tensor; the message names it and says why."""


@dataclass(frozen=True)
class Slot:
    """One tensor of the code.

    Attributes:
        id: identifier in both languages, of this tool's making.
        name: the tensor's name in the model, which may hold anything.
        values: of a constant.
    """

    id: str
    name: str
    dtype: DType
    shape: Sizes
    values: np.ndarray[tuple[int, ...], np.dtype[np.generic]] | None = None

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def cpp(self) -> str:
        """The C++ type of an element."""
        return CPP_TYPES.get(self.dtype.name, self.dtype.name)

    @property
    def numpy(self) -> str:
        """The numpy type as Python source."""
        return "np.bool_" if self.dtype.kind == "b" else f"np.{self.dtype.name}"

    @property
    def strides(self) -> Sizes:
        """Elements between neighbours along each axis.

        >>> Slot("v0", "x", np.dtype("f4"), (2, 3, 4)).strides
        (12, 4, 1)
        """
        return tuple(prod(self.shape[axis + 1 :]) for axis in range(len(self.shape)))


@dataclass(frozen=True)
class Step:
    """One operator: ``ins`` and ``outs`` hold None where an optional tensor is left out."""

    node: Node
    opset: int
    ins: tuple[Slot | None, ...]
    outs: tuple[Slot | None, ...]

    @property
    def x(self) -> Slot:
        """The first input."""
        return self.need(0)

    @property
    def y(self) -> Slot:
        """The first output."""
        first = self.outs[0]
        return first if first is not None else self.refuse("its first output is left out, it must be read")

    def need(self, index: int) -> Slot:
        """Input ``index``; raises NoEmitter where it is left out."""
        found = self.given(index)
        return found if found is not None else self.refuse(f"input {index} is left out, it must be there")

    def given(self, index: int) -> Slot | None:
        """Input ``index``, None where it is left out."""
        return self.ins[index] if index < len(self.ins) else None

    def constant(self, index: int) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
        """The content of input ``index``; raises NoEmitter unless it is a constant."""
        values = self.need(index).values
        return values if values is not None else self.refuse(f"input {index} is computed, it must be a constant")

    def axis(self, default: int) -> int:
        """Attribute ``axis``, not negative."""
        return int(self.node.attrs.get("axis", default)) % max(1, len(self.x.shape))

    def number(self, name: str, default: float) -> str:
        """A float attribute as source of both languages; raises NoEmitter where it is not finite."""
        value = float(np.float32(self.node.attrs.get(name, default)))
        return repr(value) if np.isfinite(value) else self.refuse(f"{name} is {value}, it must be finite")

    def refuse(self, reason: str) -> NoReturn:
        """Raise NoEmitter for this operator."""
        raise NoEmitter(f"no host code for {self.node.op} {self.node.name!r}: {reason}")
