"""``--run-on-bpu``: what the toolchain is asked to run on the BPU."""

from __future__ import annotations

from tests.cli.conftest import Surgery
from tests.test_on_request import model


def test_what_was_asked_for_is_said(surgery: Surgery) -> None:
    model().save("heads.onnx")
    left, asked = (surgery("check", "heads.onnx", "-m", "X5", *more) for more in ((), ("--run-on-bpu", "Softmax")))
    assert (left.code, asked.code) == (1, 0)
    assert "surgery check heads.onnx --march bayes-e --run-on-bpu Softmax" in left.out
    assert "Its YAML has to ask for Softmax on the BPU (run_on_bpu)" in " ".join(asked.out.split())
    assert "surgery cost heads.onnx --march bayes-e --run-on-bpu Softmax" in asked.out
    assert surgery("cost", "heads.onnx", "-m", "X5", "--run-on-bpu", "one").code == 0


def test_what_does_not_run_on_request(surgery: Surgery) -> None:
    model().save("heads.onnx")
    called = surgery("run", "heads.onnx", "-m", "X5", "--dry-run", "--run-on-bpu", "Sofmax")
    assert called.code == 2
    assert "on request it runs" in called.err
