"""Bring convolutions and matrix products within the channel limits of the march."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from passes.clamp.concat import DissolveConcat
from passes.clamp.convolve import ConvolveGemm
from passes.clamp.dilations import StateDilations
from passes.clamp.pad import PadChannels
from passes.clamp.split import SplitChannels
from surgery.pipeline import Pass
from surgery.rewrite import Rule


class ClampConvChannels(Pass):
    """Bring convolutions and matrix products within the channel limits of the march, or to full channels.

    ``mode: split`` cuts what is over a limit in smaller parts and keeps the function. ``mode: pad`` fills channels up
    to a multiple where that is predicted to be faster. ``mode: prune`` drops channels, which changes the function and
    so needs a budget; it comes with a later version.
    """

    name: ClassVar[str] = "clamp-conv-channels"
    after: ClassVar[frozenset[str]] = frozenset({"fold-constants", "fuse-batchnorm"})

    mode: Literal["split", "pad", "prune"] = "split"
    """split: cut what is over a limit. pad: fill channels up. prune: not in this version."""
    multiple: int | None = Field(None, ge=2)
    """For pad: channels become a multiple of this; None for the number the march's arrays are wide."""

    @field_validator("mode")
    @classmethod
    def _available(cls, mode: str) -> str:
        if mode == "prune":
            raise ValueError("prune comes with a later version and needs a budget; split keeps the function")
        return mode

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        """The rules of the mode."""
        if self.mode == "pad":
            return (PadChannels(self.multiple),)
        return (ConvolveGemm(), SplitChannels(), StateDilations(), DissolveConcat())
