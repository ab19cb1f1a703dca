"""``surgery lint``: what it says, what it writes, and files that it cannot use."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.cli.conftest import Surgery
from tests.cli.test_bad_input import refused
from tests.cli.test_json import SCHEMAS
from tests.passes.lifts import LIFTED
from tests.support import model_of
from tests.toolchain.conversion.broken import HERE

GOOD = (HERE / "mapped.yaml").read_text()
SLOW = GOOD.replace("optimize_level: O3", "optimize_level: O1  # quick")
WEIGHT = ",".join(["0.125"] * (16 * 3 * 3 * 3))
ATTENTION = f"""g (float[1,3,16,16] x) => (float[1,16,16,16] y) <float[16,3,3,3] w = {{{WEIGHT}}}> {{
    [c] c = Conv <pads = [1,1,1,1]> (x, w)
    [s] y = Softmax <axis = 3> (c)
}}"""


@pytest.fixture(autouse=True)
def _files(folder: Path) -> None:  # noqa: ARG001 - the working folder
    Path("good.yaml").write_text(GOOD)
    Path("slow.yaml").write_text(SLOW)
    model_of(ATTENTION, opset=11).save("attention.onnx")


def test_clean(surgery: Surgery) -> None:
    called = surgery("lint", "good.yaml")
    assert called.code == 0
    assert "hb_mapper will take the file, and nothing in it costs speed." in called.out


def test_findings_make_it_exit_1_and_say_what_to_type(surgery: Surgery) -> None:
    called = surgery("lint", "slow.yaml")
    assert called.code == 1
    assert "hb_mapper will take the file: 1 finding, 1 of them repaired by --fix." in called.out
    assert called.out.rstrip().endswith("next: surgery lint slow.yaml --fix")


def test_the_document_follows_its_schema(surgery: Surgery) -> None:
    data = json.loads(surgery("lint", "slow.yaml", "--fix", "-o", "out.yaml", "--json", "-").out)
    jsonschema.validate(data, json.loads((SCHEMAS / "surgery.lint.1.json").read_text()))
    (row,) = data["findings"]
    assert (row["rule"], row["severity"], row["weight"]) == ("speed.optimize_level", "performance", "high")
    assert SLOW.splitlines()[row["line"] - 1].startswith("  optimize_level")
    assert row["source"] in data["sources"]
    assert data["written"]["findings"] == []


def test_fix_repairs_the_file_and_nothing_else_in_it(surgery: Surgery) -> None:
    called = surgery("lint", "slow.yaml", "--fix")
    assert called.code == 0
    assert Path("slow.yaml").read_text() == SLOW.replace("O1", "O3")
    assert "nothing left" in called.out


def test_a_fixed_file_is_not_written_again(surgery: Surgery) -> None:
    os.utime("good.yaml", (1, 1))
    assert surgery("lint", "good.yaml", "--fix").code == 0
    assert Path("good.yaml").stat().st_mtime == 1


def test_what_cannot_be_repaired_is_left(surgery: Surgery) -> None:
    Path("slow.yaml").write_text(SLOW.replace("  input_type_rt: nv12\n", ""))
    called = surgery("lint", "slow.yaml", "--fix", "-o", "out.yaml")
    assert called.code == 1
    assert "input_type_rt has to be there" in called.out
    assert "optimize_level: O3" in Path("out.yaml").read_text()


def test_translated_for_the_other_tool_and_back(surgery: Surgery) -> None:
    surgery("lint", "slow.yaml", "--migrate", "hb_compile", "--march", "S100", "-o", "s100.yaml")
    there = yaml.safe_load(Path("s100.yaml").read_text())
    assert there["model_parameters"]["march"] == "nash-e"
    assert there["input_parameters"]["mean_value"] == "123.675,116.28,103.53"
    assert "norm_type" not in there["input_parameters"]
    assert there["compiler_parameters"]["optimize_level"] == "O2"
    assert surgery("lint", "s100.yaml").code == 0
    Path("s100.yaml").write_text(Path("s100.yaml").read_text().replace("scale_value: 0.0", "std_value: 0.0"))
    assert surgery("lint", "s100.yaml", "--migrate", "hb_mapper", "--march", "X5", "-o", "x5.yaml").code == 0
    back = yaml.safe_load(Path("x5.yaml").read_text())["input_parameters"]
    assert back["norm_type"] == "data_mean_and_scale"
    assert back["scale_value"] == "58.3950131 57.1200091 57.3750128"


def test_translating_says_what_no_edit_can_do(surgery: Surgery) -> None:
    Path("data.yaml").write_text(GOOD.replace("type: skip", "type: max\n  cal_data_dir: samples"))
    called = surgery("lint", "data.yaml", "--migrate", "hb_compile", "--march", "S100", "-o", "s100.yaml")
    assert "The calibration data have to be .npy files, which say shape and type." in called.out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("input_name: x", "input_name: X", "the model has no input 'X'"),
        ("1x3x16x16", "1x3x32x32", "the model has 1x3x16x16"),
        ("calibration_type: skip", "calibration_type: skip\n  run_on_bpu: t", "'s' (Softmax) stays on the CPU"),
        ("  march:", "  node_info: {'t': {'ON': 'BPU'}}\n  march:", "the model has no node 't'"),
        ("  march:", "  output_nodes: t\n  march:", "the model has no node 't', where it is to be cut"),
    ],
)
def test_checked_against_the_model(surgery: Surgery, old: str, new: str, said: str) -> None:
    Path("c.yaml").write_text(GOOD.replace(old, new))
    called = surgery("lint", "c.yaml", "--model", "attention.onnx")
    assert called.code == 1
    assert said in " ".join(called.out.split())


def test_what_the_model_says_is_repaired(surgery: Surgery) -> None:
    Path("c.yaml").write_text(GOOD.replace("input_name: x", "input_name: X").replace("1x3x16x16", "1x3x32x32"))
    assert surgery("lint", "c.yaml", "--model", "attention.onnx", "--fix").code == 0
    done = yaml.safe_load(Path("c.yaml").read_text())
    assert done["input_parameters"]["input_shape"] == "1x3x16x16"
    assert done["calibration_parameters"]["run_on_bpu"] == "s"


def test_normalisation_in_the_graph_is_pointed_out(surgery: Surgery) -> None:
    LIFTED["Sub and Div"].model().save("graph.onnx")
    Path("c.yaml").write_text(GOOD)
    data = json.loads(surgery("lint", "c.yaml", "--model", "graph.onnx", "--json", "-").out)
    [found] = [one for one in data["findings"] if one["key"] == "input_parameters.mean_value"]
    assert found["text"] == "the graph prepares a picture itself, by 'a', 'b': the tool does that from here"
    assert "--add lift-normalisation" in found["fix"]
    surgery("run", "graph.onnx", "-m", "X5", "-o", "out.onnx", "--add", "lift-normalisation", "--config-out", "d.yaml")
    assert "prepares a picture" not in surgery("lint", "d.yaml", "--model", "out.onnx").out


def test_a_dynamic_model_needs_a_shape(surgery: Surgery) -> None:
    Path("c.yaml").write_text(GOOD.replace("  input_shape: 1x3x16x16\n", ""))
    called = surgery("lint", "c.yaml", "--model", "dynamic.onnx")
    assert "nxm: the sizes that are not fixed have to be stated" in " ".join(called.out.split())


def test_folders_are_looked_for_where_the_model_is(surgery: Surgery) -> None:
    Path("c.yaml").write_text(GOOD.replace("type: skip", "type: max\n  cal_data_dir: samples"))
    assert surgery("lint", "c.yaml").code == 0
    Path("clean.onnx").rename("model.onnx")
    assert "there is no folder 'samples'" in surgery("lint", "c.yaml").out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("  march", "\tmarch"), "c.yaml:3: found a tab character that violates indentation"),
        (GOOD.replace("march: ", "march:\t"), "c.yaml:3: found character '\\t' that cannot start any token"),
        (GOOD.replace("  march", "  onnx_model: b.onnx\n  march"), "c.yaml:3: onnx_model: written twice"),
        (GOOD.replace("bayes-e", "!!python/object/apply:os.mkdir ['hacked']"), "could not determine a constructor"),
        (f"# 模型\n{GOOD}".encode("gbk"), "is not UTF-8 text (byte 0xd0 at offset 4)"),
        ("", "is no configuration"),
        ("- a", "is no configuration"),
        ("a: [", "c.yaml:2: did not find expected node content"),
        ("a: &a [*a, *a]", "values of it, at most"),
        ("[" * 100, "nested more than 40 deep"),
    ],
    ids=["tab", "tab behind a key", "twice", "tag", "GBK", "empty", "list", "cut", "cycle", "deep"],
)
def test_files_that_are_refused(surgery: Surgery, text: str | bytes, said: str) -> None:
    Path("c.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert said in refused(surgery, "lint", "c.yaml", "--fix").err
    assert not Path("hacked").exists()


@pytest.mark.parametrize(
    "text", [f"\ufeff{GOOD}", GOOD.replace("\n", "\r\n"), f"# 模型\n{GOOD}"], ids=["BOM", "CRLF", "UTF-8"]
)
def test_files_that_are_read_as_they_are(surgery: Surgery, text: str) -> None:
    Path("c.yaml").write_bytes(text.encode())
    assert surgery("lint", "c.yaml").code == 0


def test_anchors_are_followed(surgery: Surgery) -> None:
    Path("c.yaml").write_text(
        GOOD.replace("O3", "&level O1") + "  compile_mode: *level\n".replace("compile_mode", "jobs")
    )
    assert "is 'O1', it has to be a whole number" in surgery("lint", "c.yaml").out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-o", "out.yaml"], "-o says where to write what --fix or --migrate makes"),
        (["--migrate", "hb_compile", "--march", "S100"], "a translation goes into a file of its own"),
        (["--migrate", "hb_compile", "--march", "S100", "-o", "./good.yaml"], "is the configuration itself"),
        (["--migrate", "hb_compile", "-o", "o.yaml"], "one of nash-e, nash-m"),
        (["--migrate", "hb_compile", "--march", "X3", "-o", "o.yaml"], "bernoulli2 is no march of hb_compile"),
        (["--migrate", "hb_mapper", "--march", "X3", "-o", "o.yaml"], "the file is for hb_mapper already"),
        (["--fix", "-o", "nowhere/o.yaml"], "No such file"),
        (["--model", "nowhere.onnx"], "nowhere.onnx"),
        (["--model", "clean.onnx", "--fix", "-o", "./clean.onnx"], "is a model, or another result"),
        (["--fix", "--march", "X3"], "is the march to translate for"),
    ],
)
def test_calls_that_are_refused(surgery: Surgery, options: list[str], said: str) -> None:
    assert said in refused(surgery, "lint", "good.yaml", *options).err
