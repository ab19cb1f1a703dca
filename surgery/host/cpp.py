"""The C++17 header: no dependencies, the functions ``prologue`` and ``epilogue`` in a namespace of the model's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files

import numpy as np

from surgery.host.names import comment, cpp_text
from surgery.host.operators import emitter_of
from surgery.host.program import Program
from surgery.host.step import Slot, Step

INCLUDES = ("algorithm", "array", "cmath", "cstddef", "cstdint", "limits", "memory", "vector")
PER_LINE = 8


def cpp_header(programs: Sequence[Program], namespace: str, about: Sequence[str], more: str = "") -> str:
    """The source of the header: ``about`` are comments at its head, ``more`` is what its namespace holds, too."""
    runtime = (files("surgery.host") / "runtime.hpp").read_text("utf-8")
    lines = [*(f"// {line}" for line in about), "", "#pragma once", "", *(f"#include <{name}>" for name in INCLUDES)]
    lines += ["", f"namespace {namespace} {{", "namespace detail {", "", *runtime.splitlines()]
    lines += ["", "}  // namespace detail"]
    for program in programs:
        lines += ["", *_constants(program), *_ports(program), *_function(program)]
    return "\n".join([*lines, *(["", *more.splitlines()] if more else []), "", f"}}  // namespace {namespace}", ""])


def _constants(program: Program) -> Iterator[str]:
    if not program.constants:
        return
    yield "namespace detail {"
    for slot in program.constants:
        yield f"// {comment(slot.name)}"
        yield f"inline constexpr {slot.cpp} {slot.id}[{slot.size}] = {{"
        numbers = [_number(v, slot.dtype.kind) for v in np.asarray(slot.values).reshape(-1).tolist()]
        kind = "f" if slot.dtype.name == "float32" else ""
        for start in range(0, len(numbers), PER_LINE):
            yield f"    {', '.join(_typed(n, slot, kind) for n in numbers[start : start + PER_LINE])},"
        yield "};"
    yield from ("}  // namespace detail", "")


def _number(value: float, kind: str) -> str:
    """An element of a numpy ``kind``, exactly: floats in hexadecimal."""
    if kind == "b":
        return str(bool(value)).lower()
    if kind == "f":
        return value.hex() if np.isfinite(value) else str(value)
    return f"({value + 1} - 1)" if value == np.iinfo(np.int64).min else str(value)


def _typed(number: str, slot: Slot, suffix: str) -> str:
    limits = f"std::numeric_limits<{slot.cpp}>"
    special = {"inf": f"{limits}::infinity()", "-inf": f"-{limits}::infinity()", "nan": f"{limits}::quiet_NaN()"}
    unsigned = "u" if slot.dtype.name == "uint64" else ""
    return special.get(number, f"{number}{suffix}{unsigned}")


def _ports(program: Program) -> Iterator[str]:
    """Names and sizes of the arguments, for code that looks them up."""
    for kind, slots in (("inputs", program.inputs), ("outputs", program.outputs)):
        if slots:
            yield f"inline constexpr const char* {program.side}_{kind}[] = {{"
            yield from (f"    {cpp_text(slot.name)}," for slot in slots)
            yield "};"
            sizes = ", ".join(str(slot.size) for slot in slots)
            yield f"inline constexpr std::size_t {program.side}_{kind}_size[] = {{{sizes}}};"


def _function(program: Program) -> Iterator[str]:
    results = [f"{slot.cpp}* result{i}" for i, slot in enumerate(program.outputs)]
    arguments = [*(f"const {slot.cpp}* {slot.id}" for slot in program.inputs), *results]
    for i, slot in enumerate(program.inputs):
        yield f"// {slot.id}: {comment(slot.name)}, {_sizes(slot)} (input {i})"
    for i, slot in enumerate(program.outputs):
        yield f"// result{i}: {comment(slot.name)}, {_sizes(slot)}"
    for name in program.passed:
        yield f"// as it is: {comment(name)}"
    yield f"inline void {program.side}({', '.join(arguments)}) {{"
    yield "    using namespace detail;"
    for step in program.steps:
        yield from (f"    {line}" for line in _step(step))
    for i, slot in enumerate(program.outputs):
        yield f"    std::copy_n({slot.id}, {slot.size}, result{i});"
    yield "}"


def _step(step: Step) -> Iterator[str]:
    yield f"// {comment(step.node.op)} {comment(step.node.name)}"
    emitter = emitter_of(step)
    if emitter.aliases:
        yield f"const {step.y.cpp}* const {step.y.id} = {step.x.id};"
        return
    for slot in filter(None, step.outs):
        yield f"const auto {slot.id}_memory = std::make_unique<{slot.cpp}[]>({slot.size});"
        yield f"{slot.cpp}* const {slot.id} = {slot.id}_memory.get();"
    yield from emitter.cpp(step)


def _sizes(slot: Slot) -> str:
    return f"{slot.dtype.name} {'x'.join(map(str, slot.shape)) or 'of one number'}"
