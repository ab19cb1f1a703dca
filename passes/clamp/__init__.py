"""Bring convolutions and matrix products within the channel limits of the march."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import field_validator

from passes.clamp.concat import DissolveConcat
from passes.clamp.dilations import StateDilations
from passes.clamp.split import SplitChannels
from surgery.pipeline import Pass
from surgery.rewrite import Rule


class ClampConvChannels(Pass):
    """Cut convolutions and matrix products over the march's channel limits into smaller ones.

    ``mode: split`` keeps the function. ``mode: prune`` drops channels, which changes it and so needs a budget; it
    comes with a later version.
    """

    name: ClassVar[str] = "clamp-conv-channels"
    after: ClassVar[frozenset[str]] = frozenset({"fold-constants"})

    mode: Literal["split", "pad", "prune"] = "split"
    """split: cut what is over a limit. pad: fill channels up to a multiple where that is faster."""

    @field_validator("mode")
    @classmethod
    def _available(cls, mode: str) -> str:
        if mode == "prune":
            raise ValueError("prune comes with a later version and needs a budget; split keeps the function")
        return mode

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        """The rules of the mode."""
        return (StateDilations(), SplitChannels(), DissolveConcat())
