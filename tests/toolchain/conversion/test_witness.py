"""The verdicts of lint on broken configurations are those of the real tool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import surgery
from surgery.ir import Model
from surgery.pipeline.view import place_as_seen
from surgery.target import load_target
from surgery.toolchain import Witness
from surgery.toolchain.config import Options
from surgery.toolchain.conversion.edges import chains
from surgery.toolchain.conversion.removal import candidates, removed
from surgery.toolchain.refusal import Kind
from tests.support import model_of
from tests.toolchain.conversion.broken import MAPPED, MAPPER, TWICE, Broken, good

pytestmark = pytest.mark.witness

WEIGHT = ", ".join(["0.125"] * (8 * 3 * 3 * 3))
CONV = "Conv <kernel_shape = [3,3], strides = [1,1], dilations = [1,1], group = 1, pads = [1,1,1,1]>"
MODELS = {
    MAPPED: f"""g (float[1,3,16,16] x) => (float[1,8,16,16] y) <float[8,3,3,3] w = {{{WEIGHT}}}> {{
        [c] c = {CONV} (x, w)
        [r] y = Relu (c)
    }}""",
    TWICE: f"""g (float[1,3,16,16] x, float[1,3,16,16] z) => (float[1,8,16,16] y) <float[8,3,3,3] w = {{{WEIGHT}}}> {{
        [a] s = Add (x, z)
        [c] c = {CONV} (s, w)
        [r] y = Relu (c)
    }}""",
}
TAIL = f"""g (float[1,3,16,16] x) => (float[1,256,8] y) <float[8,3,3,3] w = {{{WEIGHT}}}, int64[3] s = {{1,8,256}}> {{
    [c] c = {CONV} (x, w)
    [r] r = Reshape (c, s)
    [t] y = Transpose <perm = [0,2,1]> (r)
}}"""
AFTER_THE_FILE = Kind.OPSET
"""What a model of a later opset is refused for once its configuration has been taken."""


def model(base: str, *, late: bool) -> Model:
    return model_of(MODELS[base], opset=11 if late else 13, ir_version=7)


def refused(vendor: Witness, base: str, data: dict[object, object], *, late: bool) -> bool:
    answer = vendor.convert(model(base, late=late), yaml.safe_dump(data, sort_keys=False), "bayes-e", limit=120)
    return answer.refusal is not None and (late or answer.refusal.kind is not AFTER_THE_FILE)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("base", [MAPPED, TWICE])
def test_the_good_ones_are_taken(vendor: Witness, base: str, late: bool) -> None:
    assert not refused(vendor, base, good(base), late=late)


@pytest.mark.parametrize("march", ["bernoulli2", "bayes", "bayes-e"])
@pytest.mark.parametrize(
    "options",
    [
        {"remove": ["auto"]},
        {"input_type": {"x": "nv12"}, "mean": {"x": "123.6 116.2 103.5"}, "scale": {"x": "0.017"}},
        {"input_type": {"x": "bgr"}, "trained_on": {"x": "bgr"}},
    ],
    ids=" ".join,
)
def test_what_config_writes_is_taken(vendor: Witness, tmp_path: Path, march: str, options: dict[str, Any]) -> None:
    network = model(MAPPED, late=True)
    network.save(tmp_path / "model.onnx")
    surgery.config(tmp_path / "model.onnx", march=march, output=tmp_path / "c.yaml", **options)
    text = (tmp_path / "c.yaml").read_text().replace("working_dir: model_output", "working_dir: .")
    assert vendor.convert(network, text, march, limit=120).refusal is None


def test_all_that_is_listed_goes(vendor: Witness, tmp_path: Path) -> None:
    network = model_of(TAIL, opset=11, ir_version=7)
    network.save(tmp_path / "model.onnx")
    surgery.config(tmp_path / "model.onnx", march="bayes-e", output=tmp_path / "c.yaml", remove=["auto"])
    text = (tmp_path / "c.yaml").read_text().replace("working_dir: model_output", "working_dir: .")
    answer = vendor.convert(network, text, "bayes-e", limit=120)
    assert answer.refusal is None
    assert [node.type for node in answer.removed] == ["Transpose", "Reshape", "Dequantize", "Quantize"]


@pytest.mark.parametrize("march", ["bernoulli2", "bayes-e"])
def test_the_preview_is_what_the_tools_do(vendor: Witness, march: str) -> None:
    network = model_of(TAIL, opset=11, ir_version=7)
    ends = chains(place_as_seen(network, load_target(march)))
    listed = vendor.removable(network, march, limit=120)
    assert listed.placement is not None
    kinds = {op.name: op.op.removeprefix("Hz") for op in listed.placement.quantised}
    assert [kinds[name] for name in listed.candidates] == [one.link.type for one in candidates(ends)]
    types = ("Quantize", "Transpose", "Dequantize", "Cast", "Reshape")
    taken = vendor.compile(network, march, Options("O0", remove=types), limit=120).removed
    assert [node.type for node in taken] == [one.link.type for one in removed(ends, types, "listed")[0]]


@pytest.mark.parametrize("case", [case for case in MAPPER if case.refused is not None], ids=lambda case: case.name)
def test_the_real_tool_says_the_same(vendor: Witness, case: Broken) -> None:
    assert refused(vendor, case.base, case.data, late=case.late) is case.refused
