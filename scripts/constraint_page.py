"""docs/constraints.md: the language of march files from the code's own words, and the limits of all marches."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from textwrap import dedent, fill
from typing import Any

from march_page import cell, every_limit, name_of

from surgery.target import Target, expression, march, registry, shapes
from surgery.target.expression import FUNCTIONS
from surgery.target.facts import FACTS
from surgery.target.limits import allowed_text
from surgery.target.params import PARAMS, axes, crashes, operands, tensors, windows

HEAD = """
Written by `scripts/doc_marches.py` from the code and the data. A march file says where operators run on one chip, and
within which limits. Those that come with the package: {links}. A file of your own is a value of `--march`; one that is
wrong is refused with its file, line and key before anything is checked. An example for another vendor's chip:
[a march file of your own](march-files.md).
"""
EFFECTS = {
    "cpu": "the node runs on the CPU",
    "refused": "the toolchain fails on the model",
    "refused on the cpu": "it fails where another limit would put the node on the CPU",
    "refused on the bpu": "it fails unless the neighbours leave the node on the CPU",
}
EVIDENCE = {
    "read": "stands in the vendor's text",
    "probed": "put to the vendor's checker; with `read`, what its list says otherwise",
    "inferred": "follows from something that was read",
    "assumed": "borrowed from another march (`--assume`)",
}
BUILT_IN = {
    "min": "The smallest of its arguments, or of a list.", "max": "The largest of its arguments, or of a list.",
    "len": "How many elements a list has.", "abs": "The value without its sign.", "sum": "The sum of a list.",
}  # fmt: skip
MODULES = (tensors, windows, axes, operands, crashes)


def page(targets: Mapping[str, Target]) -> str:
    """The whole page."""
    links = ", ".join(f"[{name}](marches/{name}.md)" for name in targets)
    parts = (_files(), _limits(), _expressions(), _parameters(), _side_by_side(targets))
    head = _wrapped(_tidy(HEAD.format(links=links)))
    return "\n".join(["# Constraints\n", f"{head}\n", *(line for part in parts for line in part)]).rstrip() + "\n"


def _files() -> Iterator[str]:
    yield f"## Files\n\n{_markdown(march)}\n"
    yield f"{_markdown(registry)}\n"
    for kind in (march.March, march.Source, march.Op, march.Passive, march.Removal, march.Probe):
        fields = ", ".join(f"`{name}`" for name in kind.model_fields)
        yield _wrapped(f"**{kind.__name__}** ({fields}). {_first(kind)}") + "\n"
        yield from (f"{_wrapped(_tidy(more))}\n" for more in (inspect.getdoc(kind) or "").split("\n\n")[1:])
    yield "Beside a march file may stand `<march>.probed.yaml`, which maps ids of limits to a Probe, and"
    yield "`<march>.cost.yaml`, the coefficients of the estimates.\n"


def _limits() -> Iterator[str]:
    fields = ", ".join(f"`{name}`" for name in march.Limit.model_fields)
    yield f"## Limits\n\n{_markdown(march.Limit)}\n\nKeys: {fields}.\n"
    yield f"Forms: {_first(shapes.fits_form)}\n"
    yield from _table("effect", EFFECTS)
    yield from _table("evidence", EVIDENCE)


def _expressions() -> Iterator[str]:
    yield f"## Expressions\n\n{_markdown(expression)}\n"
    signs = "+ - * / // %", "== != < <= > >= in, not in", "and or not", "( , ) [index] [from:to]"
    yield f"Operators: {'; '.join(f'`{sign}`' for sign in signs)}.\n"
    yield "What has no value for a node (a division by zero, an index out of range, a dim that is symbolic) makes its"
    yield "verdict `unknown`, with the reason.\n"
    yield from _table("function", {n: BUILT_IN.get(n) or _first(f) for n, f in FUNCTIONS.items()})


def _parameters() -> Iterator[str]:
    yield "## Parameters\n"
    for module in MODULES:
        own = {n: _first(f) for n, f in PARAMS.items() if f.__module__ == module.__name__}
        yield f"{_markdown(module)}\n"
        yield from _table("parameter", own)
    yield "In the rules about whole models:\n"
    yield from _table("fact", {n: _first(f) for n, f in FACTS.items()})


def _side_by_side(targets: Mapping[str, Target]) -> Iterator[str]:
    """One row per limit, one column per march; marches of which all is the same share one."""
    columns: dict[str, list[str]] = {}
    known: dict[str, dict[str, str]] = {}
    for name, target in targets.items():
        cells = {name_of(check): _said(limit.when, allowed_text(limit)) for limit, check in every_limit(target)}
        column = columns.setdefault(repr(cells), [])
        column.append(name)
        known[", ".join(column)] = cells
    heads = [", ".join(column) for column in columns.values()]
    yield "## Side by side\n\nAn empty cell: the march has no such limit, or has it in other words under another id."
    yield "`<Op>` stands for every operator on the BPU.\n"
    yield f"| limit | {' | '.join(heads)} |\n|---{'|---' * len(heads)}|"
    for limit in sorted({limit for head in heads for limit in known[head]}, key=_order):
        yield f"| `{limit}` | {' | '.join(known[head].get(limit, '') for head in heads)} |"


def _order(constraint: str) -> tuple[Any, ...]:
    head, _, rest = constraint.partition(".")
    return head not in ("model", "<Op>"), head != "model", head, rest


def _said(when: str | None, allowed: str) -> str:
    return cell(f"`{allowed}` where `{when}`" if when else f"`{allowed}`")


def _table(head: str, rows: Mapping[str, str]) -> Iterator[str]:
    yield f"| {head} | |\n|---|---|"
    yield from (f"| `{name}` | {cell(text)} |" for name, text in rows.items())
    yield ""


def _first(function: Any) -> str:
    """The first paragraph of a docstring."""
    return _tidy((inspect.getdoc(function) or "").split("\n\n")[0])


def _markdown(thing: Any) -> str:
    """A docstring in Markdown, its doctests aside, its literal blocks fenced."""
    text = re.split(r"\n\n>>>", inspect.getdoc(thing) or "")[0]
    text = re.sub(r"::\n\n((?:    .*\n)+)", lambda block: f":\n\n```yaml\n{dedent(block[1])}```\n", text)
    return "\n\n".join(part if "```" in part else _wrapped(_tidy(part)) for part in text.split("\n\n"))


def _wrapped(text: str) -> str:
    return fill(text, 118, break_long_words=False, break_on_hyphens=False)


def _tidy(text: str) -> str:
    return " ".join(re.sub(r":\w+:`([^`]*)`", r"`\1`", text).replace("``", "`").split())
