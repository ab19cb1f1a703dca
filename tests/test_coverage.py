"""``coverage.csv``: every capability, rewrite and bad input of an issue has a test, or a reason why not.

A test is named ``path/to/test_file.py::function`` (``Class::function``, ``function[case]``); several are separated by
spaces, none inside a case. A row without a test says why there is none, and where it is shown otherwise.
"""

from __future__ import annotations

import ast
import csv
import functools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "tests" / "coverage.csv"


class Row(NamedTuple):
    issue: str
    what: str
    test: str
    refusal_test: str
    reason: str

    @property
    def tests(self) -> list[str]:
        return [name for cell in (self.test, self.refusal_test) for name in _split(cell)]


def _split(cell: str) -> list[str]:
    """The test ids of a cell: each starts with ``tests/``, so that a case may have spaces."""
    return [f"tests/{part.strip()}" for part in f" {cell}".split(" tests/")[1:]]


def _table() -> list[Row]:
    with TABLE.open(newline="") as lines:
        header, *rows = csv.reader(lines)
    assert tuple(header) == Row._fields
    return [Row(*row) for row in rows]


def _functions(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    for statement in body:
        if isinstance(statement, ast.FunctionDef):
            yield prefix + statement.name
        elif isinstance(statement, ast.ClassDef):
            yield from _functions(statement.body, f"{prefix}{statement.name}::")


@functools.cache
def _defined(path: str) -> frozenset[str]:
    """Functions of a test file as ``function`` and ``Class::function``; none when there is no such file."""
    file = ROOT / path
    return frozenset(_functions(ast.parse(file.read_text()).body)) if file.is_file() else frozenset()


def _exists(test: str) -> bool:
    path, _, function = test.partition("::")
    name, _, case = function.partition("[")
    return name in _defined(path) and case.removesuffix("]") in (ROOT / path).read_text()


def _missing(rows: list[Row]) -> list[str]:
    return [f"{row.what}: {test}" for row in rows for test in row.tests if not _exists(test)]


def test_every_row_is_tested_or_says_why() -> None:
    assert [row for row in _table() if not (row.issue and row.what and (row.tests or row.reason))] == []


def test_nothing_is_left_for_later() -> None:
    assert [row for row in _table() if "planned" in row.reason] == []


def test_scripts_that_stand_in_for_a_test_exist() -> None:
    named = {name for row in _table() for name in re.findall(r"scripts/\w+\.py", row.reason)}
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_every_row_is_there_once() -> None:
    counts = Counter((row.issue, row.what) for row in _table())
    assert [key for key, count in counts.items() if count > 1] == []


def test_named_tests_exist() -> None:
    assert _missing(_table()) == []


@pytest.mark.parametrize(
    "test", ["gone.py::test_x", "test_coverage.py::test_gone", "test_digits.py::test_the_head_is_5d[6d]"]
)
def test_a_test_that_is_not_there_is_seen(test: str) -> None:
    row = Row("0", "a row", f"tests/{test}", "", "")
    assert _missing([row]) == [f"a row: tests/{test}"]
