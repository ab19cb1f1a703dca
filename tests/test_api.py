"""The Python interface."""

from __future__ import annotations

import inspect
from pathlib import Path

import onnx
import pytest
from typer.models import OptionInfo

import surgery
from surgery import api
from surgery.cli import bisect, check, cost, diff, explain, run
from surgery.errors import SurgeryError
from tests.support import model_of, proto_of

TEXT = "g (float[1,4] x) => (float[1,4] y) { a = Relu (x) b = Identity (a) y = Relu (b) }"
CLI_ONLY = {
    "config_out",
    "host_code",
    "json",
    "quiet",
    "verbose",
    "fail_on",
    "report",
    "out",
    "in_place",
    "dry_run",
    "models",
    "html",
    "only",
    "sort",
}
PIPELINE = "schema: surgery.pipeline/1\npasses: []\n"


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    path = tmp_path / "p.yaml"
    path.write_text(PIPELINE)
    return path


def test_run(pipeline: Path) -> None:
    original = model_of(TEXT, opset=11)
    result = surgery.run(original, march="X5", pipeline=pipeline)
    assert result.report.verified == "full"
    assert result.model is not original
    assert [node.op for node in original.nodes()] == ["Relu", "Identity", "Relu"]


def test_check() -> None:
    document = surgery.check(proto_of(TEXT, opset=11), march="X3")
    assert document.march == "bernoulli2"
    assert [row.op for row in document.cpu_nodes] == [row.op for row in document.nodes if row.device == "cpu"]


def test_check_at_other_sizes_leaves_the_model_as_it_is() -> None:
    model = model_of(TEXT.replace("[1,4]", "[N,4]"), opset=11)
    before = model.to_proto()
    assert surgery.check(model, march="X5", input_shape={"x": (1, 4)}).refusals == ()
    assert model.to_proto() == before


def test_cost() -> None:
    document = surgery.cost(model_of(TEXT, opset=11), march="X5")
    assert document.latency_ms is not None
    assert surgery.cost.estimate is not None


def test_diff() -> None:
    document = surgery.diff(model_of(TEXT), model_of(TEXT), samples=2)
    assert (document.samples, document.first_bad) == (2, None)
    assert all(output.bit_identical for output in document.outputs)


def test_documented_example(tmp_path: Path, pipeline: Path) -> None:
    onnx.save(proto_of(TEXT, opset=11), tmp_path / "model.onnx")
    result = surgery.Pipeline.from_yaml(pipeline).run(tmp_path / "model.onnx", march="bayes-e")
    result.save(tmp_path / "out.onnx")
    result.report.to_html(tmp_path / "report.html")
    assert result.speedup is not None
    assert result.speedup.mid == pytest.approx(1.0)
    assert surgery.check(tmp_path / "out.onnx", march="bayes-e").summary.nodes == 3
    assert "<!doctype html>" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("verb", ["check", "cost", "diff", "run", "explain", "bisect"])
def test_flags_mirror(verb: str) -> None:
    module = {"check": check, "cost": cost, "diff": diff, "run": run, "explain": explain, "bisect": bisect}[verb]
    flags = inspect.signature(getattr(module, verb), eval_str=True).parameters
    known = inspect.signature(getattr(api, verb)).parameters
    assert set(flags) - CLI_ONLY - {"model"} == set(known) - {"progress", "keep", "model", "example"}
    for name, flag in flags.items():
        if name in known and known[name].default is not inspect.Parameter.empty:
            options = [extra for extra in flag.annotation.__metadata__ if isinstance(extra, OptionInfo)]
            assert options
            assert (flag.default or None) == (getattr(known[name].default, "value", known[name].default) or None)


def test_over_budget_nothing_is_written(tmp_path: Path, pipeline: Path) -> None:
    result = surgery.run(model_of(TEXT, opset=11), march="X5", pipeline=pipeline)
    over = api.Run(result.result, result.report.model_copy(update={"exceeded": ("cosine is 0.9, at least 0.99",)}))
    with pytest.raises(SurgeryError, match="over budget: cosine"):
        over.save(tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


def test_a_missing_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        _ = surgery.rum
    assert {"run", "check", "cost", "Pipeline", "Model"} <= set(dir(surgery))
