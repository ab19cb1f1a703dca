"""Bring convolutions and matrix products within the channel limits of the march."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, ClassVar, Literal

from pydantic import Field

from passes.clamp.concat import DissolveConcat
from passes.clamp.convolve import ConvolveGemm
from passes.clamp.dilations import StateDilations
from passes.clamp.pad import PadChannels
from passes.clamp.prune import Options, PruneChannels, prune
from passes.clamp.split import SplitChannels
from surgery.pipeline import Outcome, Pass, PassRun
from surgery.rewrite import Rule


class ClampConvChannels(Pass):
    """Bring convolutions and matrix products within the channel limits of the march, or to full channels.

    ``mode: split`` cuts what is over a limit in smaller parts and keeps the function. ``mode: pad`` fills channels up
    to a multiple where that is predicted to be faster. ``mode: prune`` takes channels out, which changes the function
    and so needs a budget: as many as ``ratio``, ``max_channels``, ``multiple`` or ``target_latency_ms`` say.
    """

    name: ClassVar[str] = "clamp-conv-channels"
    after: ClassVar[frozenset[str]] = frozenset({"fold-constants", "fuse-batchnorm"})

    mode: Literal["split", "pad", "prune"] = "split"
    """split: cut what is over a limit. pad: fill channels up. prune: take channels out, which needs a budget."""
    multiple: int | None = Field(None, ge=2)
    """For pad and prune: channels become a multiple of this; None for the number the march's arrays are wide (pad)."""
    ratio: float | None = Field(None, gt=0, lt=1)
    """For prune: share of the multiply-accumulates of convolutions and matrix products that goes."""
    max_channels: int | None = Field(None, ge=1)
    """For prune: most channels on either side of a layer."""
    target_latency_ms: float | None = Field(None, gt=0)
    """For prune: the latency to be predicted for what is left."""
    importance: Literal["l1", "l2", "batch-norm", "activation", "taylor"] = "activation"
    """For prune: what says that a channel matters: its weights, its normalisation, or measured on the samples."""
    refit: bool = True
    """For prune: fit the layers that are left, on the samples, to what they computed before."""

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        """The rules of the mode."""
        if self.mode == "pad":
            return (PadChannels(self.multiple),)
        if self.mode == "prune":
            return (PruneChannels(),)
        return (ConvolveGemm(), SplitChannels(), StateDilations(), DissolveConcat())

    def run(self, run: PassRun) -> Outcome:
        """Apply the rules; channels to take out are chosen for the whole graph."""
        if self.mode != "prune":
            return super().run(run)
        asked = self.model_dump(include={f.name for f in fields(Options)})
        return prune(self.name, Options(**asked), run)
