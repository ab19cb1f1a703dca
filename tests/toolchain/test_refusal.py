from __future__ import annotations

import signal

import pytest

from surgery.toolchain.refusal import Kind, refusal
from surgery.toolchain.worker import Ended
from tests.toolchain.captured import TABLE, failed

FAILED = Ended(255, None, late=False, seconds=1, cpu_seconds=1, peak_kb=1)

REASONS = [
    (Kind.OPSET, "The opset version of the model is 17, the maximum supported version is 11."),
    (Kind.IR, "The ir version of the model is 13, which is greater than the maximum supported ir version of 9."),
    (Kind.NOTHING, "There is no node can execute on BPU in this model, please make sure"),
    (Kind.DYNAMIC, "For input X, the input shape [1, 'h'] is invalid as there exist missing or dynamic dimension"),
    (Kind.DYNAMIC, "The shape of model input:x has dimensions of 0. Please specify input-shape parameter"),
    (Kind.DYNAMIC, "shape for graph input could not be None."),
    (Kind.OPERATOR, "HorizonRT not support these cpu operators: If"),
    (Kind.OPERATOR, "unsupported domain detected in model"),
    (Kind.OUTPUTS, "tool limits for max output num is 32"),
    (Kind.RANK, "Tensor x expects be 4 dimensions, but 5 provided"),
    (Kind.INVALID, "The onnx model is invalid (shape_inference or model_check failed)."),
    (Kind.COMPILER, "hbdk-cc compile hbir model failed with returncode 1"),
    (Kind.UNKNOWN, "something nobody has seen"),
]


@pytest.mark.parametrize(("kind", "reason"), REASONS, ids=[reason[:24] for _, reason in REASONS])
def test_kinds(kind: Kind, reason: str) -> None:
    found = refusal(FAILED, failed(reason), limit=60)
    assert found is not None
    assert (found.kind, found.text) == (kind, reason)


def test_no_refusal() -> None:
    assert refusal(Ended(0, None, late=False, seconds=1, cpu_seconds=1, peak_kb=1), TABLE, limit=60) is None


def test_crash_names_the_step() -> None:
    ended = Ended(None, signal.SIGSEGV, late=False, seconds=1, cpu_seconds=1, peak_kb=1)
    found = refusal(ended, TABLE, limit=60)
    assert found is not None
    assert found.kind is Kind.CRASH
    assert found.text == "segmentation fault of the toolchain after 'Start to compile the model with march bayes-e'"


def test_time_out() -> None:
    found = refusal(Ended(None, 9, late=True, seconds=60, cpu_seconds=1, peak_kb=1), "", limit=60)
    assert found is not None
    assert (found.kind, found.text) == (Kind.TIMEOUT, "not done after 60 s")


def test_end_without_a_word() -> None:
    found = refusal(FAILED, TABLE, limit=60)
    assert found is not None
    assert found.text.startswith("exit code 255 without a word after 'Start to compile")


def test_folders_are_left_out() -> None:
    found = refusal(FAILED, failed("cannot read '/tmp/surgery-witness-x/y/model.onnx' for b/c"), limit=60)
    assert found is not None
    assert found.text == "cannot read 'model.onnx' for b/c"


def test_a_lone_name_becomes_a_sentence() -> None:
    found = refusal(FAILED, failed("'ai.onnx'"), limit=60)
    assert found is not None
    assert (found.kind, found.text) == (Kind.INVALID, "it fails at 'ai.onnx'")


def test_traceback_ends_count() -> None:
    text = "2026-11-23 03:22:59,000 ERROR Traceback (most recent call last):\n  File x\nRuntimeError: the thing broke\n"
    found = refusal(FAILED, text, limit=60)
    assert found is not None
    assert found.text == "the thing broke"
