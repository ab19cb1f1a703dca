"""What the witness says of one model on one march, typed."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from surgery.toolchain.log import Speed, TableRow
from surgery.toolchain.performance import Performance
from surgery.toolchain.refusal import Refusal
from surgery.toolchain.structure import Op

CUT = "..."
"""What a name that the table had no room for begins with."""
_REMOVED = re.compile(r"Node (\S+) info: '\S+: scale: \[([^\]]*)\]; zero point: ([^']*)'")
_TYPED = re.compile(r"Node '([^']+)' found, its OP type is '([^']+)'")
_CANDIDATES = re.compile(r"Nodes that can be deleted: (\[.*\])")
_GONE = re.compile(r"Node '([^']+)' is removed")


def whole_names(rows: Sequence[TableRow], known: Sequence[str]) -> tuple[str, ...]:
    """The names of ``rows``; of those ``known`` that end as a cut one does, the first that no row before has taken."""
    taken = {row.name for row in rows}
    found = []
    for row in rows:
        name = row.name
        if name.startswith(CUT):
            tail = name[len(CUT) :]
            name = next((fit for fit in known if fit.endswith(tail) and fit not in taken), name)
            taken.add(name)
        found.append(name)
    return tuple(found)


@dataclass(frozen=True)
class Placement:
    """The table of the toolchain, and the graphs before and after quantising, whose names are whole.

    Attributes:
        rows: as the table has them: names may be cut to ``...tail``; it hides Quantize, Dequantize and Transposes.
        optimised: nodes of the float model after the toolchain's own optimiser.
        quantised: nodes of the quantised model, everything included.
        speeds: the compiler's figure per segment at the level it was compiled at.
    """

    rows: tuple[TableRow, ...]
    optimised: tuple[Op, ...]
    quantised: tuple[Op, ...]
    speeds: tuple[Speed, ...]

    @property
    def segments(self) -> int:
        """Number of BPU segments."""
        return len({row.segment for row in self.rows if row.segment is not None})

    @property
    def cpu(self) -> tuple[str, ...]:
        """Names of the rows on the CPU."""
        return tuple(name for name, row in zip(self.names, self.rows, strict=True) if row.device == "cpu")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The whole names of the rows: of several nodes that end alike, the first that no row before has taken.

        Rows are in the order of the quantised model; a name that nothing ends in stays cut.
        """
        return whole_names(self.rows, [op.name for op in self.quantised])

    @cached_property
    def hidden(self) -> tuple[Op, ...]:
        """Nodes of the quantised model that the table does not show."""
        shown = set(self.names)
        return tuple(op for op in self.quantised if op.name not in shown)


@dataclass(frozen=True, slots=True)
class Removed:
    """A node that ``remove_node_type`` took off the compiled model; the application now does its work.

    ``scale`` and ``zero_point`` are those of a Quantize or Dequantize, empty for other nodes.
    """

    name: str
    type: str
    scale: tuple[float, ...] = ()
    zero_point: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """All that one run of the toolchain said; what it did not come to is None.

    Attributes:
        march: the march asked about.
        refusal: why there is no result, None when all went well.
        placement: present whenever the table was printed, even if the tool failed after it.
        performance: of a compile at a level, None for a check.
        removed: nodes taken off the edges.
        versions: of the tools, as their log has them.
        seconds: what the run took; an answer out of the cache took them long ago.
        cached: whether it came out of the cache.
        candidates: names of the nodes that ``hb_model_modifier`` would take off, where it was asked.
    """

    march: str
    refusal: Refusal | None
    placement: Placement | None
    performance: Performance | None
    removed: tuple[Removed, ...]
    versions: dict[str, str]
    seconds: float
    cached: bool
    candidates: tuple[str, ...] = ()


def removals(text: str) -> tuple[Removed, ...]:
    """The nodes that a log (of makertbin or hb_model_modifier) says were removed, in order."""
    types = dict(_TYPED.findall(text))
    scales = {name: (scale, zero) for name, scale, zero in _REMOVED.findall(text)}
    return tuple(_removed(name, types.get(name, ""), *scales.get(name, ("", ""))) for name in _GONE.findall(text))


def candidates(text: str) -> tuple[str, ...]:
    """The nodes that a log of hb_model_modifier says can be removed, in order."""
    found = _CANDIDATES.findall(text)
    listed = ast.literal_eval(found[-1]) if found else []
    return tuple(map(str, listed))


def _removed(name: str, kind: str, scale: str, zero: str) -> Removed:
    numbers = tuple(float(n) for n in re.findall(r"[-+.\de]+", scale))
    points = tuple(int(n) for n in re.findall(r"-?\d+", zero))
    return Removed(name, kind, numbers, points)
