"""When operators of the default domain were born: a toolchain knows none that came after its newest opset."""

from __future__ import annotations

from functools import cache

import onnx

from surgery.target.march import March
from surgery.target.verdict import BIRTH, Violation

TEXT = "an operator exists in the newest opset that the toolchain takes"
"""The limit in general form."""


@cache
def births() -> dict[str, int]:
    """The opset at which each operator of the default domain first existed, by name."""
    found: dict[str, int] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "":
            found[schema.name] = min(schema.since_version, found.get(schema.name, schema.since_version))
    return found


def unborn(march: March, op: str) -> Violation | None:
    """The violation ``<Op>.opset`` of an operator that no opset taken by the march's toolchain has; else None."""
    limit = next((lim for lim in march.model if lim.param == "opset" and lim.max is not None), None)
    born = births().get(op)
    if limit is None or limit.max is None or born is None or born <= limit.max:
        return None
    allowed = f"at most {limit.max:g}"
    return Violation(f"{op}.{BIRTH}", born, allowed, TEXT, limit.source, limit.evidence or "read")
