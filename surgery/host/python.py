"""The Python module: numpy alone, the functions ``prologue`` and ``epilogue``."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Iterator, Sequence

import numpy as np

from surgery.host.names import comment, python_text
from surgery.host.operators import emitter_of
from surgery.host.program import Program
from surgery.host.step import Slot

FEW = 8
"""Constants of so many elements are written as numbers, larger ones as their bytes."""

WIDTH = 110

HEAD = """
import base64

import numpy as np


def _constant(text, dtype, shape):
    return np.frombuffer(base64.b64decode(text), dtype).reshape(shape)


def _tensor(tensors, name, dtype, shape):
    if name not in tensors:
        raise ValueError(f"no tensor {name!r}")
    found = np.asarray(tensors[name])
    if found.dtype != dtype or found.shape != shape:
        raise ValueError(f"{name!r} is {found.dtype} {found.shape}, it must be {np.dtype(dtype)} {shape}")
    return found
"""

WHAT = {
    "prologue": ("inputs", "The model's inputs from those of the original, by name."),
    "epilogue": ("outputs", "The outputs of the original from those of the model, by name."),
}


def python_module(programs: Sequence[Program], about: Sequence[str]) -> str:
    """The source of the module; ``about`` are lines of comment at its head."""
    lines = [*(f"# {line}" for line in about), *HEAD.splitlines(), ""]
    for program in programs:
        lines += ["", *_constants(program), *_function(program), ""]
    return "\n".join(lines).rstrip() + "\n"


def _constants(program: Program) -> Iterator[str]:
    for slot in program.constants:
        yield f"{slot.id} = {_literal(slot)}  # {comment(slot.name)}"
    if program.constants:
        yield from ("", "")


def _literal(slot: Slot) -> str:
    values = np.asarray(slot.values)
    if values.size <= FEW and (values.dtype.kind != "f" or np.isfinite(values).all()):
        return f"np.array({values.tolist()!r}, {slot.numpy})"
    little = values.astype(values.dtype.newbyteorder("<"))
    lines = textwrap.wrap(base64.b64encode(little.tobytes()).decode(), WIDTH)
    quoted = "\n".join(f'    "{line}"' for line in lines)
    return f"_constant(\n{quoted},\n    {little.dtype.str!r}, {slot.shape},\n)"


def _function(program: Program) -> Iterator[str]:
    argument, what = WHAT[program.side]
    yield f"def {program.side}({argument}):"
    yield f'    """{what}"""'
    for slot in program.inputs:
        yield f"    {slot.id} = _tensor({argument}, {python_text(slot.name)}, {slot.numpy}, {slot.shape})"
    if program.steps:
        yield '    with np.errstate(all="ignore"):'
    for step in program.steps:
        yield f"        # {comment(step.node.op)} {comment(step.node.name)}"
        yield from (f"        {line}" for line in emitter_of(step).python(step))
    yield "    return {"
    made = {slot.name: f"np.asarray({slot.id}, {slot.numpy})" for slot in program.outputs}
    for name in program.returned:
        text = python_text(name)
        yield f"        {text}: {made.get(name, f'{argument}[{text}]')},"
    yield "    }"
