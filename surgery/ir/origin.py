"""Where a node comes from, as its metadata says: the node of the file that a rewrite made it from."""

from __future__ import annotations

from surgery.ir.graph import Node

ORIGIN = "surgery.origin"
"""The key of the metadata, whose value is ``<pass>/<rule>: <name of the source>``."""


def source_name(node: Node) -> str | None:
    """The name of the node that ``node`` was made from; None for one of the file."""
    known = node.metadata.get(ORIGIN)
    return known.split(": ", 1)[-1] if known else None
