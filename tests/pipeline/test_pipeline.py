"""Pipelines from YAML, Python and flags; what is wrong in one is said with the nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from passes.strip import StripIoNodes
from surgery.errors import InputError
from surgery.pipeline import Pipeline, registry
from surgery.pipeline.pipeline import Step
from tests.pipeline.samples import Late, Roots

GOOD = """
schema: surgery.pipeline/1
passes:
  - strip-io-nodes
  - {strip-io-nodes: {types: [Dequantize], side: outputs}, id: tail}
budget: {cosine: 0.999}
"""


def read(text: str, tmp_path: Path) -> Pipeline:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    return Pipeline.from_yaml(path)


def test_a_pipeline_file_and_back(tmp_path: Path) -> None:
    pipeline = read(GOOD, tmp_path)
    assert [s.id for s in pipeline.steps] == ["strip-io-nodes", "tail"]
    assert pipeline.steps[1].step == StripIoNodes(types=("Dequantize",), side="outputs")
    assert pipeline.budget == {"cosine": 0.999}
    assert read(yaml.safe_dump(pipeline.to_dict()), tmp_path) == pipeline


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("passes: [", "not YAML"),
        ("[]", "a pipeline is a mapping with a list under 'passes'"),
        ("schema: surgery.pipeline/1\npasses: []\nbudgets: {}", "unknown key 'budgets'"),
        ("schema: surgery.pipeline/9\npasses: []", "schema 'surgery.pipeline/9'"),
        ("schema: surgery.pipeline/1\npasses: [strip-io-node]", "unknown pass 'strip-io-node'"),
        ("schema: surgery.pipeline/1\npasses: [{strip-io-nodes: {tpyes: []}}]", "unknown option 'tpyes'"),
        ("schema: surgery.pipeline/1\npasses: [{strip-io-nodes: {side: left}}]", "side: Input should be 'both'"),
        ("schema: surgery.pipeline/1\npasses: [{strip-io-nodes: 3}]", "the options of strip-io-nodes are a mapping"),
        ("schema: surgery.pipeline/1\npasses: [{a: {}, b: {}}]", "a pass is one name with its options"),
        ("schema: surgery.pipeline/1\npasses: [7]", "a pass is a name or a mapping, not 7"),
        ("schema: surgery.pipeline/1\npasses: [strip-io-nodes, strip-io-nodes]", "holds 'strip-io-nodes' twice"),
        ("schema: surgery.pipeline/1\npasses: []\nbudget: {cosine: high}", "a budget maps metrics to numbers"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(text, tmp_path)
    assert message in str(caught.value)
    assert "p.yaml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the pipeline"):
        Pipeline.from_yaml(tmp_path / "none.yaml")


def test_nearest_names_are_offered(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read("schema: surgery.pipeline/1\npasses: [strip-io-node]", tmp_path)
    assert caught.value.hint is not None
    assert "did you mean strip-io-nodes" in caught.value.hint


def test_ordering_facts_are_checked_and_not_mended() -> None:
    assert [s.id for s in Pipeline.of(Roots(), Late()).steps] == ["roots", "late"]
    with pytest.raises(InputError, match="late has to run after roots"):
        Pipeline.of(Late(), Roots())
    again = Pipeline.of("strip-io-nodes", {"strip-io-nodes": {}, "id": "again"})
    assert len(Pipeline((*Pipeline.of(Roots(), Late()).steps, Step("more", Roots()), *again.steps)).steps) == 5


def test_options_by_name() -> None:
    pipeline = Pipeline.of("strip-io-nodes").with_options({"strip-io-nodes.side": "inputs"})
    assert pipeline.steps == (Step("strip-io-nodes", StripIoNodes(side="inputs")),)
    with pytest.raises(InputError, match="unknown pass of the pipeline 'strip'"):
        pipeline.with_options({"strip.side": "inputs"})
    with pytest.raises(InputError, match="unknown option 'sides'"):
        pipeline.with_options({"strip-io-nodes.sides": "inputs"})


def test_adding_and_skipping() -> None:
    pipeline = Pipeline.of(Roots()).adding(["strip-io-nodes"])
    assert [s.id for s in pipeline.skipping(["roots"]).steps] == ["strip-io-nodes"]
    with pytest.raises(InputError, match="unknown pass of the pipeline 'root'"):
        pipeline.skipping(["root"])


def test_freezing_puts_a_step_in_front_or_tells_the_one_there_is() -> None:
    plain = Pipeline.of("fold-constants")
    assert plain.freezing({}) is plain
    frozen = plain.freezing({"x": (1, 3)})
    assert frozen.to_dict()["passes"] == [{"freeze-shapes": {"shapes": {"x": [1, 3]}}}, "fold-constants"]
    assert frozen.adding(["freeze-shapes"]) == frozen
    more = frozen.freezing({"x": (2, 3), "z": (4,)})
    assert more.to_dict()["passes"][0] == {"freeze-shapes": {"shapes": {"x": [2, 3], "z": [4]}}}
    assert [s.id for s in plain.adding(["strip-io-nodes", "freeze-shapes"]).steps] == [
        "freeze-shapes", "fold-constants", "strip-io-nodes",
    ]  # fmt: skip


@pytest.mark.parametrize("march", ["bernoulli2", "bayes", "bayes-e", "nash-e", "nash-m", "nash-p"])
def test_every_march_has_a_default_pipeline(march: str) -> None:
    names = [s.step.name for s in Pipeline.default(march).steps]
    assert names[:2] == ["inline-functions", "fold-constants"]
    assert set(names) <= set(registry.names())


def test_every_registered_pass_is_documented_and_named_as_registered() -> None:
    for name in registry.names():
        kind = registry.load(name)
        assert kind.name == name
        assert kind.summary().endswith(".")
