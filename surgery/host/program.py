"""A prologue or epilogue as straight-line code: every tensor has an identifier, a type and a size."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from surgery.host.operators import emitter_of
from surgery.host.step import CPP_TYPES, NoEmitter, Slot, Step
from surgery.ir import Constant, Model, Tensor
from surgery.ir.graph import Node
from surgery.ir.ops import static_shape

Side = Literal["prologue", "epilogue"]


@dataclass(frozen=True)
class Program:
    """One side of the model.

    Attributes:
        side: before or after the model.
        inputs: what it reads, in the order of its arguments.
        outputs: what it computes.
        returned: names of what it returns, in order: its outputs, and what goes through it as it is.
        constants: what it holds.
        steps: in the order of computation.
    """

    side: Side
    inputs: tuple[Slot, ...] = ()
    outputs: tuple[Slot, ...] = ()
    returned: tuple[str, ...] = ()
    constants: tuple[Slot, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def passed(self) -> tuple[str, ...]:
        """Names of the tensors that go through it as they are."""
        made = {slot.name for slot in self.outputs}
        return tuple(name for name in self.returned if name not in made)

    @property
    def moves(self) -> bool:
        """Whether it only moves data, so that its results are bit-identical to those of the graph."""
        return all(emitter_of(step).moves for step in self.steps)


def read_program(side: Side, model: Model | None, wanted: Sequence[str]) -> Program:
    """The program of a graph.

    Args:
        side: which one.
        model: its graph as a model, constants folded; None where nothing moved.
        wanted: the tensors that it has to return by name; what it does not compute goes through.

    Raises:
        NoEmitter: an operator that host code is not printed for, or a tensor without a type or size.
    """
    if model is None:
        return Program(side, returned=tuple(wanted))
    graph, reader = model.graph, _Reader(side[0])
    inputs = tuple(map(reader.need, graph.inputs))
    steps = tuple(reader.step(node, model.opset) for node in graph.nodes)
    outputs = tuple(map(reader.need, graph.outputs))
    read = set(re.findall(r"\w+", " ".join(line for step in steps for line in _lines(step))))
    constants = tuple(slot for slot in reader.constants if slot.id in read)
    for slot in (*constants, *inputs, *(slot for step in steps for slot in step.outs if slot)):
        _need_plain(slot)
    return Program(side, inputs, outputs, tuple(wanted), constants, steps)


def _need_plain(slot: Slot) -> None:
    """Refuse what no array of C++ holds."""
    if slot.dtype.name not in CPP_TYPES or not slot.size:
        found, known = f"{slot.dtype} of {'x'.join(map(str, slot.shape))}", ", ".join(CPP_TYPES)
        raise NoEmitter(f"no host code for {slot.name!r}: it is {found}, it must be of {known}, and not empty")


def _lines(step: Step) -> list[str]:
    """What is printed of a step in both languages; refuses what cannot be."""
    emitter = emitter_of(step)
    return [*emitter.python(step), *emitter.cpp(step)]


@dataclass
class _Reader:
    """Gives every tensor its slot, once."""

    letter: str
    slots: dict[Tensor, Slot] = field(default_factory=dict)
    constants: list[Slot] = field(default_factory=list)

    def step(self, node: Node, opset: int) -> Step:
        """One operator, with its slots."""
        ins = tuple(None if t.is_empty() else self.need(t) for t in node.inputs)
        return Step(node, opset, ins, tuple(None if t.is_empty() else self.need(t) for t in node.outputs))

    def need(self, tensor: Tensor) -> Slot:
        """The slot of a tensor; raises NoEmitter where its type or size cannot be had."""
        if tensor not in self.slots:
            self.slots[tensor] = self._made(tensor)
        return self.slots[tensor]

    def _made(self, tensor: Tensor) -> Slot:
        shape = static_shape(tensor)
        if shape is None:
            raise NoEmitter(
                f"no host code for {tensor.name!r}: its size is not a number",
                hint="make the model static: --input-shape NAME=1x3x640x640",
            )
        if isinstance(tensor, Constant):
            slot = Slot(f"k{self.letter}{len(self.constants)}", tensor.name, tensor.dtype, shape, tensor.values)
            self.constants.append(slot)
            return slot
        if tensor.dtype is None:
            raise NoEmitter(f"no host code for {tensor.name!r}: its type is not known")
        return Slot(f"v{len(self.slots) - len(self.constants)}", tensor.name, tensor.dtype, shape)


def readers(program: Program, slot: Slot) -> Iterator[Step]:
    """The steps that read ``slot``."""
    return (step for step in program.steps if slot in step.ins)
