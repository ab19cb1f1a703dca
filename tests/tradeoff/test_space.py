"""What may be varied: read, checked against the passes, enumerated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from surgery.errors import InputError
from surgery.pipeline import Pipeline
from surgery.tradeoff import Space, derived
from surgery.tradeoff.axis import Range
from surgery.tradeoff.space import KEYS, read
from tests.tradeoff import small


def test_options_of_a_pass_that_is_off_make_no_difference(tmp_path: Path) -> None:
    points = list(small.space(tmp_path).points() or ())
    assert len(points) == 2 * (1 + 2 * 2)
    off = [p for p in points if not p["clamp-conv-channels"]]
    assert all(set(p) == {"share-equals", "clamp-conv-channels"} for p in off)


def test_a_choice_is_a_pipeline(tmp_path: Path) -> None:
    space = small.space(tmp_path)
    choice = {"share-equals": True, "clamp-conv-channels": True}
    choice |= {"clamp-conv-channels.mode": "pad", "clamp-conv-channels.multiple": 9}
    names = ["fold-constants", "remove-noops", "clamp-conv-channels", "share-equals"]
    assert [step.id for step in space.of(choice).steps] == names
    assert space.of(choice).steps[2].step.model_dump(exclude_defaults=True) == {"mode": "pad", "multiple": 9}
    assert (space.added(choice), space.off(choice)) == (["share-equals"], [])
    off = {"share-equals": False, "clamp-conv-channels": False}
    assert [step.id for step in space.of(off).steps] == names[:2]
    assert (space.added(off), space.off(off)) == ([], ["share-equals", "clamp-conv-channels"])


def test_default_pipeline_and_budget() -> None:
    space = read(
        {"schema": "surgery.space/1", "toggle": ["strip-io-nodes"], "budget": {"cosine": 0.9}}, Path(), "bayes"
    )
    default = Pipeline.default("bayes").steps
    assert space.of({"strip-io-nodes": False}).steps == default
    assert [s.id for s in space.of({"strip-io-nodes": True}).steps] == [*(s.id for s in default), "strip-io-nodes"]
    assert space.of({"strip-io-nodes": True}).budget == {"cosine": 0.9}
    assert space.file is None


@pytest.mark.parametrize(
    ("given", "points"),
    [
        ({"low": 1, "high": 7, "step": 3}, [1, 4, 7]),
        ({"low": 0.1, "high": 0.5, "step": 0.2}, [0.1, 0.3, 0.5]),
        ({"low": 0.1, "high": 0.5}, None),
        ({"low": 1, "high": 4, "log": True}, [1, 2, 3, 4]),
    ],
)
def test_ranges(given: dict[str, Any], points: list[float] | None) -> None:
    found = Range(**given).points
    assert (None if found is None else list(found)) == points


def test_a_space_with_no_end_is_not_enumerated(tmp_path: Path) -> None:
    from surgery.tradeoff.axis import Axis

    whole = small.space(tmp_path)
    assert Space(whole.pipeline, whole.held, (Axis("a.b", Range(low=0.1, high=0.2)),)).points() is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"schema": "surgery.space/2"}, "this version reads 'surgery.space/1'"),
        ({"toggles": []}, "unknown key 'toggles'\n  hint: did you mean toggle"),
        ({"toggle": ["strip-io-node"]}, "did you mean strip-io-nodes"),
        ({"toggle": "strip-io-nodes"}, "a list of passes is needed"),
        ({"toggle": ["remove-noops", "remove-noops"]}, "'remove-noops' is given twice"),
        ({"options": {"clamp-conv-channel.mode": ["pad"]}}, "did you mean clamp-conv-channels"),
        ({"options": {"clamp-conv-channels.mod": ["pad"]}}, "did you mean mode"),
        ({"options": {"clamp-conv-channels.mode": ["pads"]}}, "clamp-conv-channels.mode: mode: Input should be"),
        ({"options": {"clamp-conv-channels.multiple": {"low": 0, "high": 4}}}, "greater than or equal to 2"),
        ({"options": {"clamp-conv-channels.multiple": {"lo": 2, "high": 4}}}, "did you mean low"),
        ({"options": {"clamp-conv-channels.multiple": {"low": 4, "high": 2}}}, "low 4 has to be below high 2"),
        ({"options": {"clamp-conv-channels.multiple": {"low": 2, "high": 9, "step": 0}}}, "step is a positive number"),
        ({"options": {"clamp-conv-channels.multiple": {"low": -1.0, "high": 9, "log": True}}}, "begins above 0"),
        ({"options": {"clamp-conv-channels.mode": []}}, "a list of values or a range is needed"),
        ({"options": {"clamp-conv-channels.mode": ["pad", "pad"]}}, "a value is given twice"),
        ({"options": {"clamp-conv-channels": [True]}}, "has not the form PASS.FIELD"),
        ({"options": ["clamp-conv-channels.mode"]}, "a mapping from PASS.FIELD to values is needed"),
        ({"options": {}, "toggle": []}, "nothing may be chosen"),
        ({"pipeline": "nowhere.yaml"}, "nowhere.yaml"),
        ({"pipeline": ["fold-constants"]}, "the path of its file or 'default'"),
        ({"budget": {"cosine": "high"}}, "a budget maps metrics to numbers"),
    ],
)
def test_what_is_wrong_in_a_space_is_named(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(small.PIPELINE)
    file = tmp_path / "s.yaml"
    file.write_text(yaml.safe_dump({**small.SPACE, **changes}))
    with pytest.raises(InputError) as error:
        Space.from_yaml(file, "bayes-e")
    assert told in str(error.value)
    assert "s.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("content", "told"), [("[1", "not YAML"), ("- 1", "a space is a mapping"), (None, "cannot read")]
)
def test_what_is_no_space(content: str | None, told: str, tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=told):
        Space.from_yaml(file, "bayes-e")


def test_derived_from_the_fields() -> None:
    data = yaml.safe_load(derived(["clamp-conv-channels", "strip-io-nodes", "canonical-activations", "unroll-loops"]))
    assert set(data) <= set(KEYS)
    assert data["options"]["canonical-activations.approximate"] == [False, True]
    assert {"split", "pad"} <= set(data["options"]["clamp-conv-channels.mode"])
    assert data["options"]["strip-io-nodes.side"] == ["both", "inputs", "outputs"]
    assert not any(name.startswith("unroll-loops.") for name in data["options"])
    assert data["toggle"] == ["clamp-conv-channels", "strip-io-nodes", "canonical-activations", "unroll-loops"]


def test_bounded_numbers_become_ranges() -> None:
    from typing import ClassVar

    from pydantic import Field

    from surgery.pipeline import Pass
    from surgery.tradeoff.derive import _fields

    class Bounded(Pass):
        name: ClassVar[str] = "bounded"
        share: float | None = Field(None, gt=0, lt=1)
        count: int = Field(2, ge=1, le=4)
        half: int = Field(2, ge=1)

    found = _fields(Bounded)
    assert found["share"] == pytest.approx({"low": 0.1, "high": 0.9, "step": 0.1})
    assert found["count"] == {"low": 1, "high": 4, "step": 1}
    assert "half" not in found


def test_the_derived_space_is_a_space(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(derived())
    space = Space.from_yaml(file, "bayes-e")
    assert space.points() is not None
    assert [axis.name for axis in space.axes if axis.toggles] == list(
        dict.fromkeys(step.step.name for step in Pipeline.default().steps)
    )
