"""Both sides of every limit of every march: just beyond, a node breaks this limit and no other; within, it keeps it."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import pytest

from surgery.ir import Model
from surgery.target import Target, load_target, march_names
from surgery.target.verdict import Violation

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import edge_nodes
from edge_models import model_edges
from edge_nodes import Edge, noted_edges, reason
from edge_specs import build

DEVICES = {"cpu": "cpu", "refused": "refused", "refused on the cpu": "refused", "refused on the bpu": "refused"}


@cache
def sides(march: str) -> dict[str, Edge | None]:
    """The edges of a march, those of operators that are checked at all."""
    return dict(noted_edges(load_target(march)))


LIMITS = [(march, constraint) for march in march_names() for constraint in sides(march)]
RULES = [(march, check.constraint) for march in march_names() for check in load_target(march).model_checks]


def _limits(march: str, violations: tuple[Violation, ...]) -> set[str]:
    """Ids of broken limits, what is said of the operator as a whole aside."""
    known = sides(march)
    return {violation.constraint for violation in violations if violation.constraint in known}


def _device(target: Target, edge: Edge) -> str:
    """Where the node outside runs; one that no opset has is refused whatever it breaks."""
    op = edge.check.constraint.partition(".")[0]
    return "refused" if target.unborn(op) else DEVICES[edge.check.effect]


@pytest.mark.parametrize("march", march_names())
def test_outside_breaks_this_limit_alone_and_inside_keeps_it(march: str) -> None:
    target, wrong = load_target(march), []
    for constraint, edge in sides(march).items():
        if edge is None:
            continue
        inside, outside = (target.verdict(build(spec), spec.opset) for spec in (edge.inside, edge.outside))
        kept = _limits(march, inside.violations) == edge.both
        broken = _limits(march, outside.violations) == edge.both | {constraint}
        if not (kept and broken and outside.device == _device(target, edge)):
            wrong.append((constraint, inside, outside))
    assert wrong == []


@pytest.mark.parametrize("march", march_names())
def test_every_limit_has_two_sides_or_a_reason(march: str) -> None:
    lacking = [c for c, edge in sides(march).items() if edge is None and reason(c) is None]
    assert lacking == [], "search for them: scripts/edge_nodes.py"


@pytest.mark.parametrize(("march", "rule"), RULES, ids=["-".join(rule) for rule in RULES])
def test_rules_about_models(march: str, rule: str) -> None:
    target, edge = load_target(march), model_edges(load_target(march))[rule]
    inside, outside = (target.refusals(Model.load(model)) for model in (edge.inside, edge.outside))
    assert [refusal.rule for refusal in inside] == []
    assert [refusal.rule for refusal in outside] == [rule]


@pytest.mark.parametrize("limit", ["Conv.kernel_h", "Gemm.in_channels", "MatMul.forms", "ArgMax.axis"])
def test_edges_are_found_where_none_is_noted(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_nodes, "noted", lambda _: {})
    target = load_target("bernoulli2")
    edge = dict(edge_nodes.edges(target, [limit]))[limit]
    assert edge is not None
    assert target.verdict(build(edge.outside), 11).violations[0].constraint == limit


def test_limits_are_many() -> None:
    assert len([c for m, c in LIMITS if m == "bayes-e"]) > 250
