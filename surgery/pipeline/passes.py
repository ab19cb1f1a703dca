"""What a pass is: rules under options, run by one contract.

To add one, subclass :class:`Pass`, give it a ``name`` and its options as fields, return rules from :meth:`Pass.rules`,
and name the class under ``surgery.passes`` in the entry points of your distribution. Documentation, YAML keys,
``--set`` and search spaces derive from the fields. Whole-graph work overrides :meth:`Pass.run`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from surgery.channels import Thinned
from surgery.ir import Graph, Model
from surgery.ir.sizes import Sizes
from surgery.pipeline.context import PassContext
from surgery.pipeline.iomap import IoMap
from surgery.rewrite import Engine, Exactness, Purpose, Rewriter, Rule, Stats, weakest
from surgery.rewrite.engine import Policy

if TYPE_CHECKING:
    import onnx


@dataclass
class PassRun:
    """What a pass works with: the model, its context, and the hands to edit it.

    Attributes:
        limit: stop after so many applied matches; None for no limit.
        trace: keep an event per attempt.
    """

    model: Model
    ctx: PassContext
    rw: Rewriter
    policy: Policy | None = None
    limit: int | None = None
    trace: bool = False


@dataclass(frozen=True)
class Scale:
    """How a tensor was quantised: ``(q - zero_points) * scales``, per ``axis`` where there is more than one scale."""

    tensor: str
    dtype: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int | None = None


@dataclass
class Outcome:
    """What a pass did: counts, the weakest promise among the rules that fired, and how the interface moved.

    ``note`` is what a reader of the report has to know of it, "" when that is nothing; ``scales`` are those that
    tensors were quantised with before. ``thinned`` are the layers that have fewer channels than before. ``inferred`` is
    what the model's last inference returned, where that was the last thing the pass did.
    """

    stats: Stats = field(default_factory=Stats)
    exactness: Exactness = Exactness.EXACT
    io: IoMap | None = None
    note: str = ""
    scales: tuple[Scale, ...] = ()
    thinned: tuple[Thinned, ...] = ()
    inferred: onnx.ModelProto | None = None


class Pass(BaseModel):
    """A named group of rules; its fields are its options.

    Attributes:
        name: as in pipelines and on the command line.
        cures: rules about whole models (``model.<rule>``) that it can satisfy.
        after: passes that have to run before this one when they are in the same pipeline; checked, never used to
            reorder.
        first: whether its place is before all others, when it is added to a pipeline by name.
        behind: the pass behind which its place is then; at the end where that is not there, or none is named.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: ClassVar[str]
    cures: ClassVar[frozenset[str]] = frozenset()
    after: ClassVar[frozenset[str]] = frozenset()
    first: ClassVar[bool] = False
    behind: ClassVar[str] = ""

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        """The rules under these options for a march (None without one), in the order they are tried."""
        return ()

    def run(self, run: PassRun) -> Outcome:
        """Apply the rules until none fires."""
        engine = Engine(
            self.name, self.rules(run.ctx.target), run.ctx, run.rw, run.policy, limit=run.limit, trace=run.trace
        )
        stats = engine.run()
        return Outcome(stats, weakest([rule.exactness for rule in stats.fired_rules.values()]))

    def freezes(self, graph: Graph) -> Mapping[str, Sizes] | None:
        """The sizes that it is going to give the inputs of ``graph``, as far as is known; None when it gives none.

        What is verified is verified at these sizes alone.
        """
        return None

    def settled(self, sizes: Mapping[str, Sizes] | None) -> Self:
        """The pass with whatever the user's samples decide decided; ``sizes`` are theirs, None without any."""
        return self

    @classmethod
    def summary(cls) -> str:
        """The first paragraph of the class's documentation, on one line."""
        return " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split())

    def purposes(self, target: Any) -> list[Purpose]:
        """The purposes of its rules, each once."""
        return list(dict.fromkeys(rule.purpose for rule in self.rules(target)))

    def exactness(self, target: Any) -> Exactness:
        """The weakest promise of its rules."""
        return weakest([rule.exactness for rule in self.rules(target)])
