"""``--witness`` and ``surgery witness`` through the command line, with a fake toolchain and without any."""

from __future__ import annotations

from pathlib import Path

import pytest

from surgery.cli.asking import completed
from surgery.toolchain import setup
from surgery.toolchain.setup import Plan
from tests.cli.conftest import Surgery
from tests.cli.test_bad_input import refused
from tests.toolchain.fake import install


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake toolchain under an awkward path, found by the environment variable."""
    place = install(tmp_path / "töol; with space")
    monkeypatch.setenv("SURGERY_WITNESS", str(place))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cäche; with space"))
    return place


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ("m.onnx --witness", "m.onnx --witness auto"),
        ("--witness m.onnx -q", "--witness auto m.onnx -q"),
        ("--witness auto m.onnx", "--witness auto m.onnx"),
        ("--witness docker.yaml m.onnx", "--witness docker.yaml m.onnx"),
        ("--witness tool m.onnx", "--witness tool m.onnx"),
        ("--witness --march X5 m.onnx", "--witness auto --march X5 m.onnx"),
    ],
)
def test_the_folder_may_be_left_out(words: str, read: str) -> None:
    Path("tool/bin").mkdir(parents=True)
    assert completed(words.split()) == read.split()


VERBS = {
    "check": ("check", "clean.onnx"),
    "run": ("run", "clean.onnx", "-o", "out.onnx"),
    "diff": ("diff", "clean.onnx", "clean.onnx"),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("place", ["nowhere.yaml", "empty"])
def test_no_toolchain(surgery: Surgery, verb: str, place: str) -> None:
    Path("empty/bin").mkdir(parents=True)
    called = refused(surgery, *VERBS[verb], "--march", "X5", "--witness", place)
    assert f"{place}: no installation of the vendor's toolchain" in called.err
    assert "hint: surgery witness setup" in called.err


@pytest.mark.usefixtures("tool")
def test_a_march_it_does_not_know(surgery: Surgery) -> None:
    called = refused(surgery, *VERBS["run"], "--march", "S100", "--witness")
    assert "does not know march 'nash-e', only bernoulli2, bayes, bayes-e" in called.err


@pytest.mark.usefixtures("tool")
def test_no_such_level(surgery: Surgery) -> None:
    called = refused(surgery, *VERBS["run"], "--march", "X5", "--witness", "--witness-level", "O4")
    assert "'O4', it has to be O0, O1, O2 or O3" in called.err


@pytest.mark.usefixtures("tool")
def test_check(surgery: Surgery) -> None:
    called = surgery("check", "clean.onnx", "--march", "X5", "--witness")
    assert "The toolchain takes the model: 1 row, none on the CPU, 1 segment." in called.out
    assert "The bayes-e toolchain was asked and takes the model: nothing on the CPU, 1 BPU segment." in called.out


def test_an_awkward_place_by_name(surgery: Surgery, tool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SURGERY_WITNESS")
    Path("mödel with space;.onnx").write_bytes(Path("clean.onnx").read_bytes())
    called = surgery("check", "mödel with space;.onnx", "--march", "X5", "--witness", tool)
    assert called.code == 0, called.err
    assert "was asked and takes the model" in called.out


def test_a_broken_installation_is_named(surgery: Surgery) -> None:
    place = install(Path("broken"), broken=True)
    for words in (("witness", "status", place), (*VERBS["check"], "--march", "X5", "--witness", place)):
        called = refused(surgery, *map(str, words))
        assert "the toolchain does not start: ImportError: no pkg_resources" in called.err
        assert "hint: surgery witness setup DIR" in called.err


def test_status(surgery: Surgery, tool: Path) -> None:
    called = surgery("witness", "status")
    assert called.out.splitlines() == [f"toolchain  {tool}", "marches    bernoulli2, bayes, bayes-e"]


def test_setup_says_what_it_does_and_asks(surgery: Surgery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "plan", lambda folder: Plan(folder, "python3.10"))
    monkeypatch.setattr(setup, "install", lambda steps, **_: install(steps.folder))
    called = surgery("witness", "setup", "new")
    assert (called.code, Path("new").exists()) == (1, False)
    assert "rdkx5-yolo-mapper" in called.out
    assert "6 GB, two minutes" in called.out
    called = surgery("witness", "setup", "new", "--yes")
    assert called.code == 0, called.err
    assert "Go on?" not in called.out
    assert called.out.endswith("marches    bernoulli2, bayes, bayes-e\n")
