"""Types of values: as strict as the tools are, which take no ``"true"`` for true and no ``"1"`` for 1."""

from __future__ import annotations

from surgery.toolchain.conversion.facts import Key
from surgery.toolchain.conversion.finding import Drop, Edit, Finding, Findings, Put
from surgery.toolchain.conversion.rules.say import error, quoted, warning
from surgery.toolchain.conversion.settings import Settings
from surgery.toolchain.conversion.values import joined

_TRUTHS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_WORDS = {"bool": "true or false", "int": "a whole number", "number": "a number", "map": "a mapping",
          "nodes": "a mapping of nodes, or text like Conv_0:int16;Conv_1:int16"}  # fmt: skip


def types(settings: Settings) -> Findings:
    """Values of another type than their key has."""
    for name, section in settings.tool.home.items():
        key, value = settings.tool.keys[section][name], settings.get(name)
        if value is None:
            yield from _empty(settings, name, key)
        elif not (key.deprecated or key.gone or _fits(key, value)):
            yield _finding(settings, name, key, value)


def _empty(settings: Settings, name: str, key: Key) -> Findings:
    """A key with nothing behind it, which hb_mapper takes for a value of the wrong type."""
    path = settings.path(name)
    if name in settings.section(path[0]) and not key.none:
        say = error if settings.tool.tool == "hb_mapper" else warning
        text = f"{name} has no value: leave out what is not to be said"
        yield say(settings, "value.none", path, text, edits=(Drop(path),))


def _fits(key: Key, value: object) -> bool:
    match key.type:
        case "bool":
            return isinstance(value, bool)
        case "int":
            return _is_number(value) and isinstance(value, int)
        case "number":
            return _is_number(value)
        case "map":
            return isinstance(value, dict)
        case "nodes":
            return isinstance(value, dict | str)
        case "numbers":
            return isinstance(value, str) or _is_number(value)
        case "any":
            return True
    return isinstance(value, str) or (key.sequences and isinstance(value, list))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _finding(settings: Settings, name: str, key: Key, value: object) -> Finding:
    path = settings.path(name)
    wanted = _WORDS.get(key.type, "text" + (", its values parted by ;" if key.list else ""))
    meant = _meant(key, value)
    edits: tuple[Edit, ...] = () if meant is None else (Put(path, meant),)
    said = f"is {quoted(value)}, it has to be {wanted}"
    if key.lenient and meant is not None:
        return warning(settings, "value.type", path, said, edits=edits)
    return error(settings, "value.type", path, said, fix="" if edits else f"write {wanted}", edits=edits)


def _meant(key: Key, value: object) -> bool | int | float | str | None:
    """What was meant by a value of another type, None where that cannot be told."""
    text = str(value).strip()
    if key.type == "bool":
        return _TRUTHS.get(text.lower())
    if key.type in ("int", "number"):
        return _number(text, whole=key.type == "int")
    if isinstance(value, list) and value and not any(isinstance(item, list | dict) for item in value):
        return joined(value) if key.list == "values" else _per_input(key, value)
    return text if key.type in ("text", "path") and _is_number(value) else None


def _per_input(key: Key, values: list[object]) -> str | None:
    """A list written as one: the channels or dims of the single input, or the values of several inputs."""
    if all(_is_number(value) for value in values):
        return {"numbers": " ", "shape": "x"}.get(key.type, ";").join(map(str, values))
    return joined(values)


def _number(text: str, *, whole: bool) -> int | float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return int(found) if found.is_integer() else None if whole else found


RULES = (types,)
