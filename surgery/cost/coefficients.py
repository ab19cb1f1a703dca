"""The cost coefficients of a march: data, each number with its basis and source.

The numbers live in ``surgery/target/marches/<march>.cost.yaml``; the models here say what the keys mean.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from surgery.cost.interval import ZERO, Interval
from surgery.cost.spilling import Room, Rooms
from surgery.cost.terms import INSTEAD, PER_LAYER, Term
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

    @property
    def interval(self) -> Interval:
        """Low, value and high."""
        return Interval(self.value * self.spread[0], self.value, self.value * self.spread[1])

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
    """What sizes are rounded up to.

    By the dense engine: channels (``stem_in_channels`` where the input is the graph's, ``point_*`` where a 1x1 kernel
    or a matrix has its own), height and width; ``single`` is what one place is rounded up to, where that is not height
    times width. On the chip and by the other engines: ``map_*`` of a feature map, ``weight_channels``, the input
    channels of a convolution's weights, and ``lane``, the last axis of what is reshaped or transposed. Up to
    ``one_by_one`` elements are looked up one by one. A map of more than ``turned_above`` channels counts, as it is
    loaded, ``turned_times``, its rows rounded up to ``turned_width``. The sides of a kernel are made odd where
    ``odd_kernel`` says so; one that is wider than one place and strided has at least ``strided_kernel``. What the
    engine writes takes the time of ``write_macs`` multiply-accumulates an element (0: of none). Weights of many zeros,
    and of few large values, are ``packed`` (:mod:`surgery.cost.packing`).
    """

    in_channels: Size
    stem_in_channels: Size
    out_channels: Size
    height: Size
    width: Size
    point_in_channels: Size | None = None
    point_out_channels: Size | None = None
    single: Size | None = None
    map_channels: Size = 1
    map_height: Size = 1
    map_width: Size = 1
    weight_channels: Size = 1
    lane: Size = 1
    one_by_one: Annotated[int, Field(ge=0)] = 0
    turned_above: Size = 1
    turned_times: Size = 1
    turned_width: Size = 1
    odd_kernel: bool = False
    strided_kernel: Size = 1
    write_macs: Annotated[int, Field(ge=0)] = 0
    packed: bool = False
    source: str

    def channels(self, *, point: bool) -> tuple[int, int]:
        """What input and output channels are rounded up to."""
        if not point:
            return self.in_channels, self.out_channels
        return self.point_in_channels or self.in_channels, self.point_out_channels or self.out_channels


class Memory(_Data):
    """What goes through memory, and how far that is hidden behind the computation.

    Attributes:
        rate: ms per MB, and ``layer``, ms per layer that moves anything.
        ends: ms per segment, of the first loading and the last storing, that no computing hides.
        spill_mb: size of a tensor that is held from which on a share of it goes through memory (None: never).
        spill_share: that share.
        pass_mb: the same of a tensor that is handed on to one node, and ``pass_share``.
        looked_up_share: the share of what lookups make, however small it is (None: as of other tensors).
        wait_mb: weights of a branch from which on what waits for its end is stored, and loaded again (None: never).
        input_factor: bytes that loading an element from the host takes the time of.
        output_factor: bytes per element that the host reads.
        exposed: the part of the shorter one of computing and moving that is not hidden behind the longer.
        window: neighbouring layers whose computing and moving hide each other.
        ahead_mb: weights in use and those loaded ahead of their use, together at most (None: as much as there is).
    """

    rate: Coefficient
    layer: Coefficient | None = None
    ends: Coefficient | None = None
    spill_mb: Positive | None = None
    spill_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    pass_mb: Positive | None = None
    pass_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    looked_up_share: Annotated[float, Field(gt=0, le=1)] | None = None
    wait_mb: Positive | None = None
    input_factor: Annotated[float, Field(ge=0)] = 1.0
    output_factor: Annotated[float, Field(ge=0)] = 1.0
    exposed: Annotated[float, Field(ge=0, le=1)] = 0.0
    window: Size = 1
    ahead_mb: Positive | None = None


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


class Split(_Data):
    """A frame that several cores share: what is left of its BPU time, as a factor, and ms more for every layer."""

    share: Coefficient
    layer: Coefficient | None = None


class Cores(_Data):
    """The cores of the BPU.

    Attributes:
        count: how many there are, each working on a frame of its own.
        source: where that is from.
        split: what it takes to share a frame, by how many cores its compiler takes for that.
    """

    count: Size
    source: str
    split: dict[Size, Split] = {}


class Int16(_Data):
    """What int16 features cost in place of int8, as factors of the time: by term, and for terms without their own."""

    terms: dict[Term, Coefficient] = {}
    other: Coefficient


class Sheet(_Data):
    """All coefficients of one march, as its YAML file holds them.

    ``engine`` has the rates on the BPU by term (:mod:`surgery.cost.terms`), in ms per unit of it; ``segment`` is ms per
    segment; ``layer_error`` the part of a changed layer's time that no shared coefficient explains; ``model_error`` the
    share of a model's time on a board that it is at least off by, however well its coefficients are known, and
    ``compiler_error`` of what the vendor's compiler counts. Without ``cores`` there is one, without ``int16`` the march
    has no such features.
    """

    march: str
    sources: dict[str, str]
    align: Alignment
    layer_error: Annotated[float, Field(ge=0, lt=1)]
    model_error: Annotated[float, Field(ge=0, lt=1)] = 0.0
    compiler_error: Annotated[float, Field(ge=0, lt=1)] = 0.0
    engine: dict[Term, Coefficient]
    memory: Memory
    segment: Coefficient
    host: Host
    cpu: Cpu
    cores: Cores | None = None
    int16: Int16 | None = None

    def coefficients(self) -> Iterator[tuple[str, Coefficient]]:
        """The coefficients that times are sums of, each by its name."""
        yield from self.engine.items()
        yield "segment", self.segment
        yield "memory", self.memory.rate
        if self.memory.layer is not None:
            yield "memory layer", self.memory.layer
        yield from self.host
        yield from ((f"cpu {name}", found) for name, found in self.cpu)

    def factors(self) -> Iterator[tuple[str, Coefficient]]:
        """The coefficients of sharing a frame and of int16, each by its name."""
        for cores, split in self.cores.split.items() if self.cores else ():
            yield f"share of {cores} cores", split.share
            if split.layer is not None:
                yield f"layer of {cores} cores", split.layer
        if self.int16 is not None:
            yield "int16", self.int16.other
            yield from ((f"{term} int16", found) for term, found in self.int16.terms.items())

    def cited(self) -> set[str]:
        """The sources of every number."""
        facts = {self.align.source} | ({self.cores.source} if self.cores else set())
        return facts | {c.source for _, c in (*self.coefficients(), *self.factors())}

    @model_validator(mode="after")
    def _whole(self) -> Sheet:
        if missing := sorted(self.cited() - self.sources.keys()):
            raise ValueError(f"sources not described: {', '.join(missing)}")
        if missing := sorted(set(Term) - INSTEAD.keys() - self.engine.keys()):
            raise ValueError(f"engine has no {', '.join(missing)}")
        return self


class Rates:
    """The coefficients of a march in microseconds, one attribute lookup away.

    Args:
        sheet: of the march.
        batch: frames per inference, as often as the graph says.
        int16: whether features are of 16 bits; the sheet has ``int16`` then.
    """

    def __init__(self, sheet: Sheet, *, batch: int = 1, int16: bool = False) -> None:
        self.sheet, self.batch, self.width = sheet, batch, 2 if int16 else 1
        self.align, self.memory = sheet.align, sheet.memory
        each = self.batch * self.width
        looked_up = sheet.memory.looked_up_share
        self.rooms = Rooms(
            _room(sheet.memory.spill_mb, sheet.memory.spill_share, each),
            _room(sheet.memory.pass_mb, sheet.memory.pass_share, each),
            None if looked_up is None else Room(0.0, looked_up),
        )
        self.wait = None if sheet.memory.wait_mb is None else sheet.memory.wait_mb * 1e6
        wide = sheet.int16 if int16 else None
        stand = ((term, standing(term, sheet.engine)) for term in Term)
        self.engine = {term: _engine(term, sheet.engine[found], wide) for term, found in stand if found is not None}
        self.moved, self.segment = _rate("memory", sheet.memory.rate), _rate("segment", sheet.segment)
        self.moving, self.ends = (
            ZERO if found is None else _rate(f"memory {name}", found).us
            for name, found in (("layer", sheet.memory.layer), ("ends", sheet.memory.ends))
        )
        self.host = {name: _rate(name, c) for name, c in sheet.host}
        self.cpu = {name: _rate(f"cpu {name}", c) for name, c in sheet.cpu}

    def late(self, weights: int, loaded: int) -> float:
        """Microseconds of loading ``weights`` bytes, packed to ``loaded``, that wait for the room of as many in use."""
        room = self.memory.ahead_mb
        if room is None or not weights:
            return 0.0
        return self.moved.us.mid * loaded * 1e-6 * max(0.0, min(1.0, 2 - room * 1e6 / weights))


def _room(mb: float | None, share: float, each: int) -> Room:
    """The room for a tensor of ``each`` bytes an element."""
    return Room(float("inf") if mb is None else mb * 1e6 / each, share)


def standing(term: Term, known: Container[str]) -> Term | None:
    """The term itself, or the ``known`` one that stands for it where it was not measured; None when it is free."""
    found: Term | None = term
    while found is not None and found not in known:
        found = INSTEAD.get(found)
    return found


def _rate(name: str, coefficient: Coefficient) -> Rate:
    us, (low, high) = 1000 * coefficient.value, coefficient.spread
    return Rate(name, Interval(us * low, us, us * high), coefficient.basis)


def _engine(term: Term, coefficient: Coefficient, wide: Int16 | None) -> Rate:
    """The rate of a term; of int16 under a name of its own, for it is wrong by another factor."""
    rate = _rate(term, coefficient)
    if wide is None or term in PER_LAYER:
        return rate
    factor = wide.terms.get(term, wide.other)
    basis = max(rate.basis, factor.basis, key=list(Basis).index)
    return Rate(f"{term} int16", rate.us.times(factor.interval), basis)


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
