"""``surgery.explain/1`` and ``surgery.bisect/1``: why a rule fired or refused, and which match broke the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from surgery.report.base import Document, InputShape, ModelRef, Part, Text, renamed, schema
from surgery.report.log import LogPart

if TYPE_CHECKING:
    from surgery.ir import Model
    from surgery.pipeline.bisect import Guilty
    from surgery.pipeline.explain import Explanation
    from surgery.rewrite import Event
    from surgery.target import Target


class Weighed(Part):
    """One way to legalise a node: chosen, rejected for the one that was, or refused for ``reason``.

    ``us`` is what is predicted for the nodes that it makes, null where that cannot be said or it was refused.
    """

    rule: str
    plan: Text = ""
    outcome: Literal["chosen", "rejected", "refused"]
    us: float | None = None
    reason: Text = ""


class Reason(Part):
    """What became of one rule at one node; ``at`` is the node or value that a refusal points to.

    ``ways`` are those among which a rewrite was chosen, the chosen one first; empty where there was one alone.
    """

    rule: str
    node: Text
    op: Text
    outcome: Literal["applied", "refused", "not-wanted", "not-kept"]
    reason: Text = ""
    at: Text = ""
    ways: tuple[Weighed, ...] = ()

    @property
    def fires(self) -> bool:
        """Whether the rewrite would stay."""
        return self.outcome == "applied"


class ExplainDocument(Document):
    """Every rule of a pass at every node it looks at; ``status`` is what the whole pass would come to.

    ``run_on_bpu`` is what the toolchain is asked to run on the BPU.
    """

    kind: Literal["surgery.explain/1"] = schema("surgery.explain/1")
    model: ModelRef
    input_shape: InputShape = Field(default_factory=dict)
    march: str | None
    run_on_bpu: tuple[Text, ...] = ()
    by: str = renamed("pass")
    status: str = ""
    reason: Text = ""
    reasons: tuple[Reason, ...]
    log: LogPart | None = None


class BisectDocument(Document):
    """The first pass, and its first match, after which an output is beyond its bound; all None when none is.

    ``match`` counts from 1 among the ``matches`` that the pass applied; ``nodes`` are those the match replaced;
    ``run_on_bpu`` is what the toolchain is asked to run on the BPU.
    """

    kind: Literal["surgery.bisect/1"] = schema("surgery.bisect/1")
    model: ModelRef
    input_shape: InputShape = Field(default_factory=dict)
    march: str | None
    run_on_bpu: tuple[Text, ...] = ()
    passes: tuple[str, ...]
    inputs: Text = ""
    guilty: str | None
    matches: int = 0
    match: int | None = None
    rule: str | None = None
    nodes: tuple[Text, ...] = ()
    reason: Text = ""


def explain_document(model: Model, name: str, target: Target | None, explanation: Explanation) -> ExplainDocument:
    """The document of what the pass ``name`` would do; what a rule says of a node again is told once."""
    result = explanation.result
    return ExplainDocument(
        model=ModelRef.of(model),
        march=target.name if target else None,
        run_on_bpu=target.run_on_bpu if target else (),
        by=name,
        status=result.status.value,
        reason=result.reason,
        reasons=tuple(map(_reason, dict.fromkeys(explanation.events))),
    )


def _reason(event: Event) -> Reason:
    return Reason.model_validate(asdict(event))


def bisect_document(
    model: Model, target: Target | None, passes: Sequence[str], inputs: str, guilty: Guilty | None
) -> BisectDocument:
    """The document of a search over ``passes`` that ended with ``guilty``; ``inputs`` says what was run."""
    change = guilty.change if guilty else None
    return BisectDocument(
        model=ModelRef.of(model),
        march=target.name if target else None,
        run_on_bpu=target.run_on_bpu if target else (),
        passes=tuple(passes),
        inputs=inputs,
        guilty=guilty.name if guilty else None,
        matches=guilty.matches if guilty else 0,
        match=guilty.match if guilty else None,
        rule=change.rule if change else None,
        nodes=change.old if change else (),
        reason=guilty.reason if guilty else "",
    )
