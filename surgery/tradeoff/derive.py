"""The space that the passes' own fields make: what ``surgery passes --space`` prints, to be narrowed by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from pydantic import ValidationError

from surgery.pipeline import Pipeline, registry
from surgery.pipeline.passes import Pass
from surgery.tradeoff.space import SCHEMA

PARTS = 10
"""Equal parts that a bounded range of reals is cut into."""


def derived(names: Sequence[str] | None = None) -> str:
    """YAML of the space over the passes ``names``; those of the default pipeline when None.

    Options are fields with few values: literals, booleans, and numbers with a bound on both sides. Every pass may be
    left out.
    """
    chosen = list(names or dict.fromkeys(step.step.name for step in Pipeline.default().steps))
    options = {f"{name}.{field}": values for name in chosen for field, values in _fields(registry.load(name)).items()}
    content = {"schema": SCHEMA, "pipeline": "default", "options": options, "toggle": chosen}
    return str(yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=120))


def _fields(kind: type[Pass]) -> dict[str, Any]:
    fields = kind.model_json_schema().get("properties", {})
    found = {name: _taken(kind, name, _values(field)) for name, field in fields.items()}
    return {name: values for name, values in found.items() if values}


def _taken(kind: type[Pass], name: str, values: Any) -> Any:
    """Those of listed values that the pass takes when the others are as they are."""
    return [value for value in values if _takes(kind, name, value)] if isinstance(values, list) else values


def _takes(kind: type[Pass], name: str, value: Any) -> bool:
    try:
        kind(**{name: value})
    except ValidationError:
        return False
    return True


def _values(field: Mapping[str, Any]) -> Any:
    """The values of a field by its JSON Schema; None where these are no few, or not known."""
    if "enum" in field:
        return list(field["enum"])
    if "anyOf" in field:
        return next(filter(None, map(_values, field["anyOf"])), None)
    if field.get("type") == "boolean":
        return [False, True]
    return _range(field) if field.get("type") in ("integer", "number") else None


def _range(field: Mapping[str, Any]) -> Any:
    """A bounded number as a range; ends that are excluded are a step away."""
    low, high = (field.get(inside, field.get(outside)) for inside, outside in _BOUNDS)
    if low is None or high is None:
        return None
    step = 1 if field["type"] == "integer" else (high - low) / PARTS
    low = low + step if "exclusiveMinimum" in field else low
    high = high - step if "exclusiveMaximum" in field else high
    return {"low": low, "high": high, "step": step}


_BOUNDS = (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum"))
