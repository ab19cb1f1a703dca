"""Knobs: the named choices a node is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Knobs: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Size:
    """A number from 1 (or ``low``) on, and what it usually is."""

    usual: int
    low: int = 1


Values: TypeAlias = "tuple[Any, ...] | Size"


def need(holds: bool) -> None:
    """Refuse a combination that is no ONNX."""
    if not holds:
        raise ValueError("no such node")
