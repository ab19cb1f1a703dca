"""What the vendor's toolchain itself said of nodes of one model, which outranks the data of a march."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import starmap
from typing import Any, Literal

from surgery.ir.graph import Node, Shape
from surgery.target.verdict import Verdict, Violation

LOG: Literal["log"] = "log"
"""Source, evidence and last part of the id of the limit that a node breaks which the vendor's log has on the CPU."""
_TEXT = "the vendor's log has it on the CPU"
_PLAIN = (int, float, str)


@dataclass(frozen=True)
class Word:
    """The device of one node in the vendor's log; it holds for what the log was about, not for what is made of it.

    Attributes:
        device: where the log has it.
        op: its operator.
        shapes: of its first input and of its outputs.
        attrs: those that are numbers or texts, or lists of them.
    """

    device: Literal["bpu", "cpu"]
    op: tuple[str, str]
    shapes: tuple[Shape | None, ...]
    attrs: Mapping[str, Any]

    @classmethod
    def of(cls, node: Node, device: Literal["bpu", "cpu"]) -> Word:
        """The word that ``node``, as it is now, runs on ``device``."""
        return cls(device, (node.domain, node.op), _shapes(node), _attrs(node))

    def about(self, node: Node) -> bool:
        """Whether ``node`` still is what the log spoke of; a size or an attribute that one of them lacks may be any.

        A version of an operator may have an input where another has an attribute: that changes nothing.
        """
        if (node.domain, node.op) != self.op:
            return False
        shapes, attrs = _shapes(node), _attrs(node)
        if len(shapes) != len(self.shapes) or not all(starmap(_fits, zip(shapes, self.shapes, strict=True))):
            return False
        return all(attrs[name] == self.attrs[name] for name in attrs.keys() & self.attrs.keys())

    def over(self, verdict: Verdict) -> Verdict:
        """``verdict`` of the march, overruled."""
        if self.device == "bpu":
            return Verdict("bpu")
        broken = (v for v in verdict.violations if not v.is_birth)
        return Verdict("cpu", (Violation(f"{self.op[1]}.{LOG}", "cpu", "bpu", _TEXT, LOG, LOG), *broken))


def _shapes(node: Node) -> tuple[Shape | None, ...]:
    """Shapes of the first input and the outputs; of a convolution the kernel is in its attributes or its outputs."""
    return tuple(tensor.shape for tensor in (*node.inputs[:1], *node.outputs))


def _attrs(node: Node) -> dict[str, Any]:
    return {name: value for name, value in node.attrs.items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    return isinstance(value, _PLAIN) or (isinstance(value, list | tuple) and all(isinstance(v, _PLAIN) for v in value))


def _fits(one: Shape | None, other: Shape | None) -> bool:
    if one is None or other is None:
        return True
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and all(a == b for a, b in pairs if isinstance(a, int) and isinstance(b, int))
