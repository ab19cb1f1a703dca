from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surgery.toolchain.log import table_rows
from surgery.toolchain.tables import tables
from tests.toolchain import logs

ROWS = [("/a/Conv", "bpu"), ("...long.tail/with blank Softmax", "cpu"), ("/b/Mul", "bpu")]


def read(text: str) -> list[list[tuple[str, str]]]:
    return [[(row.name, row.device) for row in table_rows(table.rows)] for table in tables(text)]


@pytest.mark.parametrize("columns", logs.GENERATIONS.values(), ids=logs.GENERATIONS)
def test_every_generation_of_columns(columns: tuple[str, ...]) -> None:
    (table,) = tables(logs.log(ROWS, columns=columns))
    rows = table_rows(table.rows)
    assert table.whole
    assert [(row.name, row.device) for row in rows] == ROWS
    assert [row.type for row in rows] == ["HzLut", "Softmax", "HzLut"]
    assert [row.segment for row in rows] == ([0, None, 0] if "Subgraph" in columns else [None] * 3)


def test_values_of_hb_compile() -> None:
    (table,) = tables(logs.table(ROWS, logs.GENERATIONS["hb_compile"]))
    first = table_rows(table.rows)[0]
    assert (first.threshold, first.cosine, first.data_type) == (1.5, 0.998, "si8")


@pytest.mark.parametrize(
    "stamp", ["2026-11-23 03:17:41,720 INFO ", "INFO: ", "[INFO] ", "2026-11-23T03:17:41.720Z ", logs.STAMP]
)
def test_every_line_stamped(stamp: str) -> None:
    text = "".join(f"{stamp}{line}\n" for line in logs.log(ROWS, march="").splitlines())
    assert read(text) == [ROWS]


@pytest.mark.parametrize("width", [60, 80, 100])
def test_wrapped_at_the_width_of_a_terminal(width: int) -> None:
    lines = logs.table(ROWS).splitlines()
    wrapped = [line[i : i + width] for line in lines for i in range(0, len(line), width)]
    assert read("\n".join(wrapped)) == [ROWS]


def test_lines_between_rows() -> None:
    lines = logs.log(ROWS).splitlines()
    lines[7:7] = ["", "[=====     ]  50%", "... some rows ...", f"{logs.STAMP}a warning"]
    assert read("\n".join(lines)) == [ROWS]


def test_windows_line_ends_and_colours() -> None:
    text = logs.log(ROWS).replace("\n", "\r\n").replace("/a/Conv", "\x1b[92m/a/Conv\x1b[0m")
    assert read(text) == [ROWS]


def test_a_name_with_gaps() -> None:
    assert read(logs.table([("a   b", "bpu"), ("c" * 9, "cpu")])) == [[("a   b", "bpu"), ("c" * 9, "cpu")]]


def test_other_tables_are_none() -> None:
    text = "Node          Cosine Similarity  L1 Distance\n----------\n/fc/Gemm  0.7  1.5\n"
    assert tables(text) == ()
    assert tables(f"{logs.STAMP}Node is fine\n") == ()


def test_the_number_of_the_first_line() -> None:
    assert [table.line for table in tables(logs.log(ROWS) * 2)] == [5, 15]


def test_a_table_that_ends_the_text_is_whole_unless_more_was_to_come() -> None:
    assert tables(logs.table(ROWS))[0].whole
    assert not tables(logs.log(ROWS).rpartition(logs.STAMP)[0])[0].whole


@pytest.mark.parametrize("left", [12, 40, 60])
def test_cut_in_a_row(left: int) -> None:
    text = logs.table(ROWS)
    start = text.index("/b/Mul")
    (table,) = tables(text[: start + left])
    assert not table.whole
    assert len(table.rows) == 2


def test_cut_behind_the_headings() -> None:
    text = logs.log(ROWS)
    (table,) = tables(text[: text.index("/a/Conv")])
    assert (table.rows, table.whole) == ((), False)


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 900), st.text(alphabet=" -=BPUC\nNodeON\x00[\u202e", max_size=60))
def test_any_text(place: int, noise: str) -> None:
    text = logs.log(ROWS)
    for table in tables(text[:place] + noise + text[place:]):
        assert all(row["ON"] in ("BPU", "CPU") for row in table.rows)
