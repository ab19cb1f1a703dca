"""The contract of the JSON documents."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from pydantic import ValidationError

from surgery.report import CheckDocument, DiffDocument, RunDocument, Span
from surgery.report.check import Violation
from surgery.report.run import Edit
from tests.report import samples


def test_numbers_that_are_not_finite_become_null() -> None:
    document = samples.diff(far=math.inf)
    assert document.outputs[0].max_abs is None
    output = json.loads(document.to_json())["outputs"][0]
    assert output["max_abs"] is None
    assert output["rel_to_range"] is None
    assert output["sqnr_db"] == 98.5
    assert json.loads(Span(low=math.nan, mid=1.0, high=-math.inf).model_dump_json()) == {
        "low": None, "mid": 1.0, "high": None,
    }  # fmt: skip


@pytest.mark.parametrize(("given", "kept"), [(np.int64(9), 9), ("1..7", "1..7"), (True, "True"), ([1, 2], "[1, 2]")])
def test_found_values_are_numbers_or_text(given: object, kept: object) -> None:
    assert Violation(constraint="Conv.kernel_h", found=given, allowed="1..7").found == kept


def test_documents_name_their_schema_and_the_model() -> None:
    for document, name in ((samples.check(), "check"), (samples.cost(), "cost"), (samples.run(), "run")):
        data = json.loads(document.to_json())
        assert data["schema"] == f"surgery.{name}/1"
        assert set(data["model"]) == {"path", "sha256", "opset", "ir_version"}


def test_run_has_the_keys_of_the_contract() -> None:
    data = json.loads(samples.run().to_json())
    promised = {"before", "after", "speedup", "passes", "verified", "drift", "edits", "io", "normalised", "violations"}
    assert promised <= set(data)
    assert {"nodes", "bpu", "cpu", "folded", "unknown", "segments", "macs", "mac_coverage"} <= set(data["before"])
    assert set(data["edits"][0]) == {"kind", "old", "new", "pass", "rule"}
    assert set(data["after"]["latency_ms"]) == {"low", "mid", "high"}
    assert data["drift"]["schema"] == "surgery.diff/1"


@pytest.mark.parametrize("document", [samples.check(samples.HOSTILE), samples.run(samples.HOSTILE), samples.diff()])
def test_json_round_trip(document: CheckDocument | RunDocument | DiffDocument) -> None:
    assert type(document).from_json(document.to_json()) == document


def test_a_path_that_is_not_unicode_can_be_written() -> None:
    model = samples.MODEL.model_copy(update={})
    odd = type(model)(path="bad\udcff.onnx", sha256="", opset=17, ir_version=8)
    assert json.loads(odd.model_dump_json())["path"] == "bad\\udcff.onnx"


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(ValidationError, match="extra"):
        Edit.model_validate({"kind": "added", "old": (), "new": ("b",), "pass": "p", "why": "?"})
