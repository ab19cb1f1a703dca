"""What a chip says about one operator: its device, the limits it breaks, and why nothing could be said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Device: TypeAlias = Literal["bpu", "cpu", "folded", "refused", "unknown"]
Evidence: TypeAlias = Literal["read", "probed", "inferred", "assumed"]
Known: TypeAlias = Literal["read", "probed", "inferred", "assumed", "log"]
"""How the limit that a node breaks is known: the evidence of a march file, or the vendor's log of this model."""
Effect: TypeAlias = Literal["cpu", "refused", "refused on the cpu", "refused on the bpu"]
BIRTH = "opset"
"""Last part of the id of the limit that an operator exists in an opset which the toolchain takes."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One limit that one node breaks.

    Attributes:
        constraint: id of the limit, ``<Op>.<param>[.<n>]``.
        found: the value of the node.
        allowed: what the march allows, as text.
        text: the limit as a rule in general form.
        source: where the limit stands (a source id of the march file).
        evidence: read in the vendor's text, probed with the vendor's tool, inferred, assumed from another march, or
            the vendor's log of this very model.
        cured_by: passes that can satisfy the limit; filled in by those who know passes.
    """

    constraint: str
    found: str | int | float
    allowed: str
    text: str
    source: str
    evidence: Known
    cured_by: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.constraint}: {self.found}, allowed {self.allowed}"

    @property
    def is_birth(self) -> bool:
        """Whether the operator is younger than every opset that the toolchain takes."""
        return self.constraint.rpartition(".")[2] == BIRTH


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where one node, by itself, would run, every limit it breaks, and the reasons for anything else.

    ``spared``: refused, but not where its neighbours leave it on the CPU.
    """

    device: Device
    violations: tuple[Violation, ...] = ()
    reasons: tuple[str, ...] = ()
    spared: bool = False

    @property
    def birth(self) -> Violation | None:
        """The violation that the operator is younger than every opset which the toolchain takes."""
        return next((v for v in self.violations if v.is_birth), None)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule of the toolchain about whole models that this model breaks: it would not be taken at all."""

    rule: str
    found: str | int
    allowed: str
    text: str
    source: str
    evidence: Known
    cured_by: tuple[str, ...] = ()
