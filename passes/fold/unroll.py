"""Unroll loops whose number of iterations is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from passes.fold.branch import InlineBranch
from passes.fold.constants import FoldConstants
from passes.fold.loops import Bound, UnrollLoop, UnrollScan
from surgery.pipeline import Outcome, PassRun
from surgery.rewrite import Rule


class UnrollLoops(FoldConstants):
    """Replace each Loop and Scan whose number of iterations follows from constants by copies of its body.

    No other rule looks into a loop, and the X toolchains refuse a model that holds one. What becomes constant in the
    copies is folded, so that loops and branches in them can be decided by the number of the iteration. Bodies may read
    values from outside; nothing changes but where the operators are, so that outputs are bit-identical.
    """

    name: ClassVar[str] = "unroll-loops"
    after: ClassVar[frozenset[str]] = frozenset({"fold-constants"})

    max_iterations: int = Field(default=64, ge=1)
    """Iterations above which a loop stays a loop."""
    max_nodes: int = Field(default=10_000, ge=1)
    """Nodes that the model may come to have by unrolling."""

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        """Those of both loops, and of branches."""
        bound = Bound(self.max_iterations, self.max_nodes)
        return (UnrollLoop(bound), UnrollScan(bound), InlineBranch())

    def run(self, run: PassRun) -> Outcome:
        """Unroll and fold; a model without loops stays as it is."""
        looping = any(node.op in ("Loop", "Scan") for node in run.model.nodes())
        return super().run(run) if looping else Outcome()
