"""Runs that begin with the same passes: the same result as each by itself, and the passes run once."""

from __future__ import annotations

from typing import Any

import pytest

from surgery.ir import Model
from surgery.pipeline import Pipeline, manager
from surgery.pipeline.prefixes import Prefixes
from surgery.pipeline.result import RunResult, Status
from surgery.pipeline.run import run
from surgery.report.run import run_document
from tests.support import model_of
from tests.tradeoff import small
from tests.tradeoff.test_int8 import TEXT

COMMON = ("fold-constants", "remove-noops", "share-equals")
ENDS: tuple[Any, ...] = ((), ("clamp-conv-channels",), ({"clamp-conv-channels": {"mode": "pad"}},), ("fuse-convs",))
PIPELINES = [Pipeline.of(*COMMON, *end) for end in ENDS]

TWICE = f"""g (float[1,3,8,8] x) => (float[1,3,8,8] y)
<float[16,3,3,3] v = {{{small.WEIGHT}}}, float[3,16,3,3] w = {{{small.WEIGHT}}}>
{{ a = Conv <pads = [1,1,1,1]> (x, v) b = Relu (a) y = Conv <pads = [1,1,1,1]> (b, w) }}"""


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passes that ran, in order."""
    names: list[str] = []
    inner = manager._PassRunner.run

    def counted(self: Any) -> Any:
        names.append(self.name)
        return inner(self)

    monkeypatch.setattr(manager._PassRunner, "run", counted)
    return names


def one(model: Model, pipeline: Pipeline, prefixes: Prefixes | None, **options: Any) -> RunResult:
    return run(model, march="bayes-e", pipeline=pipeline, samples=2, prefixes=prefixes, **options)


def said(result: RunResult) -> tuple[str, bytes]:
    """The report without times, and the model."""
    document = run_document(result)
    passes = tuple(row.model_copy(update={"seconds": 0.0}) for row in document.passes)
    proto = result.model.to_proto().SerializeToString(deterministic=True)
    return document.model_copy(update={"passes": passes, "seconds": 0.0}).to_json(), proto


@pytest.mark.parametrize("verify", ["each", "end", "off"])
def test_the_result_is_that_of_a_run_by_itself(verify: str, ran: list[str]) -> None:
    shared = Prefixes()
    together = [said(one(small.model(), pipeline, shared, verify=verify)) for pipeline in PIPELINES]
    assert [ran.count(name) for name in COMMON] == [1, 1, 1]
    ran.clear()
    assert together == [said(one(small.model(), pipeline, None, verify=verify)) for pipeline in PIPELINES]
    assert [ran.count(name) for name in COMMON] == [4, 4, 4]


def test_what_moved_to_the_host_is_kept_with_it(ran: list[str]) -> None:
    pipelines = [Pipeline.of("strip-io-nodes", *end) for end in ((), ("lift-quantisation",))]
    shared = Prefixes()
    together = [one(model_of(TEXT, opset=11), pipeline, shared) for pipeline in pipelines]
    assert ran.count("strip-io-nodes") == 1
    assert all(result.io is not None and result.io.removed for result in together)
    assert [said(result) for result in together] == [
        said(one(model_of(TEXT, opset=11), pipeline, None)) for pipeline in pipelines
    ]


def test_a_budget_is_that_of_the_run_itself() -> None:
    model = model_of(TWICE, opset=11)
    prune = {"clamp-conv-channels": {"mode": "prune", "ratio": 0.5}}
    free, bounded = Pipeline.of(*COMMON), Pipeline.of(*COMMON, prune, budget={"cosine": 0.1})
    shared = Prefixes()
    one(model, free, shared)
    found = one(model, bounded, shared)
    assert found.passes[-1].status is Status.APPLIED
    assert said(found) == said(one(model, bounded, None))


def test_nothing_is_kept_after_a_pass_that_asked_what_follows(ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    inner = manager._PassRunner._result

    def looked(self: Any, *values: Any) -> Any:
        self.policy.looked_ahead = self.name == "remove-noops"
        return inner(self, *values)

    monkeypatch.setattr(manager._PassRunner, "_result", looked)
    shared = Prefixes()
    for pipeline in PIPELINES[:2]:
        one(small.model(), pipeline, shared)
    assert [ran.count(name) for name in COMMON] == [1, 2, 2]


def test_what_was_not_used_for_longest_goes_first(ran: list[str]) -> None:
    shared = Prefixes(limit=0)
    for pipeline in PIPELINES[:2]:
        one(small.model(), pipeline, shared)
    assert [ran.count(name) for name in COMMON] == [2, 2, 2]
