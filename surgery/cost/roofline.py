"""How well a node uses the march: its share of the best rates, and where it is under the roofline.

The two ceilings are the march's own coefficients: the fastest of the engines that multiply, and what goes through
memory (S. Williams et al., Roofline, CACM 52(4), 2009, doi:10.1145/1498765.1498785).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from surgery.cost.coefficients import Basis, rates
from surgery.cost.nodes import NodeCost
from surgery.cost.segments import ON_BPU
from surgery.cost.terms import Term

if TYPE_CHECKING:
    from surgery.cost.estimate import Estimate
    from surgery.target import Target

_CONVOLUTIONS = (Term.DENSE, Term.DENSE_STRIDED, Term.TRANSPOSED, Term.DEPTHWISE, Term.DEPTHWISE_LARGE, Term.MULTIPLIED)
_ENGINES = frozenset((*_CONVOLUTIONS, Term.MATMUL))
"""The terms that are counted in GMAC, and in nothing else."""


class Roof(NamedTuple):
    """The ceilings of a march.

    Attributes:
        macs: the best rate, multiply-accumulates per microsecond.
        engine: the term that has it.
        bytes: what goes through memory, bytes per microsecond.
        basis: how the less known one of the two coefficients is known.
        source: where the two come from, as the march's coefficients describe it.
    """

    macs: float
    engine: str
    bytes: float
    basis: Basis
    source: str

    @property
    def ridge(self) -> float:
        """Multiply-accumulates per byte from which on computing, not memory, is the lower ceiling."""
        return self.macs / self.bytes

    def at(self, intensity: float | None) -> float:
        """The rate that the lower ceiling allows; the best one for what moves nothing."""
        return self.macs if intensity is None else min(self.macs, intensity * self.bytes)


class Use(NamedTuple):
    """What is made of the march's rates; None where there is nothing to divide.

    Attributes:
        compute: multiply-accumulates per time, as a share of the best rate.
        parameters: bytes of weights per time, as a share of what memory can load.
        intensity: multiply-accumulates per byte moved; None without either.
        attained: multiply-accumulates per time, as a share of what the roofline allows at this intensity.
    """

    compute: float | None
    parameters: float | None
    intensity: float | None
    attained: float | None


def roof(target: Target) -> Roof | None:
    """The ceilings of ``target``; None when memory or every engine costs nothing on it.

    Raises:
        NoCoefficients: the march has none.
    """
    sheet = rates(target).sheet
    engines = [(term, found) for term, found in sheet.engine.items() if term in _ENGINES and found.value > 0]
    if not engines or not sheet.memory.rate.value:
        return None
    term, best = min(engines, key=lambda engine: engine[1].value)
    both = (best, sheet.memory.rate)
    source = "; ".join(dict.fromkeys(sheet.sources[found.source] for found in both))
    basis = max((found.basis for found in both), key=list(Basis).index)
    return Roof(1e6 / best.value, term, 1e3 / sheet.memory.rate.value, basis, source)


def node_use(cost: NodeCost, ceiling: Roof) -> Use | None:
    """What a node on the BPU makes of the rates; None as :func:`use_of` says, and on the CPU."""
    return use_of((cost,), cost.us.mid, ceiling) if cost.device in ON_BPU else None


def total_use(estimate: Estimate, ceiling: Roof) -> Use | None:
    """The same of all that runs on the BPU, by the time it is busy."""
    busy = [cost for cost in estimate.nodes if cost.device in ON_BPU and cost.us.known]
    return use_of(busy, estimate.bpu_ms.mid * 1e3, ceiling)


def use_of(costs: Collection[NodeCost], us: float, ceiling: Roof) -> Use | None:
    """What nodes on the BPU make of the rates in ``us`` microseconds.

    None when they multiply nothing and have no weights, and when their time is nothing or not known.
    """
    macs, weights = sum(cost.macs for cost in costs), sum(cost.weights for cost in costs)
    if not us > 0 or not (macs or weights):
        return None
    moved, rate = sum(cost.read + cost.written for cost in costs), macs / us
    parameters = weights / us / ceiling.bytes if weights else None
    if not macs:
        return Use(None, parameters, None, None)
    intensity = macs / moved if moved else None
    return Use(rate / ceiling.macs, parameters, intensity, rate / ceiling.at(intensity))
