"""Write docs/constraints.md and docs/marches/ from code and data; ``--check`` only says whether they are current."""

from __future__ import annotations

import sys
from pathlib import Path

import constraint_page
import march_page

from surgery.target import load_target, march_names

DOCS = Path(__file__).parent.parent / "docs"


def pages() -> dict[Path, str]:
    """Every page and its text."""
    targets = {name: load_target(name) for name in march_names()}
    texts = {DOCS / "marches" / f"{name}.md": march_page.page(target) for name, target in targets.items()}
    return {DOCS / "constraints.md": constraint_page.page(targets), **texts}


def main() -> int:
    """Write the pages, or say which are not current: missing, different, or of a march that is gone."""
    texts = pages()
    stale = [p for p, text in texts.items() if not p.is_file() or p.read_text(encoding="utf-8") != text]
    stale += sorted(set((DOCS / "marches").glob("*.md")) - texts.keys())
    for path in stale:
        print(f"docs/{path.relative_to(DOCS)} is not current")
        if "--check" not in sys.argv[1:]:
            path.parent.mkdir(exist_ok=True)
            path.write_text(texts[path], encoding="utf-8") if path in texts else path.unlink()
    return 1 if stale and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
