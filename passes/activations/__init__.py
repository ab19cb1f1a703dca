"""Bring activations, however they are written, into the form that the vendor's optimiser makes one lookup of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from passes.activations.rules import NearbyActivation, WrittenOut
from surgery.pipeline import Pass
from surgery.rewrite import Rule


class CanonicalActivations(Pass):
    """Write activations in the form that the vendor's optimiser makes one lookup of.

    GELU, SiLU, Mish, HardSwish, HardSigmoid, Sigmoid, Tanh and Softplus are recognised by what they compute, not by how
    an exporter wrote them: the elementwise operators between one value and another are evaluated, and compared. The
    same activation as four operators instead of one lookup takes 1.2 times the time of a small network on the X5, twice
    on the X3.
    """

    name: ClassVar[str] = "canonical-activations"

    approximate: bool = False
    """Write the tanh and sigmoid forms of GELU as GELU itself, too: another function, which needs a budget."""

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        """The same function in another form; on request, the nearest one that has such a form."""
        return (WrittenOut(), *((NearbyActivation(),) if self.approximate else ()))


__all__ = ["CanonicalActivations"]
