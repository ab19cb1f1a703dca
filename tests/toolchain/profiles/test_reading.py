"""Every format is read, found by its content alone, in every encoding; what cannot be used is refused with a reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from surgery.errors import InputError
from surgery.profiled import profiled
from surgery.toolchain.profiles import Profile, read_profile
from tests.conftest import SHARED
from tests.toolchain.profiles import files


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def read_text(text: str | bytes) -> Profile:
        path = tmp_path / "whatever.bin"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_profile(path)

    return read_text


@pytest.mark.parametrize(("form", "text"), files.FILES.items(), ids=files.FILES)
def test_the_format_is_found_by_content_in_every_encoding(read: Any, form: str, text: str) -> None:
    plain = read(text)
    assert plain.form == form
    for other in (text.replace("\n", "\r\n").encode(), b"\xef\xbb\xbf" + text.encode(), text.encode("utf-16")):
        assert read(other) == plain


@pytest.mark.parametrize("form", ["console", "build log"])
def test_text_in_gbk(read: Any, form: str) -> None:
    said = read(f"模型延时\n{files.FILES[form]}".encode("gbk"))
    assert (said.run, said.segments) == (read(files.FILES[form]).run, read(files.FILES[form]).segments)


def test_names_in_gbk_are_whole(read: Any) -> None:
    text = files.log().replace("Softmax_probs", "Softmax_概率")
    assert read(text.encode("gbk")).items[-1].node == "概率"


def test_the_console(read: Any) -> None:
    run = read(files.CONSOLE).run
    assert (run.threads, run.frames, run.cores, run.run_ms, run.latency_ms, run.fps) == (1, 100, 1, 512.5, 5.0, 195.1)
    assert run.in_flight == pytest.approx(0.9755)


def test_times_in_other_units_and_the_last_of_several_runs(read: Any) -> None:
    again = files.CONSOLE.replace("is: 5.000000 ms", "is: 6000 us").replace("195.100000", "160.0")
    found = read(files.CONSOLE + again)
    assert (found.run.latency_ms, found.run.fps) == (6.0, 160.0)
    assert found.skipped == ("1 earlier runs",)


def test_the_profiler_of_x3_and_x5(read: Any) -> None:
    found = read(files.log())
    assert [(i.node, i.op, i.role, i.segment) for i in found.items] == [
        ("BPU_NET_subgraph_0", "", "bpu", 0),
        ("BPU_NET_subgraph_1", "", "bpu", 1),
        ("conv_9_HzDequantize", "Dequantize", "dequantise", None),
        ("NET_subgraph_0_output_layout_convert", "", "move", None),
        ("Preprocess", "", "move", None),
        ("probs", "Softmax", "cpu", None),
    ]
    assert (found.items[0].ms.avg, found.items[0].ms.low, found.items[0].ms.high) == (1.5, 0.75, 3.0)
    assert (found.bpu_ms.avg, found.cpu_ms.avg, found.pending_ms.avg, found.running_ms.avg) == (2.0, 2.4, 0.1, 4.8)
    assert (found.model, found.run.threads, found.run.cores) == ("net", 1, None)


def test_the_sums_of_a_later_runtime_have_another_name(read: Any) -> None:
    nodes = {("processor_latency" if key == "chip_latency" else key): part for key, part in files.NODES.items()}
    assert read(files.log(nodes=nodes)) == read(files.log())


def test_the_profiler_of_ucp_has_stages(read: Any) -> None:
    found = read(files.UCP)
    assert [(i.node, i.role, i.segment, i.ms.avg) for i in found.items] == [
        ("Node-0-BPU-fc_bpu_segment_0", "submit", 0, 0.25),
        ("Node-0-BPU-fc_bpu_segment_0", "bpu", 0, 4.0),
        ("probs", "cpu", None, 0.5),
    ]
    assert found.running_ms.avg == 4.9


def test_the_csv_and_a_table_of_times_in_it(read: Any) -> None:
    found = read(files.CSV)
    assert (found.run.latency_ms, found.run.fps, found.run.cores, found.model) == (5.0, 195.0, 2, "net")
    table = "model_latency\nname,avg_time,max_time,min_time\nSoftmax_probs,0.5,1,0.25\nodd,1,2,3,4,5\n"
    found = read(files.CSV + table)
    assert [(i.node, i.ms.avg, i.ms.high, i.ms.low) for i in found.items] == [("probs", 0.5, 1.0, 0.25)]
    assert found.skipped == ("line 16",)


def test_the_compiler_s_json(read: Any) -> None:
    found = read(files.PERF)
    (segment,) = found.segments
    assert (found.march, found.level, segment.latency_us, segment.ddr_bytes) == ("bayes-e", "O3", 72.3, 190336)
    assert [(layer.name, layer.compute_us, layer.transfer_us) for layer in segment.layers] == [
        ("n0_Conv", 22.0, 10.0), ("n1_Elu", 2.0, 0.0)
    ]  # fmt: skip


def test_without_a_level_among_its_options_hb_mapper_compiled_at_its_lowest(read: Any) -> None:
    assert read(files.PERF.replace("--O3", "")).level == "O0"


def test_the_json_of_hbm_perf(read: Any) -> None:
    found = read(json.dumps(files.SECTIONED))
    (segment,) = found.segments
    assert (found.march, found.level, segment.latency_us, segment.fps) == ("nash-e", "", 4000.0, 250.0)
    assert (segment.loaded_bytes, segment.stored_bytes, segment.timeline.utilisation) == (3000, 1000, (0.5, 0.25))
    (layer,) = segment.layers
    assert (layer.name, layer.compute_us, layer.transfer_us, layer.end_us) == ("Conv_0", 59.0, 15.0, 60.0)
    assert found.int16 == 0.4
    assert found.skipped == ("layer 1, which has no name",)


def test_the_summary_of_hb_analyzer(read: Any) -> None:
    found = read(json.dumps(files.ANALYSIS))
    (segment,) = found.segments
    assert (segment.latency_us, segment.fps, segment.ddr_bytes) == (4000.0, 250.0, 4000)
    assert [(layer.name, layer.compute_us) for layer in segment.layers] == [("encoder.0.attn", 2500.0)]
    assert found.cpu_ops == ("Softmax_0", "Resize_1")
    assert len(found.skipped) == 3
    inside = read(json.dumps(files.ANALYSIS | {"perf_json_data": files.SECTIONED}))
    assert (inside.segments, inside.march) == (read(json.dumps(files.SECTIONED)).segments, "nash-e")


def test_a_build_log(read: Any) -> None:
    found = read(files.BUILD)
    assert [(s.name, s.latency_us, s.ddr_bytes) for s in found.segments] == [
        ("main_graph_subgraph_0", 2500.0, 9000), ("main_graph_subgraph_1", 500.0, 1000)
    ]  # fmt: skip
    assert (found.march, found.level) == ("bayes-e", "O3")
    assert [(row.name, row.device) for row in found.rows] == [("conv_9", "bpu"), ("probs", "cpu")]


def test_of_several_builds_the_last_is_read(read: Any) -> None:
    found = read(files.BUILD + files.BUILD.replace("2500.0 us", "1500.0 us"))
    assert [segment.latency_us for segment in found.segments] == [1500.0, 500.0]
    assert found.skipped == ("1 earlier builds",)


def test_rows_without_a_line_of_headings_are_read_and_that_is_told(read: Any) -> None:
    found = read("conv_9   BPU  id(0)   HzSQuantizedConv\nprobs    CPU  --      Softmax\n")
    assert [(row.name, row.device, row.segment) for row in found.rows] == [("conv_9", "bpu", 0), ("probs", "cpu", None)]
    assert found.skipped == ("the line of headings, which is not there",)


def test_a_log_that_is_cut_gives_what_is_whole(read: Any) -> None:
    """And the rest is told; a program that was killed writes no more."""
    whole = files.log()
    found = read(whole[: whole.index("Softmax_probs")])
    assert found.run.latency_ms == 5.0
    assert found.items == ()
    assert found.skipped == ("what begins at line 15 is cut or no JSON",)


def test_an_entry_without_a_time_and_a_key_of_another_generation_are_told(read: Any) -> None:
    nodes = files.NODES | {"model_latency": {"Softmax_a": times(1), "Odd_b": {"p99": 3}}, "queue_latency": {}}
    found = read(files.log(nodes=nodes))
    assert [item.node for item in found.items] == ["a"]
    assert found.skipped == ("key 'queue_latency'", "'Odd_b', which has no time")


def times(avg: float) -> dict[str, float]:
    return files.times(avg)


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


REFUSED = {
    "latency of zero": (changed(files.CONSOLE, "is: 5.000000", "is: 0.0"), "the average latency is 0, it has to be"),
    "negative rate": (changed(files.CONSOLE, "is: 195.1", "is: -195.1"), "the frame rate is -195.1"),
    "not finite": (changed(files.CONSOLE, "is: 5.000000", "is: nan"), "is nan, a finite number is wanted"),
    "unit": (changed(files.CONSOLE, "5.000000 ms", "5.0 fortnights"), "is in 'fortnights', known units are"),
    "no unit": (changed(files.CONSOLE, "5.000000 ms", "5.000000"), "is in '', known units are"),
    "microseconds": (changed(files.CONSOLE, "is: 5.000000", "is: 5000.0"), "is it in microseconds?"),
    "no result": (files.CONSOLE[: files.CONSOLE.index("Perf result")], "the output is cut"),
    "no threads": (changed(files.CONSOLE, "number is: 1", "number is: 0"), "thread number is 0"),
    "negative entry": (files.log(nodes={"model_latency": {"Softmax_a": times(-1)}}), "min_time of Softmax_a is -0.5"),
    "no number": (changed(files.log(), '"FPS": 195.0', '"FPS": "fast"'), "FPS is 'fast', a number is wanted"),
    "nothing in it": ('{"perf_result": {}}', "neither a result nor the time of a node"),
    "not an object": ('{"perf_result": [1]}', "perf_result is [1], an object is wanted"),
    "deep": ('{"perf_result": ' + "[" * 100_000, "neither a result nor the time of a node; what begins at line 1"),
    "cut JSON": (files.PERF[:300] + '"latency (us)"', "is cut, or no JSON"),
    "segment of zero": (changed(files.PERF, "72.3", "0"), "latency (us) is 0"),
    "no DDR": (changed(files.PERF, "DDR bytes per frame", "DDR"), "its summary lacks 'DDR bytes per frame'"),
    "odd layers": (changed(json.dumps(files.SECTIONED), '"performance": {"FPS": 250.0, ', '"performance": {'), "'FPS'"),
    "analysis without latency": (changed(json.dumps(files.ANALYSIS), '"Latency"', '"Speed"'), "has no latency among"),
    "analysis in no unit": (changed(json.dumps(files.ANALYSIS), '"ms"', '"cycles"'), "is in 'cycles'"),
    "compiler's zero": (changed(files.BUILD, "latency = 500.0", "latency = 0.0"), "latency of main_graph_subgraph_1"),
    "failed build": ("hb_compile\n*** ERROR-OCCUR-DURING hbdk.convert ***\n", "it says: *** ERROR-OCCUR-DURING hbdk"),
    "model_modifier": ("INFO Nodes that can be deleted: ['a']\n", "is what hb_model_modifier prints"),
    "something else": ("Dear diary,\n", "is of no format that tells times"),
    "empty": ("", "is of no format that tells times"),
    "binary": ("\0\1\2", "is no text"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(read: Any, text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        read(text)
    assert message in str(error.value)


def spoilt(value: Any) -> Iterator[Any]:
    """``value`` with one of its parts, each in turn, replaced by something else."""
    yield from (None, [], {}, "odd", -1, [7], float("inf"), True)
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        for other in spoilt(member):
            yield {**value, key: other} if isinstance(value, dict) else [*value[:key], other, *value[key + 1 :]]


@pytest.mark.parametrize(
    "texts",
    [
        (files.log(files.RESULT, nodes) for nodes in spoilt(files.STAGES)),
        (files.log(result) for result in spoilt(files.RESULT)),
        (json.dumps(other) for other in spoilt(json.loads(files.PERF))),
        (json.dumps(other) for other in spoilt(files.SECTIONED)),
        (json.dumps(other) for other in spoilt(files.ANALYSIS | {"perf_json_data": {"summary": {}}})),
        (json.dumps(other) for other in spoilt(files.ANALYSIS)),
    ],
    ids=["nodes", "result", "perf", "sectioned", "analysis of perf", "analysis"],
)
def test_whatever_stands_in_a_place_it_is_read_or_refused(tmp_path: Path, texts: Iterator[str]) -> None:
    path = tmp_path / "odd.json"
    for text in texts:
        path.write_text(text)
        with suppress(InputError):
            profiled([path])


def test_names_are_text_whatever_stands_there(tmp_path: Path) -> None:
    said = json.loads(files.PERF)
    said["summary"]["model name"], said["summary"]["layer details"][1][0] = 7, {"a": 1}
    path = tmp_path / "odd.json"
    path.write_text(json.dumps(said))
    (segment,) = read_profile(path).segments
    assert (segment.name, segment.layers[0].name) == ("7", "{'a': 1}")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_profile(tmp_path / "none.log")


SAMPLES = SHARED / "reference" / "toolchain" / "samples"
TIMELESS = {
    "INDEX.md", "hmct_sensitivity_node.txt", "j6_hb_model_info_removable_nodes.txt", "s100_config_ppocr_det.yaml",
    "s100_config_ppocr_rec.yaml", "s100_hb_compile_markers_and_error.txt", "x3_hb_model_info_efficientdet.txt",
    "x3_hb_model_modifier_resnet50.log", "x3_verifier_and_yaml_errors.txt", "x5_config_efficientformer_l1.yaml",
    "x5_config_yolo11s.yaml", "x5_hb_model_modifier_yolov10n.log", "x5_hrt_model_info_yolo11n_seg_head.txt",
    "x5_hrt_model_info_yolov8n.txt",
}  # fmt: skip
"""Samples of tools that tell neither times nor placement."""


@pytest.mark.shared
def test_every_sample_is_read_or_said_to_tell_no_times() -> None:
    paths = sorted(path for path in SAMPLES.rglob("*") if path.is_file())
    assert {path.name for path in paths} >= TIMELESS
    for path in paths:
        if path.name in TIMELESS:
            with pytest.raises(InputError, match=r"tells no times|no format|holds neither"):
                read_profile(path)
        else:
            found = read_profile(path)
            assert found.run or found.items or found.segments or found.rows, path.name


@pytest.mark.shared
def test_figures_of_the_samples() -> None:
    """As printed in them."""
    build = read_profile(SAMPLES / "x5_makertbin_yolov8n.log")
    assert [(s.latency_us, s.fps, s.ddr_bytes) for s in build.segments] == [(3964.1, 252.26, 12651904)]
    assert (build.march, build.level, len(build.rows)) == ("bayes-e", "O3", 71)
    board = read_profile(SAMPLES / "x3_profiler_mobilenetv1.log")
    assert {item.role: item.ms.avg for item in board.items} == {
        "bpu": 11.09122, "dequantise": 0.07884999999999999, "move": 0.0065, "cpu": 0.084255
    }  # fmt: skip
    console = read_profile(SAMPLES / "x3_hrt_perf_mobilenetv1_console.txt")
    assert console.run is not None
    assert (console.run.latency_ms, console.run.fps) == (4.003106, 244.204717)
