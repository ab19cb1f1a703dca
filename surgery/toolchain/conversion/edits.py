"""Edits applied to the data of a configuration, or to its text, whose comments and order stay."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, TypeAlias

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.scalarstring import ScalarString, SingleQuotedScalarString
from ruamel.yaml.tokens import CommentToken

from surgery.errors import InputError
from surgery.toolchain.conversion.finding import Drop, Edit, KeyPath, Put, Rename

Tree: TypeAlias = MutableMapping[Any, Any]
_INDENTED = re.compile(r"^( +)[^\s#-]", re.MULTILINE)
_WIDE = 1 << 16
"""Columns after which a line would be wrapped."""


def apply(tree: Tree, edits: Iterable[Edit]) -> None:
    """Apply edits in place; one whose place has gone with an edit before it is passed over."""
    for edit in edits:
        match edit:
            case Put(path, value):
                _put(tree, path, value)
            case Drop(path):
                _drop(tree, path)
            case Rename(path, name):
                _rename(tree, path, name)


def repaired(text: str, edits: Iterable[Edit]) -> str:
    """The text of a file with edits applied: comments, order, quotes and line ends of the rest are as they were.

    Raises:
        InputError: the text written does not say what the edits make of the data (YAML 1.1 and 1.2 differ).
    """
    changes = tuple(edits)
    ends = "\r\n" if "\r\n" in text else "\n"
    text = text.replace("\r\n", "\n")
    round_trip = _round_trip(text)
    tree = round_trip.load(text)
    expected = yaml.safe_load(text)
    apply(tree, changes)
    apply(expected, changes)
    written = io.StringIO()
    round_trip.dump(tree, written)
    if not same(yaml.safe_load(written.getvalue()), expected):
        raise InputError(
            "the repaired file would say something else than was meant; it is left as it was",
            hint="a number such as 1e400 is one to YAML 1.2 and text to YAML 1.1: write it otherwise",
        )
    return written.getvalue().replace("\n", ends)


def same(one: object, other: object) -> bool:
    """Whether two values are equal and of one type, all the way down: true is no 1 here."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and repr(one) == repr(other)  # so that what is no number is itself


def _round_trip(text: str) -> YAML:
    made = YAML(typ="rt")
    made.preserve_quotes = True
    made.width = _WIDE
    first = _INDENTED.search(text)
    indent = len(first[1]) if first else 2
    made.indent(mapping=indent, sequence=indent + 2, offset=indent)
    return made


def _put(tree: Tree, path: KeyPath, value: object) -> None:
    *above, last = path
    for step in above:
        key = _key(tree, step)
        if tree.get(key) is None:
            tree[key] = CommentedMap() if isinstance(tree, CommentedMap) else {}
        if not isinstance(tree[key], MutableMapping):
            return
        tree = tree[key]
    key = _key(tree, last)
    tree[key] = _styled(value, tree.get(key)) if isinstance(tree, CommentedMap) else value


def _styled(value: object, before: object) -> object:
    """A value in the quotes of the one it replaces, or in quotes where YAML would read another type without."""
    if isinstance(value, Mapping):
        return CommentedMap((_styled(key, None), _styled(one, None)) for key, one in value.items())
    if not isinstance(value, str):
        return value
    if isinstance(before, ScalarString):
        return type(before)(value)
    return value if _reads_as(value, value) else SingleQuotedScalarString(value)


def _reads_as(text: str, value: object) -> bool:
    """Whether plain ``text`` is ``value`` to the tools."""
    try:
        found: object = yaml.safe_load(text)
    except yaml.YAMLError:
        return False
    return same(found, value)


def _key(tree: Tree, key: object) -> object:
    """A key as a round-trip tree has it: what YAML 1.1 reads as true is a plain word there."""
    if key in tree or not isinstance(tree, CommentedMap):
        return key
    plain = (one for one in tree if isinstance(one, str) and not isinstance(one, ScalarString))
    return next((one for one in plain if _reads_as(one, key)), key)


def _holder(tree: Tree, path: KeyPath) -> tuple[Tree, object] | None:
    """The mapping that has the last key of ``path``, and that key; None where it is not there."""
    *above, last = path
    for step in above:
        below = tree.get(_key(tree, step))
        if not isinstance(below, MutableMapping):
            return None
        tree = below
    key = _key(tree, last)
    return (tree, key) if key in tree else None


def _drop(tree: Tree, path: KeyPath) -> None:
    if (found := _holder(tree, path)) is not None:
        holder, key = found
        if isinstance(holder, CommentedMap):
            _keep_comment(holder, key)
        del holder[key]


def _keep_comment(tree: CommentedMap, key: object) -> None:
    """Hand the lines of comment behind ``key``, which are about what follows, to the key before it."""
    tokens = tree.ca.items.pop(key, None)
    _, newline, below = tokens[2].value.partition("\n") if tokens and tokens[2] else ("", "", "")
    keys = list(tree)
    at = keys.index(key)
    if not below or at == 0:
        return
    before = tree.ca.items.setdefault(keys[at - 1], [None, None, None, None])
    if before[2] is None:
        before[2] = CommentToken(newline + below, tokens[2].start_mark, None)
    else:
        before[2].value = before[2].value.rstrip("\n") + newline + below


def _rename(tree: Tree, path: KeyPath, name: str) -> None:
    found = _holder(tree, path)
    if found is None or (name in found[0] and found[1] != name):
        return
    holder, key = found
    if isinstance(holder, CommentedMap):
        _rename_commented(holder, key, name)
        return
    entries = [(name if same(one, key) else one, value) for one, value in holder.items()]
    holder.clear()
    holder.update(entries)


def _rename_commented(tree: CommentedMap, key: object, name: str) -> None:
    at, tokens = list(tree).index(key), tree.ca.items.pop(key, None)
    tree.insert(at, name if _reads_as(name, name) else SingleQuotedScalarString(name), tree.pop(key))
    if tokens:
        tree.ca.items[name] = tokens
