"""Remove what computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from passes.noops.arithmetic import CastChain, DropNeutral, DropRepeated, SameType
from passes.noops.expand import DropExpand, ExpandAfterTranspose
from passes.noops.forms import DropSameForm, MergeReshapes, MergeTransposes, MoveOnes, UndoAxes
from passes.noops.plain import DropChoice, DropDropout, DropIdentity, DropSingle
from passes.noops.windows import DropPool, DropReduce, DropResize, IdleDilation
from surgery.pipeline import Pass
from surgery.rewrite import Rule


class RemoveNoops(Pass):
    """Remove nodes that return what they read, and merge those that undo or repeat each other.

    Exact: a node goes only when the values it returns equal those it reads, in dtype, shape and every element
    (adding zero may turn -0.0 into 0.0, which is equal). Identity between a graph input and a graph output stays.
    """

    name: ClassVar[str] = "remove-noops"

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        """One rule per kind of no-op."""
        return (
            DropIdentity(),
            DropDropout(),
            DropSingle(),
            DropChoice(),
            SameType(),
            CastChain(),
            DropNeutral(),
            DropRepeated(),
            MergeTransposes(),
            MoveOnes(),
            UndoAxes(),
            DropSameForm(),
            MergeReshapes(),
            DropPool(),
            IdleDilation(),
            DropReduce(),
            DropResize(),
            ExpandAfterTranspose(),
            DropExpand(),
        )


__all__ = ["RemoveNoops"]
