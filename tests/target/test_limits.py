"""Both sides of every numeric edge in the march files, and how limits read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from surgery.target import load_target, march_names
from surgery.target.limits import Check, compile_limits, show
from surgery.target.march import Limit
from surgery.target.params import PARAMS, Unknown


def edges() -> Iterator[Any]:
    """Every limit with a bound or a set of values: a value it takes and one it does not, per end."""
    for march in march_names():
        target = load_target(march)
        for op, row in target.march.ops.items():
            for limit, check in zip(row.limits, target.checks(op), strict=False):
                for inside, outside in _pairs(limit):
                    yield pytest.param(limit, check, inside, outside, id=f"{march}-{check.constraint}-{outside}")


def _pairs(limit: Limit) -> Iterator[tuple[Any, Any]]:
    if limit.max is not None:
        yield limit.max, limit.max + 1
    if limit.min is not None:
        yield limit.min, limit.min - 1
    if limit.values:
        numbers = [v for v in limit.values if isinstance(v, int)]
        yield limit.values[0], max(numbers) + 1 if numbers else "another"


@pytest.mark.parametrize(("limit", "check", "inside", "outside"), list(edges()))
def test_edge(limit: Limit, check: Check, inside: Any, outside: Any) -> None:
    if limit.param is None or not limit.param.isidentifier():
        limit = limit.model_copy(update={"param": "value"})
    bare = Check(limit, "Op.value", "s", "read", {"value", *PARAMS})
    env = {str(limit.param): inside, str(limit.when): True}
    assert bare(dict(env)) is None
    violation = bare({**env, str(limit.param): outside})
    assert violation is not None
    assert (violation.allowed, violation.found) == (check.allowed, outside)
    assert bare({**env, str(limit.param): (inside, outside), str(limit.when): True}) is not None
    if limit.when:
        assert bare({**env, str(limit.param): outside, limit.when: False}) is None


def made(**fields: Any) -> Check:
    return Check(Limit(**fields), "Op.x", "s", "read", {"a", "b", "shapes", "x"})


@pytest.mark.parametrize(
    ("fields", "allowed", "text"),
    [
        ({"param": "a", "min": 1, "max": 31}, "1..31", "a 1..31"),
        ({"param": "a", "max": 2.5}, "at most 2.5", "a at most 2.5"),
        ({"param": "a", "min": 2, "when": "b > 1"}, "at least 2", "a at least 2 where b > 1"),
        ({"param": "a", "min": 4, "max": 4}, "4", "a 4"),
        ({"param": "a", "values": [1, 2]}, "1 or 2", "a 1 or 2"),
        ({"id": "x", "holds": "a < b"}, "a < b", "a < b"),
        ({"forms": ["N,N"]}, "N,N", "operand shapes N,N"),
        ({"param": "a", "max": 1, "text": "only one"}, "at most 1", "only one"),
    ],
)
def test_words(fields: dict[str, Any], allowed: str, text: str) -> None:
    check = made(**fields)
    assert (check.allowed, check.text) == (allowed, text)


def test_found_names_the_parameters_of_a_condition() -> None:
    violation = made(id="x", holds="a < b")({"a": 3, "b": (1,)[0]})
    assert violation is not None
    assert violation.found == "a=3, b=1"
    assert str(violation) == "Op.x: a=3, b=1, allowed a < b"


def test_forms() -> None:
    check = made(forms=["NxC,NxC", "NxC,1x1"])
    assert check({"shapes": ((1, 8), (1, 1))}) is None
    violation = check({"shapes": ((1, 8), (8,))})
    assert violation is not None
    assert violation.found == "1x8, 8"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(3, 3), (True, "yes"), ((3, 3), "3x3"), ((), "none"), ("linear", "linear"), (("a", "b"), "a, b")],
)
def test_show(value: Any, shown: Any) -> None:
    assert show(value) == shown


@pytest.mark.parametrize(("text", "reason"), [("1 / a > 0", "division by zero"), ("(1, 2)[a + 2] > 0", "out of range")])
def test_no_value_is_unknown(text: str, reason: str) -> None:
    with pytest.raises(Unknown, match=rf"cannot be computed \(.*{reason}"):
        made(id="x", holds=text)({"a": 0})


def test_second_of_a_name_is_numbered() -> None:
    limits = [Limit(param="a", max=1), Limit(param="a", max=2), Limit(id="a", param="b", max=2)]
    checks = compile_limits(limits, "Op", "s", "read", {"a", "b"}, "file")
    assert [check.constraint for check in checks] == ["Op.a", "Op.a.2", "Op.a.3"]
