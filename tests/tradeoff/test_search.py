"""The search as a whole: baseline, outcomes, front, the same for any number of workers, and going on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from surgery.drift.thresholds import Method
from surgery.errors import InputError
from surgery.report.tradeoff import TradeoffDocument, Variant
from surgery.tradeoff import study
from surgery.tradeoff.journal import journal
from surgery.tradeoff.strategy import Exhaustive, Guided, strategy
from surgery.tradeoff.study import Wanted, search
from surgery.tradeoff.trial import Setup, trial
from tests.tradeoff import small


@pytest.fixture(autouse=True)
def calls() -> None:
    small._CALLS.clear()


def searched(setup: Setup, **wanted: Any) -> TradeoffDocument:
    return search(small.model(), setup, Wanted("small:mean", **wanted))


def test_the_original_is_first_and_every_choice_is_tried(tmp_path: Path) -> None:
    document = searched(small.setup(tmp_path, int8=Method.MAX))
    assert document.search.strategy == "exhaustive"
    assert document.search.points == 10
    assert [v.number for v in document.variants] == list(range(11))
    first = document.variants[0]
    assert (first.add, first.skip, first.settings, first.passes) == ((), (), {}, ())
    assert set(first.metrics) == set(first.int8) == {"mean", "most"}
    assert first.int8 != first.metrics
    assert all(v.status == "ok" and v.latency_ms is not None for v in document.variants)
    assert document.metric == "mean"


def test_choices_that_come_to_the_same_model_are_measured_once(tmp_path: Path) -> None:
    setup = small.setup(tmp_path, CountCalls())
    document = searched(setup)
    models = {v.model for v in document.variants}
    assert setup.measure.calls == len(models) < len(document.variants)


class CountCalls:
    """Counts how often it measures."""

    calls = 0

    def __call__(self, runner: Any) -> dict[str, float]:
        self.calls += 1
        return small.mean(runner)


def test_the_front_is_beaten_by_none(tmp_path: Path) -> None:
    document = searched(small.setup(tmp_path))
    front = [document.variants[at] for at in document.front]
    for one in front:
        assert not any(_better(document, other, one) for other in document.variants if other.accepted)


def _better(document: TradeoffDocument, one: Variant, other: Variant) -> bool:
    assert one.latency_ms is not None
    assert other.latency_ms is not None
    pair = [(v.latency_ms.mid or 0.0, -(document.value(v) or 0.0)) for v in (one, other) if v.latency_ms]
    return pair[0] != pair[1] and all(a <= b for a, b in zip(*pair, strict=True))


def test_a_filter_comes_before_the_evaluator(tmp_path: Path) -> None:
    setup = small.setup(tmp_path, small.OfOriginalOnly(small.raises), max_latency_ms=1e-6)
    document = searched(setup)
    assert {v.status for v in document.variants[1:]} == {"infeasible"}
    assert "ms are predicted, at most 1e-06 are wanted" in document.variants[1].reason
    assert len(small._CALLS) == 1
    assert document.front == (0,)


def test_a_model_that_the_toolchain_refuses_is_infeasible(tmp_path: Path) -> None:
    setup = replace(small.setup(tmp_path), march="bernoulli2", model=small.model_of(small.TEXT, opset=17).to_proto())
    found = trial(setup, {"clamp-conv-channels": False}).variant
    assert (found.status, found.accepted) == ("infeasible", False)
    assert found.reason.startswith("the bernoulli2 toolchain refuses it: model.opset")
    assert found.metrics == {}


@pytest.mark.parametrize(
    ("otherwise", "told"),
    [
        (small.raises, "the evaluator raised ValueError: no such class: a|b"),
        (small.nan, "the evaluator returned nan for mean"),
        (small.nothing, "the evaluator returned no metric"),
        (small.text, "the evaluator raised ValueError: could not convert string to float: 'good'"),
        (small.other_keys, "the evaluator returned median; of the original mean, most"),
        (small.per_sample, "the evaluator returned 2 samples of mean; of the original 0"),
        (small.nan_of_a_sample, "the evaluator returned nan for mean"),
        (small.square, "the evaluator raised ValueError: samples of shape 2x2 are none of N"),
    ],
)
def test_an_evaluator_that_fails_costs_the_variant_alone(otherwise: Any, told: str, tmp_path: Path) -> None:
    document = searched(small.setup(tmp_path, small.OfOriginalOnly(otherwise)))
    failed = [v for v in document.variants if v.status == "failed"]
    assert failed
    assert {v.reason for v in failed} == {told}
    assert len(document.variants) == 11


@pytest.mark.parametrize("measure", [small.raises, small.nan, small.nothing])
def test_an_original_that_cannot_be_measured_ends_the_search(measure: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--eval: the model as it was given cannot be measured: the evaluator"):
        searched(small.setup(tmp_path, measure))


def test_variants_are_held_against_the_original_sample_by_sample(tmp_path: Path) -> None:
    document = searched(small.setup(tmp_path, small.per_sample, int8=Method.MAX))
    first, *others = document.variants
    assert (first.paired, first.paired_int8) == ({}, {})
    for variant in others:
        assert variant.paired.keys() == variant.paired_int8.keys() == {"mean"}
        assert variant.paired["mean"].samples == 2
        assert variant.paired["mean"].difference == variant.metrics["mean"] - first.metrics["mean"]


def test_a_metric_that_is_not_measured(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean mean"):
        searched(small.setup(tmp_path), metric="meen")
    assert searched(small.setup(tmp_path), metric="most").metric == "most"


def test_a_number_is_the_metric_score(tmp_path: Path) -> None:
    assert searched(small.setup(tmp_path, lambda _: 0.5)).metric == "score"


def test_a_pass_that_cannot_run_is_the_variants_own_failure(tmp_path: Path) -> None:
    found = trial(small.setup(tmp_path), {"clamp-conv-channels": True, "clamp-conv-channels.multiple": 1}).variant
    assert found.status == "failed"
    assert "greater than or equal to 2" in found.reason


def test_a_budget_on_the_measure_itself(tmp_path: Path) -> None:
    setup = small.setup(tmp_path)
    bounded = replace(setup, space=small.space(tmp_path, budget={"mean_drop": -1.0}))
    found = trial(bounded, {"clamp-conv-channels": False}).variant
    assert (found.status, found.metrics) == ("infeasible", {})
    assert "over budget: mean falls by" in found.reason
    raising = trial(replace(bounded, measure=small.raises), {"clamp-conv-channels": False}).variant
    assert raising.reason == "the evaluator raised ValueError: no such class: a|b"


# --- guided search


def test_many_choices_are_searched_with_a_seed(tmp_path: Path) -> None:
    one, same, other = (searched(small.setup(tmp_path), trials=6, seed=seed) for seed in (1, 1, 2))
    assert one.search.strategy == "nsga-ii"
    assert one.search.points is None
    assert one.to_json() == same.to_json()
    assert [v.settings for v in one.variants] != [v.settings for v in other.variants]
    assert len({(v.add, v.skip, *v.settings.items()) for v in one.variants[1:]}) == len(one.variants) - 1 == 6


def test_without_a_time_there_is_one_objective(tmp_path: Path) -> None:
    guided = strategy(small.space(tmp_path), 8, 0, timed=False, least=True)
    assert isinstance(guided, Guided)
    assert guided.searched.strategy == "tpe"
    tried = []
    while choices := guided.batch():
        tried += choices
        guided.tell([(Variant(), float(c.get("clamp-conv-channels.multiple", 0))) for c in choices])
    assert len(tried) == 8


def test_a_space_that_is_used_up_ends_a_guided_search(tmp_path: Path) -> None:
    guided = Guided(small.space(tmp_path), 1000, 0, timed=True, least=False)
    count = 0
    while choices := guided.batch():
        count += len(choices)
        guided.tell([(Variant(), None) for _ in choices])
    assert 8 <= count <= 10


def test_as_many_trials_as_choices_are_exhaustive(tmp_path: Path) -> None:
    space = small.space(tmp_path)
    assert isinstance(strategy(space, 10, 0, timed=True, least=False), Exhaustive)
    assert isinstance(strategy(space, 9, 0, timed=True, least=False), Guided)


# --- going on


class Interrupted(Exception):
    pass


def _killed_after(count: int) -> Any:
    def told(done: int, _total: int) -> None:
        if done >= count:
            raise Interrupted

    return told


@pytest.mark.parametrize("trials", [8, 10])
def test_a_search_that_was_killed_repeats_nothing_and_ends_the_same(trials: int, tmp_path: Path) -> None:
    whole = searched(small.setup(tmp_path, small.per_sample), trials=trials)
    assert whole.variants[-1].paired
    storage = tmp_path / "s.jsonl"
    with pytest.raises(Interrupted):
        searched(small.setup(tmp_path, small.per_sample), trials=trials, storage=storage, progress=_killed_after(5))
    assert len(storage.read_text().splitlines()) == 1 + 1 + 5
    storage.write_bytes(storage.read_bytes() + b'{"choice": "torn')
    done = _counted(tmp_path, trials, storage)
    assert done[0] == trials - 5
    assert done[1].to_json() == whole.to_json()
    assert _counted(tmp_path, trials, storage)[0] == 0


def _counted(folder: Path, trials: int, storage: Path) -> tuple[int, TradeoffDocument]:
    tried = 0
    inner = study.here

    def here(setup: Setup) -> Any:
        from contextlib import nullcontext

        def counting(choices: Any) -> Any:
            nonlocal tried
            with inner(setup) as run:
                for found in run(choices):
                    tried += 1
                    yield found

        return nullcontext(counting)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(study, "here", here)
        document = searched(small.setup(folder, small.per_sample), trials=trials, storage=storage)
    return tried, document


@pytest.mark.parametrize(
    "change", [{"max_latency_ms": 5.0}, {"int8": Method.MAX}, {"options": {"protect": "c"}}, {"march": "bayes"}]
)
def test_a_journal_of_another_search_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    storage = tmp_path / "s.jsonl"
    searched(small.setup(tmp_path), trials=10, storage=storage)
    before = storage.read_bytes()
    with pytest.raises(InputError, match="holds another search: its"):
        searched(replace(small.setup(tmp_path), **change), storage=storage)
    assert storage.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"no json\n", b"[1]\n", b'{"schema": "surgery.run/1"}\n', b"\x00\xff binary", b"x\n\n"]
)
def test_a_file_that_is_no_journal_is_left_as_it_is(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(content)
    with pytest.raises(InputError, match="is no journal of a search"), journal(file, {"march": "bayes"}):
        pass
    assert file.read_bytes() == content


def test_rows_of_another_version_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "s.jsonl"
    file.write_text(json.dumps({"schema": "surgery.search/1"}) + '\n{"choice": "", "variant": {"colour": 1}}\n')
    with pytest.raises(InputError, match="no journal of this version"), journal(file, {}):
        pass


def test_two_searches_do_not_write_one_journal(tmp_path: Path) -> None:
    with (
        journal(tmp_path / "s.jsonl", {}),
        pytest.raises(InputError, match="another search is writing"),
        journal(tmp_path / "s.jsonl", {}),
    ):
        pass


def test_a_journal_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"), journal(tmp_path, {}):
        pass
