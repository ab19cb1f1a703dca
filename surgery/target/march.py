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
every BPU operator, ``model`` rules about whole models. ``extends`` names the file whose entries apply where this
one has none.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from surgery.errors import InputError, unknown
from surgery.target.verdict import Effect, Evidence

FOLDER = Path(__file__).parent / "marches"
Text = Annotated[str, Field(min_length=1)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Data):
    """Where a fact comes from: a repository or page, the revision read, and how far it is to be trusted."""

    where: Text
    trust: Text
    note: str = ""


class Limit(_Data):
    """One rule: ``param`` within bounds, among values, or operand shapes of a form, or an expression that holds.

    Bounds and values apply to each element where the parameter is a tuple (``kernel``, ``ranks``). ``effect``: where
    it is broken the node runs on the CPU, or the model is refused, or it is refused where the node breaks another
    limit, too, and so would run on the CPU.
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
    source: str = ""
    evidence: Evidence | None = None
    effect: Effect = "cpu"

    @model_validator(mode="after")
    def _one_kind(self) -> Limit:
        kinds = (self.min is not None or self.max is not None, self.values, self.forms, self.holds)
        if sum(map(bool, kinds)) != 1:
            raise ValueError("a limit has min/max, or values, or forms, or holds: exactly one of them")
        if not self.forms and not self.param and not (self.holds and self.id):
            raise ValueError("a limit needs a param (or, with holds, an id)")
        return self

    @property
    def name(self) -> str:
        """The last part of its id."""
        return self.id or self.param or "shapes"


class Op(_Data):
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


class Passive(_Data):
    """Operators that are quantised only for the sake of their neighbours (see :mod:`surgery.target.passive`).

    ``ops``: beside something quantised; ``after_conv``: those that are so only if a convolution feeds them;
    ``waiting``: only where their result is asked for quantised, by operator the condition under which that is so
    ("" always); ``pulling``: those that have their inputs quantised
    even where a limit keeps them on the CPU; ``floats``: those on the BPU whose result is float unless it is asked for
    quantised (ReduceMean over height and width).
    """

    ops: frozenset[str] = frozenset()
    after_conv: frozenset[str] = frozenset()
    waiting: dict[str, str] = {}
    pulling: frozenset[str] = frozenset()
    floats: frozenset[str] = frozenset()
    source: str = ""
    evidence: Evidence = "read"


class Removal(_Data):
    """How the toolchain's ``remove_node_type`` goes through its list: once in its order, or until nothing goes."""

    order: Literal["listed", "recursive"] = "recursive"
    source: str = ""
    evidence: Evidence = "read"


class March(_Data):
    """One chip, as loaded."""

    march: Text
    boards: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    sources: dict[str, Source]
    unlisted: Literal["cpu", "unknown"] = "unknown"
    listed_in: str = ""
    passive: Passive = Passive()
    removal: Removal = Removal()
    fuses: frozenset[str] = frozenset()
    model: tuple[Limit, ...] = ()
    every: tuple[Limit, ...] = ()
    ops: dict[str, Op]

    @model_validator(mode="after")
    def _sources_exist(self) -> March:
        cited = {s for op in self.ops.values() for s in (op.source, *(lim.source for lim in op.limits))}
        cited |= {lim.source for lim in (*self.model, *self.every)} | {
            self.passive.source,
            self.removal.source,
            self.listed_in,
        }
        if missing := cited - self.sources.keys() - {""}:
            raise ValueError(f"source {min(missing)!r} is cited but not described under sources")
        return self


def march_names() -> list[str]:
    """The marches that come with the package, sorted."""
    return sorted(p.stem for p in FOLDER.glob("*.yaml") if "." not in p.stem and not p.stem.startswith("_"))


def aliases() -> dict[str, str]:
    """Board and chip names in lower case, and the march of each."""
    return {alias.lower(): name for name in march_names() for alias in _names_of(name)}


@cache
def _names_of(name: str) -> tuple[str, ...]:
    data = _read(FOLDER / f"{name}.yaml")
    return (*data.get("aliases", ()), *data.get("boards", ()))


def find(name: str) -> Path:
    """The file of a march, alias or path; InputError with the nearest names when there is none."""
    if name in march_names():
        return FOLDER / f"{name}.yaml"
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise InputError("no such march file", where=name)
        return path
    known = aliases()
    if name.lower() in known:
        return FOLDER / f"{known[name.lower()]}.yaml"
    if name.lower() in march_names():
        return FOLDER / f"{name.lower()}.yaml"
    raise unknown("march", name, [*march_names(), *(a for n in march_names() for a in _names_of(n))])


def load(path: Path) -> March:
    """Read and validate a march file; InputError naming the file and the key at fault."""
    data = _resolve(path, ())
    data.pop("extends", None)
    try:
        return March.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(top level)"
        reason = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{key}: {reason}", where=str(path)) from error


def _resolve(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path in seen:
        raise InputError(f"extends: the files extend each other in a cycle ({path.name})", where=str(seen[0]))
    data = _read(path)
    data["ops"] = _single_keys(data.get("ops", {}), path)
    if not (parent := data.get("extends")):
        return data
    base_path = next((p for p in (path.parent / f"{parent}.yaml", FOLDER / f"{parent}.yaml") if p.is_file()), None)
    if base_path is None:
        raise InputError(f"extends: there is no march file {parent!r}", where=str(path))
    base = _resolve(base_path, (*seen, path))
    return {**base, **data, "ops": base["ops"] | data["ops"], "sources": base["sources"] | data.get("sources", {})}


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"cannot be read ({' '.join(str(error).split())})", where=str(path)) from error
    if not isinstance(data, dict) or not isinstance(data.get("ops", {}), dict):
        raise InputError("is no march file: a mapping with march, sources and ops is expected", where=str(path))
    return data


def _single_keys(ops: dict[str, Any], path: Path) -> dict[str, Any]:
    single: dict[str, Any] = {}
    for key, entry in ops.items():
        for name in str(key).split():
            if name in single:
                raise InputError(f"ops.{name}: written twice", where=str(path))
            single[name] = entry
    return single
