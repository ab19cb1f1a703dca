"""Bring values of rank 1, 3, 5 and 6 into forms of rank 4."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from passes.rank.heads import TakeApart, TakeSplitApart
from passes.rank.lines import LiftLines
from passes.rank.volumes import LiftVolumes
from passes.rank.moves import AsBlocks, CollapseMoves, FillBlocks, GatherBlocks, OrderChannels
from surgery.pipeline import Pass
from surgery.rewrite import Rule


class NormaliseRank(Pass):
    """x"""

    name: ClassVar[str] = "normalise-rank"

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        """x"""
        return (LiftLines(), LiftVolumes(), TakeApart(), TakeSplitApart(), OrderChannels(), FillBlocks(), GatherBlocks(), AsBlocks(), CollapseMoves())
