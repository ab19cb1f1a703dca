"""What may be varied: options of passes and whether they run, as a YAML file says it.

    schema: surgery.space/1
    pipeline: mine.yaml            # or default, which is that of the march
    options:
      strip-io-nodes.side: [both, outputs]
      clamp-conv-channels.multiple: {low: 8, high: 64, step: 8}
    toggle: [fuse-convs, strip-io-nodes]
    budget: {cosine: 0.99}

A pass of ``toggle`` that the pipeline does not hold is put at its end where it is chosen.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from surgery.errors import InputError, unknown
from surgery.pipeline import Pipeline
from surgery.tradeoff.axis import Axis, Choice, Range

SCHEMA = "surgery.space/1"
KEYS = ("schema", "pipeline", "options", "toggle", "budget")
DEFAULT = "default"


@dataclass(frozen=True)
class Space:
    """Pipelines to choose from.

    Attributes:
        pipeline: all passes that may run, budget included.
        held: ids of those that run unless they are taken out; the others are added where they are chosen.
        axes: what is chosen, whether passes are there before their options.
        file: of the pipeline; None for the default one.
    """

    pipeline: Pipeline
    held: tuple[str, ...]
    axes: tuple[Axis, ...]
    file: str | None = None

    @classmethod
    def from_yaml(cls, source: str | os.PathLike[str], march: str, add: Sequence[str] = ()) -> Space:
        """The space of a YAML file; ``add`` are passes to append to its pipeline.

        Raises:
            InputError: it cannot be read, or something in it is unknown (the nearest names are offered) or no value of
                its option.
        """
        path = Path(source)
        try:
            return read(yaml.safe_load(path.read_text(encoding="utf-8")), path.parent, march, add)
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read the space: {error}", where=str(path)) from error
        except yaml.YAMLError as error:
            raise InputError(f"not YAML: {' '.join(str(error).split())}", where=str(path)) from error
        except InputError as error:
            error.where = f"{path}: {error.where}" if error.where else str(path)
            raise

    def points(self) -> Iterator[Choice] | None:
        """Every choice that makes a difference, in the order of the axes; None when there is no end of them."""
        return None if any(axis.points is None for axis in self.axes) else _points(self.axes, {})

    def of(self, choice: Choice) -> Pipeline:
        """The pipeline of a choice."""
        return self.made(self.added(choice), self.off(choice), self.settings(choice))

    def made(self, add: Sequence[str], skip: Sequence[str], settings: Mapping[str, str]) -> Pipeline:
        """The pipeline that ``surgery run`` makes with these."""
        ids = [step.id for step in self.pipeline.steps]
        gone = [name for name in ids if name in skip or (name not in self.held and name not in add)]
        return self.pipeline.skipping(gone).with_options(settings)

    def off(self, choice: Choice) -> list[str]:
        """The passes that are taken out."""
        return [name for name, value in choice.items() if "." not in name and not value]

    def settings(self, choice: Choice) -> dict[str, str]:
        """The options that are set, as ``--set`` takes them."""
        return {name: text_of(value) for name, value in choice.items() if "." in name}

    def added(self, choice: Choice) -> list[str]:
        """The passes that run and are not in the pipeline by themselves."""
        gone = self.off(choice)
        return [step.id for step in self.pipeline.steps if step.id not in (*self.held, *gone)]


def _points(axes: Sequence[Axis], chosen: Choice) -> Iterator[Choice]:
    if not axes:
        yield chosen
        return
    first, *rest = axes
    if not first.matters(chosen):
        yield from _points(rest, chosen)
        return
    for value in first.points or ():
        yield from _points(rest, {**chosen, first.name: value})


def text_of(value: Any) -> str:
    """A value as YAML on one line.

    >>> text_of(True), text_of("both"), text_of(1e-05), text_of(["a", 1])
    ('true', 'both', '1.0e-05', '[a, 1]')
    """
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"))
    return str(text).removesuffix("...\n").strip()


def read(data: Any, folder: Path, march: str, add: Sequence[str] = ()) -> Space:
    """The space that the content of a file describes; a pipeline's path is relative to ``folder``."""
    if not isinstance(data, dict):
        raise InputError(f"a space is a mapping that begins with 'schema: {SCHEMA}'")
    if wrong := next((key for key in data if key not in KEYS), None):
        raise unknown("key", str(wrong), KEYS)
    if data.get("schema") != SCHEMA:
        raise InputError(f"schema {data.get('schema')!r}, this version reads {SCHEMA!r}")
    file, pipeline = _pipeline(data.get("pipeline", DEFAULT), folder, march)
    toggles = _toggles(data.get("toggle"))
    held = tuple(step.id for step in pipeline.steps)
    whole = pipeline.adding([name for name in dict.fromkeys((*add, *toggles)) if name not in held])
    whole = Pipeline(whole.steps, {**pipeline.budget, **_budget(data.get("budget"))})
    axes = (*(Axis(name, (True, False)) for name in toggles), *_options(data.get("options"), whole))
    if not axes:
        raise InputError("nothing may be chosen", hint="name options under 'options' or passes under 'toggle'")
    return Space(whole, held, axes, file)


def _pipeline(given: Any, folder: Path, march: str) -> tuple[str | None, Pipeline]:
    if not isinstance(given, str):
        raise InputError(f"a pipeline is the path of its file or {DEFAULT!r}, not {given!r}", where="pipeline")
    if given == DEFAULT:
        return None, Pipeline.default(march)
    return str(folder / given), Pipeline.from_yaml(folder / given)


def _toggles(given: Any) -> list[str]:
    names = [] if given is None else given
    if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise InputError(f"a list of passes is needed, not {given!r}", where="toggle")
    if twice := next((name for name, count in Counter(names).items() if count > 1), None):
        raise InputError(f"{twice!r} is given twice", where="toggle")
    return names


def _budget(given: Any) -> dict[str, float]:
    bounds = {} if given is None else given
    if not (isinstance(bounds, Mapping) and all(isinstance(value, int | float) for value in bounds.values())):
        raise InputError("a budget maps metrics to numbers", where="budget")
    return {str(name): float(value) for name, value in bounds.items()}


def _options(given: Any, pipeline: Pipeline) -> list[Axis]:
    options = {} if given is None else given
    if not isinstance(options, Mapping):
        raise InputError(f"a mapping from PASS.FIELD to values is needed, not {given!r}", where="options")
    axes = [Axis(str(name), _values(str(name), values)) for name, values in options.items()]
    for axis in axes:
        _check(axis, pipeline)
    return axes


def _values(name: str, given: Any) -> tuple[Any, ...] | Range:
    if isinstance(given, Mapping):
        if wrong := next((key for key in given if key not in Range.model_fields), None):
            raise unknown("key", str(wrong), Range.model_fields, where=name)
        try:
            return Range(**given)
        except ValidationError as error:
            raise InputError(error.errors()[0]["msg"].removeprefix("Value error, "), where=name) from error
    if not isinstance(given, list) or not given:
        raise InputError(f"a list of values or a range is needed, not {given!r}", where=name)
    if len(set(map(text_of, given))) < len(given):
        raise InputError("a value is given twice", where=name)
    return tuple(given)


def _check(axis: Axis, pipeline: Pipeline) -> None:
    """Raise InputError unless the pass is there and takes every value of the axis."""
    if axis.toggles:
        raise InputError(f"{axis.name!r} has not the form PASS.FIELD", where="options")
    for value in axis.tried:
        try:
            pipeline.with_options({axis.name: text_of(value)})
        except InputError as error:
            error.where = axis.name
            raise
