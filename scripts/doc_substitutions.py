"""Write the table of docs/passes/substitute-ops.md from the rules; ``--check`` only says whether it is current."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any

from passes.substitute import RULES
from surgery.rewrite import Rule
from surgery.target import Target, load_target

PAGE = Path(__file__).parent.parent / "docs" / "passes" / "substitute-ops.md"
BEGIN, END = "<!-- table: written by scripts/doc_substitutions.py -->", "<!-- end of table -->"
MARCHES = {"X3": "bernoulli2", "Ultra": "bayes", "X5": "bayes-e", "nash": "nash-e"}


def table() -> str:
    """One row per rule and operator."""
    head = f"| operator | becomes | exactness | {' | '.join(MARCHES)} | rule |"
    rows = [row(rule, op) for rule in RULES for op in sorted(rule.roots)]
    return "\n".join([head, "|---" * (head.count("|") - 1) + "|", *rows])


def row(rule: Rule[Any], op: str) -> str:
    """An operator, what a rule makes of it, and which marches need that."""
    needs = " | ".join(need(rule, op, load_target(march)) for march in MARCHES.values())
    return f"| {op} | {becomes(rule, op)} | {rule.exactness} | {needs} | {rule.name} |"


def becomes(rule: Rule[Any], op: str) -> str:
    """The replacements in the first sentence of a rule's documentation that begin at ``op``, or all of them."""
    first = (inspect.getdoc(type(rule)) or "").split("\n\n")[0]
    spans = re.findall(r"``(.*?)``", " ".join(first.split()))
    mine = [span for span in spans if span.startswith(op) and " -> " in span] or [s for s in spans if " -> " in s]
    return "<br>".join(f"`{span.split(' -> ')[-1]}`" for span in mine)


def need(rule: Rule[Any], op: str, target: Target) -> str:
    """Why a march needs the rule: where it keeps the operator, or over which limits; empty where it never fires."""
    young = target.unborn(op)
    if young is not None and young.constraint in rule.cures:
        return f"opset {young.found}"
    known = target.op(op)
    if known is None:
        return "not listed" if target.march.unlisted == "cpu" else ""
    if known.device in ("cpu", "refused"):
        return {"cpu": "CPU", "refused": "no kernel"}[known.device]
    limits = dict.fromkeys(check.constraint.split(".", 1)[1] for check in target.checks(op))
    cured = [limit for limit in limits if f"{op}.{limit}" in rule.cures]
    return ", ".join(cured)


def page() -> str:
    """The page with its table as it should be."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{rest.split(END)[1]}"


def main() -> int:
    """Write the page, or say whether it is current."""
    text = page()
    current = PAGE.read_text(encoding="utf-8") == text
    if "--check" in sys.argv[1:]:
        print(f"{PAGE.name} is {'' if current else 'not '}current")
        return 0 if current else 1
    PAGE.write_text(text, encoding="utf-8")
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
