"""Measurements from profiles and from the toolchain: which time of a model each tells, and what cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import surgery
from surgery.cost.calibrate import Measured, _parts
from surgery.cost.estimate import estimate
from surgery.errors import InputError
from surgery.ir import Model
from surgery.measurements import from_profiles
from surgery.report.calibration import CalibrationDocument
from surgery.target import place
from surgery.toolchain import Answer, Witness
from surgery.toolchain.performance import Performance, segment
from surgery.toolchain.refusal import Kind, Refusal
from tests.cost.make import X5
from tests.cost.test_calibrate import TRUTH
from tests.support import ROOT, model_of
from tests.toolchain.captured import SEGMENT
from tests.toolchain.profiles import files

DIGITS = ROOT / "models/digits.onnx"
UNSAID = files.BUILD.replace("'--O3', ", "").replace("conv_9", "Conv_6").replace("probs ", "Relu_21 ")
"""A build log of the model that says nothing of a level."""


def board(latency_ms: float, threads: int = 1, core_id: object = 0, fps: float | None = None) -> str:
    """What a board writes about a run; frames in flight as many as threads unless the rate says otherwise."""
    result = {
        "perf_result": {"FPS": fps or 1e3 * threads / latency_ms, "average_latency": latency_ms},
        "running_condition": {"thread_num": threads, "core_id": core_id},
    }
    return files.log(result, {"model_latency": {"BPU_g_subgraph_0": files.times(latency_ms / 2)}})


def perf(us: float, options: str = "--O2 --debug", name: str = "g_subgraph_0") -> str:
    """What the compiler writes about a segment."""
    said = {
        **SEGMENT["summary"],
        "latency (us)": us,
        "compiling options": options,
        "BPU march": "B25E",
        "model name": name,
    }
    return json.dumps({"summary": {key: value for key, value in said.items() if key != "layer details"}})


@pytest.fixture
def told(tmp_path: Path):
    def figures(*texts: str) -> dict[str, tuple[float, str]]:
        paths = [tmp_path / f"{at}.log" for at, _ in enumerate(texts)]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text)
        return {m.figure: (round(m.ms, 6), m.source) for m in from_profiles(DIGITS, paths, X5)}

    return figures


def test_one_frame_in_flight_tells_the_latency(told) -> None:
    assert told(board(0.8)) == {"latency_ms": (0.8, "board")}
    assert told(files.CONSOLE) == {"latency_ms": (5.0, "board")}


def test_a_run_that_keeps_the_cores_busy_tells_the_time_on_the_bpu(told) -> None:
    assert told(board(2.0, threads=4, core_id=1)) == {"bpu_ms": (0.5, "board")}
    assert told(board(2.0, threads=4, core_id="1,2")) == {"bpu_ms": (1.0, "board")}


def test_both_runs_tell_both(told) -> None:
    assert told(board(0.8), board(2.0, threads=4, core_id=1)) == {
        "latency_ms": (0.8, "board"), "bpu_ms": (0.5, "board")
    }  # fmt: skip


def test_ucp_tells_the_bpu_s_own_time(told) -> None:
    stages = {
        "model_latency": {"Node-0-BPU-x_bpu_segment_0": files.STAGES["model_latency"]["Node-0-BPU-fc_bpu_segment_0"]}
    }
    assert told(files.log(nodes=stages)) == {"latency_ms": (5.0, "board"), "bpu_ms": (4.0, "board")}


def test_the_compiler_s_segments_are_summed_and_marked(told) -> None:
    assert told(perf(300.0), perf(200.0, name="g_subgraph_1")) == {"bpu_ms": (0.5, "toolchain")}


def test_what_a_board_measured_goes_before_a_prediction(told) -> None:
    assert told(perf(300.0), board(0.8)) == {"latency_ms": (0.8, "board")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (board(2.0, threads=4), "4.0 frames were in flight at a time, and on how many BPU cores is not told"),
        (board(2.0, threads=2, core_id="1,2"), "2.0 frames were in flight"),
        (perf(300.0, "--O0"), "was compiled at O0, a deployed model is at O2 or O3"),
        (perf(300.0, ""), "was compiled at O0"),
        (UNSAID, "does not say at which level"),
        ("Conv_6   BPU  id(0)   HzSQuantizedConv\n", "tells no time of the whole model"),
        (perf(300.0).replace("B25E", "BAYES"), "is of bayes, not of bayes-e"),
        (perf(0.0), "latency (us) is 0"),
        (board(-1.0), "it has to be more than 0"),
        (files.CONSOLE.replace("is: 5.000000", "is: 5000.0"), "is it in microseconds?"),
        (files.log(), "of another model"),
    ],
)  # fmt: skip
def test_profiles_that_cannot_be_used(told, text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        told(text)
    assert message in str(error.value)


def lookups(size: int, count: int) -> Model:
    """Lookups one after the other on a map, of which a corner goes out."""
    steps = " ".join(f"v{i + 1} = {('Exp', 'Tanh')[i % 2]}(v{i})" for i in range(count))
    text = f"""g (float[1,16,{size},{size}] v0) => (float[1,16,1,1] y)
    <int64[2] b = {{0, 0}}, int64[2] e = {{1, 1}}, int64[2] a = {{2, 3}}> {{ {steps} y = Slice(v{count}, b, e, a) }}"""
    return model_of(text, opset=11)


@pytest.fixture
def boards(tmp_path: Path) -> dict[Path, list[Path]]:
    """Models, and for each the profile of a board on which the coefficients of TRUTH are as many times the shipped."""
    found = {}
    for size in (64, 128, 256, 512):
        for count in (1, 8, 32):
            path = tmp_path / f"{size}x{count}.onnx"
            model = lookups(size, count)
            model.save(path)
            whole = Measured("", "latency_ms", 1.0, estimate(place(model, X5)))
            parts = _parts(whole)
            ms = whole.estimated + sum((factor - 1) * parts.get(part, 0.0) for part, factor in TRUTH.items())
            path.with_suffix(".log").write_text(board(ms))
            found[path] = [path.with_suffix(".log")]
    return found


def factors(document: CalibrationDocument) -> dict[str, float]:
    return {one.name: one.factor for one in document.coefficients if one.identified}


def test_profiles_of_a_board_give_back_the_coefficients_they_were_made_from(boards) -> None:
    document = surgery.calibrate(march="X5", profiles=boards)
    found = factors(document)
    assert found["lookup"] == pytest.approx(TRUTH["lookup"], rel=0.05)
    assert found["submit"] == pytest.approx(TRUTH["submit"], rel=0.1)
    assert max(document.errors("left_out")) < max(document.errors("shipped")) / 3
    assert {one.source for one in document.measurements} == {"board"}


class Compiler(Witness):
    """A toolchain that takes as long as it is told, and refuses what it is told nothing of."""

    def __init__(self, us: dict[str, float]) -> None:
        self.us = us

    def compile(self, model, march, options=None, **more):
        assert options.level == "O2"
        us = self.us.get(Path(model).name)
        if us is None:
            return Answer(march, Refusal(Kind.INVALID, "no such operator"), None, None, (), {}, 0.0, cached=False)
        found = Performance("O2", (segment(perf(us)),)) if us else Performance("O2", ())
        return Answer(march, None, None, found, (), {}, 0.0, cached=False)


def test_what_the_toolchain_compiles_is_a_measurement_and_marked(boards) -> None:
    shipped = {path.name: estimate(place(Model.load(path), X5)).compiler_ms.mid for path in boards}
    compiler = Compiler({name: 1.25e3 * ms for name, ms in shipped.items()})
    document = surgery.calibrate(march="X5", models=tuple(boards), witness=compiler)
    assert factors(document)["lookup"] == pytest.approx(1.25, rel=0.02)
    assert {(one.source, one.figure) for one in document.measurements} == {("toolchain", "bpu_ms")}
    assert "toolchain" in document.to_markdown()


@pytest.mark.parametrize(
    ("us", "message"),
    [
        ({}, "the bayes-e toolchain does not take it: no such operator"),
        ({"64x1.onnx": 0}, "puts nothing of it on the BPU"),
    ],
)
def test_what_the_toolchain_does_not_take(boards, us: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        surgery.calibrate(march="X5", models=tuple(boards)[:1], witness=Compiler(us))


def test_models_alone_need_the_toolchain(boards) -> None:
    with pytest.raises(InputError, match="is a model, and nothing was measured of it") as error:
        surgery.calibrate(march="X5", models=tuple(boards))
    assert "--witness" in str(error.value)


def convolutions(size: int) -> Model:
    """Four convolutions of 64 channels, 3x3."""
    weight = ",".join(["0.01"] * (64 * 64 * 9))
    steps = " ".join(f"v{i + 1} = Conv <pads = [1,1,1,1]> (v{i}, w)" for i in range(4))
    text = f"""g (float[1,64,{size},{size}] v0) => (float[1,64,{size},{size}] v4)
    <float[64,64,3,3] w = {{{weight}}}> {{ {steps} }}"""
    return model_of(text, opset=11)


@pytest.mark.witness
def test_the_toolchain_itself(tmp_path: Path, vendor: Witness) -> None:
    """Convolutions as it compiles them are what the shipped rates were fitted to."""
    paths = [tmp_path / f"{size}.onnx" for size in (56, 112)]
    for path in paths:
        convolutions(int(path.stem)).save(path)
    document = surgery.calibrate(march="X5", models=paths, witness=vendor)
    assert {row.source for row in document.measurements} == {"toolchain"}
    assert all(row.shipped == pytest.approx(row.measured, rel=0.3) for row in document.measurements)
