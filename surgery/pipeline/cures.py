"""Which passes cure what a placement complains about, by asking their rules without rewriting anything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, TypeAlias

from surgery.errors import InputError, WeightsMissing
from surgery.ir import Model, Node
from surgery.pipeline import registry
from surgery.pipeline.context import PassContext
from surgery.pipeline.manager import Manager
from surgery.pipeline.passes import Pass
from surgery.rewrite import Mismatch, Rule
from surgery.target import Placement, Violation

Cures: TypeAlias = "dict[tuple[str, str], tuple[str, ...]]"


def cures(model: Model, placement: Placement) -> Cures:
    """The passes, at their default options, whose rule for a broken limit matches the node that breaks it.

    Keys are node name and limit; for rules about whole models the name is empty.
    """
    broken = [row for row in placement.rows if row.verdict.violations]
    if not broken and not placement.refusals:
        return {}
    ctx, ops = PassContext(model, placement.target), {row.node.op for row in broken}
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in registry.names():
        step = registry.load(name)()
        rules = [rule for rule in step.rules(placement.target) if not rule.roots.isdisjoint(ops)]
        for row in broken:
            for violation in row.verdict.violations:
                if any(_matches(rule, row.node, violation, ctx) for rule in rules):
                    found[row.node.name, violation.constraint].append(name)
        for rule in _cured(model, step, placement) if step.cures else ():
            found["", rule].append(name)
    return {key: tuple(names) for key, names in found.items()}


def _cured(model: Model, step: Pass, placement: Placement) -> Iterator[str]:
    """The rules about whole models that no longer speak after a trial of the pass."""
    broken = step.cures & {refusal.rule for refusal in placement.refusals}
    if not broken:
        return
    trial = Manager(model, placement.target)
    try:
        left = trial.tried(step.name, step, placement.target.refusals)
    except InputError:  # it wants to know something of the user, and says what
        yield from sorted(broken)
        return
    yield from sorted(broken - {refusal.rule for refusal in left})


def _matches(rule: Rule[Any], node: Node, violation: Violation, ctx: PassContext) -> bool:
    if node.op not in rule.roots or not rule.cure([violation]):
        return False
    try:
        return not isinstance(rule.attempt(node, ctx), Mismatch)
    except WeightsMissing:  # the rule has to see weights that are not there: nothing can be promised
        return False
