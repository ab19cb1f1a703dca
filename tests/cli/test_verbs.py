"""What every verb does when all is well, and the last lines it prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from surgery.ir import Model
from tests.cli.conftest import Surgery
from tests.support import model_of

VERBS = {
    "check": (["check", "clean.onnx", "-m", "X5"], "The bayes-e toolchain will take the model"),
    "run": (["run", "clean.onnx", "-m", "X5", "-o", "out.onnx"], "next: surgery cost out.onnx --march bayes-e"),
    "cost": (["cost", "clean.onnx", "-m", "X5"], "One frame takes"),
    "diff": (["diff", "clean.onnx", "clean.onnx"], "Every output is bit-identical."),
    "explain": (
        ["explain", "clean.onnx", "--pass", "fold-twice"],
        "would rewrite 1 node and leaves 1 alone.",
    ),
    "bisect": (["bisect", "clean.onnx", "-p", "halve.yaml"], "No pass breaks the numbers."),
    "tradeoff": (["tradeoff", "clean.onnx", "--space", "space.yaml", "-m", "X5"], "Of 6 variants, number 1"),
    "passes": (["passes"], "halve"),
    "marches": (["marches"], "bernoulli2"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_verb(verb: str, surgery: Surgery) -> None:
    args, told = VERBS[verb]
    called = surgery(*args)
    assert called.code == 0, called.err
    assert told in called.out
    assert called.err == ""


def test_run_writes_the_rewritten_model(surgery: Surgery) -> None:
    surgery("run", "clean.onnx", "-m", "X5", "-o", "out.onnx")
    assert [node.op for node in Model.load("out.onnx").nodes()] == ["Conv", "Relu"]
    assert sorted(path.name for path in Path().glob("*.onnx")) == [
        "clean.onnx",
        "dynamic.onnx",
        "negated.onnx",
        "out.onnx",
        "pooled.onnx",
    ]


def test_several_models_and_marches(surgery: Surgery) -> None:
    Path("zoo/deep").mkdir(parents=True)
    Path("clean.onnx").rename("zoo/deep/clean.onnx")
    called = surgery("run", "zoo", "negated.onnx", "-m", "X5", "-m", "X3", "-o", "out", "--json", "all.json", "-q")
    assert called.code == 1
    written = sorted(str(path.relative_to("out")) for path in Path("out").rglob("*.onnx"))
    assert written == [
        "bayes-e/deep/clean.onnx", "bayes-e/negated.onnx", "bernoulli2/deep/clean.onnx", "bernoulli2/negated.onnx",
    ]  # fmt: skip
    data = json.loads(Path("all.json").read_text())
    assert data["schema"] == "surgery.batch/1"
    ran = [(d["model"]["path"], d["march"]) for d in data["documents"]]
    assert ran[:2] == [("zoo/deep/clean.onnx", "bayes-e"), ("zoo/deep/clean.onnx", "bernoulli2")]
    assert len(ran) == 4


def test_one_bad_model_of_several_is_told_and_the_others_go_on(surgery: Surgery) -> None:
    Path("broken.onnx").write_bytes(b"no model at all")
    called = surgery("check", "broken.onnx", "clean.onnx", "-m", "X5", "--json", "-")
    assert called.code == 2
    assert "broken.onnx" in called.err
    data = json.loads(called.out)
    assert [d["model"]["path"] for d in data["documents"]] == ["clean.onnx"]
    assert [f["model"] for f in data["failures"]] == ["broken.onnx"]


def test_one_march_under_two_names_is_one_job(surgery: Surgery) -> None:
    assert surgery("check", "clean.onnx", "-m", "X5", "-m", "bayes-e").out.count("Check for") == 1


SIZED = {
    "check": ["check", "dynamic.onnx", "-m", "X5"],
    "cost": ["cost", "dynamic.onnx", "-m", "X5"],
    "explain": ["explain", "dynamic.onnx", "--pass", "fold-twice"],
    "bisect": ["bisect", "dynamic.onnx", "-p", "halve.yaml"],
}


@pytest.mark.parametrize("verb", SIZED)
def test_a_model_is_looked_at_with_its_inputs_at_stated_sizes(verb: str, surgery: Surgery) -> None:
    """And what to type next repeats them."""
    called = surgery(*SIZED[verb], "--input-shape", "x=2x5", "--json", "d.json")
    assert called.code in (0, 1), called.err
    document = json.loads(Path("d.json").read_text())
    assert document["input_shape"] == {"x": [2, 5]}
    assert not document.get("refusals")
    following = next((line for line in called.out.splitlines() if line.startswith("next: ")), "")
    assert "--input-shape x=2x5" in following


def test_a_dynamic_model_is_refused_and_freezing_cures_it(surgery: Surgery) -> None:
    surgery("check", "dynamic.onnx", "-m", "X5", "--json", "d.json")
    refusals = json.loads(Path("d.json").read_text())["refusals"]
    assert [(r["rule"], r["cured_by"]) for r in refusals] == [("model.dynamic_dims", ["freeze-shapes"])]


def test_the_pass_that_freezes_is_explained_at_the_stated_sizes(surgery: Surgery) -> None:
    called = surgery("explain", "dynamic.onnx", "--pass", "freeze-shapes", "--input-shape", "x=2x5", "-v")
    assert "x nxm is 2x5" in called.out


def test_explain_adds_its_pass_where_no_run_has_it(surgery: Surgery) -> None:
    image = "g (float[1,3,4,4] x) => (float[1,3,4,4] y) <float m = {128}> { a = Sub (x, m) y = Relu (a) }"
    model_of(image).save("i.onnx")
    called = surgery("explain", "i.onnx", "--pass", "lift-normalisation", "-m", "X5")
    assert "--march bayes-e --add lift-normalisation" in " ".join(called.out.split())
    assert "--add" not in surgery("explain", "clean.onnx", "--pass", "fold-twice", "-m", "X5").out


def test_explain_says_why_a_rule_refuses(surgery: Surgery) -> None:
    called = surgery("explain", "negated.onnx", "--pass", "halve", "--node", "good")
    assert called.code == 0
    assert "its name has to end in bad" in called.out


def test_bisect_finds_the_pass_and_the_match(surgery: Surgery) -> None:
    called = surgery("bisect", "negated.onnx", "-p", "halve.yaml", "--json", "b.json")
    assert called.code == 1
    assert "halve breaks the numbers, first with its match 1 at bad" in called.out
    found = json.loads(Path("b.json").read_text())
    assert (found["guilty"], found["match"], found["matches"], found["nodes"]) == ("halve", 1, 2, ["bad"])


def test_run_rolls_back_what_breaks_the_numbers(surgery: Surgery) -> None:
    called = surgery("run", "negated.onnx", "-m", "X5", "-p", "halve.yaml", "-o", "out.onnx")
    assert "rolled-back" in called.out
    assert called.out.rstrip().splitlines()[-1] == "next: surgery bisect negated.onnx --march bayes-e"
    assert [node.op for node in Model.load("out.onnx").nodes()] == ["Neg", "Neg", "Neg", "Relu"]


def test_the_options_of_a_pass_are_listed(surgery: Surgery) -> None:
    called = surgery("passes", "fold-twice")
    assert "What to do with the second one." in called.out
    assert "fold | keep" in called.out


def test_the_sources_of_a_march_are_listed(surgery: Surgery) -> None:
    assert "Source" in surgery("marches", "X5").out
