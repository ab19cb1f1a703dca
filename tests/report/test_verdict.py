"""Findings, closing sentences, and the command to type next."""

from __future__ import annotations

import shlex

import pytest

from surgery.report import BisectDocument, CheckDocument, Document, Finding, closing, findings
from surgery.report.cost import CostDocument
from surgery.report.verdict import command
from tests.report import samples


def clean() -> CheckDocument:
    good = samples.summary(0).model_copy(update={"unknown": 0, "segments": 1})
    return samples.check().model_copy(update={"summary": good, "nodes": ()})


def bisect(guilty: str | None) -> BisectDocument:
    return BisectDocument(
        model=samples.MODEL,
        march="bayes-e",
        passes=("a", "b"),
        guilty=guilty,
        match=2 if guilty else None,
        matches=4 if guilty else 0,
        nodes=("Conv_1",) if guilty else (),
        reason="y moved by 0.2",
    )


def unverified() -> Document:
    after = samples.run().after.model_copy(update={"cpu": 0, "unknown": 0})
    return samples.run(verified="none").model_copy(update={"after": after, "verified_reason": "custom op"})


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (clean(), set()),
        (samples.check(), {Finding.CPU, Finding.UNKNOWN}),
        (samples.check(accepted=False), {Finding.CPU, Finding.UNKNOWN, Finding.REFUSED}),
        (unverified(), {Finding.UNVERIFIED}),
        (samples.diff(), set()),
        (samples.diff(far=0.01), {Finding.DRIFT}),
        (samples.diff(far=float("nan")), {Finding.DRIFT}),
        (bisect("b"), {Finding.DRIFT}),
        (bisect(None), set()),
        (samples.cost(), set()),
    ],
)
def test_findings(document: Document, found: set[Finding]) -> None:
    assert findings(document) == found


def test_a_node_the_compiler_fails_on_is_a_refusal() -> None:
    bad = clean().summary.model_copy(update={"refused": 1})
    assert findings(clean().model_copy(update={"summary": bad})) == {Finding.REFUSED}


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (clean(), "The bayes-e toolchain will take the model: nothing on the CPU, 1 BPU segment."),
        (samples.check(accepted=False), "will refuse the model: model.opset is 17, must hold: 10..11."),
        (unverified(), "Numbers verified: none (custom op)."),
        (samples.diff(far=0.0), "Every output is bit-identical."),
        (samples.diff(far=0.5), "The numbers differ, first at y, computed by Add n: differs by 0.5."),
        (bisect("b"), "b breaks the numbers, first with its match 2 at Conv_1: y moved by 0.2."),
    ],
)
def test_sentences(document: Document, sentence: str) -> None:
    assert sentence in closing(document).sentence


def test_without_coefficients_the_reason_is_said() -> None:
    empty = samples.cost().model_copy(update={"latency_ms": None, "bpu_ms": None, "reason": "no measurement of J5"})
    assert isinstance(empty, CostDocument)
    assert closing(empty).sentence == "No estimate for bayes-e: no measurement of J5."


@pytest.mark.parametrize("document", [clean(), samples.check(), samples.cost(), samples.run(), bisect("b")])
def test_what_to_type_next_is_a_surgery_command(document: Document) -> None:
    words = shlex.split(closing(document).next)
    assert words[0] == "surgery"
    assert "bayes-e" in words


def test_commands_survive_hostile_paths() -> None:
    assert shlex.split(command("check", "a b;rm -rf $HOME\n.onnx")) == ["surgery", "check", "a b;rm -rf $HOME\\n.onnx"]
