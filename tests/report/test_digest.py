from __future__ import annotations

import copy
import hashlib
import os
import pickle
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import numpy_helper
from typer.testing import CliRunner

import surgery
from surgery.cli.app import app
from surgery.errors import ModelError
from surgery.ir.store import FileSlice, MappedFile
from surgery.report.base import Digest
from surgery.report.batch import BatchDocument, as_json

GRAPH = '<ir_version: 7, opset_import: ["": 11]> g (float[1,600,7,7] x) => (float[1,600,7,7] y) { y = Conv(x, w) }'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A model of more than 1 MiB, which is not read as a whole."""
    proto = onnx.parser.parse_model(GRAPH)
    proto.graph.initializer.append(numpy_helper.from_array(np.ones((600, 600, 1, 1), np.float32), "w"))
    onnx.save(proto, tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def test_check_reads_no_weights_and_cost_some_rows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file that lies in memory as far as it is touched, the cost touches a few channels (surgery.cost.packing)."""

    def read(*_: object) -> None:
        raise AssertionError("weights were read")

    with monkeypatch.context() as patched:
        patched.setattr(MappedFile, "chunks", read)
        costs = surgery.cost(path, march="bayes-e")
        patched.setattr(FileSlice, "read", read)
        documents = [surgery.check(path, march="bayes-e"), costs]
        assert CliRunner().invoke(app, ["check", str(path), "--march", "bayes-e"]).exit_code == 0
        with pytest.raises(AssertionError, match="weights were read"):
            documents[0].to_json()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert [d.model.sha256 for d in documents] == [digest] * 2
    assert all(f'"sha256": "{digest}"' in d.to_json() for d in documents)


def test_a_digest_is_of_the_content_that_was_looked_at(path: Path) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    replaced = surgery.check(path, march="bayes-e")
    other = path.with_name("other")
    other.write_bytes(b"another file")
    other.replace(path)
    assert replaced.model.sha256 == digest


@pytest.mark.parametrize("batch", [False, True])
def test_a_file_that_was_written_to_has_no_digest_any_more(path: Path, batch: bool) -> None:
    known, unknown = (surgery.check(path, march="bayes-e") for _ in range(2))
    digest = known.model.sha256
    with path.open("r+b") as file:
        file.write(b"\x08\x08")
        os.utime(file.fileno(), ns=(1, 1))
    assert known.model.sha256 == digest
    assert known.to_json().count(digest) == 1
    with pytest.raises(ModelError, match=r"m.onnx: was written to after it was read, and its digest was not asked"):
        as_json([known, unknown]) if batch else unknown.to_json()


def test_a_copy_of_a_document_knows_its_digest(path: Path) -> None:
    document = surgery.check(path, march="bayes-e")
    pickled, told = pickle.loads(pickle.dumps(document)), type(document).from_json(document.to_json())
    for twin in (copy.deepcopy(document), pickled, told):
        assert twin == document
        assert hash(twin.model) == hash(document.model)
    assert BatchDocument(documents=(document,)).documents[0] == document


def test_a_digest_is_text() -> None:
    assert Digest("ab") == Digest.valid("ab") != Digest("cd")
    assert (str(Digest("ab")), repr(Digest("ab"))) == ("ab", "'ab'")
    with pytest.raises(ValueError, match="valid string"):
        Digest.valid(3)
