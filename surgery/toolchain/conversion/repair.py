"""A configuration repaired: the edits of all findings that have some, until none has any more."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from surgery.toolchain.conversion.edits import apply, same
from surgery.toolchain.conversion.finding import Edit, Finding
from surgery.toolchain.conversion.lint import lint
from surgery.toolchain.conversion.settings import Settings

ROUNDS = 10
"""How often what repairs left, or made, is looked at; two are enough for most files."""


def repair(settings: Settings) -> tuple[Settings, tuple[Edit, ...]]:
    """The settings with every finding repaired that can be by itself, and the edits that did it, in order."""
    done: list[Edit] = []
    for _ in range(ROUNDS):
        edits = tuple(_apart(lint(settings)))
        if not edits:
            break
        data: dict[Any, Any] = copy.deepcopy(dict(settings.data))
        apply(data, edits)
        if same(data, settings.data):
            break
        settings = replace(settings, data=data)
        done += edits
    return settings, tuple(done)


def _apart(findings: tuple[Finding, ...]) -> Iterator[Edit]:
    """The edits of the findings, but of two that edit one key those of the first only: the other is looked at again."""
    taken: set[tuple[object, ...]] = set()
    for finding in sorted(findings, key=lambda one: one.rule.startswith("speed.")):
        keys = {edit.path[:2] for edit in finding.edits}
        if keys and not keys & taken and not any(key[:1] in taken for key in keys):
            taken |= keys
            yield from finding.edits
