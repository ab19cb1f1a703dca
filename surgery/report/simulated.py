"""What int8 does to two models, as simulated: part of ``surgery.diff/1``."""

from __future__ import annotations

from typing import Literal

from surgery.report.base import Number, Part, Text
from surgery.report.value import ValueDrift

WORSE = 3.0
"""dB by which a layer's SQNR has to fall to be called worse."""


class SimulatedOutputs(Part):
    """The outputs of one model, quantised, against the same model in float; ``int16`` with what is suggested.

    ``rounded`` counts the values that are on the grid of integers; with none of them nothing is simulated. ``assumed``
    counts the nodes that count as on the BPU though nothing public says that they run there.
    """

    model: Literal["A", "B"]
    int16: bool = False
    rounded: int
    assumed: int = 0
    outputs: tuple[ValueDrift, ...]


class LayerSqnr(Part):
    """Signal over quantisation error of one value of B, in dB; ``before`` of the value of that name in A."""

    value: Text
    node: Text
    op: Text
    before: Number = None
    after: Number = None

    @property
    def worse(self) -> bool:
        """Whether it is clearly lower than it was."""
        return self.before is not None and self.after is not None and self.before - self.after > WORSE


class SimulatedDiff(Part):
    """Both models with the integers of ``march``, run by onnxruntime: a simulation, no toolchain was asked.

    ``method`` made the thresholds, from as many ``samples``; ``int16`` are the nodes of B that 16 bits would help.
    """

    march: str
    method: str
    samples: int
    rows: tuple[SimulatedOutputs, ...]
    layers: tuple[LayerSqnr, ...] = ()
    int16: tuple[Text, ...] = ()
