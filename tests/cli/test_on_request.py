"""``--run-on-bpu``: what the toolchain is asked to run on the BPU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import NEGATED, Surgery
from tests.cli.rules import FoldTwicePass, HalvePass
from tests.support import model_of
from tests.test_on_request import model

ASKED = ("-m", "X5", "--run-on-bpu", "Softmax")
EXPLAIN, BISECT = ("explain", "heads.onnx", "--pass", "halve"), ("bisect", "heads.onnx", "-p", "halve.yaml")
NORMED = NEGATED.replace("[good] a = Neg (x)", "[good] a = Softmax <axis = 1> (x)")


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


@pytest.mark.parametrize("call", [EXPLAIN, BISECT])
def test_passes_are_looked_at_where_it_is_asked_for(
    surgery: Surgery, monkeypatch: pytest.MonkeyPatch, call: tuple[str, ...]
) -> None:
    seen = set()

    def rules(_pass: object, target: Any) -> list[Any]:
        seen.add(target.run_on_bpu)
        return []

    for each in (FoldTwicePass, HalvePass):
        monkeypatch.setattr(each, "rules", rules)
    model().save("heads.onnx")
    assert surgery(*call, *ASKED, "--json", "d.json").code == 0
    assert seen == {("Softmax",)}
    assert json.loads(Path("d.json").read_text())["run_on_bpu"] == ["Softmax"]


def test_what_to_type_next_asks_again(surgery: Surgery) -> None:
    model_of(NORMED, opset=11).save("heads.onnx")
    run = ("run", "heads.onnx", "-p", "halve.yaml", "-o", "out.onnx")
    following = [surgery(*call, *ASKED).out.rstrip().splitlines()[-1] for call in (run, BISECT, EXPLAIN)]
    asked = "--march bayes-e --run-on-bpu Softmax"
    assert following == [
        f"next: surgery bisect heads.onnx {asked}",
        f"next: surgery explain heads.onnx --pass halve {asked} --node bad",
        f"next: surgery run heads.onnx -o heads.bayes-e.onnx {asked} --add halve",
    ]


def test_what_was_made_is_looked_at_where_it_is_asked_for(surgery: Surgery) -> None:
    model().save("heads.onnx")
    called = surgery("run", "heads.onnx", "-o", "out.onnx", *ASKED)
    assert called.out.rstrip().endswith("next: surgery cost out.onnx --march bayes-e --run-on-bpu Softmax")


@pytest.mark.parametrize("call", [EXPLAIN, BISECT])
def test_a_request_is_of_a_march(surgery: Surgery, call: tuple[str, ...]) -> None:
    model().save("heads.onnx")
    called = surgery(*call, "--run-on-bpu", "Softmax")
    assert called.code == 2
    assert "what runs on request is known of a march" in called.err
    assert "'Sofmax' names nothing that" in surgery(*call, *ASKED[:-1], "Sofmax").err
