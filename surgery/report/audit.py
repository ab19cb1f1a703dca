"""``surgery.audit/1``: which lines of a PyTorch module's code make which nodes leave the BPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from surgery.report.base import Document, ModelRef, Part, Text, schema
from surgery.report.check import NodeRow, Refusal, Summary
from surgery.report.text import plural, visible


class Found(Part):
    """A node that does not run on the BPU, and the path of the sub-module that it belongs to ("" for the module)."""

    module: Text
    node: NodeRow

    def __str__(self) -> str:
        """Node, device and why; what cures it."""
        broken = self.node.violations
        why = "; ".join(map(str, broken)) or self.node.note or "no limit of its own is broken"
        by = list(dict.fromkeys(name for violation in broken for name in violation.cured_by))
        cure = f" - cured by {', '.join(by)}" if by else ""
        inside = f" in {self.module}" if self.module else ""
        return f"{self.node.op} {self.node.name}{inside}: {self.node.device}, {why}{cure}"


class Line(Part):
    """A line of code and the nodes off the BPU that come from it.

    ``file`` and ``line`` are None for nodes that the exporter left no line of the user's code for; ``text`` is then
    empty.
    """

    file: Text | None
    line: int | None
    text: Text = ""
    found: tuple[Found, ...]

    @property
    def place(self) -> str:
        """``file:line``, or that there is none."""
        return "no line of code is known" if self.file is None else f"{self.file}:{self.line}"


class AuditDocument(Document):
    """The lines of a module's code that keep it off the BPU, those with most nodes first; printing it lists them.

    ``module`` is the name of its class; ``refusals`` and ``summary`` are those of ``surgery.check/1``.
    """

    kind: Literal["surgery.audit/1"] = schema("surgery.audit/1")
    module: Text
    model: ModelRef
    march: str
    refusals: tuple[Refusal, ...] = ()
    summary: Summary
    lines: tuple[Line, ...] = Field(default=())

    @property
    def nodes(self) -> int:
        """How many nodes are off the BPU."""
        return sum(len(line.found) for line in self.lines)

    @property
    def sentence(self) -> str:
        """What there is to know first."""
        known = sum(line.file is not None for line in self.lines)
        if not self.nodes:
            return f"every node of {self.module} that runs is on the BPU of {self.march}"
        found = f"{plural(self.nodes, 'node')} of {self.module} off the BPU of {self.march}"
        return f"{found}, {plural(known, 'line')} of code"

    def __str__(self) -> str:
        """The lines with their nodes, as text that is safe on a terminal."""
        return "\n".join(map(visible, self._texts()))

    def _texts(self) -> Iterator[str]:
        yield self.sentence
        for line in self.lines:
            yield f"{line.place}  {line.text}".rstrip()
            yield from (f"    {found}" for found in line.found)
        for refusal in self.refusals:
            yield f"the whole model: {refusal.rule} is {refusal.found}, must hold: {refusal.text or refusal.allowed}"
