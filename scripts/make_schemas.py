"""Write the JSON Schema of every document under docs/schemas; ``--check`` only says whether they are current."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import BaseModel

from surgery.channels import Plan
from surgery.host.manifest import HostDocument
from surgery.report import (
    AuditDocument,
    BatchDocument,
    BisectDocument,
    CalibrationDocument,
    CheckDocument,
    ConfigDocument,
    CostDiffDocument,
    CostDocument,
    DiffDocument,
    ExplainDocument,
    LintDocument,
    MarchesDocument,
    PassesDocument,
    ProfileDocument,
    RunDocument,
    TradeoffDocument,
)

FOLDER = Path(__file__).parent.parent / "docs" / "schemas"
DOCUMENTS: tuple[type[BaseModel], ...] = (
    CheckDocument, CostDocument, DiffDocument, RunDocument, ExplainDocument, BisectDocument, PassesDocument,
    MarchesDocument, BatchDocument, CalibrationDocument, CostDiffDocument, ProfileDocument, LintDocument,
    ConfigDocument, HostDocument, Plan, TradeoffDocument, AuditDocument,
)  # fmt: skip


def schemas() -> dict[str, str]:
    """The text of every schema, by file name."""
    return dict(map(_schema, DOCUMENTS))


def _schema(kind: type[BaseModel]) -> tuple[str, str]:
    name = kind.model_fields["kind"].default
    data = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": name,
        **kind.model_json_schema(mode="serialization"),
    }
    return f"{name.replace('/', '.')}.json", json.dumps(data, indent=2) + "\n"


def main() -> int:
    """Write what is not current; with ``--check`` write nothing and return how many are not."""
    stale = {name: text for name, text in schemas().items() if not _is_current(FOLDER / name, text)}
    if "--check" in sys.argv[1:]:
        print("\n".join(f"{name} is not current" for name in stale) or "schemas are current")
        return len(stale)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in stale.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"wrote {FOLDER / name}")
    return 0


def _is_current(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
