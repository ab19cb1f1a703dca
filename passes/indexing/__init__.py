"""Selections by constant indices, and parts of what was joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from passes.indexing.gather import GatherAsSlice, GatherAsSlices, GatherNDAsGather
from passes.indexing.joins import JoinParts, PartOfJoined
from passes.indexing.scatter import ScatterNDAsConcat
from surgery.pipeline import Pass
from surgery.rewrite import Rule


class SimplifyIndexing(Pass):
    """Write selections by constant indices as slices, and take parts from what was joined, not from the join.

    Exact: elements only move. Gathers of fused attention are left to normalise-rank, which comes before.
    """

    name: ClassVar[str] = "simplify-indexing"
    after: ClassVar[frozenset[str]] = frozenset({"fold-constants", "normalise-rank"})

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        """One rule per operator that selects or joins."""
        return (
            JoinParts(),
            PartOfJoined(),
            GatherAsSlice(),
            GatherAsSlices(),
            GatherNDAsGather(),
            ScatterNDAsConcat(),
        )


__all__ = ["SimplifyIndexing"]
