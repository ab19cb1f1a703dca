"""What is asked of single nodes: ``node_info``, ``run_on_cpu``, ``run_on_bpu``, names to remove, and int16."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from surgery.toolchain.conversion.finding import Drop, Edit, Finding, Findings, KeyPath, Put, Rename
from surgery.toolchain.conversion.rules.say import error, near, quoted, warning
from surgery.toolchain.conversion.settings import Settings
from surgery.toolchain.conversion.values import joined

DEVICES, TYPES = ("BPU", "CPU"), ("int8", "int16")
_KEY = re.compile(r"ON|OutputType|InputType\d*")
_TEXT = re.compile(r"[^:;]+:[^:;]+(;[^:;]+:[^:;]+)*;?")


def form(settings: Settings) -> Findings:
    """``node_info`` that is neither a mapping of nodes nor text like ``Conv_0:int16``."""
    value, path = settings.get("node_info"), settings.path("node_info")
    if isinstance(value, str):
        if value and not _TEXT.fullmatch(value):
            said = f"is {quoted(value)}, as text it is like Conv_0:int16;Conv_1:int16"
            yield error(settings, "node_info.form", path, said, fix="write NODE:TYPE, parted by ;")
        for kind in dict.fromkeys(_types(value)) if _TEXT.fullmatch(value) else ():
            if kind not in TYPES:
                text = f"{quoted(kind)} is no type, it has to be {' or '.join(TYPES)}"
                yield error(settings, "node_info.value", path, text, fix="write int8 or int16")
    elif isinstance(value, Mapping):
        for node, wanted in value.items():
            yield from _node(settings, (*path, node), wanted)


def _types(text: str) -> Iterator[str]:
    return (part.rsplit(":", 1)[1] for part in text.strip(";").split(";"))


def _node(settings: Settings, path: KeyPath, wanted: object) -> Findings:
    if not isinstance(wanted, Mapping):
        text = f"is {quoted(wanted)}, a node has ON, InputType, OutputType"
        yield error(settings, "node_info.form", path, text, fix="write {'ON': 'BPU'}")
        return
    for key, value in wanted.items():
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            yield _key(settings, (*path, key), key, wanted)
        else:
            yield from _value(settings, (*path, key), key, value)


def _key(settings: Settings, path: KeyPath, key: object, wanted: Mapping[object, object]) -> Finding:
    if key is True:
        text = "ON without quotes is the truth value true in this version of YAML"
        return error(settings, "node_info.on", path, text, edits=(Rename(path, "ON"),))
    text = f"{quoted(key)} is no key of a node: ON, OutputType, InputType and InputType0, InputType1 … are"
    meant = "OutputType" if str(key).lower().startswith("output") else near(str(key), ("ON", "InputType"))
    edits: tuple[Edit, ...] = (Rename(path, meant),) if meant and meant not in wanted else ()
    return error(settings, "node_info.key", path, text, fix="" if edits else "remove it", edits=edits)


def _value(settings: Settings, path: KeyPath, key: str, value: object) -> Findings:
    allowed = DEVICES if key == "ON" else TYPES
    if value not in allowed:
        meant = near(str(value), allowed)
        edits = (Put(path, meant),) if meant else ()
        text = f"{key} is {quoted(value)}, it has to be {' or '.join(allowed)}"
        yield error(
            settings, "node_info.value", path, text, fix="" if edits else f"write {' or '.join(allowed)}", edits=edits
        )


def precision(settings: Settings) -> Findings:
    """int16 where the march has none."""
    if settings.chip is None or settings.chip.int16:
        return
    for key in ("node_info", "optimization"):
        path, value = settings.path(key), settings.get(key)
        if "int16" in str(value):
            text = f"{settings.march} has no int16"
            yield error(settings, "march.int16", path, text, edits=tuple(_without_int16(settings, path, value)))


def _without_int16(settings: Settings, path: KeyPath, value: object) -> Iterator[Edit]:
    if isinstance(value, Mapping):
        for node, wanted in value.items():
            if isinstance(wanted, Mapping):
                yield from (Drop((*path, node, key)) for key, kind in wanted.items() if kind == "int16")
        return
    left = [part for part in settings.parts(str(path[1])) if "int16" not in part]
    yield Put(path, joined(left)) if left else Drop(path)


def names(settings: Settings) -> Findings:
    """Names of nodes to remove, which cannot hold a comma; nodes asked to run in two places."""
    path = settings.path("remove_node_name")
    if wrong := [name for name in settings.parts("remove_node_name") if "," in name]:
        text = f"{quoted(wrong[0])}: names are parted by ; and hold no comma"
        found = [one for name in settings.parts("remove_node_name") for one in name.split(",") if one.strip()]
        edits = (Put(path, joined([one.strip() for one in found])),)
        yield warning(settings, "remove.comma", path, text, edits=edits)
    both = [name for name in settings.parts("run_on_bpu") if name in settings.parts("run_on_cpu")]
    if both:
        left = [name for name in settings.parts("run_on_cpu") if name not in both]
        path = settings.path("run_on_cpu")
        edit: Edit = Put(path, joined(left)) if left else Drop(path)
        yield warning(
            settings, "run_on.both", path, f"{quoted(both[0])} is asked to run on the BPU, too", edits=(edit,)
        )


RULES = (form, precision, names)
