"""One configuration as a conversion tool reads it, and what rules ask of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from surgery.toolchain.conversion.facts import TOOLS, Chip, Tool, other, tool, tool_of
from surgery.toolchain.conversion.interface import Interface
from surgery.toolchain.conversion.values import parts

Data: TypeAlias = "dict[object, object]"


@dataclass(frozen=True)
class Settings:
    """The data of a file, for the tool that it is for.

    Attributes:
        data: sections by name, as the YAML parser of the tools (1.1) reads them.
        tool: the facts of that tool.
        folder: relative folders of the file are looked for here; None to look for none.
        interface: inputs and nodes of the model, where it was given.
    """

    data: Mapping[object, object]
    tool: Tool
    folder: Path | None = None
    interface: Interface | None = None

    def section(self, name: str) -> Mapping[object, object]:
        """A section; empty where it is not there, or is none."""
        found = self.data.get(name)
        return found if isinstance(found, Mapping) else {}

    def get(self, key: str) -> object:
        """The value of a key, None where it is not there."""
        return self.section(self.tool.home[key]).get(key) if key in self.tool.home else None

    def text(self, key: str) -> str:
        """The value of a key as text, "" where it is not there."""
        value = self.get(key)
        return "" if value is None else str(value)

    def parts(self, key: str) -> tuple[str, ...]:
        """The values of a key that lists some."""
        facts = self.tool.key(key)
        return parts(self.get(key), commas=facts is not None and facts.commas)

    def part(self, key: str, index: int) -> str:
        """The value of a key for one input, "" where there is none."""
        found = self.parts(key)
        return found[index] if index < len(found) else ""

    def path(self, key: str) -> tuple[str, str]:
        """Section and name of a key."""
        return self.tool.home[key], key

    @property
    def march(self) -> str:
        """The march that is named, "" for none."""
        return self.text("march")

    @property
    def chip(self) -> Chip | None:
        """What is known of the march, None for one that the tool does not have."""
        return self.tool.marches.get(self.march)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The inputs in the order of the lists; those not named are "".

        As many as the model has, else as there are names, else as the longest list of values for inputs says.
        """
        named = self.parts("input_name")
        if self.interface is not None:
            names = tuple(self.interface.inputs)
            return named if len(named) == len(names) else names
        lists = [name for name, home in self.tool.home.items() if self.tool.keys[home][name].list == "inputs"]
        return named or ("",) * max(1, *(len(self.parts(name)) for name in lists))

    def shape(self, index: int) -> tuple[int, ...] | None:
        """The shape of an input as the file states it, else the model; None where neither does."""
        from surgery.toolchain.conversion.values import shape

        stated = self.part("input_shape", index)
        if stated:
            return shape(stated)
        return self.interface.fixed(self.inputs[index]) if self.interface is not None else None


def tool_for(data: Mapping[object, object]) -> Tool:
    """The tool that a file is written for: that of its march, else the one that knows more of its keys."""
    model = data.get("model_parameters")
    named = tool_of(model.get("march")) if isinstance(model, Mapping) else None
    return named or max((tool(name) for name in TOOLS), key=lambda facts: _known(data, facts))


def _known(data: Mapping[object, object], facts: Tool) -> int:
    """How many keys of the file the tool has, less those that only the other has."""
    keys = [key for section in data.values() if isinstance(section, Mapping) for key in section]
    return sum(key in facts.home for key in keys) - sum(key in other(facts).home for key in keys)
