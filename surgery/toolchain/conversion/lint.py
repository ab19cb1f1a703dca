"""Everything that is wrong with a configuration: all rules, most pressing findings first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from surgery.toolchain.conversion.facts import Weight
from surgery.toolchain.conversion.finding import Finding, Findings, Severity
from surgery.toolchain.conversion.rules import (
    calibration,
    choices,
    compiler,
    inputs,
    keys,
    model,
    named,
    nodes,
    norm,
    shapes,
    speed,
    types,
)
from surgery.toolchain.conversion.settings import Settings

Rule: TypeAlias = Callable[[Settings], Findings]

RULES: tuple[Rule, ...] = (
    *speed.RULES, *keys.RULES, *types.RULES, *choices.RULES, *model.RULES, *inputs.RULES, *shapes.RULES, *norm.RULES,
    *calibration.RULES, *nodes.RULES, *compiler.RULES, *named.RULES,
)  # fmt: skip
_WEIGHTS: tuple[Weight | None, ...] = ("high", "medium", "low", None)


def lint(settings: Settings) -> tuple[Finding, ...]:
    """The findings: those about speed first and by weight, then errors, then warnings, each in the order of rules."""
    found = [finding for rule in RULES for finding in rule(settings)]
    order = list(Severity)
    return tuple(sorted(found, key=lambda one: (order.index(one.severity), _WEIGHTS.index(one.weight))))


def accepted(findings: tuple[Finding, ...]) -> bool:
    """Whether the tool takes the file, as far as is known."""
    return not any(finding.severity is Severity.ERROR for finding in findings)
