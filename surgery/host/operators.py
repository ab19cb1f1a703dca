"""The table of operators that host code is printed for."""

from __future__ import annotations

from collections.abc import Mapping

from surgery.host.elementwise import ELEMENTWISE
from surgery.host.emitter import Emitter
from surgery.host.gathers import GATHERS
from surgery.host.lanes import LANES
from surgery.host.moves import MOVES
from surgery.host.normalise import NORMALISE
from surgery.host.products import PRODUCTS
from surgery.host.quantise import QUANTISE
from surgery.host.resize import RESIZE
from surgery.host.step import NoEmitter, Step

EMITTERS: Mapping[str, Emitter] = {
    **ELEMENTWISE, **GATHERS, **LANES, **MOVES, **NORMALISE, **PRODUCTS, **QUANTISE, **RESIZE,
}  # fmt: skip
"""By ONNX operator; to add one, put it into the table of its kind."""


def emitter_of(step: Step) -> Emitter:
    """The emitter of an operator.

    Raises:
        NoEmitter: there is none.
    """
    node = step.node
    found = EMITTERS.get(node.op) if node.is_onnx else None
    if found is None:
        name = node.op if node.is_onnx else f"{node.domain}:{node.op}"
        raise NoEmitter(
            f"no host code for {name} {node.name!r}: it is none of the {len(EMITTERS)} operators that are printed",
            hint="cut behind it (--set cut-heads.at=TENSOR), or run without --host-code",
        )
    return found
