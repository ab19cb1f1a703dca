from __future__ import annotations

import pytest

from surgery.toolchain import log
from tests.toolchain.captured import DATED, OLDEST, STAMP, TABLE


def test_rows_of_a_table() -> None:
    conv, cut, reshape = log.table(TABLE)
    assert conv == log.TableRow("/conv1/Conv", "bpu", 0, "HzSQuantizedConv", "int8", 1.0, None)
    assert (cut.name, cut.segment, cut.cosine) == ("...r4.1/conv2/Conv", 1, 0.999125)
    assert (reshape.device, reshape.segment, reshape.threshold, reshape.data_type) == ("cpu", None, None, "float")


@pytest.mark.parametrize(("text", "types"), [(DATED, ["int8/int32", "float/float"]), (OLDEST, ["", ""])])
def test_older_tables(text: str, types: list[str]) -> None:
    rows = log.table(text)
    assert [row.device for row in rows] == ["bpu", "cpu"]
    assert [row.data_type for row in rows] == types


def test_the_last_table_counts() -> None:
    assert len(log.table(OLDEST + TABLE)) == 3


def test_no_table() -> None:
    assert log.table(f"{STAMP}Start to prepare the onnx model.\n") == ()


def test_speed_and_versions() -> None:
    assert log.speeds(TABLE) == (log.Speed(241.75, 4136.5, 21823680),)
    assert log.versions(TABLE) == {"hbdk": "3.49.15", "horizon_nn": "1.1.0", "hb_mapper": "1.24.3"}


def test_calibration_method() -> None:
    assert log.calibration(f"{STAMP}Select max-percentile method.") == "max-percentile"
    assert log.calibration(TABLE) is None


def test_progress_bars_are_no_message() -> None:
    assert not any("50%" in line.text for line in log.lines(TABLE))
