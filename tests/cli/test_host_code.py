"""``surgery run --host-code``: what is written, and what is refused before anything is."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from surgery.pipeline import registry
from tests.cli.conftest import Surgery
from tests.support import model_of

TAIL = """g (float[1,2,2,2] x) => (float[1,2,2,2] y) <int64[2] k = {0, 1}>
{ r = Relu (x)  t = Transpose <perm = [0, 2, 3, 1]> (r)  y = MaxPool <kernel_shape = [1, 1]> (t) }"""
FILES = ["out_host.hpp", "out_host.json", "out_host.py"]


@pytest.fixture(autouse=True)
def models(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models with something at their end, and the pass that takes it off."""
    model_of(TAIL.replace("MaxPool <kernel_shape = [1, 1]>", "Softmax"), opset=11).save(folder / "soft.onnx")
    model_of(TAIL, opset=11).save(folder / "tail.onnx")
    entries = {**registry._entries(), "cut-heads": EntryPoint("cut-heads", "passes.heads:CutHeads", registry.GROUP)}
    monkeypatch.setattr(registry, "_entries", lambda: entries)


def run(surgery: Surgery, model: str, *flags: str) -> tuple[int, str, str]:
    added = ("--add", "cut-heads", "--set", "cut-heads.at=r", "--host-code", "host")
    called = surgery("run", model, "-m", "X5", "-o", "out.onnx", *added, *flags)
    return called.code, called.out, called.err


def test_three_files_are_written_and_reported(surgery: Surgery) -> None:
    code, out, err = run(surgery, "soft.onnx", "--json", "-")
    assert code in {0, 1}, err
    assert json.loads(out)["host_code"] == [f"host/out_host.{kind}" for kind in ("py", "hpp", "json")]
    assert sorted(p.name for p in Path("host").iterdir()) == FILES
    manifest = json.loads(Path("host/out_host.json").read_text())
    assert (manifest["schema"], manifest["march"]) == ("surgery.host/1", "bayes-e")
    assert [step["op"] for step in manifest["epilogue"]["steps"]][-1] == "Softmax"


def test_the_report_names_them(surgery: Surgery) -> None:
    _, out, _ = run(surgery, "soft.onnx")
    assert "Host code, compared with what was taken off" in out
    assert "host/out_host.py" in out


def test_an_operator_that_is_not_printed_is_named_and_nothing_is_written(surgery: Surgery) -> None:
    before = sorted(Path().iterdir())
    code, _, err = run(surgery, "tail.onnx")
    assert code == 2
    assert "no host code for MaxPool" in err
    assert sorted(Path().iterdir()) == before


def test_a_folder_that_is_a_file_is_refused_before_any_work(surgery: Surgery) -> None:
    Path("host").write_text("as it was")
    code, _, err = run(surgery, "soft.onnx")
    assert (code, Path("host").read_text()) == (2, "as it was")
    assert "host: is a file, a folder is needed" in err
    assert not Path("out.onnx").exists()


def test_host_code_is_of_one_model_on_one_march(surgery: Surgery) -> None:
    code, _, err = run(surgery, "soft.onnx", "-m", "X3")
    assert code == 2
    assert "--host-code host: is about one model on one march, not 2" in err


def test_a_dry_run_writes_none(surgery: Surgery) -> None:
    surgery("run", "soft.onnx", "-m", "X5", "--dry-run", "--host-code", "host")
    assert not Path("host").exists()
