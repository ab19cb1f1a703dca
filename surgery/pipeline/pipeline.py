"""A pipeline: passes with their options, in the order the user wrote."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

import yaml
from pydantic import ValidationError

from surgery.errors import InputError, unknown
from surgery.pipeline import registry
from surgery.pipeline.passes import Pass

if TYPE_CHECKING:
    from surgery.ir import Graph
    from surgery.ir.sizes import Sizes
    from surgery.pipeline.result import RunResult

SCHEMA = "surgery.pipeline/1"
KEYS = ("schema", "passes", "budget")
FREEZING = "freeze-shapes"
"""The pass that makes inputs static."""

Entry: TypeAlias = "str | Mapping[str, Any] | Pass"
P = TypeVar("P", bound="Pipeline")


@dataclass(frozen=True)
class Step:
    """One pass of a pipeline under the id by which ``--set``, ``--skip`` and reports name it."""

    id: str
    step: Pass


@dataclass(frozen=True)
class Pipeline:
    """Passes in order, and the budget that approximate ones may spend.

    Raises:
        InputError: an ordering fact does not hold, or two steps have one id.
    """

    steps: tuple[Step, ...]
    budget: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        twice = [name for name, count in Counter(s.id for s in self.steps).items() if count > 1]
        if twice:
            raise InputError(f"the pipeline holds {twice[0]!r} twice", hint="give one of them another id")
        _check_order([s.step for s in self.steps])

    @classmethod
    def of(cls, *entries: Entry, budget: Mapping[str, float] | None = None) -> Self:
        """A pipeline of names, ``{name: options}`` mappings (with an optional ``id``), or passes."""
        return cls(tuple(_step(entry) for entry in entries), dict(budget or {}))

    @classmethod
    def from_yaml(cls, source: str | os.PathLike[str]) -> Self:
        """The pipeline of a YAML file; raises InputError that names the file and what is wrong in it."""
        path = Path(source)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read the pipeline: {error}", where=str(path)) from error
        return _parse(cls, text, str(path))

    @classmethod
    @cache
    def default(cls, march: str | None = None) -> Self:
        """The pipeline that runs when none is given: that of the march where it has its own."""
        folder = files("surgery.pipeline") / "defaults"
        own = folder / f"{march}.yaml"
        source = own if own.is_file() else folder / "default.yaml"
        return _parse(cls, source.read_text(encoding="utf-8"), source.name)

    def to_dict(self) -> dict[str, Any]:
        """The content of a pipeline file that gives this pipeline again."""
        return {"schema": SCHEMA, "passes": [_entry(s) for s in self.steps], "budget": dict(self.budget)}

    def with_options(self, settings: Mapping[str, str]) -> Self:
        """A pipeline with options changed, ``{"PASS.FIELD": value as YAML text}``."""
        steps = list(self.steps)
        for key, text in settings.items():
            name, _, option = key.partition(".")
            place = next((i for i, s in enumerate(steps) if s.id == name), None)
            if place is None:
                raise unknown("pass of the pipeline", name, [s.id for s in steps], where=f"--set {key}")
            old = steps[place]
            options = {**old.step.model_dump(), option: yaml.safe_load(text)}
            steps[place] = Step(old.id, _options(type(old.step), options, f"--set {key}"))
        return replace(self, steps=tuple(steps))

    def adding(self, names: Sequence[str]) -> Self:
        """A pipeline with further passes at the end; elsewhere where that is their place, in front unless there."""
        more, held = [_step(name) for name in names], [s.id for s in self.steps]
        steps = [s for s in more if s.step.first and s.id not in held] + list(self.steps)
        for added in (s for s in more if not s.step.first):
            place = next((i for i, s in enumerate(steps, 1) if s.step.name == added.step.behind), len(steps))
            steps.insert(place, added)
        return replace(self, steps=tuple(steps))

    def freezing(self, shapes: Mapping[str, Sequence[int]]) -> Self:
        """A pipeline that makes the inputs ``shapes`` static at these sizes; itself when none are given.

        Its own step of that kind is told the sizes, or one is put in front.
        """
        if not shapes:
            return self
        able = self if any(s.step.name == FREEZING for s in self.steps) else self.adding([FREEZING])
        steps = list(able.steps)
        place = next(i for i, s in enumerate(steps) if s.step.name == FREEZING)
        known = steps[place].step.model_dump()
        told = {**known, "shapes": {**known["shapes"], **shapes}}
        steps[place] = replace(steps[place], step=_options(type(steps[place].step), told, FREEZING))
        return replace(able, steps=tuple(steps))

    def frozen(self, graph: Graph) -> Mapping[str, Sizes] | None:
        """The sizes that it gives the inputs of ``graph``, as far as is known; None when these stay as they are."""
        return next((sizes for s in self.steps if (sizes := s.step.freezes(graph)) is not None), None)

    def settled(self, sizes: Mapping[str, Sizes] | None) -> Self:
        """A pipeline in which what the user's samples decide is decided; ``sizes`` are theirs, None without any."""
        return replace(self, steps=tuple(replace(s, step=s.step.settled(sizes)) for s in self.steps))

    def skipping(self, names: Sequence[str]) -> Self:
        """A pipeline without some passes; raises InputError for one that it does not hold."""
        held = [s.id for s in self.steps]
        if wrong := next((n for n in names if n not in held), None):
            raise unknown("pass of the pipeline", wrong, held, where="--skip")
        return replace(self, steps=tuple(s for s in self.steps if s.id not in names))

    def run(self, model: Any, *, march: str, **options: Any) -> RunResult:
        """Run this pipeline; see :func:`surgery.pipeline.run.run` for the options."""
        from surgery.pipeline.run import run

        return run(model, march=march, pipeline=self, **options)


