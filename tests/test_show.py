"""What a stranger is shown first: checking without weights, and a model that is too new for an old toolchain."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from typer.testing import CliRunner

from surgery.cli.app import app
from tests.support import SHARED, proto_of

NEW = """g (float[1,3,8,8] x) => (float[1,3,8,8] y) <float[3,3,1,1] w = {1, 0, 0, 0, 1, 0, 0, 0, 1}>
{ c = Conv (x, w)  y = Identity (c) }"""


def surgery(*args: str | Path) -> tuple[int, str]:
    """Exit code and what was printed."""
    result = CliRunner().invoke(app, [str(arg) for arg in args], prog_name="surgery")
    return result.exit_code, result.stdout


MUST = "model.opset is 13, must hold: opset 9..11"


@pytest.mark.shared
def test_check_alexnet_without_weights() -> None:
    path = SHARED / "corpus" / "models" / "tv_alexnet_op11.onnx"
    code, out = surgery("check", path, "--march", "bernoulli2", "--json", "-")
    document = json.loads(out)
    assert (code, document["accepted"], document["summary"]["nodes"]) == (1, True, 20)
    broken = {(v["constraint"], v["found"]) for node in document["nodes"] for v in node["violations"]}
    assert broken == {("Conv.kernel_h", 11), ("Conv.kernel_w", 11)}


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """A model of opset 13."""
    onnx.save(proto_of(NEW, opset=13), tmp_path / "new.onnx")
    return tmp_path / "new.onnx"


@pytest.mark.parametrize("march", ["bernoulli2", "bayes", "bayes-e"])
def test_opset_above_11_is_refused_and_said(march: str, new: Path) -> None:
    code, out = surgery("check", new, "--march", march)
    assert code == 1
    assert f"The {march} toolchain will refuse the model: {MUST}." in " ".join(out.split())


@pytest.mark.parametrize("suffix", ["md", "html", "json"])
def test_the_report_of_a_run_says_so_too(suffix: str, new: Path) -> None:
    report = new.with_name(f"report.{suffix}")
    flags = ("--skip", "lower-opset", "-o", new.with_name("out.onnx"), "--report", report)
    code, out = surgery("run", new, "--march", "bernoulli2", *flags)
    assert code == 1
    assert f"toolchain will refuse the model: {MUST}" in " ".join(out.split())
    text = report.read_text()
    assert ('"rule": "model.opset"' if suffix == "json" else MUST) in text


@pytest.mark.parametrize("march", ["bernoulli2", "bayes", "bayes-e"])
def test_a_run_lowers_it(march: str, new: Path) -> None:
    code, out = surgery("run", new, "--march", march, "-o", new.with_name("out.onnx"))
    assert f"The {march} toolchain will take the model" in " ".join(out.split()), code


def test_opset_above_11_is_no_matter_to_nash(new: Path) -> None:
    _, out = surgery("check", new, "--march", "nash-e", "--json", "-")
    assert "model.opset" not in {refusal["rule"] for refusal in json.loads(out)["refusals"]}
