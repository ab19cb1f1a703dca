"""Generated headers compiled by g++, all of them into one program, and their functions called."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from surgery.drift.metrics import Array
from surgery.host.program import Program

FLAGS = ("-std=c++17", "-O1", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-pedantic")
MAIN = """
int main(int count, char** words) {
    if (count < 3) return 2;
    const int which = std::atoi(words[1]);
    std::ifstream in(std::string(words[2]) + ".in", std::ios::binary);
    std::ofstream out(std::string(words[2]) + ".out", std::ios::binary);
"""


@dataclass(frozen=True)
class Compiled:
    """The executable; ``run`` calls the function of program ``index``."""

    path: Path
    programs: Sequence[Program]

    def run(self, index: int, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """What program ``index`` computes of ``feeds``, by name."""
        program, desk = self.programs[index], self.path.with_name(f"case{index}")
        data = b"".join(np.ascontiguousarray(feeds[s.name]).astype(s.dtype).tobytes() for s in program.inputs)
        desk.with_suffix(".in").write_bytes(data)
        subprocess.run([str(self.path), str(index), str(desk)], check=True)
        left, found = desk.with_suffix(".out").read_bytes(), {}
        for slot in program.outputs:
            size = slot.size * slot.dtype.itemsize
            found[slot.name] = np.frombuffer(left[:size], slot.dtype).reshape(slot.shape)
            left = left[size:]
        return found


def compile_headers(headers: Sequence[str], names: Sequence[str], programs: Sequence[Program], desk: Path) -> Compiled:
    """One program that calls ``names[i]::prologue`` or ``epilogue`` of ``headers[i]`` when told ``i``."""
    lines = ["#include <cstdlib>", "#include <fstream>", "#include <string>", "#include <vector>"]
    for number, header in enumerate(headers):
        (desk / f"case{number}.hpp").write_text(header)
        lines.append(f'#include "case{number}.hpp"')
    lines.append(MAIN)
    for number, (name, program) in enumerate(zip(names, programs, strict=True)):
        lines += [f"    if (which == {number}) {{", *_call(name, program), "    }"]
    source, binary = desk / "main.cpp", desk / "program"
    source.write_text("\n".join([*lines, "    return 0;", "}", ""]))
    done = subprocess.run(["g++", *FLAGS, str(source), "-o", str(binary)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[:3000])
    return Compiled(binary, programs)


def _call(name: str, program: Program) -> list[str]:
    lines, arguments = [], []
    for kind, slots in (("i", program.inputs), ("o", program.outputs)):
        for number, slot in enumerate(slots):
            arguments.append(f"{kind}{number}.get()")
            lines.append(f"        auto {kind}{number} = std::make_unique<{slot.cpp}[]>({slot.size});")
            if kind == "i":
                size = f"{slot.size} * sizeof({slot.cpp})"
                lines.append(f"        in.read(reinterpret_cast<char*>(i{number}.get()), {size});")
    lines.append(f"        {name}::{program.side}({', '.join(arguments)});")
    for number, slot in enumerate(program.outputs):
        size = f"{slot.size} * sizeof({slot.cpp})"
        lines.append(f"        out.write(reinterpret_cast<const char*>(o{number}.get()), {size});")
    return lines
