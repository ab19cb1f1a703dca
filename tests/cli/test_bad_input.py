"""Bad files and names through the command line: exit 2, one message, nothing written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import onnx
import pytest

from surgery.ir import Model
from tests.cli.conftest import Called, Surgery

SHARED = Path(__file__).parents[3] / "shared"


def refused(surgery: Surgery, *args: str | Path) -> Called:
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    called = surgery(*args)
    assert called.code == 2, called.out + called.err
    assert called.err.startswith("surgery: ")
    assert called.err.count("surgery: ") == 1
    assert called.out == ""
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before
    return called


def run_of(model: str, *more: str) -> tuple[str, ...]:
    return ("run", model, "-m", "X5", "-o", "out.onnx", *more)


def test_missing_file(surgery: Surgery) -> None:
    assert "nowhere.onnx" in refused(surgery, *run_of("nowhere.onnx")).err


def test_empty_file(surgery: Surgery) -> None:
    Path("empty.onnx").touch()
    assert "empty.onnx" in refused(surgery, *run_of("empty.onnx")).err


def test_huge_file(surgery: Surgery) -> None:
    with Path("huge.onnx").open("wb") as file:
        file.truncate(5 << 30)
    called = surgery(*run_of("huge.onnx"))
    assert called.code == 2
    assert "huge.onnx" in called.err
    assert not Path("out.onnx").exists()


@pytest.mark.parametrize("content", [b"\x00" * 64, b"<html>", b"PK\x03\x04" * 20])
def test_not_an_onnx_file(surgery: Surgery, content: bytes) -> None:
    Path("other.onnx").write_bytes(content)
    assert "other.onnx" in refused(surgery, *run_of("other.onnx")).err


def test_truncated_file(surgery: Surgery) -> None:
    whole = Path("clean.onnx").read_bytes()
    Path("cut.onnx").write_bytes(whole[: len(whole) // 2])
    assert "cut.onnx" in refused(surgery, *run_of("cut.onnx")).err


def test_unknown_opset(surgery: Surgery) -> None:
    proto = onnx.load("clean.onnx")
    proto.opset_import[0].version = 9999
    onnx.save(proto, "new.onnx")
    assert "9999" in refused(surgery, *run_of("new.onnx")).err


def test_unknown_ir(surgery: Surgery) -> None:
    proto = onnx.load("clean.onnx")
    proto.ir_version = 999
    onnx.save(proto, "new.onnx")
    assert "999" in refused(surgery, *run_of("new.onnx")).err


def without_weights() -> None:
    Model.load("clean.onnx").save("split.onnx", external=True)
    for path in Path().iterdir():
        if path.name.startswith("split") and path.suffix != ".onnx":
            path.unlink()


def test_check_without_weights(surgery: Surgery) -> None:
    without_weights()
    for verb in ("check", "cost"):
        assert surgery(verb, "split.onnx", "-m", "X5").code == 0
    assert surgery("explain", "split.onnx", "--pass", "fold-twice").code == 0


@pytest.mark.parametrize(
    "args", [run_of("split.onnx"), ("diff", "split.onnx", "clean.onnx"), ("bisect", "split.onnx", "-p", "halve.yaml")]
)
def test_run_diff_and_bisect_need_weights(surgery: Surgery, args: tuple[str, ...]) -> None:
    without_weights()
    assert re.search("weights? .*(missing|absent)|external data", refused(surgery, *args).err)


@pytest.mark.shared
def test_the_alexnet_of_the_corpus_is_checked_without_its_weights(surgery: Surgery) -> None:
    path = SHARED / "corpus" / "models" / "tv_alexnet_op11.onnx"
    called = surgery("check", path, "--march", "bernoulli2", "--json", "-")
    data = json.loads(called.out)
    assert data["summary"]["nodes"] > 10
    assert called.code in (0, 1)


def test_unknown_march(surgery: Surgery) -> None:
    assert "did you mean bernoulli2?" in refused(surgery, "check", "clean.onnx", "-m", "bernouli2").err


def test_unknown_pass(surgery: Surgery) -> None:
    assert "did you mean fold-twice" in refused(surgery, *run_of("clean.onnx", "--add", "fold-twise")).err


def test_unknown_option(surgery: Surgery) -> None:
    assert "did you mean mode?" in refused(surgery, *run_of("clean.onnx", "--set", "fold-twice.modus=fold")).err


def test_a_drop_without_an_evaluator_is_refused(surgery: Surgery) -> None:
    called = refused(surgery, *run_of("clean.onnx", "--budget", "accuracy_drop=0.01"))
    assert "accuracy_drop is measured by an evaluator, and none is given" in called.err
    assert "--eval module:function" in called.err


def test_unknown_key(surgery: Surgery) -> None:
    Path("p.yaml").write_text("schema: surgery.pipeline/1\npasses: []\nbudgets: {}\n")
    assert "did you mean budget?" in refused(surgery, *run_of("clean.onnx", "-p", "p.yaml")).err


@pytest.mark.parametrize(
    ("text", "told"),
    [("chanels=16", "did you mean channels"), ("cores=2", "the compiler of bayes-e takes 1"), ("batch=0", "batch=0: ")],
)
def test_what_if_that_cannot_be(surgery: Surgery, text: str, told: str) -> None:
    called = refused(surgery, "cost", "clean.onnx", "-m", "X5", "--what-if", text, "--json", "cost.json")
    assert "--what-if: " in called.err
    assert told in called.err


def test_output_is_input(surgery: Surgery) -> None:
    called = refused(surgery, "run", "clean.onnx", "-m", "X5", "-o", "./clean.onnx")
    assert "is the input" in called.err
    assert "--in-place" in called.err


def test_output_is_another_input(surgery: Surgery) -> None:
    Path("link.onnx").symlink_to("clean.onnx")
    assert "is the input" in refused(surgery, "run", "clean.onnx", "-m", "X5", "-o", "link.onnx").err


def test_in_place(surgery: Surgery) -> None:
    assert surgery("run", "clean.onnx", "-m", "X5", "--in-place").code == 0
    assert surgery("run", "clean.onnx", "-m", "X5", "-m", "X3", "--in-place").code == 2


def test_output_in_a_folder_that_is_not_there(surgery: Surgery) -> None:
    assert "No such file" in refused(surgery, "run", "clean.onnx", "-m", "X5", "-o", "a/b.onnx").err


def test_a_folder_without_models(surgery: Surgery) -> None:
    Path("void").mkdir()
    assert "no .onnx file" in refused(surgery, "check", "void", "-m", "X5").err


def test_several_models_need_a_folder(surgery: Surgery) -> None:
    Path("out.onnx").touch()
    called = refused(surgery, "run", "clean.onnx", "negated.onnx", "-m", "X5", "-o", "out.onnx")
    assert "several models need a folder" in called.err


def test_models_of_one_name(surgery: Surgery) -> None:
    Path("other").mkdir()
    Path("other/clean.onnx").write_bytes(Path("clean.onnx").read_bytes())
    called = refused(surgery, "run", "clean.onnx", "other/clean.onnx", "-m", "X5", "-o", "out")
    assert "two models of one name" in called.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("march: m\nsources: {}\nops: {Relu: {device: bpv}}", "npu.yaml:3: ops.Relu.device: Input should be"),
        ("march: m\nops: {}\nsources: {}\nmodel: [{param: inputz, max: 1}]", "npu.yaml:4: model.0.param: unknown name"),
        ("march: [", "npu.yaml:2: did not find expected"),
        ("march: \N{LATIN SMALL LETTER E WITH ACUTE}", "npu.yaml: is not UTF-8 text"),
    ],
)
@pytest.mark.parametrize("verb", ["check", "cost"])
def test_a_bad_march_file(surgery: Surgery, verb: str, text: str, message: str) -> None:
    Path("npu.yaml").write_text(text, encoding="latin-1")
    assert message in refused(surgery, verb, "clean.onnx", "-m", "npu.yaml").err
