"""The first things to do: their order, their sentences, their commands."""

from __future__ import annotations

import pytest

from surgery.report.base import ModelRef
from surgery.report.check import Assumed, CheckDocument, NodeRow, Refusal, Step, Summary, Violation
from surgery.report.todo import MOST, with_todo
from tests.report import samples

MODEL = ModelRef(path="m.onnx", sha256="ab" * 32, opset=13, ir_version=8)
RUN = "surgery run m.onnx -o m.bayes-e.onnx --march bayes-e"


def node(name: str, *broken: Violation, device: str = "cpu", macs: int = 0, note: str = "") -> NodeRow:
    return NodeRow.model_validate(
        {
            "name": name,
            "op": "Conv",
            "device": device,
            "segment": None,
            "violations": broken,
            "macs": macs,
            "note": note,
        }
    )


def limit(name: str, *by: str, evidence: str = "read") -> Violation:
    return Violation(constraint=f"Conv.{name}", found=9, allowed="1..7", cured_by=by, evidence=evidence)


def refusal(rule: str, *by: str) -> Refusal:
    return Refusal(rule=f"model.{rule}", found=13, allowed="at most 11", text="", source="s", cured_by=by)


def steps(*nodes: NodeRow, refusals: tuple[Refusal, ...] = (), assumed: Assumed | None = None) -> tuple[Step, ...]:
    counts = {"nodes": len(nodes), "bpu": 0, "cpu": len(nodes), "folded": 0, "unknown": 0, "segments": 0}
    document = CheckDocument(
        model=MODEL,
        march="bayes-e",
        accepted=not refusals,
        refusals=refusals,
        summary=Summary(**counts, macs=1000, mac_coverage=None),
        nodes=nodes,
        assumed=assumed,
    )
    return with_todo(document).todo


def texts(*nodes: NodeRow, **more: object) -> list[str]:
    return [step.text for step in steps(*nodes, **more)]  # type: ignore[arg-type]


def test_nothing_to_do() -> None:
    assert steps(node("a", device="bpu"), node("b", device="folded"), node("c", note="passive")) == ()


def test_refusals_come_first_those_with_a_cure_before_all() -> None:
    told = texts(
        node("a", limit("kernel_h", "lower-opset"), macs=999),
        refusals=(refusal("outputs"), refusal("opset", "lower-opset"), refusal("ir_version", "lower-opset")),
    )
    assert told == [
        "lower-opset cures model.opset (13), model.ir_version (13).",
        "Change the model, no pass cures it: model.outputs is 13, must hold: at most 11.",
        "lower-opset cures Conv.kernel_h at a (99.9 % of the MACs).",
    ]


def test_refused_nodes_come_before_nodes_on_the_cpu() -> None:
    told = texts(
        node("a", limit("x", "clamp-conv-channels")),
        node("b", limit("x", "clamp-conv-channels")),
        node("c", limit("y"), device="refused"),
        node("d", limit("z", "lower-opset"), device="refused"),
    )
    assert told == [
        "lower-opset cures Conv.z at d.",
        "Change c, no pass cures it: Conv.y is 9, allowed 1..7.",
        "clamp-conv-channels cures Conv.x at a, b.",
    ]


def test_the_pass_that_cures_most_nodes_is_first_then_that_of_most_macs() -> None:
    told = texts(
        node("a", limit("x", "one"), macs=10),
        node("b", limit("y", "two"), macs=20),
        node("c", limit("z", "three", "four"), macs=1),
        node("d", limit("z", "four"), macs=1),
    )
    assert told == [
        "four cures Conv.z at c, d (0.2 % of the MACs).",
        "two cures Conv.y at b (2.0 % of the MACs).",
        "one cures Conv.x at a (1.0 % of the MACs).",
    ]


def test_each_limit_is_counted_for_one_pass() -> None:
    (only,) = steps(node("a", limit("x", "one", "two"), limit("y", "one")))
    assert only.text == "one cures Conv.x, Conv.y at a."
    assert (only.nodes, only.macs) == (1, 0)


def test_a_node_with_a_limit_that_no_pass_cures_is_not_said_to_be_cured() -> None:
    told = texts(node("a", limit("x", "one"), limit("y", evidence="assumed"), macs=500))
    assert told == ["Change a (50.0 % of the MACs), no pass cures it: Conv.y is 9, allowed 1..7 (assumed)."]


def test_a_device_that_is_no_limit_is_said_in_the_words_of_the_march() -> None:
    only = Violation(constraint="Conv.device", found="cpu", allowed="bpu", text="the toolchain has a CPU kernel only")
    assert texts(node("a", only)) == ["Change a, no pass cures it: Conv.device: the toolchain has a CPU kernel only."]


def test_what_runs_on_request_is_to_be_asked_for() -> None:
    only = Violation(
        constraint="Conv.request", found="request", allowed="bpu", text="stays on the CPU unless asked for"
    )
    (step,) = steps(node("a", only))
    assert step.text == "Ask the toolchain to run a on the BPU (run_on_bpu in its YAML)."
    assert step.command == "surgery check m.onnx --march bayes-e --run-on-bpu Conv"
    (both,) = steps(node("a", only, limit("kernel_h")))
    assert both.text.startswith("Change a, no pass cures it: Conv.request")


def test_limits_without_a_cure_go_by_macs() -> None:
    told = texts(node("a", limit("x")), node("b", limit("x")), node("c", limit("y"), limit("z"), macs=5))
    assert told == [
        "Change c (0.5 % of the MACs), no pass cures it: Conv.y is 9, allowed 1..7, Conv.z is 9, allowed 1..7.",
        "Change a, b, no pass cures it: Conv.x is 9, allowed 1..7.",
    ]


@pytest.mark.parametrize(
    ("assumed", "command"),
    [(None, "surgery check m.onnx --march bayes-e --assume MARCH"), (Assumed(march="bayes", nodes=0), "")],
)
def test_what_is_unknown_comes_last(assumed: Assumed | None, command: str) -> None:
    unknown = [node(name, device="unknown", note="no public row for Conv") for name in "bc"]
    cured, last = steps(node("a", limit("x", "one")), *unknown, assumed=assumed)
    assert cured.text.startswith("one cures")
    assert last.text == "Find out about 2 unknown nodes, such as: no public row for Conv."
    assert last.command == command


def test_no_more_than_three() -> None:
    assert len(steps(*(node(name, limit(name, name)) for name in "abcdef"))) == MOST


def test_the_command_adds_what_the_default_pipeline_lacks() -> None:
    (there,) = steps(node("a", limit("x", "clamp-conv-channels")))
    (lacking,) = steps(refusals=(refusal("unscaled", "strip-io-nodes"),))
    (borrowed,) = steps(node("a", limit("x", "tidy")), assumed=Assumed(march="bayes", nodes=1))
    assert there.command == RUN
    assert lacking.command == f"{RUN} --add strip-io-nodes"
    assert borrowed.command.startswith(f"{RUN} --assume bayes")


def test_long_and_hostile_names_stay_short_and_harmless() -> None:
    (step,) = steps(node("n" * 500, limit("x", "one")))
    assert len(step.text) < 100
    document = samples.check().model_copy(update={"model": MODEL.model_copy(update={"path": "a;rm -rf $(x)\x1b[1m"})})
    (first, *_) = with_todo(document).todo
    assert "'a;rm -rf $(x)\\x1b[1m'" in first.command
