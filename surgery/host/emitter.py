"""How one operator becomes source in both languages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from surgery.host.loops import loop, spread
from surgery.host.step import Slot, Step


@dataclass(frozen=True)
class Emitter:
    """The two printers of an operator.

    Attributes:
        python: statements that assign the outputs.
        cpp: statements that fill the outputs, which are declared.
        moves: whether data only moves, so that nothing is rounded.
        aliases: whether the output is the input's memory under another shape; ``cpp`` is then not asked.
    """

    python: Callable[[Step], Sequence[str]]
    cpp: Callable[[Step], Sequence[str]]
    moves: bool = False
    aliases: bool = False


@dataclass(frozen=True)
class Formula:
    """An elementwise operator as two expressions.

    ``{0}``, ``{1}`` … are the inputs (in C++ one element of each), ``{T}`` is the element type of the output, as
    the language spells it.
    """

    python: str
    cpp: str


def elementwise(formula: Formula | Callable[[Step], Formula], *, moves: bool = False) -> Emitter:
    """The emitter of a formula, or of one that depends on the operator's attributes."""

    def chosen(step: Step) -> Formula:
        return formula if isinstance(formula, Formula) else formula(step)

    def python(step: Step) -> list[str]:
        names = [slot.id if slot else "None" for slot in step.ins]
        return [f"{step.y.id} = {chosen(step).python.format(*names, T=step.y.numpy)}"]

    def cpp(step: Step) -> list[str]:
        held = [slot for slot in step.ins if slot is not None]
        places = iter(range(len(held)))
        elements = [f"{slot.id}[at[{next(places)}]]" if slot else "" for slot in step.ins]
        return over(step.y, held, chosen(step).cpp.format(*elements, T=step.y.cpp))

    return Emitter(python, cpp, moves)


def over(y: Slot, operands: Sequence[Slot], expression: str) -> list[str]:
    """C++ that sets every element of ``y`` to an expression of ``at[i]``, the place in operand ``i``."""
    strides = [*(spread(slot.shape, y.shape) for slot in operands), y.strides]
    return loop(y.shape, strides, f"{y.id}[at[{len(operands)}]] = {expression};")
