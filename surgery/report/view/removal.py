"""What a list of types takes off the ends of a model, as content."""

from __future__ import annotations

from collections.abc import Iterator

from surgery.report.removal import EndNode, RemovalPart, StayingNode
from surgery.report.view.content import Block, Cell, Note, Section, code, table

ADDED = "added by the tool"
TITLE = "Taken off the ends"


def removal_section(part: RemovalPart | None) -> Section:
    """What goes step by step, and what stays at each end; empty where nobody asked."""
    return Section(TITLE, tuple(_blocks(part)) if part is not None else ())


def _blocks(part: RemovalPart) -> Iterator[Block]:
    how = "treats each type once" if part.order == "listed" else "goes on until none of them is at an end"
    yield Note(f"remove_node_type: {';'.join(part.types) or 'nothing'} ({part.tool} {how})")
    if part.removed:
        going = ([str(step), one.type, *_end(one), _name(one.node)] for step, one in enumerate(part.removed, 1))
        yield table("#Step|Goes|=Side|End|Node", going)
    yield table("Stays|=Side|End|Node|Why", map(_staying, part.stays))
    if part.tool == "hb_mapper":
        yield Note(f"hb_model_modifier lists: {', '.join(map(_said, part.candidates)) or 'nothing'}.")


def _staying(one: StayingNode) -> list[Cell | str]:
    node = _name(one.node) if one.type else code(one.node or "–")
    return [one.type or "–", *_end(one), node, one.reason]


def _end(one: EndNode | StayingNode) -> list[Cell | str]:
    return [one.side, code(one.port)]


def _name(node: str) -> Cell:
    return code(node) if node else Cell(ADDED, "muted")


def _said(one: EndNode) -> str:
    return f"{one.type} at {one.port}"
