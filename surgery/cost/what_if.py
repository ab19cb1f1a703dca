"""The same model deployed otherwise: wider channels, int16 features, several cores to a frame, a batch.

    channels=16,int16=Softmax+Conv_7,cores=2,batch=4,align=width:4+height:2

``channels`` rounds the channels of convolutions and of the maps between them up to a multiple; the graph's own input
stays. ``int16`` is of all features, or of those that nodes compute whose names or operators are given, with wildcards
(what is fused goes by its last node). ``cores`` share one frame, as the compiler's ``core_num`` says. ``batch`` is
frames per inference, as often as the graph says. ``align`` has the engine round other sizes up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import lcm
from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from surgery.cost.coefficients import Alignment, Rates, Sheet, Size, Split
from surgery.cost.interval import ONE, Interval
from surgery.errors import InputError, unknown
from surgery.ir.graph import Node

WHERE = "--what-if"
SIDES = frozenset(Alignment.model_fields) - {"source", "odd_kernel"}
"""What ``align`` has values for."""
_CHANNELS = tuple(side for side in SIDES - {"stem_in_channels"} if side.endswith("channels"))


class WhatIf(BaseModel):
    """What is asked; nothing of it by itself. ``int16`` is true, false or names of nodes and operators."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    channels: Size = 1
    int16: bool | tuple[str, ...] = False
    cores: Size = 1
    batch: Size = 1
    align: Mapping[str, int] = {}

    def __str__(self) -> str:
        return ",".join(_said(name, value) for name, value in self.model_dump(exclude_defaults=True).items())


AS_IS = WhatIf()
Asked: TypeAlias = "WhatIf | str | Mapping[str, Any]"


def _said(name: str, value: Any) -> str:
    if value is True:
        return name
    if isinstance(value, Mapping):
        value = "+".join(f"{side}:{step}" for side, step in value.items())
    return f"{name}={'+'.join(value) if isinstance(value, tuple) else value}"


def what_if(asked: Asked) -> WhatIf:
    """What is asked, from its text or its values by key.

    >>> what_if("channels=16,int16,align=width:4")
    WhatIf(channels=16, int16=True, cores=1, batch=1, align={'width': 4})

    Raises:
        InputError: an unknown key, with the nearest one, or a value that it cannot have.
    """
    if isinstance(asked, WhatIf):
        return asked
    values = _read(asked) if isinstance(asked, str) else {key: _listed(value) for key, value in asked.items()}
    _known("key", values, WhatIf.model_fields)
    try:
        made = WhatIf.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{first['loc'][0]}={first['input']}: {first['msg']}", where=WHERE) from error
    _known("size to align", made.align, SIDES)
    if wrong := [f"{side}:{step}" for side, step in made.align.items() if step < (side != "one_by_one")]:
        raise InputError(f"align={wrong[0]}: a multiple is at least 1", where=WHERE)
    return made


def _known(kind: str, names: Collection[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise unknown(kind, name, known, where=WHERE)


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _read(text: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for part in text.split(","):
        key, equals, value = (word.strip() for word in part.partition("="))
        if key in values:
            raise InputError(f"{key!r} is given twice", where=WHERE)
        if not equals and key in WhatIf.model_fields and key != "int16":
            raise InputError(f"{key} needs a value: {key}=16", where=WHERE)
        values[key] = _value(key, value) if equals else True
    return values


def _value(key: str, text: str) -> Any:
    """What ``text`` says for ``key``; as it is where it has not the form, for the model to refuse."""
    if key == "int16":
        return tuple(text.split("+"))
    if key == "align":
        return {side: _number(step) for side, _, step in (part.partition(":") for part in text.split("+"))}
    return _number(text)


def _number(text: str) -> int | str:
    return int(text) if text.removeprefix("-").isdecimal() else text


@dataclass(frozen=True)
class Deployment:
    """A march's coefficients under a what-if: the rates of every node, and what it takes to share a frame."""

    what_if: WhatIf
    table: Rates
    wide: Rates | None
    split: Split | None

    def left(self, us: float, layers: int) -> Interval:
        """What cores that share a frame make of ``us`` microseconds of so many layers, as a factor."""
        if self.split is None or not us:
            return ONE
        share, layer = self.split.share.interval, self.split.layer
        return share if layer is None else share.plus(layer.interval.scaled(1000 * layers / us))

    def of(self, node: Node) -> Rates:
        """The rates of a node."""
        return self.wide if self.wide is not None and _is_meant(node, self.what_if.int16) else self.table

    @property
    def at_once(self) -> int:
        """Frames, or batches, that are worked on at a time."""
        cores = self.table.sheet.cores
        return (cores.count if cores else 1) // self.what_if.cores


def deployment(asked: WhatIf, table: Rates, nodes: Collection[Node], march: str) -> Deployment:
    """The coefficients under what is asked.

    Raises:
        InputError: the march has no int16 features, or its compiler does not split a frame over so many cores, or a
            name is of no node.
    """
    if asked == AS_IS:
        return Deployment(asked, table, None, None)
    sheet = table.sheet.model_copy(update={"align": _aligned(table.align, asked)})
    wide = _wide(asked, sheet, nodes, march)
    return Deployment(asked, Rates(sheet, batch=asked.batch), wide, _split(asked.cores, sheet, march))


def _aligned(align: Alignment, asked: WhatIf) -> Alignment:
    steps = {side: lcm(step, asked.channels) for side in _CHANNELS if (step := getattr(align, side)) is not None}
    return align.model_copy(update={**steps, **asked.align})


def _wide(asked: WhatIf, sheet: Sheet, nodes: Collection[Node], march: str) -> Rates | None:
    if not asked.int16:
        return None
    if sheet.int16 is None:
        raise InputError(f"{march} has no int16 features", where=WHERE)
    for glob in asked.int16 if isinstance(asked.int16, tuple) else ():
        if not any(_is_meant(node, (glob,)) for node in nodes):
            raise InputError(f"int16={glob}: no node or operator of this name", where=WHERE)
    return Rates(sheet, batch=asked.batch, int16=True)


def _is_meant(node: Node, int16: bool | tuple[str, ...]) -> bool:
    if isinstance(int16, bool):
        return int16
    return any(fnmatchcase(name, glob) for glob in int16 for name in (node.name, node.op))


def _split(cores: int, sheet: Sheet, march: str) -> Split | None:
    if cores == 1:
        return None
    known = sheet.cores.split if sheet.cores else {}
    if cores not in known:
        most = ", ".join(map(str, (1, *sorted(known))))
        raise InputError(f"cores={cores}: the compiler of {march} takes {most} for one frame", where=WHERE)
    return known[cores]
