"""The marches that come with the package hold together."""

from __future__ import annotations

import pytest

from surgery.errors import InputError
from surgery.target import aliases, load_target, march_names
from surgery.target.facts import FACTS
from surgery.target.march import Limit
from surgery.target.soundness import faults


def test_names_and_aliases() -> None:
    assert march_names() == ["bayes", "bayes-e", "bernoulli2", "nash-e", "nash-m", "nash-p"]
    boards = {"X3": "bernoulli2", "ultra": "bayes", "J5": "bayes", "x5": "bayes-e", "RDK X5": "bayes-e"}
    nash = {"S100": "nash-e", "J6E": "nash-e", "S100P": "nash-m", "J6M": "nash-m", "S600": "nash-p", "J6P": "nash-p"}
    for board, march in (boards | nash).items():
        assert load_target(board).name == march
        assert aliases()[board.lower()] == march


def test_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown march 'bayes-f'[\s\S]*did you mean bayes-e"):
        load_target("bayes-f")


@pytest.mark.parametrize("name", march_names())
def test_every_limit_compiles_and_every_fact_has_a_source(name: str) -> None:
    target = load_target(name)
    for op, row in target.march.ops.items():
        assert row.source, op
        for check in target.checks(op):
            assert check.source in target.march.sources
            assert check.text


@pytest.mark.parametrize("name", ["bayes", "bayes-e", "bernoulli2"])
def test_limits_have_numbered_ids_of_their_operator(name: str) -> None:
    target = load_target(name)
    for op in target.march.ops:
        ids = [check.constraint for check in target.checks(op)]
        assert len(set(ids)) == len(ids)
        assert all(i.startswith(f"{op}.") for i in ids)


@pytest.mark.parametrize("name", march_names())
def test_nothing_is_unsound(name: str) -> None:
    assert list(faults(load_target(name).march)) == []


@pytest.mark.parametrize("name", march_names())
def test_what_was_probed_is_a_limit_of_the_march(name: str) -> None:
    target = load_target(name)
    checks = [*target.model_checks, *(check for op in target.march.ops for check in target.checks(op))]
    off_bpu = {f"{op}.{kind}" for op in target.march.ops for kind in ("device", "request", "kernel")}
    assert target.probed.keys() <= {check.constraint for check in checks} | off_bpu


def test_nash_is_written_once() -> None:
    one, other = (load_target(name).march for name in ("nash-e", "nash-p"))
    assert one.ops == other.ops
    assert one.boards != other.boards


def test_model_rules() -> None:
    rules = {limit.name for limit in load_target("bayes-e").march.model}
    assert rules <= FACTS.keys()
    assert {"opset", "ir_version", "outputs", "dynamic_dims", "input_ranks"} <= rules


def test_a_limit_names_itself() -> None:
    assert Limit(param="rank", max=4).name == "rank"
    assert Limit(id="r", param="rank", max=4).name == "r"
    assert Limit(forms=("N,N",)).name == "shapes"
