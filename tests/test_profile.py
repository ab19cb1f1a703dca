"""``surgery.profile``: where the time goes, with the nodes of a model, and what would help."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

import surgery
from scripts.make_schemas import schemas
from surgery.errors import InputError
from surgery.ir import Model
from surgery.report.profile import AdvicePart, ProfileDocument
from tests.report.samples import HOSTILE
from tests.report.test_views import SHOWN, parsed, terminal
from tests.support import ROOT, model_of
from tests.toolchain.profiles import files

TEXT = """g (float[1,4,8,8] x) => (float[1,4,8,8] probs)
<float[4,4,1,1] w = {1,0,0,0,0,1,0,0,0,0,1,0,0,0,0,1}>
{ [conv_9] c = Conv (x, w) [relu] r = Relu (c) [probs_node] probs = Softmax <axis = 1> (r) }"""
"""A model whose Softmax stays on the CPU unless it is asked for."""


@pytest.fixture
def write(tmp_path: Path) -> object:
    def written(text: str, name: str = "board.log") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return written


def model() -> Model:
    return model_of(TEXT, opset=11)


def of_model(nodes: dict[str, float] | None = None) -> str:
    """A profile of the model."""
    told = {
        "BPU_g_subgraph_0": 1.0, "Dequantize_c_HzDequantize": 0.5, "Softmax_probs_node": 2.0, "Preprocess": 0.25
    } | (nodes or {})  # fmt: skip
    return files.log(nodes={"model_latency": {name: files.times(ms) for name, ms in told.items()}})


def about(document: ProfileDocument, word: str) -> AdvicePart:
    return next(advice for advice in document.advice if word in advice.text)


def test_entries_are_led_back_to_nodes(write) -> None:
    document = surgery.profile([write(of_model())], model=model(), march="X5")
    nodes = {entry.name: entry.nodes for entry in document.entries}
    assert nodes["Softmax_probs_node"] == ("probs_node",)
    assert nodes["Dequantize_c_HzDequantize"] == ("conv_9",)
    assert nodes["BPU_g_subgraph_0"] == nodes["Preprocess"] == ()
    assert document.unmatched == ()


def test_what_runs_on_request_is_to_be_asked_for(write) -> None:
    document = surgery.profile([write(of_model())], model=model(), march="X5")
    advice = about(document, "Softmax at probs_node")
    assert (advice.key, advice.ms, advice.nodes) == ("node_info / run_on_bpu: Softmax", 2.0, ("probs_node",))
    assert document.advice[0] == advice, "what concerns most time comes first"


def test_dequantising_is_to_be_taken_off(write) -> None:
    advice = about(surgery.profile([write(of_model())]), "Dequantize takes 0.5 ms")
    assert (advice.key, advice.passes, advice.ms) == ("remove_node_type: Dequantize", (), 0.5)


def test_a_node_over_a_limit_names_its_pass_and_the_command(write) -> None:
    text = TEXT.replace("[relu] r = Relu (c)", "[relu] r = Neg (c)")
    document = surgery.profile([write(of_model({"Neg_relu": 1.5}))], model=model_of(text, opset=11), march="X5")
    advice = about(document, "Neg at relu")
    assert advice.passes == ("substitute-ops",)
    assert "surgery run MODEL -o OUT.onnx --march bayes-e --add substitute-ops" in advice.command


def test_without_a_model_the_catalogue_is_asked(write) -> None:
    document = surgery.profile([write(of_model({"Neg_relu": 1.5}))], march="X5")
    assert "substitute-ops" in about(document, "Neg at Neg_relu").passes
    unasked = surgery.profile([write(of_model({"Neg_relu": 1.5}))])
    assert "give --model and --march to learn which limit it breaks" in about(unasked, "Neg at").text


def test_a_placement_table_names_what_has_no_time(write) -> None:
    document = surgery.profile([write(files.BUILD.replace("probs ", "probs_node "))], model=model())
    assert document.march == "bayes-e"
    assert document.cpu == ("probs_node",)
    assert about(document, "On the CPU without a time here: probs_node").key == "node_info / run_on_bpu: Softmax"
    assert document.notes == ("The BPU's time is the compiler's prediction of it; what runs on the CPU is not in it.",)


def test_layers_are_led_back_and_what_bounds_them_is_told(write) -> None:
    perf = files.PERF.replace("n0_Conv", "conv_9").replace("n1_Elu", "conv_9-part")
    document = surgery.profile([write(perf)], model=model())
    assert [layer.nodes for layer in document.segments[0].layers] == [("conv_9",), ("conv_9",)]


@pytest.mark.parametrize(
    ("text", "word", "key"),
    [
        (files.PERF.replace("--O3", "--O1"), "compiled at O1", "optimize_level: O3"),
        (json.dumps(files.SECTIONED), "int16 takes part in 40.0 %", "quant_config"),
        (files.PERF.replace("10 us (13.5%", "90 us (13.5%"), "load and store longer", "compile_mode: bandwidth"),
        (files.BUILD, "not told layer by layer", "debug: true"),
        (files.UCP, "Handing tasks to the BPU takes 0.25 ms", "max_time_per_fc: 0"),
        (files.log(), "layout at the borders of 2 BPU segments", "input_type_rt: nv12, input_layout_rt: NHWC"),
        (files.log().replace('"thread_num": 1', '"thread_num": 4'), "lower thread_num", ""),
    ],
    ids=["level", "int16", "memory", "debug", "submit", "layout", "threads"],
)
def test_each_kind_of_loss_has_its_key(write, text: str, word: str, key: str) -> None:
    assert about(surgery.profile([write(text)]), word).key == key


def test_frames_in_flight_are_told(write) -> None:
    (note,) = surgery.profile([write(files.log().replace('"FPS": 195.0', '"FPS": 800.0'))]).notes
    assert note.startswith("4.0 frames were in flight at a time")


@pytest.mark.parametrize(
    ("march", "text", "message"),
    [
        ("X3", files.BUILD, "is of bayes-e, not of bernoulli2"),
        ("X5", files.log(), r"of another model: 2 of the 2 names match no node \('conv_9_HzDequantize', 'probs'\)"),
    ],
)
def test_files_of_something_else(write, march: str, text: str, message: str) -> None:
    other = model_of("g (float[1,4] x) => (float[1,4] y) { [only] y = Relu (x) }", opset=11)
    with pytest.raises(InputError, match=message):
        surgery.profile([write(text)], model=other, march=march)


def hostile(write) -> ProfileDocument:
    name = f"Softmax_{HOSTILE}"
    return surgery.profile(
        [write(of_model({name: 0.5})), write(files.PERF.replace("n0_Conv", json.dumps(HOSTILE)[1:-1]), "p")]
    )


def test_hostile_names_are_text_in_every_view(write) -> None:
    document = hostile(write)
    page = parsed(document.to_html())
    assert SHOWN in page.text
    assert {"script", "bold"}.isdisjoint(page.tags)
    assert "\x1b[31m" not in terminal(document, details=True)
    assert "<script>" not in document.to_markdown()


def test_the_page_has_lines_of_time(write) -> None:
    html = surgery.profile([write(files.log()), write(files.PERF, "perf.json")]).to_html()
    assert html.count('<figure class="bars timeline">') == 2
    assert 'aria-label="CPU operators: 1 in 1.75 ms"' in html
    assert "<title>n0_Conv: 22 µs computing, 10 µs loading and storing</title>" in html


def test_layers_that_are_active_at_once_are_in_lanes_of_their_own(write) -> None:
    active = files.PERF.replace('"2 us (2.6% of model)", "0", ""', '"2 us (2.6% of model)", "0", "9 ~ 20 us (11)"')
    html = surgery.profile([write(active)]).to_html()
    assert html.count('aria-label="compute: 1 in') == 2


def test_the_document_follows_its_schema_and_comes_back(write) -> None:
    document = hostile(write)
    jsonschema.validate(json.loads(document.to_json()), json.loads(schemas()["surgery.profile.1.json"]))
    assert ProfileDocument.from_json(document.to_json()) == document


def test_the_shipped_example_is_of_the_shipped_model() -> None:
    examples = [ROOT / "docs/examples" / name for name in ("digits_profiler.log", "digits_subgraph_0.json")]
    document = surgery.profile(examples, model=ROOT / "models/digits.onnx", march="X5")
    assert document.unmatched == ()
    assert document.bottleneck is not None
    assert document.bottleneck.on_cpu
