"""The language of march files: what it computes, and everything it refuses."""

from __future__ import annotations

import re

import pytest

from surgery.target.expression import LONGEST, Expression, ExpressionError, ceil_to, is_power_of_two

ENV = {"a": 3, "b": 2, "name": "linear", "dims": (1, 8, 4, 4)}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a + b * 2 - 1", 6),
        ("a // b", 1),
        ("a / b", 1.5),
        ("a % b", 1),
        ("-a", -3),
        ("1 < b <= 2", True),
        ("3 < b <= 4", False),
        ("a in (1, 3)", True),
        ("a not in (1, 3)", False),
        ("name == 'linear' and a > 2", True),
        ("name == 'nearest' or a > 5 or b == 2", True),
        ("not a == 3", False),
        ("within(dims[1:], 1, 8)", True),
        ("within(dims[2:], 5, 8)", False),
        ("dims[1]", 8),
        ("max(a, b) + len(dims)", 7),
        ("divides((2, 4), 8)", True),
        ("divides((2, 3), 8)", False),
    ],
)
def test_values(text: str, value: object) -> None:
    assert Expression(text, ENV)(ENV) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.real", "Attribute is not allowed"),
        ("open('x')", "unknown function 'open'"),
        ("min(a, key=b)", "unknown function 'min'"),
        ("().__class__.__base__", "Attribute is not allowed"),
        ("(x for x in dims)", "GeneratorExp is not allowed"),
        ("within(dims, 1)", "'within(dims, 1)': missing a required argument: 'high'"),
        ("len(dims, 1) > 1", "too many positional arguments"),
        ("max > 1", "unknown name 'max'"),
        ("lambda: 1", "Lambda is not allowed"),
        ("a ** 9", "operator Pow is not allowed"),
        ("~a", "operator Invert is not allowed"),
        ("a is b", "comparison not allowed"),
        ("f'{a}'", "JoinedStr is not allowed"),
        ("None", "constant None"),
        ("zzz > 1", "unknown name 'zzz'"),
        ("a >", "is no expression"),
        ("a = 1", "is no expression"),
        ("1" * (LONGEST + 1), "characters, at most"),
        ("-" * 60 + "a", "nested more than"),
        ("kernl_h > 1", "unknown name 'kernl_h'"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(message)):
        Expression(text, ENV)


def test_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(ExpressionError, match="did you mean kernel_h, kernel_w"):
        Expression("kernal_h > 1", {"kernel_h", "kernel_w", "rank"})


@pytest.mark.parametrize("text", ["name * 900000000", "dims * 900000000", "'%900000000d' % a", "dims + dims"])
def test_arithmetic_is_of_numbers(text: str) -> None:
    with pytest.raises(TypeError, match="arithmetic on"):
        Expression(text, ENV)(ENV)


def test_names_are_what_is_read() -> None:
    assert Expression("max(a, dims[1]) > 2", ENV).names == {"a", "dims"}


def test_only_what_is_reached_is_read() -> None:
    assert Expression("a == 3 or missing", {"a", "missing"})({"a": 3})


def test_functions() -> None:
    assert [n for n in (0, 1, 2, 3, 4, 0.5, 1.5) if is_power_of_two(n)] == [1, 2, 4]
    assert (ceil_to(1, 256), ceil_to(256, 256), ceil_to(257, 256)) == (256, 256, 512)
