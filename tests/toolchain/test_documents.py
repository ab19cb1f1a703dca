"""What the documents and pages say of the toolchain's answers."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from surgery import api
from surgery.errors import SurgeryError
from surgery.ir.session import open_session
from surgery.report import Finding, closing, findings
from surgery.report.view import page, to_html, to_markdown
from surgery.report.witness import PassTime, WitnessSide, witness_run
from surgery.toolchain.log import TableRow
from surgery.toolchain.performance import Performance, Segment, Timeline
from surgery.toolchain.quantised import QuantiseError
from surgery.toolchain.refusal import Kind, Refusal
from surgery.toolchain.results import Answer, Placement
from surgery.toolchain.structure import Op
from surgery.toolchain.witness import Witness
from tests.support import model_of

MODEL = """g (float[1,8,8,8] x) => (float[1,8,8,8] y) <float[8,8,1,1] w = {%s}> {
    c = Conv(x, w)
    a = Add(c, c)
    y = Relu(a)
}""".replace("%s", ", ".join(["0.1"] * 64))


CPU = "g (float[1,8,8,8] x) => (float[1,8,8,8] y) { c = Relu(x)  y = Softmax<axis=1>(c) }"


@pytest.fixture(autouse=True)
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are told in the order of a list."""
    monkeypatch.setattr(os, "cpu_count", lambda: 1)


def answer(latency: float | None, refusal: Refusal | None = None) -> Answer:
    rows = (TableRow("n0", "bpu", 0, "HzConv"), TableRow("evil<b>|", "cpu", None, "Reshape"))
    ops = (Op("HzConv", "n0", ("x_quantized",), ("c_quantized",)), Op("Reshape", "evil<b>|", ("z",), ("zz",)))
    timeline = Timeline(0.1, (), (), ())
    segment = Segment("s", latency or 0.0, 1.0, 1000, 500, 500, 64, timeline, ())
    found = None if latency is None else Performance("O2", (segment,))
    place = None if refusal else Placement(rows, (), ops, ())
    return Answer("bayes-e", refusal, place, found, (), {"hbdk": "3"}, 1.0, cached=False)


