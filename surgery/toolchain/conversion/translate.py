"""Keys that one tool has in place of a key of the other's, and what they become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from surgery.toolchain.conversion.finding import Drop, Edit, Put
from surgery.toolchain.conversion.values import joined, numbers, parts

Translation: TypeAlias = Callable[[Mapping[object, object], str], tuple[Edit, ...]]
_INPUTS = "input_parameters"


def _std_value(data: Mapping[object, object], _tool: str) -> tuple[Edit, ...]:
    """``std_value`` divides by what ``scale_value`` multiplies by."""
    inputs = data.get(_INPUTS)
    drop = Drop((_INPUTS, "std_value"))
    if not isinstance(inputs, Mapping) or inputs.get("scale_value") is not None:
        return (drop,)
    found = [numbers(part) for part in parts(inputs.get("std_value"))]
    if not all(values and all(values) for values in found):
        return ()
    scales = joined([" ".join(f"{1 / value:.9g}" for value in values or ()) for values in found])
    return (drop, Put((_INPUTS, "scale_value"), scales))


TRANSLATIONS: Mapping[str, Translation] = {"std_value": _std_value}
"""By key: the edits that say the same with keys of the tool named; none where it cannot be said."""
