"""Values of keys that have a choice, or bounds."""

from __future__ import annotations

from surgery.toolchain.conversion.facts import Key
from surgery.toolchain.conversion.finding import Drop, Edit, Finding, Findings, Put
from surgery.toolchain.conversion.rules.say import error, near, quoted, warning
from surgery.toolchain.conversion.settings import Settings
from surgery.toolchain.conversion.values import joined


def choices(settings: Settings) -> Findings:
    """Values that are not among those of their key."""
    for name, section in settings.tool.home.items():
        key = settings.tool.keys[section][name]
        if not key.values or key.type == "map" or not isinstance(settings.get(name), str | list):
            continue
        for index, value in enumerate(settings.parts(name) if key.list else (settings.text(name),)):
            if not key.knows(value) and value:
                yield _strange(settings, name, key, index, value)
            elif value in key.closed:
                text = f"{value} is taken, but not documented"
                yield warning(settings, "value.undocumented", settings.path(name), text, fix=f"use {_all(key)}")


def _all(key: Key) -> str:
    return f"one of {', '.join(key.values)}"


def _strange(settings: Settings, name: str, key: Key, index: int, value: str) -> Finding:
    path, meant = settings.path(name), key.nearest.get(value) or near(value, key.values)
    text = f"is {quoted(value)}, it has to be {_all(key)}"
    edits = _instead(settings, name, key, index, meant)
    return error(settings, "value.choice", path, text, fix="" if edits else f"write {_all(key)}", edits=edits)


def _instead(settings: Settings, name: str, key: Key, index: int, meant: str) -> tuple[Edit, ...]:
    path = settings.path(name)
    if not key.list:
        return (Put(path, meant),) if meant else ()
    found = list(settings.parts(name))
    found[index : index + 1] = [meant] if meant else []
    if key.list == "inputs" and not meant:
        return ()
    if not found:
        return (Drop(path),)
    return (Put(path, joined(list(dict.fromkeys(found)) if key.list == "values" else found)),)


def bounds(settings: Settings) -> Findings:
    """Numbers out of their range."""
    for name, section in settings.tool.home.items():
        key, value = settings.tool.keys[section][name], settings.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not key.bounds:
            continue
        if not any(low <= value <= high for low, high in key.bounds):
            path, allowed = settings.path(name), " or ".join(map(_interval, key.bounds))
            nearest = min((end for pair in key.bounds for end in pair), key=lambda end: abs(end - value))
            edit = Put(path, int(nearest) if key.type == "int" else nearest)
            yield error(settings, "value.range", path, f"is {value}, it has to be {allowed}", edits=(edit,))


def _interval(pair: tuple[float, float]) -> str:
    low, high = pair
    if low == high:
        return f"{low:.0f}"
    return f"at least {low:g}" if high == float("inf") else f"{low:.10g} to {high:.10g}"


RULES = (choices, bounds)
