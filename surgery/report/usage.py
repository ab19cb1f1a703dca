"""Parts of ``surgery.cost/1``: the ceilings of the march, and what a node or the model makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surgery.report.base import Number, Part, Text

if TYPE_CHECKING:
    from surgery.cost.roofline import Roof, Use


class Ceilings(Part):
    """The best rates of the march by its coefficients: of its fastest ``engine``, and of memory.

    ``ridge`` is the intensity, in multiply-accumulates per byte, from which on computing is the lower ceiling.
    """

    macs_per_s: float
    bytes_per_s: float
    ridge: float
    engine: str
    basis: str
    source: Text


class Efficiency(Part):
    """Shares of the best rates, 0..1; None where there is nothing to divide.

    ``compute`` is of the multiply-accumulates, ``parameters`` of loading weights, ``attained`` of what the roofline
    allows at ``intensity``, which is multiply-accumulates per byte moved (None where nothing is moved). A product of
    two computed matrices may come out above 1 where the march prices it by bytes.
    """

    compute: Number = None
    parameters: Number = None
    intensity: Number = None
    attained: Number = None


def ceilings(roof: Roof) -> Ceilings:
    """The part of the ceilings, per second."""
    return Ceilings(
        macs_per_s=roof.macs * 1e6,
        bytes_per_s=roof.bytes * 1e6,
        ridge=roof.ridge,
        engine=roof.engine,
        basis=roof.basis,
        source=roof.source,
    )


def efficiency(use: Use | None) -> Efficiency | None:
    """The part of a use, at six digits."""
    if use is None:
        return None
    return Efficiency(**{name: value and float(f"{value:.6g}") for name, value in use._asdict().items()})