def _parse(kind: type[P], text: str, where: str) -> P:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"not YAML: {' '.join(str(error).split())}", where=where) from error
    if not isinstance(data, dict) or not isinstance(data.get("passes"), list):
        raise InputError("a pipeline is a mapping with a list under 'passes'", where=where)
    if wrong := next((k for k in data if k not in KEYS), None):
        raise unknown("key", str(wrong), KEYS, where=where)
    if data.get("schema") != SCHEMA:
        raise InputError(f"schema {data.get('schema')!r}, this version reads {SCHEMA!r}", where=where)
    try:
        return kind.of(*data["passes"], budget=_budget(data.get("budget"), where))
    except InputError as error:
        error.where = f"{where}: {error.where}" if error.where else where
        raise


def _budget(data: Any, where: str) -> dict[str, float]:
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(isinstance(v, (int, float)) for v in data.values()):
        raise InputError("a budget maps metrics to numbers", where=where)
    return {str(k): float(v) for k, v in data.items()}


def _step(entry: Entry) -> Step:
    if isinstance(entry, Pass):
        return Step(entry.name, entry)
    if isinstance(entry, str):
        return Step(entry, registry.load(entry)())
    if not isinstance(entry, Mapping):
        raise InputError(f"a pass is a name or a mapping, not {entry!r}")
    rest = dict(entry)
    name_id = rest.pop("id", None)
    if len(rest) != 1:
        raise InputError(f"a pass is one name with its options, not {sorted(map(str, rest))}")
    name, options = next(iter(rest.items()))
    if not isinstance(options, Mapping | None):
        raise InputError(f"the options of {name} are a mapping, not {options!r}")
    return Step(str(name_id or name), _options(registry.load(str(name)), dict(options or {}), str(name)))


def _options(kind: type[Pass], options: dict[str, Any], where: str) -> Pass:
    if wrong := next((o for o in options if o not in kind.model_fields), None):
        raise unknown("option", str(wrong), kind.model_fields, where=where)
    try:
        return kind(**options)
    except ValidationError as error:
        first = error.errors()[0]
        option = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise InputError(f"{option}: {reason} (given: {first.get('input')!r})", where=where) from error


def _entry(step: Step) -> Any:
    changed = step.step.model_dump(mode="json", exclude_defaults=True)
    if step.id == step.step.name and not changed:
        return step.id
    extra = {} if step.id == step.step.name else {"id": step.id}
    return {step.step.name: changed, **extra}


def _check_order(passes: Sequence[Pass]) -> None:
    names = [p.name for p in passes]
    for index, step in enumerate(passes):
        owed = step.after - set(names[:index])
        late = next((name for name in names[index + 1 :] if name in owed), None)
        if late is not None:
            raise InputError(f"{step.name} has to run after {late}", hint="exchange them in the pipeline")
