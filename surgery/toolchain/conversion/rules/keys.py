"""Sections and keys: those that are missing, unknown, in the wrong section, of the other tool, or without effect."""

from __future__ import annotations

from collections.abc import Mapping

from surgery.toolchain.conversion.facts import Key, other
from surgery.toolchain.conversion.finding import Drop, Edit, Finding, Findings, Put, Rename
from surgery.toolchain.conversion.rules.say import error, near, quoted, warning
from surgery.toolchain.conversion.settings import Settings
from surgery.toolchain.conversion.translate import TRANSLATIONS


def sections(settings: Settings) -> Findings:
    """Sections that are missing, unknown, or hold no keys."""
    known = settings.tool.sections
    for wanted in (name for name, facts in known.items() if facts.required and name not in settings.data):
        text = f"the section {wanted} has to be there"
        yield error(settings, "section.missing", (wanted,), text, fix="add it, with its keys")
    for name, value in settings.data.items():
        if name not in known:
            yield _unknown_section(settings, name)
        elif value is not None and not isinstance(value, Mapping):
            yield error(
                settings,
                "section.type",
                (name,),
                f"is {quoted(value)}, a section holds keys",
                fix="write keys below it",
            )


def _unknown_section(settings: Settings, name: object) -> Finding:
    meant = near(str(name), settings.tool.sections)
    free = meant and meant not in settings.data
    edit: Edit = Rename((name,), meant) if free else Drop((name,))
    text = f"there is no section {name}; {settings.tool.tool} has {', '.join(settings.tool.sections)}"
    return error(settings, "section.unknown", (name,), text, edits=(edit,))


def unknown(settings: Settings) -> Findings:
    """Keys that the section does not have."""
    for section, keys in settings.tool.keys.items():
        for name in settings.section(section):
            if name not in keys:
                yield _unknown_key(settings, section, name)


def _unknown_key(settings: Settings, section: str, name: object) -> Finding:
    path, facts, text = (section, name), settings.tool, str(name)
    if text in facts.home:
        return _misplaced(settings, section, text)
    if text in other(facts).home:
        return _of_other(settings, section, text)
    if facts.sections[section].open:
        return warning(
            settings, "key.open", path, f"{facts.tool} does not know {text}, and passes it on unread", fix="remove it"
        )
    meant = near(text, facts.keys[section])
    free = meant and meant not in settings.section(section)
    edits: tuple[Edit, ...] = (Rename(path, meant),) if free else ()
    fix = "" if free else f"remove it; {section} has {', '.join(facts.keys[section])}"
    return error(settings, "key.unknown", path, f"{facts.tool} has no key {text} in {section}", fix=fix, edits=edits)


def _misplaced(settings: Settings, section: str, name: str) -> Finding:
    home = settings.tool.home[name]
    edits: list[Edit] = [Drop((section, name))]
    if name not in settings.section(home):
        edits.append(Put((home, name), settings.section(section)[name]))
    return error(settings, "key.section", (section, name), f"{name} belongs to {home}", edits=tuple(edits))


def _of_other(settings: Settings, section: str, name: str) -> Finding:
    path, tool = (section, name), settings.tool.tool
    edits = TRANSLATIONS[name](settings.data, tool) if name in TRANSLATIONS else (Drop(path),)
    return error(
        settings, "key.tool", path, f"{name} is a key of {other(settings.tool).tool}, not of {tool}", edits=edits
    )


def missing(settings: Settings) -> Findings:
    """Keys that have to be there, or not to be empty."""
    for name, section in settings.tool.home.items():
        key, value = settings.tool.keys[section][name], settings.get(name)
        if section in settings.data and key.required and value in (None, ""):
            fix = f"add it, one of {', '.join(key.values)}" if key.values else "add it"
            yield error(settings, "key.missing", (section, name), f"{name} has to be there", fix=fix)
        elif key.filled and value == "":
            yield error(settings, "value.empty", (section, name), "is empty", edits=(Drop((section, name)),))


def outdated(settings: Settings) -> Findings:
    """Keys that do nothing, are not taken any more, or not on this march."""
    for name, section in settings.tool.home.items():
        if name not in settings.section(section):
            continue
        key, path = settings.tool.keys[section][name], (section, name)
        if key.gone:
            yield error(settings, "key.gone", path, f"{name} is not taken: {key.gone}", edits=(Drop(path),))
        elif key.deprecated:
            yield warning(
                settings, "key.deprecated", path, f"{name}: {key.deprecated}", edits=_successor(settings, name, key)
            )
        elif key.marches and settings.chip is not None and settings.march not in key.marches:
            text = f"{name} is for {', '.join(key.marches)}, not for {settings.march}"
            yield error(settings, "key.march", path, text, edits=(Drop(path),))


def _successor(settings: Settings, name: str, key: Key) -> tuple[Edit, ...]:
    drop = Drop(settings.path(name))
    if not key.becomes or settings.get(key.becomes) is not None:
        return (drop,)
    return (drop, Put(settings.path(key.becomes), settings.get(name)))


RULES = (sections, unknown, missing, outdated)
