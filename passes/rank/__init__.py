"""Bring values of rank 1, 2, 3, 5 and 6 into forms of rank 4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from passes.rank.early import LookupFirst
from passes.rank.edges import EvenPads
from passes.rank.ends import Ends
from passes.rank.heads import SplitProduct, TakeApart, TakeSplitApart
from passes.rank.lines import LiftLines
from passes.rank.moves import (
    AsBlocks,
    CollapseMoves,
    FillBlocks,
    GatherBlocks,
    LegaliseFilling,
    LegaliseGathering,
    LegaliseOrder,
    OrderChannels,
)
from passes.rank.pads import LiftPad
from passes.rank.partition import CutWindows, LegaliseWindows
from passes.rank.rows import LayOutRows
from passes.rank.squeezed import ReduceUnsqueezed
from passes.rank.tokens import PartAsTokens
from passes.rank.views import LegaliseViews, LiftViews
from passes.rank.volumes import LiftVolumes
from surgery.pipeline import Outcome, Pass, PassRun
from surgery.rewrite import Purpose, Rule


class NormaliseRank(Pass):
    """Write what has another rank than 4 at rank 4, and permutations of elements as convolutions or block operators.

    One- and three-dimensional convolutions become two-dimensional ones, with reshapes at the ends of the part of the
    network around them. Fused heads of attention are taken apart before they are reshaped. Reshape-Transpose-Reshape
    is read as one permutation of elements; windows of a map are cut out of it. Pads get forms that the toolchain does
    not stop at. Inner values are this pass's own business; inputs and outputs change only with ``inputs``.
    """

    name: ClassVar[str] = "normalise-rank"
    after: ClassVar[frozenset[str]] = frozenset({"fold-constants", "fuse-batchnorm", "substitute-ops", "lower-opset"})

    inputs: bool = False
    """Let inputs and outputs of floats of rank 1 to 3 be of rank 4: the host reshapes them (``--rank4-inputs``)."""

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        """The rules; where several match, the one that the witness found fastest comes first."""
        return (
            LiftLines(),
            LiftVolumes(),
            LiftPad(),
            LegaliseViews(),
            LiftViews(),
            TakeApart(),
            TakeSplitApart(),
            SplitProduct(),
            LegaliseOrder(),
            LegaliseFilling(),
            LegaliseGathering(),
            LegaliseWindows(),
            OrderChannels(),
            FillBlocks(),
            GatherBlocks(),
            AsBlocks(),
            CutWindows(),
            CollapseMoves(),
            EvenPads(),
            ReduceUnsqueezed(),
            PartAsTokens(),
            LookupFirst(),
            LayOutRows(),
        )

    def purposes(self, target: Any) -> list[Purpose]:
        """Those of the rules; INTERFACE, too, where inputs change."""
        return [*super().purposes(target), *([Purpose.INTERFACE] if self.inputs else [])]

    def run(self, run: PassRun) -> Outcome:
        """Lift the ends where that is asked for, then apply the rules."""
        if not self.inputs:
            return super().run(run)
        ends = Ends(run)
        io = ends.lift()
        left = None if run.limit is None else run.limit - len(ends.edits)
        outcome = super().run(replace(run, limit=left))
        outcome.io = io
        stats = outcome.stats
        stats.applied, stats.matched = stats.applied + len(ends.edits), stats.matched + len(ends.edits)
        stats.edits[:0] = ends.edits
        stats.fired.update(edit.rule for edit in ends.edits)
        return outcome


__all__ = ["NormaliseRank"]
