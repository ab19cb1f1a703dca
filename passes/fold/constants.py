"""Evaluate at load time what does not depend on the inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from passes.fold.branch import InlineBranch
from passes.fold.folder import Folder
from surgery.pipeline import Outcome, Pass, PassRun
from surgery.rewrite import Rule


class FoldConstants(Pass):
    """Replace nodes that compute from constants and static shapes by what they compute, bit for bit.

    onnxruntime itself computes the values. Never folded: custom operators, loops, random numbers, what computes a
    graph output, and what would store quantised weights dequantised. An If whose condition is constant gives way to
    the branch taken. Sizes in a Loop or Scan body may differ from one iteration to the next and are left alone.
    """

    name: ClassVar[str] = "fold-constants"

    max_growth_bytes: int = Field(default=1 << 20, ge=0)
    """Bytes by which the model may grow in all, beyond the constants that are no longer needed."""

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        """The inlining of branches; folding itself looks at the whole graph."""
        return (InlineBranch(),)

    def run(self, run: PassRun) -> Outcome:
        """Inline and fold until nothing more becomes constant."""
        return Outcome(Folder(self.name, self.max_growth_bytes, run, self.rules(run.ctx.target)).exhaust())
