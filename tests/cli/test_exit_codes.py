"""0 clean, 1 findings, 2 bad input, 3 ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from surgery import api
from surgery.cli.guard import INTERRUPTED
from tests.cli.conftest import Surgery


def test_exit_0(surgery: Surgery) -> None:
    assert surgery("check", "clean.onnx", "-m", "X5").code == 0
    assert surgery("run", "clean.onnx", "-m", "X5", "-o", "out.onnx").code == 0


def test_exit_1(surgery: Surgery) -> None:
    assert surgery("check", "pooled.onnx", "-m", "X3").code == 1
    assert surgery("run", "clean.onnx", "-m", "X5", "-o", "out.onnx", "--verify", "off").code == 1
    assert Path("out.onnx").exists()
    assert surgery("diff", "negated.onnx", "clean.onnx").code == 2


def test_exit_2(surgery: Surgery) -> None:
    called = surgery("run", "nowhere.onnx", "-m", "X5", "-o", "out.onnx", "--json", "r.json", "--report", "r.html")
    assert called.code == 2
    assert called.err.startswith("surgery: ")
    assert not [path for path in Path().iterdir() if path.name.startswith(("out", "r."))]


def test_exit_3(surgery: Surgery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "check", _broken)
    called = surgery("check", "clean.onnx", "-m", "X5")
    assert called.code == 3
    assert called.err.splitlines()[0] == "surgery: defect: ZeroDivisionError: by nothing"
    assert "Please report" in called.err
    assert "Traceback" not in called.err
    assert "Traceback" in surgery("check", "clean.onnx", "-m", "X5", "-v").err


def _broken(*_args: object, **_options: object) -> None:
    raise ZeroDivisionError("by nothing\nsecond line")


def test_interrupted(surgery: Surgery, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "check", stop)
    assert surgery("check", "clean.onnx", "-m", "X5").code == INTERRUPTED


def test_fail_on(surgery: Surgery) -> None:
    assert surgery("check", "pooled.onnx", "-m", "X3", "--fail-on", "refused").code == 0
    assert surgery("check", "pooled.onnx", "-m", "X3", "--fail-on", "refused", "--fail-on", "cpu").code == 1
