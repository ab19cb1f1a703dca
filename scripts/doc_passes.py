"""Write docs/passes.md from the passes themselves; ``--check`` only says whether it is current."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from surgery.pipeline import Pass, registry
from surgery.pipeline.pipeline import Pipeline
from surgery.report.catalogue import pass_entry
from surgery.rewrite import Rule
from surgery.target import load_target, march_names

PAGE = Path(__file__).parent.parent / "docs" / "passes.md"
HEAD = """# Passes

Written by `scripts/doc_passes.py` from the passes themselves. A pass is as weak as the weakest of its rules; what the
words mean is said in [writing a pass](writing-a-pass.md).
"""


def page() -> str:
    """The whole page."""
    kinds = [registry.load(name) for name in registry.names()]
    default = {step.step.name for march in march_names() for step in Pipeline.default(march).steps}
    return "\n".join([HEAD, *(line for kind in kinds for line in section(kind, kind.name in default))])


def section(kind: type[Pass], default: bool) -> Iterator[str]:
    """One pass: what it does, its options, its rules."""
    entry = pass_entry(kind, default=default)
    yield f"## {entry.name}\n"
    place = "in the default pipeline" if default else "runs when asked for"
    yield f"*{entry.purpose}, {entry.exactness}; {place}.*\n"
    yield f"{inspect.getdoc(kind)}\n"
    if (PAGE.parent / "passes" / f"{entry.name}.md").is_file():
        yield f"More: [passes/{entry.name}.md](passes/{entry.name}.md).\n"
    if entry.options:
        yield "| option | type | default | |\n|---|---|---|---|"
        yield from (f"| `{o.name}` | {cell(o.type)} | `{o.default}` | {cell(o.description)} |" for o in entry.options)
        yield ""
    if rules := all_rules(kind):
        yield "| rule | at | purpose | exactness | cures | |\n|---|---|---|---|---|---|"
        yield from map(row, rules)
        yield ""


def all_rules(kind: type[Pass]) -> list[Rule[Any]]:
    """The rules under default options for any march, each once."""
    found = {rule.name: rule for name in march_names() for rule in kind().rules(load_target(name))}
    return list(found.values())


def row(rule: Rule[Any]) -> str:
    """A rule as a row of the table."""
    text = " ".join((inspect.getdoc(type(rule)) or "").split("\n\n")[0].split())
    roots, cures = (", ".join(f"`{name}`" for name in sorted(names)) for names in (rule.roots, rule.cures))
    return f"| {rule.name} | {roots} | {rule.purpose} | {rule.exactness} | {cures} | {cell(text)} |"


def cell(text: str) -> str:
    """Text fit for a table cell."""
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> int:
    """Write the page, or say whether it is current."""
    text = page().rstrip() + "\n"
    current = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
    if "--check" in sys.argv[1:]:
        print("docs/passes.md is current" if current else "docs/passes.md is not current")
        return 0 if current else 1
    PAGE.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
