"""March files: what is known about one chip, as data, validated on loading.

A file is YAML. ``ops`` has one entry per operator (or several, named in one key, separated by blanks)::

    Conv:
      device: bpu
      source: x_list
      limits:
        - {param: kernel_h, min: 1, max: 31}
        - {param: stride, values: [1], when: "dilation_h > 1 or dilation_w > 1"}
        - {id: kernel_volume, holds: "kernel_h * kernel_w * in_channels_per_group <= 32767"}

The id of a limit is ``<Op>.<id or param>``; the second of the same name gets ``.2``. ``every`` holds limits of
every BPU operator, ``model`` rules about whole models. ``extends`` names the march, or the file beside this one,
whose entries apply where this one has none. :mod:`surgery.target.loading` reads such files.
"""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from surgery.target.verdict import Effect, Evidence

Text = Annotated[str, Field(min_length=1)]


class Data(BaseModel):
    """What a file may hold, and nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Data):
    """Where a fact comes from: a repository or page, the revision read, and how far it is to be trusted."""

    where: Text
    trust: Text
    note: str = ""


class Limit(Data):
    """One rule: ``param`` within bounds, among values, or operand shapes of a form, or an expression that holds.

    Bounds and values apply to each element where the parameter is a tuple (``kernel``, ``ranks``). ``effect``: where
    it is broken the node runs on the CPU, or the model is refused, or it is refused where the node breaks another
    limit, too, and so would run on the CPU. ``read``: what the vendor's list says, where probing found something else.
    """

    id: Text | None = None
    param: Text | None = None
    min: float | None = None
    max: float | None = None
    values: tuple[int | str, ...] | None = None
    forms: tuple[Text, ...] | None = None
    holds: Text | None = None
    when: Text | None = None
    text: str = ""
    read: str = ""
    source: str = ""
    evidence: Evidence | None = None
    effect: Effect = "cpu"

    @model_validator(mode="after")
    def _one_kind(self) -> Limit:
        kinds = (self.values, self.forms, self.holds)
        if (self.min is not None or self.max is not None) + sum(kind is not None for kind in kinds) != 1:
            raise ValueError("a limit has min/max, or values, or forms, or holds: exactly one of them")
        if () in (self.values, self.forms):
            raise ValueError("nothing is allowed: the list is empty")
        if not all(isfinite(bound) for bound in (self.min, self.max) if bound is not None):
            raise ValueError("a bound is a finite number")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"nothing is allowed: min {self.min:g} is above max {self.max:g}")
        if not self.forms and not self.param and not (self.holds and self.id):
            raise ValueError("a limit needs a param (or, with holds, an id)")
        return self

    @property
    def name(self) -> str:
        """The last part of its id."""
        return self.id or self.param or "shapes"


class Op(Data):
    """What is known of one operator.

    ``device``: bpu, where every limit holds; request, the same but only when the user asks the toolchain for it;
    cpu; refused, the toolchain has no kernel at all; folded, gone before placement; unknown, no public row.
    ``complete`` is false where the limits could not all be read: absence of a limit then says nothing.
    """

    device: Literal["bpu", "request", "cpu", "refused", "folded", "unknown"]
    limits: tuple[Limit, ...] = ()
    complete: bool = True
    precision: tuple[str, ...] = ()
    source: str = ""
    evidence: Evidence = "read"
    text: str = ""


class Passive(Data):
    """Operators that are quantised only for the sake of their neighbours (see :mod:`surgery.target.passive`).

    ``ops``: beside something quantised, those of ``only`` under a condition; ``after_conv``: those that are so only if
    a convolution feeds them, ``not_after_conv`` those of ``ops`` that are active then (a BatchNormalization becomes a
    convolution itself); ``waiting``: only where their result is asked for quantised, by operator or fusion the
    condition under which that is so ("" always); ``along``: those that, under a condition, go with the node on the
    BPU before them.
    ``calibrated``: those whose result is quantised where it is asked for, though they are on the CPU; that of others
    there is floats.
    ``following``: those of ``ops`` that nothing asks for where an operator of the CPU makes what they read, as floats;
    ``deaf``: those of ``ops`` that read floats of the CPU as they are, if all that reads them asks for it, and ask for
    nothing there; ``shy``: what is not asked for by these alone; ``apart``: those that are no segment with others then.
    ``planar``: those that, under a condition, read and make maps channels first, where others have them last: what
    passes from one kind to the other leaves the segment, and a movement in front of one is not done in between.
    ``asking``: those that have their inputs quantised even where their neighbours keep them on the CPU; ``passing``:
    those that do where their result is asked for quantised; ``floats``: those on the BPU whose result is float unless
    it is asked for quantised, by the condition under which that is so (one of ``ops`` while it is active); ``lookups``:
    activations that become one with a waiting one of them that alone reads them; ``aloof``: those that ask for nothing,
    by the condition under which a node of the toolchain's own is before them on the CPU; ``handing``: those that hand
    on the scale of what they read on the CPU, too, to ``heirs``, which are quantised then; ``strict``: those of ``ops``
    to which a value is quantised only if others ask for it, or what makes it keeps the scale of what it reads.
    ``unasked``: those on request that run on the BPU without being asked where, under a condition, what they read is
    quantised; their result is floats. ``split``: convolutions that, under a condition, end with a movement: what they
    make is quantised, and they go along with lookups that wait in vain; ``carrying``: those through which they do.
    ``drawn``: those of ``ops`` that a lookup asks for which waits in vain; of others that it reads directly it asks for
    the sake of what else reads them; ``mute``: those of ``passing`` that ask for no lookup which waits.
    ``abrupt``: lookups that wait, and are not asked for through those of ``carrying``.
    ``summing``: those of ``ops`` that become a convolution, whose result is float as that of one is.
    ``sloped``: those of which the toolchain crashes where they read something quantised on the CPU.
    """

    ops: frozenset[str] = frozenset()
    only: dict[str, str] = {}
    after_conv: frozenset[str] = frozenset()
    not_after_conv: frozenset[str] = frozenset()
    waiting: dict[str, str] = {}
    calibrated: frozenset[str] = frozenset()
    following: frozenset[str] = frozenset()
    deaf: frozenset[str] = frozenset()
    apart: frozenset[str] = frozenset()
    planar: dict[str, str] = {}
    shy: frozenset[str] = frozenset()
    asking: frozenset[str] = frozenset()
    passing: frozenset[str] = frozenset()
    floats: dict[str, str] = {}
    along: dict[str, str] = {}
    lookups: frozenset[str] = frozenset()
    aloof: dict[str, str] = {}
    handing: frozenset[str] = frozenset()
    heirs: frozenset[str] = frozenset()
    strict: frozenset[str] = frozenset()
    unasked: dict[str, str] = {}
    split: dict[str, str] = {}
    carrying: frozenset[str] = frozenset()
    sloped: frozenset[str] = frozenset()
    drawn: frozenset[str] = frozenset()
    mute: frozenset[str] = frozenset()
    summing: frozenset[str] = frozenset()
    abrupt: frozenset[str] = frozenset()
    source: str = ""
    evidence: Evidence = "read"


class Sinking(Data):
    """Operators that the toolchain moves Reshapes and Transposes behind (see :mod:`surgery.target.sinking`).

    ``past``: elementwise ones; ``reductions``: along axes that stay apart; ``points``: convolutions, where they are
    1x1 and channels stay; ``products``: by a constant matrix, which become convolutions between movements; ``pieces``:
    Slice and the like, behind Reshapes that only add or drop dims of 1; ``keeping``: reductions that keep the axes
    which they drop, in front of a Reshape; ``roots``: norms whose root is a node of its own, which may run elsewhere.
    ``shuffles_stay``: a channel shuffle is one node before anything is moved. ``widest``: channels that a product of
    several rows reads and makes at most; one of more becomes several, if they are a ``multiple`` of that number.
    """

    past: frozenset[str] = frozenset()
    reductions: frozenset[str] = frozenset()
    points: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()
    pieces: frozenset[str] = frozenset()
    keeping: frozenset[str] = frozenset()
    roots: frozenset[str] = frozenset()
    shuffles_stay: bool = False
    widest: int | None = None
    multiple: int = 1
    source: str = ""
    evidence: Evidence = "read"


class Probe(Data):
    """What the vendor's checker said on both sides of a limit: a device, or a few words why it was not asked."""

    inside: Text
    outside: Text

    @property
    def confirms(self) -> bool:
        """Whether the checker was seen to part the two sides: the BPU, or else the CPU, within, and not beyond."""
        return (self.inside, self.outside) in (("bpu", "cpu"), ("bpu", "refused"), ("cpu", "refused"))


class Removal(Data):
    """How the toolchain's ``remove_node_type`` goes through its list: once in its order, or until nothing goes.

    ``layout`` is where the change of layout at an end is: on the BPU, or a node of its own outside of the Quantize.
    """

    order: Literal["listed", "recursive"] = "recursive"
    layout: Literal["inside", "outside"] = "inside"
    source: str = ""
    evidence: Evidence = "read"


class March(Data):
    """One chip, as loaded."""

    march: Text
    boards: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    sources: dict[str, Source]
    unlisted: Literal["cpu", "unknown"] = "unknown"
    listed_in: str = ""
    passive: Passive = Passive()
    sinking: Sinking = Sinking()
    removal: Removal = Removal()
    fuses: frozenset[str] = frozenset()
    cuts: frozenset[str] = frozenset()
    """Operators without a row, done while a value passes from one segment to the next."""
    unrolled: frozenset[str] = frozenset()
    """Recurrent operators of the CPU that are taken apart: what is on the BPU of a step is a segment that counts."""
    model: tuple[Limit, ...] = ()
    placed: tuple[Limit, ...] = ()
    every: tuple[Limit, ...] = ()
    ops: dict[str, Op]
