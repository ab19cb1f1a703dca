"""Every flag of ``run`` that changes what it does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surgery.ir import Model
from tests.cli.conftest import Surgery
from tests.support import model_of

EVALUATOR = """
import numpy as np
def mean(runner):
    return float(np.mean(runner.run({"x": np.ones((1, 3, 8, 8), np.float32)})["y"]))
"""


class Flag:
    """A call with flags, against the same call without."""

    def __init__(self, surgery: Surgery, *base: str) -> None:
        self.surgery, self.base = surgery, ("run", *(base or ("clean.onnx",)), "-m", "X5")

    def run(self, *flags: str, code: int | None = None, out: bool = True) -> dict[str, Any]:
        called = self.surgery(*self.base, *(("-o", "out.onnx") if out else ()), *flags, "--json", "-")
        assert code is None or called.code == code, called.err
        data: dict[str, Any] = json.loads(called.out) if called.out else {"error": called.err}
        return data


def ops(path: str = "out.onnx") -> list[str]:
    return [node.op for node in Model.load(path).nodes()]


def added(surgery: Surgery) -> None:
    assert [row["name"] for row in Flag(surgery).run("--add", "halve")["passes"]] == ["fold-twice", "halve"]


def skipped(surgery: Surgery) -> None:
    assert Flag(surgery).run("--skip", "fold-twice")["passes"] == []
    assert "unknown pass of the pipeline" in Flag(surgery).run("--skip", "halve", code=2)["error"]


def changed(surgery: Surgery) -> None:
    assert Flag(surgery).run("--set", "fold-twice.mode=keep")["passes"][0]["status"] == "unchanged"


def protected(surgery: Surgery) -> None:
    Flag(surgery).run("--protect", "^Relu")
    assert ops() == ["Conv", "Relu", "Relu"]


def not_written(surgery: Surgery) -> None:
    data = Flag(surgery).run("--dry-run", out=False)
    assert data["passes"][0]["status"] == "applied"
    assert data["output"] is None
    assert not Path("out.onnx").exists()


def replaced(surgery: Surgery) -> None:
    Flag(surgery).run("--in-place", out=False)
    assert ops("clean.onnx") == ["Conv", "Relu"]


def unknown_metric(surgery: Surgery) -> None:
    Flag(surgery).run("--budget", "cosine=0.999", code=0)
    assert "did you mean cosine" in Flag(surgery).run("--budget", "cosin=0.999", code=2)["error"]


def evaluated(surgery: Surgery) -> None:
    Path("digits_measure.py").write_text(EVALUATOR)
    accuracy = Flag(surgery).run("--eval", "digits_measure:mean")["accuracy"]
    assert accuracy["evaluator"] == "digits_measure:mean"
    assert accuracy["before"] == accuracy["after"]
    assert accuracy["before"]["score"] > 0
    assert Flag(surgery).run("--eval", "digits_measure.py:mean")["accuracy"] == accuracy


def sampled(surgery: Surgery) -> None:
    assert Flag(surgery).run("--samples", "2")["drift"]["samples"] == 2
    assert Flag(surgery).run()["drift"]["samples"] == 4


def seeded(surgery: Surgery) -> None:
    assert "seed 5" in Flag(surgery).run("--seed", "5")["drift"]["inputs"]


def shaped(surgery: Surgery) -> None:
    flag = Flag(surgery, "dynamic.onnx")
    assert "--input-shape" in flag.run(code=2)["error"]
    data = flag.run("--input-shape", "x=2x5")
    assert "2x5" in data["drift"]["inputs"]
    assert [row["name"] for row in data["passes"]] == ["freeze-shapes", "fold-twice"]
    assert [port["shape"] for port in (*data["io"]["inputs"], *data["io"]["outputs"])] == [[2, 5], [2, 5]]
    assert data["io"]["changed"]
    assert [v.shape for v in Model.load("out.onnx").graph.inputs] == [(2, 5)]


def run_at_a_shape_without_freezing(surgery: Surgery) -> None:
    data = Flag(surgery, "dynamic.onnx").run("--input-shape", "x=2x5", "--skip", "freeze-shapes")
    assert "2x5" in data["drift"]["inputs"]
    assert [row["name"] for row in data["passes"]] == ["fold-twice"]
    assert [v.shape for v in Model.load("out.onnx").graph.inputs] == [("n", "m")]


def frozen_by_a_sample(surgery: Surgery) -> None:
    np.savez("x.npz", x=np.ones((3, 7), np.float32))
    flags = ("--add", "freeze-shapes", "--set", "freeze-shapes.source=sample", "--inputs", "x.npz")
    data = Flag(surgery, "dynamic.onnx").run(*flags)
    assert [row["name"] for row in data["passes"]] == ["freeze-shapes", "fold-twice"]
    assert data["io"]["inputs"][0]["shape"] == [1, 7]
    assert data["replay"]["pipeline"]["passes"][0] == {"freeze-shapes": {"shapes": {"x": [1, 7]}}}


def frozen_by_a_pipeline_and_the_command_line(surgery: Surgery) -> None:
    """The command line has the last word; the step stays where it is."""
    Path("p.yaml").write_text("schema: surgery.pipeline/1\npasses: [fold-twice, {freeze-shapes: {shapes: {x: 2x5}}}]\n")
    flag = Flag(surgery, "dynamic.onnx")
    assert flag.run("-p", "p.yaml")["io"]["inputs"][0]["shape"] == [2, 5]
    data = flag.run("-p", "p.yaml", "--input-shape", "x=3x5", "--add", "freeze-shapes")
    assert [row["name"] for row in data["passes"]] == ["fold-twice", "freeze-shapes"]
    assert data["io"]["inputs"][0]["shape"] == [3, 5]


def frozen_whenever_verified(surgery: Surgery) -> None:
    for when in ("each", "end", "off"):
        data = Flag(surgery, "dynamic.onnx").run("--input-shape", "x=2x5", "--verify", when)
        assert data["io"]["inputs"][0]["shape"] == [2, 5]
        assert data["verified"] == ("off" if when == "off" else "full")
        assert not data["before"]["refusals"]


def ranged(surgery: Surgery) -> None:
    assert "uniform 0 to 1" in Flag(surgery).run("--input-range", "x=0:1")["drift"]["inputs"]


def given(surgery: Surgery) -> None:
    np.savez("x.npz", x=np.ones((3, 3, 8, 8), np.float32))
    assert Flag(surgery).run("--inputs", "x.npz")["drift"]["samples"] == 3


def assumed(surgery: Surgery) -> None:
    surgery("run", "clean.onnx", "-m", "S100", "-o", "plain.onnx", "--json", "plain.json")
    surgery("run", "clean.onnx", "-m", "S100", "-o", "out.onnx", "--assume", "X5", "--json", "assumed.json")
    plain, assumed = (json.loads(Path(f"{name}.json").read_text()) for name in ("plain", "assumed"))
    assert assumed["after"]["unknown"] < plain["after"]["unknown"]
    assert assumed["replay"]["assume"] == "X5"


def narrowed(surgery: Surgery) -> None:
    Flag(surgery).run("--verify", "off", code=1)
    Flag(surgery).run("--verify", "off", "--fail-on", "cpu", code=0)


def kept(surgery: Surgery) -> None:
    model = Model.load("clean.onnx").to_proto()
    weight = model.graph.initializer[0]
    value = model.graph.input.add(name=weight.name)
    value.type.tensor_type.elem_type = weight.data_type
    for size in weight.dims:
        value.type.tensor_type.shape.dim.add(dim_value=size)
    Path("clean.onnx").write_bytes(model.SerializeToString())
    assert len(Flag(surgery).run()["io"]["inputs"]) == 1
    assert len(Flag(surgery).run("--keep-input-initializers")["io"]["inputs"]) == 2


def reranked(surgery: Surgery) -> None:
    text = "g (float[1,4,9] x) => (float[1,4,9] y) { a = Sin (x) y = Relu (a) }"
    model_of(text, opset=11).save("row.onnx")
    Path("rank.yaml").write_text("schema: surgery.pipeline/1\npasses: [normalise-rank]\n")
    flags = ("-p", "rank.yaml", "--rank4-inputs")
    assert [end["shape"] for end in Flag(surgery, "row.onnx").run(*flags)["io"]["inputs"]] == [[1, 4, 1, 9]]
    assert "normalise-rank" in Flag(surgery).run("--rank4-inputs", code=2)["error"]


def worded(surgery: Surgery) -> None:
    call = ("run", "clean.onnx", "-m", "X5", "--dry-run")
    quiet, plain, verbose = surgery(*call, "-q"), surgery(*call), surgery(*call, "-v")
    assert len(quiet.out) < len(plain.out) < len(verbose.out)
    assert "To run it again" in verbose.out
    assert "To run it again" not in plain.out


def verified_at_end(surgery: Surgery) -> None:
    data = Flag(surgery, "negated.onnx").run("--verify", "end", "-p", "halve.yaml")
    assert [row["status"] for row in data["passes"] if row["name"] == "halve"] == ["rolled-back"]


def reported(surgery: Surgery) -> None:
    Flag(surgery).run("--report", "r.html", "--report", "r.md", "--report", "r.json")
    assert Path("r.html").read_text().startswith("<!doctype html>")
    assert Path("r.md").read_text().startswith("# Surgery for bayes-e")
    assert json.loads(Path("r.json").read_text())["output"] == "out.onnx"


FLAGS: dict[str, Callable[[Surgery], None]] = {
    "--add": added,
    "--skip": skipped,
    "--set": changed,
    "--protect": protected,
    "--dry-run": not_written,
    "--in-place": replaced,
    "--budget": unknown_metric,
    "--eval": evaluated,
    "--inputs": given,
    "--samples": sampled,
    "--seed": seeded,
    "--input-shape": shaped,
    "--input-shape --skip": run_at_a_shape_without_freezing,
    "--input-shape -p": frozen_by_a_pipeline_and_the_command_line,
    "--input-shape --verify": frozen_whenever_verified,
    "--add freeze-shapes": frozen_by_a_sample,
    "--input-range": ranged,
    "--assume": assumed,
    "--fail-on": narrowed,
    "--keep-input-initializers": kept,
    "--rank4-inputs": reranked,
    "--verify": verified_at_end,
    "--report": reported,
    "-q/-v": worded,
}


@pytest.mark.parametrize("flag", FLAGS)
def test_flag(flag: str, surgery: Surgery) -> None:
    FLAGS[flag](surgery)
