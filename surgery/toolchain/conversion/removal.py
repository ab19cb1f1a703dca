"""What a list of node types takes off the ends of a model, step by step, and what stays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from surgery.toolchain.conversion.edges import Chain, Link, Side

Order = Literal["listed", "recursive"]


@dataclass(frozen=True)
class Going:
    """A node that goes."""

    side: Side
    port: str
    link: Link


@dataclass(frozen=True)
class Staying:
    """Where it ends at a port: the outermost node that stays (``type`` "" for one that is of no such type), and why."""

    side: Side
    port: str
    type: str
    node: str
    reason: str


def removed(chains: Sequence[Chain], types: Sequence[str], order: Order) -> tuple[list[Going], list[Staying]]:
    """What goes, in order, and what stays.

    Args:
        chains: of a model, in the order of the tools.
        types: as ``remove_node_type`` lists them.
        order: ``listed``: each type is treated once, at every end, as long as there is one of it (hb_mapper);
            ``recursive``: until no listed type is at an end (hb_compile).
    """
    left = {chain: list(chain.links) for chain in chains}
    going = [one for wanted in _rounds(types, order) for chain in chains for one in _taken(chain, left[chain], wanted)]
    return going, [_stays(chain, left[chain], types) for chain in chains]


def _rounds(types: Sequence[str], order: Order) -> list[tuple[str, ...]]:
    return [(one,) for one in types] if order == "listed" else [tuple(types)]


def _taken(chain: Chain, links: list[Link], wanted: Sequence[str]) -> Iterator[Going]:
    while links and links[0].type in wanted:
        yield Going(chain.side, chain.port, links.pop(0))


def _stays(chain: Chain, links: list[Link], types: Sequence[str]) -> Staying:
    if not links:
        return Staying(chain.side, chain.port, "", chain.at, chain.stop)
    kind = links[0].type
    gone = chain.links[: len(chain.links) - len(links)]
    reason = "it is not listed"
    if kind in types:
        reason = f"the list is gone through once, and {kind} comes before {gone[-1].type}, which is outside of it"
    return Staying(chain.side, chain.port, kind, links[0].node, reason)


def candidates(chains: Sequence[Chain]) -> list[Going]:
    """The nodes that stand at the ends as they are: what ``hb_model_modifier`` lists."""
    return [Going(chain.side, chain.port, chain.links[0]) for chain in chains if chain.links]
