"""What each conversion tool takes in its YAML, as data: ``surgery/toolchain/configs/<tool>.yaml``.

A file has one entry per key and section::

    compiler_parameters:
      optimize_level:
        type: text
        values: [O0, O1, O2, O3]
        source: guide
        advice:
          - {unless: [O3], set: O3, weight: high, text: "lower levels are for quick checks", source: guide}

Each fact names one of the file's ``sources``. A key that only another tool has is not written down here.
"""

from __future__ import annotations

import re
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import yaml
from pydantic import Field, field_validator, model_validator

from surgery.target.march import Data, Source, Text

FOLDER = Path(__file__).parent.parent / "configs"
Scalar: TypeAlias = bool | int | float | str
ToolName = Literal["hb_mapper", "hb_compile"]
TOOLS: tuple[ToolName, ...] = ("hb_mapper", "hb_compile")
Weight = Literal["high", "medium", "low"]
Kind = Literal["text", "path", "bool", "int", "number", "numbers", "shape", "map", "nodes", "any"]


class Advice(Data):
    """When a value costs speed (one of ``when``, none of ``unless``, or any at all), how much, and what to say instead.

    ``set`` is the better value; ``drop`` takes the value out of its list. Without either ``fix``
    says what to do.
    """

    when: tuple[Scalar, ...] | None = None
    unless: tuple[Scalar, ...] | None = None
    set: Scalar | None = None
    drop: bool = False
    fix: str = ""
    weight: Weight
    text: Text
    source: Text

    @model_validator(mode="after")
    def _helps(self) -> Advice:
        if self.set is None and not self.drop and not self.fix:
            raise ValueError("advice says what to do: set, drop or fix")
        return self

    def applies(self, value: Scalar) -> bool:
        """Whether ``value`` is one it is about; ``True`` is no 1 here."""
        told = (type(value), value)
        among = any((type(one), one) == told for one in self.when or self.unless or ())
        return among if self.when is not None else not among


class Key(Data):
    """One key.

    ``type``: of the value, or of each of them where ``list`` has several, one per input or any number, parted by
    ``;`` (by commas, too, with ``commas``; or a YAML list with ``sequences``). ``lenient``: text is taken for a number.
    ``filled``: may be left out but not be empty. ``none``: may be None. ``closed``: values that are taken and not
    documented. ``patterns``: forms of further values. ``nearest``: a value to take for one that is not known.
    ``deprecated``: why it does nothing, ``gone``: why it is not taken any more, ``becomes``: the key that says it now.
    ``default``: what the tool takes where the key is left out, if that is not the best it could. ``text`` is a remark.
    """

    type: Kind = "any"
    list: Literal["", "inputs", "values"] = ""
    required: bool = False
    filled: bool = False
    commas: bool = False
    sequences: bool = False
    lenient: bool = False
    none: bool = False
    values: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    nearest: dict[str, str] = Field(default_factory=dict)
    min: float | None = None
    max: float | None = None
    ranges: tuple[tuple[int, int], ...] = ()
    suffix: str = ""
    marches: tuple[str, ...] = ()
    deprecated: str = ""
    gone: str = ""
    becomes: str = ""
    default: Scalar | None = None
    advice: tuple[Advice, ...] = ()
    text: str = ""
    source: Text

    @field_validator("patterns")
    @classmethod
    def _compiles(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            re.compile(pattern)
        return patterns

    def knows(self, value: str) -> bool:
        """Whether ``value`` is one of those that are documented or taken all the same."""
        return value in (*self.values, *self.closed) or any(re.fullmatch(p, value) for p in self.patterns)

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:
        """The intervals that a number has to be in one of; none where any will do."""
        if self.ranges:
            return self.ranges
        if self.min is None and self.max is None:
            return ()
        return ((-float("inf") if self.min is None else self.min, float("inf") if self.max is None else self.max),)


class Section(Data):
    """One section: whether it has to be there, and whether keys that are not known are passed on in it (``open``)."""

    required: bool = False
    open: bool = False


class Chip(Data):
    """What the YAML of a march depends on: how many cores one inference may take, and whether int16 is there."""

    cores: tuple[int, ...]
    int16: bool


class Tool(Data):
    """All that is known of the YAML of one tool.

    ``transitions``: runtime formats by training format; ``layout_rt_for``: runtime formats that need a runtime layout;
    ``input_sources``: runtime formats by input source; ``removal``: how ``remove_node_type`` goes through its list.
    """

    tool: ToolName
    command: Text
    sources: dict[str, Source]
    marches: dict[str, Chip]
    removal: Literal["listed", "recursive"]
    sections: dict[str, Section]
    transitions: dict[str, tuple[str, ...]]
    layout_rt_for: tuple[str, ...] = ()
    input_sources: dict[str, tuple[str, ...]]
    keys: Annotated[dict[str, dict[str, Key]], Field(min_length=1)]

    @model_validator(mode="after")
    def _sourced(self) -> Tool:
        said = [key.source for keys in self.keys.values() for key in keys.values()]
        said += [advice.source for keys in self.keys.values() for key in keys.values() for advice in key.advice]
        if strange := sorted({name for name in said if name not in self.sources}):
            raise ValueError(f"sources that are not there: {', '.join(strange)}")
        return self

    @cached_property
    def home(self) -> dict[str, str]:
        """The section of every key: no two have a key of one name."""
        return {name: section for section, keys in self.keys.items() for name in keys}

    def values(self, name: str) -> tuple[str, ...]:
        """The documented values of a key."""
        key = self.key(name)
        return () if key is None else key.values

    def key(self, name: str) -> Key | None:
        """The facts of a key, None when this tool has none of that name."""
        return self.keys[self.home[name]][name] if name in self.home else None


@cache
def tool(name: ToolName) -> Tool:
    """The facts of a tool."""
    return Tool.model_validate(yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8")))


def tool_of(march: object) -> Tool | None:
    """The tool of a march, None where no tool has it."""
    return next((tool(name) for name in TOOLS if isinstance(march, str) and march in tool(name).marches), None)


def other(facts: Tool) -> Tool:
    """The other of the two tools."""
    return tool("hb_compile" if facts.tool == "hb_mapper" else "hb_mapper")
