"""Tables that scripts write into pages of docs/, between two marks."""

from __future__ import annotations

import sys
from pathlib import Path

END = "<!-- end of table -->\n"


def begin(script: str) -> str:
    """The mark before the table of a script."""
    return f"<!-- table: scripts/{script} -->\n"


def write(page: Path, script: str, table: str) -> int:
    """Put ``table`` where it belongs in ``page``; with ``--check``, 1 if it is not there already."""
    old = page.read_text(encoding="utf-8")
    head, _, rest = old.partition(begin(script))
    text = f"{head}{begin(script)}\n{table}\n{END}{rest.partition(END)[2]}"
    if "--check" in sys.argv[1:]:
        print("current" if text == old else f"{page.parent.name}/{page.name} is not current")
        return int(text != old)
    page.write_text(text, encoding="utf-8")
    return 0