class Told(Witness):
    """A witness that answers from a list."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.asked = list(answers), list[dict[str, Any]]()

    def check(self, *_: Any, **options: Any) -> Answer:
        self.asked.append(options)
        return self.answers.pop(0)

    compile = check


def side(latency: float | None) -> WitnessSide:
    return WitnessSide(accepted=latency is not None, reason="" if latency else "no", latency_us=latency)


def test_check_compares_placements() -> None:
    model = model_of(MODEL, opset=11)
    for index, node in enumerate(model.graph.nodes):
        node.name = f"n{index}"
    document = api.check(model, march="bayes-e", witness=Told(answer(None)))
    found = document.witness
    assert found is not None
    assert (found.side.rows, found.side.cpu, found.inserted[0].name) == (2, ("evil<b>|",), "evil<b>|")
    assert found.agreed + len(found.disagreements) == 3
    text = to_markdown(page(document))
    assert "The toolchain takes the model: 2 rows, 1 on the CPU" in text
    assert "evil<b>" not in to_html(page(document))


def test_disagreements_are_named() -> None:
    model = model_of(MODEL, opset=11)
    for index, node in enumerate(model.graph.nodes):
        node.name = f"n{index}"
    place = Placement((TableRow("n0", "cpu", None, "Conv"),), (), (Op("Conv", "n0", ("x",), ("c",)),), ())
    said = replace(answer(None), placement=place)
    found = api.check(model, march="bayes-e", witness=Told(said)).witness
    assert found is not None
    assert [(d.name, d.ours, d.theirs) for d in found.disagreements] == [("n0", "bpu", "cpu")]


def test_check_of_a_refused_model() -> None:
    said = answer(None, Refusal(Kind.OPSET, "The opset is 17."))
    document = api.check(model_of(MODEL), march="bayes-e", witness=Told(said))
    assert "The toolchain refuses the model (model.opset): The opset is 17." in to_markdown(page(document)).replace(
        "&#46;", "."
    )


def test_run_states_the_real_speedup() -> None:
    told = Told(answer(200.0), answer(100.0))
    run = api.run(model_of(MODEL, opset=11), march="bayes-e", witness=told, verify="off")
    assert run.report.witness is not None
    assert (run.report.witness.speedup, run.report.witness.guilty) == (2.0, "")
    assert "Speedup 2× at O2." in to_markdown(page(run.report))


def test_a_result_that_is_refused_is_followed_pass_by_pass() -> None:
    refused = answer(None, Refusal(Kind.COMPILER, "no"))
    told = Told(answer(200.0), refused, answer(190.0), refused)
    text = "g (float[1,8] x) => (float[1,8] y) { i = Identity(x) j = Abs(i) k = Add(two, two) y = Mul(j, k) }"
    text = text.replace("=> (float[1,8] y)", "=> (float[1,8] y) <float[8] two = {1,1,1,1,1,1,1,1}>")
    model = model_of(text, opset=11)
    found = api.run(model, march="bayes-e", witness=told, verify="off").report.witness
    assert found is not None
    applied = [step.by for step in found.steps]
    assert found.guilty == applied[1]
    assert [step.latency_us for step in found.steps] == [190.0, None]


def test_speedup_needs_both() -> None:
    refused = witness_run(side(None), side(1.0), {}, "O2")
    assert (refused.speedup, refused.reason) == (None, "refused before: no")
    empty = witness_run(side(1.0), WitnessSide(accepted=True), {}, "O2")
    assert (empty.speedup, empty.reason) == (None, "nothing runs on the BPU")


def test_the_guilty_pass() -> None:
    steps = (PassTime(by="a", latency_us=90), PassTime(by="b", latency_us=130), PassTime(by="c", latency_us=140))
    assert witness_run(side(100.0), side(140.0), {}, "O2", steps).guilty == "b"
    broken = (PassTime(by="a", latency_us=90), PassTime(by="b", latency_us=None, reason="no"))
    assert witness_run(side(100.0), side(None), {}, "O2", broken).guilty == "b"
    assert witness_run(side(100.0), side(99.0), {}, "O2").guilty == ""


def test_the_closing_is_the_toolchains_word() -> None:
    model = model_of(MODEL, opset=11)
    refused = answer(None, Refusal(Kind.CRASH, "segmentation fault of the toolchain"))
    document = api.check(model, march="bayes-e", witness=Told(refused))
    assert closing(document).sentence == (
        "The bayes-e toolchain was asked and does not take the model (crash): segmentation fault of the toolchain"
    )
    assert (document.accepted, Finding.REFUSED in findings(document)) == (True, True)
    run = api.run(model, march="bayes-e", witness=Told(answer(200.0), answer(100.0)), verify="off").report
    assert closing(run).sentence.startswith(
        "The bayes-e toolchain was asked and takes the model: 1 row on the CPU (1 put in by itself), 1 BPU segment, "
        "0.1 ms on the BPU at O2."
    )
    assert Finding.CPU not in findings(run)


def test_the_toolchains_table_outranks_ours_on_the_cpu() -> None:
    model = model_of(CPU, opset=11)
    place = Placement((TableRow("n0", "bpu", 0, "Conv"),), (), (), ())
    document = api.check(model, march="bayes-e", witness=Told(replace(answer(None), placement=place)))
    assert document.summary.cpu == 1
    assert Finding.CPU not in findings(document)


def test_before_and_after_stand_beside_the_estimate() -> None:
    told = Told(answer(200.0), answer(None, Refusal(Kind.OPSET, "The opset is 17.")), *[answer(200.0)] * 9)
    text = to_markdown(page(api.run(model_of(MODEL, opset=11), march="bayes-e", witness=told, verify="off").report))
    rows = {cells[1].strip(): cells[2:4] for line in text.splitlines() if len(cells := line.split("|")) > 4}
    assert [cell.strip() for cell in rows["BPU time"]] == ["0.2 ms", "–"]
    assert [cell.strip() for cell in rows["… on the CPU"]] == ["1", "–"]
    assert all("ms (" in cell for cell in rows["… as estimated"])
    assert [cell.strip() for cell in rows["Compiled"]] == ["yes", "no (model.opset)"]
    assert "hbdk 3" in text


def test_both_reasons_are_told() -> None:
    told = Told(answer(None, Refusal(Kind.OPSET, "too new")), answer(None, Refusal(Kind.CRASH, "it died")))
    text = to_markdown(page(api.run(model_of(MODEL, opset=11), march="bayes-e", witness=told, verify="off").report))
    assert "No speedup: refused before: too new. Refused after: it died." in text


def test_what_the_toolchain_cannot_be_asked_is_said_before_any_work() -> None:
    steps: list[str] = []
    for march, level, said in (("nash-e", "O2", "does not know march 'nash-e'"), ("bayes", "O9", "'O9', it has to be")):
        with pytest.raises(SurgeryError, match=said):
            api.run(model_of(MODEL), march=march, witness=Told(), witness_level=level, progress=steps.append)
    assert steps == []


def test_a_time_out_says_how_to_give_it_longer() -> None:
    late = answer(None, Refusal(Kind.TIMEOUT, "not done after 5 s"))
    told = Told(answer(200.0), late, late)
    run = api.run(model_of(MODEL, opset=11), march="bayes-e", witness=told, witness_limit=5.0, verify="off")
    assert "--witness-limit SECONDS gives it more time" in to_markdown(page(run.report)).replace("&#45;", "-")
    assert closing(run.report).sentence.startswith("The bayes-e toolchain was asked and was not done in time: not done")
    assert {options["limit"] for options in told.asked} == {5.0}
    assert dict(page(run.report).facts)["Accepted"].text == "not done in time"


def test_compiling_is_told() -> None:
    steps: list[str] = []
    told = Told(answer(200.0), answer(100.0))
    api.run(model_of(MODEL, opset=11), march="bayes-e", witness=told, verify="off", progress=steps.append)
    assert steps[-1] == "compiling before and after at O2"


class Numbers(Told):
    """Quantises by rounding to a step, and refuses the second model."""

    def quantise(self, model: Any, _march: str, samples: Any, **_: Any) -> Any:
        if self.answers.pop(0).refusal:
            raise QuantiseError("the toolchain refuses the model: no")
        session = open_session(model)
        rounded = [{k: np.round(v * 8) / 8 for k, v in session.run(sample).items()} for sample in samples]
        return contextlib.nullcontext(SimpleNamespace(run_all=lambda *_: rounded))


def test_diff_compares_fake_quant_and_int8_with_the_float_reference() -> None:
    told = Numbers(answer(1.0), answer(None, Refusal(Kind.COMPILER, "no")))
    model = model_of(MODEL, opset=11)
    document = api.diff(model, model, march="bayes-e", witness=told, samples=2)
    assert document.witness is not None
    rows = document.witness.rows
    assert [(row.model, row.stage, bool(row.reason)) for row in rows] == [
        ("A", "calibrated", False),
        ("A", "quantized", False),
        ("B", "", True),
    ]
    assert 0 < (rows[0].outputs[0].max_abs or 0) <= 1 / 16
    text = to_markdown(page(document))
    assert "Quantised for bayes-e, thresholds by max over 2 samples" in text
    assert "the toolchain refuses the model: no" in text


def test_diff_needs_a_march() -> None:
    with pytest.raises(SurgeryError, match=r"(?s)--witness: models are quantised for a march.*--march X5"):
        api.diff(model_of(MODEL), model_of(MODEL), witness=Told())
