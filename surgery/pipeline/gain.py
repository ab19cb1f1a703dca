"""Whether a rewrite that is there to make the model faster saves enough."""

from __future__ import annotations

from typing import Any

from surgery.pipeline.context import PassContext
from surgery.rewrite import Mismatch, Rule

GAIN = 0.005
"""Share of the predicted latency that an ACCELERATE rewrite has to save."""
CLEAR = 0.1
"""Share of its own nodes' time that one has to save which does so only together with others of its kind."""


class Gains:
    """Holds savings against the whole model.

    A rule that matches at many nodes of a kind, such as the products of a transformer, saves little at each; they count
    together where each of them saves clearly.
    """

    def __init__(self, ctx: PassContext) -> None:
        self.ctx = ctx
        self._places: dict[str, int] = {}

    def lack(self, rule: Rule[Any], before: float, after: float) -> str | None:
        """Why microseconds ``before`` and ``after`` are no gain; None when they are."""
        saved, needed = before - after, GAIN * (self.ctx.total_us or 0.0)
        if rule.saves and saved < rule.saves * before:
            return f"predicted to take {after:.1f} instead of {before:.1f} us, under {100 * rule.saves:.0f} % are saved"
        if saved >= needed:
            return None
        places = self._count(rule) if saved > CLEAR * before else 1
        if saved * places >= needed:
            return None
        times = "" if places == 1 else f" at each of {places} nodes"
        return f"predicted to save {saved:.1f} us{times}, under {100 * GAIN} % of the model ({needed:.1f} us)"

    def _count(self, rule: Rule[Any]) -> int:
        """At how many nodes the rule matched when this was first asked, the one in question among them."""
        if rule.name not in self._places:
            asked = (node for node in self.ctx.main.nodes if node.op in rule.roots)
            matched = sum(not isinstance(rule.attempt(node, self.ctx), Mismatch) for node in asked)
            self._places[rule.name] = max(1, matched)
        return self._places[rule.name]
