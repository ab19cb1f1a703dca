"""The front by the vendor's toolchain: a stand-in that computes in float, and the real one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from surgery.drift.inputs import make_inputs
from surgery.drift.runner import open_runner
from surgery.errors import InputError
from surgery.ir import Model
from surgery.pipeline import Pipeline
from surgery.pipeline.run import run
from surgery.report.tradeoff import TradeoffDocument
from surgery.toolchain import Answer, find
from surgery.toolchain.performance import Performance, Segment, Timeline
from surgery.toolchain.quantised import QuantiseError
from surgery.toolchain.refusal import Kind, Refusal
from surgery.tradeoff import Setup
from surgery.tradeoff.int8 import fed, given_back
from surgery.tradeoff.study import Wanted, search
from surgery.tradeoff.witnessed import Question, Recorded, Replayed, witnessed
from tests.support import model_of
from tests.tradeoff import small
from tests.tradeoff.test_int8 import TEXT


@dataclass
class Stand:
    """Stands in for the toolchain: takes half of every output for the integers, and 2 ms for every model."""

    refuses: bool = False
    asked: list[tuple[str, str, int]] = field(default_factory=list)

    def compile(self, _model: Any, march: str, options: Any, **_: Any) -> Answer:
        refusal = Refusal(Kind.OPSET, "too young") if self.refuses else None
        segment = Segment("s", 2000.0, 1.0, 1, 1, 1, 1, Timeline(1.0, (), (), ()), ())
        found = None if self.refuses else Performance(options.level, (segment,))
        return Answer(march, refusal, None, found, (), {"hbdk": "3"}, 0.0, cached=False)

    def quantise(self, model: Model, march: str, samples: Sequence[Any], *, method: str) -> Halved:
        if self.refuses:
            raise QuantiseError("the toolchain refuses the model: too young")
        self.asked.append((march, method, len(samples)))
        return Halved(model)


class Halved:
    def __init__(self, model: Model) -> None:
        self.runner = open_runner(model)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run_all(self, samples: Sequence[Any]) -> list[dict[str, Any]]:
        return [{name: value / 2 for name, value in self.runner.run(sample).items()} for sample in samples]


def asked(folder: Path, witness: Any) -> tuple[TradeoffDocument, Setup]:
    setup = small.setup(folder, small.per_sample)
    document = search(small.model(), setup, Wanted("small:per_sample", trials=10))
    return witnessed(document, setup, Question(witness, "O1", method="kl")), setup


def test_the_original_and_the_front_are_asked_about_and_measured_as_all_others(tmp_path: Path) -> None:
    stand = Stand()
    document, setup = asked(tmp_path, stand)
    assert document.witness is not None
    rows = document.witness.variants
    assert [row.number for row in rows] == list(dict.fromkeys((0, *document.front)))
    assert stand.asked == [("bayes-e", "kl", len(setup.data.samples))] * len(rows)
    for row in rows:
        assert row.int8["mean"] == pytest.approx(document.variants[row.number].metrics["mean"] / 2, rel=1e-5)
        assert row.paired["mean"].difference == pytest.approx(row.int8["mean"] - document.baseline.metrics["mean"])
        assert (row.compiled.level, row.compiled.latency_us, row.reason) == ("O1", 2000.0, "")
    assert TradeoffDocument.from_json(document.to_json()) == document
    text = document.to_markdown()
    assert "By the vendor's toolchain" in text
    assert "times the compiled one" in text


def test_what_the_toolchain_refuses_is_said(tmp_path: Path) -> None:
    document, _ = asked(tmp_path, Stand(refuses=True))
    assert document.witness is not None
    row = document.witness.variants[0]
    assert (row.int8, row.reason, row.compiled.reason) == (
        {},
        "the toolchain refuses the model: too young",
        "too young",
    )
    assert "0: the toolchain refuses the model: too young" in document.to_markdown()


def test_what_moved_to_the_host_is_computed_there() -> None:
    model = model_of(TEXT, opset=11)
    data = make_inputs(model, samples=2, ranges={"q": (0, 255)})
    result = run(model, march="bayes-e", pipeline=Pipeline.of("strip-io-nodes"), samples=2)
    assert result.io is not None
    inner = open_runner(result.model)
    outputs = given_back(result.model, result.io, [inner.run(s) for s in fed(result.model, result.io, data.samples)])
    for found, sample in zip(outputs, data.samples, strict=True):
        assert np.array_equal(found["y"], open_runner(model).run(sample)["y"])


def test_questions_are_answered_in_their_order_and_no_others() -> None:
    feeds = [{"x": np.full(2, float(at), np.float32)} for at in range(2)]

    class Doubles:
        def run(self, feeds: Any) -> Any:
            return {"y": feeds["x"] * 2}

    recorded = Recorded(Doubles())
    made = [recorded.run(each) for each in feeds]
    again = Replayed(recorded.asked, made)
    assert again.run(feeds[0]) is made[0]
    with pytest.raises(InputError, match="does not ask the same of every model"):
        again.run(feeds[0])


@pytest.mark.witness
def test_the_toolchains_own_integers_are_near_the_simulated_ones(tmp_path: Path) -> None:
    from surgery.drift.thresholds import Method
    from surgery.toolchain import Witness

    setup = small.setup(tmp_path, small.per_sample, int8=Method.MAX)
    document = search(small.model(), setup, Wanted("small:per_sample", trials=10)).model_copy(update={"front": ()})
    with Witness(find("auto")) as witness:
        found = witnessed(document, setup, Question(witness)).witness
    assert found is not None
    (row,) = found.variants
    assert row.compiled.latency_us is not None
    assert row.int8["mean"] == pytest.approx(document.baseline.int8["mean"], rel=0.02)
