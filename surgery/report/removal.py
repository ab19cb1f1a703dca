"""What ``remove_node_type`` would take off the ends of a model: part of ``check`` and ``config``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from surgery.errors import InputError, unknown
from surgery.report.base import Part, Text
from surgery.target import Placement
from surgery.toolchain.conversion import tool_of
from surgery.toolchain.conversion.edges import chains, removals
from surgery.toolchain.conversion.removal import Going, candidates, removed
from surgery.toolchain.conversion.values import joined, parts

AUTO = "auto"


class EndNode(Part):
    """A node at the end ``port``; ``node`` is its name in the model, "" where the toolchain adds it."""

    side: Literal["input", "output"]
    port: Text
    type: str
    node: Text = ""


class StayingNode(Part):
    """Where removal ends at ``port``: at ``node`` ("" where the toolchain adds it), and why.

    ``type`` is "" where it is no node that could be listed.
    """

    side: Literal["input", "output"]
    port: Text
    type: str = ""
    node: Text = ""
    reason: Text


class RemovalPart(Part):
    """A preview: with ``types`` listed, ``removed`` go in this order, and ``stays`` say what is left at each end.

    ``tool`` goes through the list by ``order``: ``listed`` treats every type once, ``recursive`` all until none is at
    an end. ``candidates`` stand at the ends as compiled: ``hb_model_modifier`` lists them.
    """

    tool: str
    order: Literal["listed", "recursive"]
    types: tuple[str, ...]
    removed: tuple[EndNode, ...]
    stays: tuple[StayingNode, ...]
    candidates: tuple[EndNode, ...]


def removal_part(placement: Placement, asked: Sequence[str], fed: frozenset[str] | None = None) -> RemovalPart:
    """The preview for a placed model.

    Args:
        placement: on a march of a tool that is known.
        asked: the list, each entry a type or several parted by ``;``; ``auto`` for those that are at the ends.
        fed: the inputs that are feature maps; all when None.

    Raises:
        InputError: no tool is known for the march, or it removes no such type.
    """
    facts = tool_of(placement.target.name)
    if facts is None:
        raise InputError(f"no tool is known that converts for {placement.target.name}", where="--march")
    ends, listed = chains(placement, fed), parts(joined(asked))
    known = facts.values("remove_node_type")
    if wrong := next((one for one in listed if one not in (AUTO, *known)), None):
        raise unknown("removable type", wrong, [AUTO, *known])
    types = removals(ends) if AUTO in listed else listed
    going, staying = removed(ends, types, facts.removal)
    return RemovalPart(
        tool=facts.tool,
        order=facts.removal,
        types=types,
        removed=tuple(map(_node, going)),
        stays=tuple(StayingNode.model_validate(vars(one)) for one in staying),
        candidates=tuple(map(_node, candidates(ends))),
    )


def _node(going: Going) -> EndNode:
    return EndNode(side=going.side, port=going.port, type=going.link.type, node=going.link.node)
