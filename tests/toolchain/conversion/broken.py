"""Configurations with one thing wrong each, made of good ones: what lint has to say, and what the tool says.

``mapped`` is for a model of one image, ``twice`` for one of two feature maps, ``compiled`` is of hb_compile.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
MAPPED, TWICE, COMPILED = GOOD = ("mapped", "twice", "compiled")


@dataclass(frozen=True)
class Broken:
    """One change to a good configuration, an entry of ``broken.yaml``.

    Attributes:
        name: what is wrong.
        base: the good one.
        rule: the rule that finds it.
        fixed: whether it can be repaired by itself.
        data: the broken one.
        refused: whether the tool refuses it; None where it is not published, or would have to read data first.
        late: whether the tool says so only while it compiles.
    """

    name: str
    base: str
    rule: str
    fixed: bool
    data: dict[Any, Any]
    refused: bool | None = None
    late: bool = False


def good(name: str) -> dict[Any, Any]:
    """The data of a good configuration."""
    return dict(yaml.safe_load((HERE / f"{name}.yaml").read_text()))


def changed(data: dict[Any, Any], put: dict[str, Any], unset: list[str]) -> dict[Any, Any]:
    """A copy with values set and taken out, each place a section or ``section.key``."""
    data = copy.deepcopy(data)
    for place in unset:
        *above, key = place.split(".")
        del (data[above[0]] if above else data)[key]
    for place, value in put.items():
        *above, key = place.split(".")
        (data.setdefault(above[0], {}) if above else data)[key] = value
    return data


def _broken(entry: dict[str, Any]) -> Broken:
    data = changed(good(entry["base"]), entry.pop("set", {}), entry.pop("unset", []))
    return Broken(data=data, **entry)


BROKEN = tuple(map(_broken, yaml.safe_load((HERE / "broken.yaml").read_text())))
MAPPER = tuple(case for case in BROKEN if case.base != COMPILED)
