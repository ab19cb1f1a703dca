"""Files of one model taken together, and where the time of a frame goes by them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from surgery.errors import InputError
from surgery.toolchain.profiles import read_profile
from surgery.toolchain.profiles.breakdown import bottleneck, shares
from surgery.toolchain.profiles.together import Together, together
from tests.toolchain.profiles import files


def taken(folder: Path, *texts: str) -> Together:
    paths = [folder / f"{at}.txt" for at, _ in enumerate(texts)]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return together([read_profile(path) for path in paths])


def parts(found: Together) -> dict[str, tuple[float, str]]:
    return {share.work: (round(share.ms, 6), share.basis) for share in shares(found)}


def threaded(fps: float = 390.0) -> str:
    """A run in which two frames were under way at a time."""
    result = json.loads(json.dumps(files.RESULT))
    result["perf_result"] |= {"FPS": fps, "average_latency": 5.5}
    result["running_condition"]["thread_num"] = 2
    return files.log(result)


def test_the_parts_of_a_frame_add_up_to_its_latency(tmp_path: Path) -> None:
    found = taken(tmp_path, files.log())
    measured = {"bpu": 2.0, "cpu": 1.75, "dequantise": 0.5, "move": 0.15, "waiting": 0.1}
    told = parts(found)
    assert told == {work: (ms, "measured") for work, ms in measured.items()} | {"rest": (0.5, "difference")}
    assert sum(ms for ms, _ in told.values()) == pytest.approx(5.0)


def test_operators_on_the_cpu_that_outlast_the_bpu_are_the_bottleneck(tmp_path: Path) -> None:
    found = taken(tmp_path, files.log())
    worst = bottleneck(found, shares(found))
    assert worst is not None
    assert (worst.work, worst.name, worst.on_cpu, worst.share) == ("cpu", "Softmax_probs", True, pytest.approx(0.35))


def test_a_longer_bpu_is_the_bottleneck(tmp_path: Path) -> None:
    found = taken(tmp_path, files.UCP)
    assert parts(found) == {
        "bpu": (4.0, "measured"), "cpu": (0.5, "measured"), "submit": (0.25, "measured"), "rest": (0.25, "difference")
    }  # fmt: skip
    worst = bottleneck(found, shares(found))
    assert worst is not None
    assert (worst.work, worst.on_cpu) == ("bpu", False)


def test_layers_that_load_longer_than_they_compute_make_it_memory(tmp_path: Path) -> None:
    slow = files.PERF.replace("10 us (13.5%", "90 us (13.5%")
    found = taken(tmp_path, slow)
    worst = bottleneck(found, shares(found))
    assert worst is not None
    assert (worst.work, worst.on_cpu) == ("ddr", None), "a prediction of the BPU says nothing of the CPU"


def test_with_others_in_flight_a_frame_is_what_its_task_takes(tmp_path: Path) -> None:
    found = taken(tmp_path, threaded())
    assert found.basis is not None
    assert not found.basis.alone
    assert parts(found)["rest"] == (0.4, "difference")  # of 4.8 running and 0.1 pending


def test_the_run_with_the_fewest_frames_in_flight_tells_the_latency(tmp_path: Path) -> None:
    """Its own entries stay those of the other run."""
    found = taken(tmp_path, threaded(), files.CONSOLE)
    assert found.run is not None
    assert found.run.latency_ms == 5.0
    assert parts(found)["rest"] == (0.4, "difference")


def test_a_measured_latency_and_a_predicted_segment_leave_the_host(tmp_path: Path) -> None:
    found = taken(tmp_path, files.CONSOLE, files.BUILD)
    assert parts(found) == {"bpu": (3.0, "predicted"), "rest": (2.0, "difference")}
    assert (found.march, found.level) == ("bayes-e", "O3")


def test_a_prediction_in_detail_goes_before_a_line_of_a_log(tmp_path: Path) -> None:
    found = taken(tmp_path, files.BUILD, files.PERF)
    assert [segment.name for segment in found.segments] == ["g_subgraph_0"]
    assert len(found.rows) == 2


def test_totals_alone_tell_of_no_parts(tmp_path: Path) -> None:
    found = taken(tmp_path, files.CONSOLE)
    assert shares(found) == ()
    assert bottleneck(found, ()) is None


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ((files.log(), files.CSV.replace("net", "other")), "is of the model 'other', and"),
        ((files.BUILD, json.dumps(files.SECTIONED)), "is of the march 'nash-e', and"),
        ((files.PERF, files.PERF), "has the segment 'g_subgraph_0', as"),
        ((json.dumps(files.SECTIONED), json.dumps(files.SECTIONED)), "is a prediction beside"),
    ],
    ids=["model", "march", "segment", "unnamed"],
)
def test_files_that_do_not_belong_together(tmp_path: Path, texts: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        taken(tmp_path, *texts)
