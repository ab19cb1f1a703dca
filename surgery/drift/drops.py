"""How much the user's own measure may fall: the entries ``<metric>_drop`` of a budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from surgery.drift.runner import Runner, open_runner
from surgery.errors import InputError, unknown

if TYPE_CHECKING:
    from surgery.ir.model import Model

SUFFIX = "_drop"
Evaluator = Callable[[Runner], Mapping[str, float]]


def parted(budget: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """The bounds on drift, and those on drops by the metric's own name.

    >>> parted({"cosine": 0.99, "accuracy_drop": 0.01})
    ({'cosine': 0.99}, {'accuracy': 0.01})
    """
    drops = {name.removesuffix(SUFFIX): bound for name, bound in budget.items() if name.endswith(SUFFIX)}
    return {name: bound for name, bound in budget.items() if not name.endswith(SUFFIX)}, drops


class Drops:
    """Bounds on what the metrics of an evaluator lose against the original; a higher metric is a better one.

    Args:
        bounds: the largest drop by metric.
        evaluate: measures a runner.
        original: what drops are counted from; measured when first asked.

    Raises:
        InputError: bounds without an evaluator.
    """

    def __init__(self, bounds: Mapping[str, float], evaluate: Evaluator | None, original: Model) -> None:
        if bounds and evaluate is None:
            metric = next(iter(bounds))
            raise InputError(
                f"{metric}{SUFFIX} is measured by an evaluator, and none is given",
                where="budget",
                hint=f"give one that returns {metric!r}: --eval module:function",
            )
        self._bounds, self._evaluate, self._original = bounds, evaluate, original

    @cached_property
    def before(self) -> Mapping[str, float]:
        """The metrics of the original. Raises InputError when one that is bounded is not among them."""
        found = self.measured(self._original)
        if wrong := next((metric for metric in self._bounds if metric not in found), None):
            raise unknown("metric of the evaluator", wrong, found, where="budget")
        return found

    def measured(self, model: Model) -> Mapping[str, float]:
        """What the evaluator says of ``model``."""
        assert self._evaluate is not None  # bounds without one are refused
        return dict(self._evaluate(open_runner(model)))

    def breach(self, model: Model) -> str:
        """Which metric of ``model`` fell too far and by how much; "" when none did, or none is bounded."""
        return next(iter(self.breaches(self.measured(model))), "") if self._bounds else ""

    def breaches(self, after: Mapping[str, float]) -> list[str]:
        """A sentence for every metric that is too low in ``after``, or no number."""
        falls = {metric: self.before[metric] - after.get(metric, float("nan")) for metric in self._bounds}
        return [
            f"{metric} falls by {fall:.6g}, the budget says {self._bounds[metric]:.6g}"
            for metric, fall in falls.items()
            if not fall <= self._bounds[metric]
        ]
