"""The cost coefficients of a march: data, each number with its basis and source.

The numbers live in ``surgery/target/marches/<march>.cost.yaml``; the models here say what the keys mean.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from surgery.cost.interval import Interval
from surgery.errors import InputError, SurgeryError

if TYPE_CHECKING:
    from surgery.target import Target


class NoCoefficients(SurgeryError):
    """The march has no cost coefficients, so nothing can be estimated for it."""


class Basis(StrEnum):
    """How a coefficient is known, from best to worst."""

    FITTED = "fitted"
    SCALED = "scaled"
    ASSUMED = "assumed"


Positive = Annotated[float, Field(gt=0)]
Size = Annotated[int, Field(ge=1)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Coefficient(_Data):
    """Time per unit of work: ``value``, the factors that lead to its low and high, and where it comes from."""

    value: Annotated[float, Field(ge=0)]
    spread: tuple[Positive, Positive]
    basis: Basis
    source: str

    @model_validator(mode="after")
    def _ordered(self) -> Coefficient:
        if not self.spread[0] <= 1 <= self.spread[1]:
            raise ValueError(f"spread {self.spread} must hold 1")
        return self


class Rate(NamedTuple):
    """A coefficient ready for use: microseconds per unit of work, low, mid and high, and its basis."""

    name: str
    us: Interval
    basis: Basis

    def of(self, amount: float) -> Interval:
        """The time of ``amount`` units."""
        return self.us.scaled(amount)


class Alignment(_Data):
    """What the dense engine rounds a convolution up to; ``stem_in_channels`` where the input is the graph's."""

    in_channels: Size
    stem_in_channels: Size
    out_channels: Size
    height: Size
    width: Size
    source: str


class Engine(_Data):
    """Times on the BPU: ms per GMAC (dense, depthwise, matmul), per batch slice, per MB of int8, layer, segment.

    Where ``scatter`` (a Transpose of many axes and short runs, a Split of tokens) or ``block`` (one of long runs,
    DepthToSpace, SpaceToDepth) were not measured, they are timed as ``move`` and ``concat``.
    """

    dense: Coefficient
    depthwise: Coefficient
    matmul: Coefficient
    matmul_slice: Coefficient
    lookup: Coefficient
    elementwise: Coefficient
    move: Coefficient
    concat: Coefficient
    reduce: Coefficient
    memory: Coefficient
    layer: Coefficient
    segment: Coefficient
    scatter: Coefficient | None = None
    block: Coefficient | None = None


class Host(_Data):
    """Times on the host around the BPU: ms to submit a segment, ms per million float elements turned."""

    submit: Coefficient
    dequantise: Coefficient
    quantise: Coefficient
    resubmit: Coefficient


class Cpu(_Data):
    """Times of nodes on the CPU: ms per GMAC, per MB read or written, per million hard elements, per call."""

    mac: Coefficient
    byte: Coefficient
    hard: Coefficient
    call: Coefficient


class Sheet(_Data):
    """All coefficients of one march, as its YAML file holds them.

    ``form`` is how a layer combines its engine and memory times; ``spill_mb`` the size of a convolution's inputs
    and outputs from which they go through memory (None: never); ``output_factor`` the memory traffic of a graph
    output per byte of it; ``layer_error`` the part of a changed layer's time that no shared coefficient explains.
    """

    march: str
    form: Literal["max", "sum"]
    sources: dict[str, str]
    align: Alignment
    spill_mb: Positive | None
    output_factor: Annotated[float, Field(ge=0)]
    layer_error: Annotated[float, Field(ge=0, lt=1)]
    engine: Engine
    host: Host
    cpu: Cpu

    @model_validator(mode="after")
    def _sourced(self) -> Sheet:
        parts = (self.engine, self.host, self.cpu)
        named = [self.align.source] + [c.source for part in parts for _, c in part if c is not None]
        if missing := sorted(set(named) - self.sources.keys()):
            raise ValueError(f"sources not described: {', '.join(missing)}")
        return self


_UNMEASURED = {"scatter": "move", "block": "concat"}


class Rates:
    """The coefficients of a march in microseconds, one attribute lookup away."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.align = sheet.align
        self.maximum = sheet.form == "max"
        self.spill = float("inf") if sheet.spill_mb is None else sheet.spill_mb * 1e6
        self.engine = {name: _rate(name, c) for name, c in sheet.engine if c is not None}
        for name, like in _UNMEASURED.items():
            self.engine.setdefault(name, self.engine[like])
        self.host = {name: _rate(name, c) for name, c in sheet.host}
        self.cpu = {name: _rate(f"cpu {name}", c) for name, c in sheet.cpu}


def _rate(name: str, coefficient: Coefficient) -> Rate:
    us, (low, high) = 1000 * coefficient.value, coefficient.spread
    return Rate(name, Interval(us * low, us, us * high), coefficient.basis)


def sheet_of(data: dict[str, Any], where: str = "") -> Sheet:
    """The validated coefficients; raises InputError with the first thing that is wrong."""
    try:
        return Sheet.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "cost"
        raise InputError(f"{place}: {first['msg']}", where=where or None) from error


def rates(target: Target) -> Rates:
    """The coefficients of ``target``, read once; raises NoCoefficients when its march has none."""
    made = _READ.get(target)
    if made is None:
        if not target.cost:
            where = target.path.with_suffix(".cost.yaml").name
            raise NoCoefficients(
                f"march {target.name} has no cost coefficients", hint=f"write them to {where} beside it"
            )
        made = _READ[target] = Rates(sheet_of(target.cost, f"{target.name}.cost.yaml"))
    return made


_READ: WeakKeyDictionary[Target, Rates] = WeakKeyDictionary()
