"""A log of the vendor's checker over our verdicts, through the Python interface."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import surgery
from surgery.errors import InputError
from surgery.ir import Model
from surgery.report import CheckDocument
from tests.support import SHARED, model_of
from tests.toolchain import logs

WEIGHT = ",".join(["0.05"] * 8 * 8)
CONV = f"<float[8,8,1,1] w = {{{WEIGHT}}}, float two = {{2.0}}>"
TEXT = f"""g (float[1,8,16,16] x) => (float[1,8,16,16] y) {CONV} {{
    [conv1] a = Conv (x, w)
    [pow] b = Pow (a, two)
    [conv2] c = Conv (b, w)
    [neg] d = Neg (c)
    [conv3] y = Conv (d, w)
}}"""
ROWS = {"conv1": "bpu", "pow": "bpu", "conv2": "bpu", "neg": "cpu", "conv3": "bpu"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.log"


def model() -> Model:
    return model_of(TEXT, opset=11)


def write(path: Path, rows: dict[str, str]) -> Path:
    path.write_text(logs.log(rows.items()))
    return path


def check(path: Path, **rows: str) -> CheckDocument:
    return surgery.check(model(), march="bayes-e", log=write(path, {**ROWS, **rows}))


def devices(document: CheckDocument) -> dict[str, str]:
    return {row.name: row.device for row in document.nodes}


def test_without_a_disagreement(path: Path) -> None:
    document = check(path)
    assert devices(document) == ROWS == devices(surgery.check(model(), march="bayes-e"))
    assert document.log is not None
    assert (document.log.rows, document.log.nodes, document.log.agreed) == (5, 5, 5)
    assert document.log.disagreements == document.log.unmatched == ()
    assert document.log.march == "bayes-e"
    neg = next(row for row in document.nodes if row.name == "neg")
    assert [v.constraint for v in neg.violations] == ["Neg.device"]


def test_the_cpu_where_we_say_bpu(path: Path) -> None:
    document = check(path, pow="cpu")
    (violation,) = next(row.violations for row in document.nodes if row.name == "pow")
    assert (violation.constraint, violation.evidence, violation.source) == ("Pow.log", "log", "log")
    assert "substitute-ops" in violation.cured_by
    assert document.log is not None
    (only,) = document.log.disagreements
    assert (only.name, only.op, only.ours, only.theirs) == ("pow", "Pow", "bpu", "cpu")


def test_the_bpu_where_we_say_cpu(path: Path) -> None:
    document = check(path, neg="bpu")
    assert devices(document)["neg"] == "bpu"
    assert not any(row.violations for row in document.nodes)
    assert document.summary.segments == 1
    assert document.summary.cpu == 0


def test_rows_say_where_they_come_from(path: Path) -> None:
    rows = {name: device for name, device in ROWS.items() if name != "conv3"}
    document = surgery.check(model(), march="bayes-e", log=write(path, rows))
    assert {row.name for row in document.nodes if row.from_log} == rows.keys()


def test_passes_act_on_what_the_log_said(path: Path) -> None:
    told = write(path, {**ROWS, "pow": "cpu", "neg": "bpu"})
    done = surgery.run(model(), march="bayes-e", log=told, pipeline=surgery.Pipeline.of("substitute-ops"))
    ops = [node.op for node in done.model.nodes()]
    assert "Pow" not in ops
    assert "Neg" in ops
    assert (done.report.before.cpu, done.report.after.cpu) == (1, 0)
    assert not done.report.violations
    assert done.report.log is not None
    assert len(done.report.log.disagreements) == 2
    assert done.report.replay["log"] == str(told)
    plain = surgery.run(model(), march="bayes-e", pipeline=surgery.Pipeline.of("substitute-ops"))
    ops = [node.op for node in plain.model.nodes()]
    assert "Pow" in ops
    assert "Neg" not in ops


def test_the_word_holds_after_another_opset(path: Path) -> None:
    told = write(path, {**ROWS, "pow": "cpu", "neg": "bpu"})
    pipeline = surgery.Pipeline.of("fold-constants", "lower-opset")
    done = surgery.run(model_of(TEXT, opset=17), march="bayes-e", log=told, pipeline=pipeline)
    assert done.model.opset == 11
    assert [v.constraint for v in done.report.violations] == ["Pow.log"]
    assert done.report.after.cpu == 1


def test_what_follows_is_left_to_the_rules(path: Path) -> None:
    """A passive node that the log has on the CPU, as the rules do beside it, comes along when that is cured."""
    text = TEXT.replace(
        "[neg] d = Neg (c)", "[tr] t = MaxPool <kernel_shape = [3,3], pads = [1,1,1,1]> (c) [neg] d = Neg (t)"
    )
    told = write(path, {**ROWS, "tr": "cpu"})
    done = surgery.run(model_of(text, opset=11), march="bayes-e", log=told)
    assert done.report.before.cpu == 2
    assert done.report.after.cpu == 0


def test_cost_and_explain_follow(path: Path) -> None:
    told = write(path, {**ROWS, "pow": "cpu"})
    cost = surgery.cost(model(), march="bayes-e", log=told)
    assert next(row.device for row in cost.nodes if row.name == "pow") == "cpu"
    assert cost.log is not None
    why = surgery.explain(model(), "substitute-ops", march="bayes-e", log=told)
    assert "pow" in {reason.node for reason in why.reasons if reason.fires}
    assert why.log is not None


def test_explain_with_a_log_needs_a_march(path: Path) -> None:
    with pytest.raises(InputError, match="a log corrects the verdicts of a march"):
        surgery.explain(model(), "substitute-ops", log=write(path, ROWS))


def test_names_that_match_nothing_are_listed(path: Path) -> None:
    document = check(path, **{"HZ_PREPROCESS_FOR_x": "bpu", "another/Conv": "cpu"})
    assert document.log is not None
    assert document.log.unmatched == ("another/Conv",)
    assert document.log.inserted == ("HZ_PREPROCESS_FOR_x",)


def test_a_dynamic_model_at_its_sizes(path: Path) -> None:
    told, sizes = write(path, {**ROWS, "pow": "cpu", "neg": "bpu"}), {"x": (1, 8, 16, 16)}
    dynamic = model_of(TEXT.replace("float[1,8,16,16]", "float[n,8,h,w]"), opset=11)
    assert surgery.check(dynamic, march="bayes-e", log=told, input_shape=sizes).summary.cpu == 1
    done = surgery.run(dynamic, march="bayes-e", log=told, input_shape=sizes)
    assert (done.report.before.cpu, done.report.after.cpu) == (1, 0)


def test_a_fused_row_and_a_cut_name(path: Path) -> None:
    given = model_of(TEXT.replace("[neg] d = Neg (c)", "[sinh] e = Sinh (c) [neg] d = Neg (e)"), opset=11)
    for node in given.graph.nodes:
        node.name = f"/block/{node.name}" if node.name in ("sinh", "neg") else node.name
    rows = {name: device for name, device in ROWS.items() if name != "neg"}
    document = surgery.check(given, march="bayes-e", log=write(path, {**rows, "...ock/neg": "bpu"}))
    assert {row.name for row in document.nodes if row.from_log} >= {"/block/sinh", "/block/neg"}
    assert document.summary.cpu == 0


def test_the_model_given_stays_as_it_is(path: Path) -> None:
    given = model()
    surgery.check(given, march="bayes-e", log=write(path, {**ROWS, "pow": "cpu"}))
    assert [node.op for node in given.nodes()] == ["Conv", "Pow", "Conv", "Neg", "Conv"]


@pytest.mark.shared
def test_a_published_table_over_the_model_it_is_of(path: Path) -> None:
    with (SHARED / "reference/toolchain/vendor_tables/yolov8n.csv").open(newline="", encoding="utf-8") as file:
        rows = [(row["node"], row["on"].lower()) for row in csv.DictReader(file)]
    path.write_text(logs.log(rows))
    document = surgery.check(SHARED / "corpus/latency/yolov8n.onnx", march="X5", log=path)
    assert document.log is not None
    assert document.log.disagreements == ()
    assert len(document.log.unmatched) == 24
    assert all("/Split" in name for name in document.log.unmatched)


@pytest.mark.shared
def test_a_published_table_over_another_model(path: Path) -> None:
    path.write_text((SHARED / "reference/toolchain/samples/ultra_checker_yolov5_decode.log").read_text("utf-8"))
    with pytest.raises(InputError, match="is a log of another model: 18 of its 18 names match no node"):
        surgery.check(model(), march="bayes", log=path)
