"""Write functions out: the model's own, and the operators that ONNX defines as functions of older ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from passes.functions.calls import InlineCall
from passes.functions.definitions import Definition
from passes.functions.drop import drop_uncalled
from surgery.ir.function import functions
from surgery.pipeline import Outcome, Pass, PassRun
from surgery.rewrite import Engine, Rule, weakest


class InlineFunctions(Pass):
    """Put the bodies of functions in the place of the nodes that call them.

    Functions of the model always, bit for bit; those that nothing calls any longer leave the model. Operators
    that ONNX defines as functions only where they are younger than every opset that the march's toolchain takes.
    """

    name: ClassVar[str] = "inline-functions"

    def rules(self, target: Any) -> Sequence[Rule[Any]]:
        """The two kinds; of a model's own functions, a run knows."""
        return (InlineCall({}, {}), Definition())

    def run(self, run: PassRun) -> Outcome:
        """Inline until nothing calls a function, then drop the functions."""
        own = InlineCall(functions(run.model), run.model.opsets)
        rules = (own, *self.rules(run.ctx.target)[1:])
        engine = Engine(self.name, rules, run.ctx, run.rw, run.policy, limit=run.limit, trace=run.trace)
        stats = engine.run()
        if stats.applied != run.limit:
            drop_uncalled(run, stats)
        return Outcome(stats, weakest([rule.exactness for rule in stats.fired_rules.values()]))
