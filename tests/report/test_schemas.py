"""The JSON Schemas under docs/ describe the documents."""

from __future__ import annotations

import json

import jsonschema
import pytest

from scripts.make_schemas import FOLDER, schemas
from surgery.report import Document
from surgery.report.batch import Failure, as_json
from tests.report import samples

DOCUMENTS = [
    samples.check(samples.HOSTILE),
    samples.cost(),
    samples.cost_diff(samples.HOSTILE),
    samples.diff(far=float("nan")),
    samples.run(),
    samples.tradeoff(samples.HOSTILE),
]


def test_schemas_in_docs_are_current() -> None:
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")} == schemas()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.kind)
def test_documents_follow_their_schema(document: Document) -> None:
    data = json.loads(document.to_json())
    schema = json.loads(schemas()[f"{data['schema'].replace('/', '.')}.json"])
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(data, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**data, "schema": "surgery.other/1"}, schema)


def test_several_documents_are_a_batch() -> None:
    failure = Failure(model="a.onnx", march="bayes", error="not an ONNX model")
    data = json.loads(as_json([samples.check(), samples.check()], [failure]))
    assert data["schema"] == "surgery.batch/1"
    assert [d["summary"]["nodes"] for d in data["documents"]] == [9, 9]
    assert data["failures"] == [{"model": "a.onnx", "march": "bayes", "error": "not an ONNX model"}]


def test_one_document_stays_itself() -> None:
    assert as_json([samples.check()]) == samples.check().to_json()
