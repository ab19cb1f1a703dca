"""Verdicts that were given before: a model is looked at many times, and most of its nodes are alike or as they were."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from surgery.target.limits import UNDEFINED
from surgery.target.params.core import AROUND, Form, Params, Unknown, form
from surgery.target.verdict import Verdict

MOST = 20_000
"""Verdicts that are kept; about a kilobyte each."""


class Memory:
    """The verdicts of one march by what they were made of: the node's form, and what was read around it.

    Nothing has to be forgotten when a graph changes, since nothing here is about a node: one that is edited has another
    form, or something else around it.
    """

    def __init__(self) -> None:
        self._known: dict[Form, list[tuple[dict[str, Any], Verdict]]] = {}
        self._kept = 0

    def recall(self, params: Params, judge: Callable[[Params], Verdict]) -> Verdict:
        """What ``judge`` says, which may read nothing but ``params``; reasons name tensors, so these are not kept."""
        key = form(params)
        for read, verdict in self._known.get(key, ()):
            if _still(params, read):
                return verdict
        verdict = judge(params)
        if not verdict.reasons:
            self._make_room()
            read = {name: params[name] for name in AROUND if name in params}
            self._known.setdefault(key, []).append((read, verdict))
        return verdict

    def _make_room(self) -> None:
        self._kept += 1
        if self._kept > MOST:
            self._known.clear()
            self._kept = 1


def _still(params: Params, read: dict[str, Any]) -> bool:
    """Whether what was read around another node of the same form is so here, too."""
    try:
        for name, value in read.items():
            if params[name] != value:
                return False
    except (Unknown, *UNDEFINED):
        return False
    return True
