"""Results on stdout, progress on stderr and only where it is wanted."""

from __future__ import annotations

import io

import pytest

from surgery.cli.progress import progress
from tests.cli.conftest import Surgery


def test_streams(surgery: Surgery) -> None:
    called = surgery("run", "clean.onnx", "-m", "X5", "--dry-run", "-v")
    assert "Before and after" in called.out
    assert "clean.onnx on bayes-e: fold-twice" in called.err
    assert surgery("run", "clean.onnx", "-m", "X5", "--dry-run").err == ""


def test_quiet_leaves_the_closing_lines(surgery: Surgery) -> None:
    lines = surgery("check", "clean.onnx", "-m", "X5", "-q").out.strip().splitlines()
    assert [line.split()[0] for line in lines] == ["clean.onnx:", "next:"]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "drawn"), [(Terminal(), True), (io.StringIO(), False)])
def test_progress_on_a_terminal(stream: io.StringIO, drawn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", stream)
    with progress() as bar:
        bar.start("evil\x1b[31m", 2)
        bar.step("fold")
        bar.count(1, 2)
    assert bool(stream.getvalue()) is drawn
    assert "evil\x1b" not in stream.getvalue()


def test_quiet_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    with progress(quiet=True) as bar:
        bar.start("model")
        bar.step("fold")
    assert stream.getvalue() == ""
