"""``--json`` of every verb is the document of its schema."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tests.cli.conftest import Surgery
from tests.cli.test_verbs import VERBS

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


@pytest.mark.parametrize("verb", ["check", "run", "cost", "diff", "explain", "bisect", "passes", "marches"])
def test_document(verb: str, surgery: Surgery) -> None:
    args, _ = VERBS[verb]
    called = surgery(*args, "--json", "-")
    data = json.loads(called.out)
    assert data["schema"] == f"surgery.{verb}/1"
    jsonschema.validate(data, json.loads((SCHEMAS / f"surgery.{verb}.1.json").read_text()))
    if verb not in ("passes", "marches"):
        assert set(data["model"]) == {"path", "sha256", "opset", "ir_version"}


def test_a_file_holds_what_stdout_would(surgery: Surgery) -> None:
    args, _ = VERBS["check"]
    printed = surgery(*args, "--json", "-").out
    called = surgery(*args, "--json", "check.json")
    assert Path("check.json").read_text() == printed
    assert "Placement" in called.out


def test_a_run_can_be_replayed_from_its_document(surgery: Surgery) -> None:
    data = json.loads(surgery("run", "clean.onnx", "-m", "X5", "--dry-run", "--seed", "7", "--json", "-").out)
    assert data["replay"]["seed"] == 7
    assert data["replay"]["pipeline"]["passes"] == ["fold-twice"]
    assert {"surgery", "onnx", "onnxruntime", "numpy"} <= set(data["replay"]["versions"])
    assert len(data["model"]["sha256"]) == 64
