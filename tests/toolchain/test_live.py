"""The toolchain itself, where it is installed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from surgery.cli.app import app
from surgery.ir import Model
from surgery.ir.session import open_session
from surgery.toolchain import Witness
from surgery.toolchain.cache import Cache
from surgery.toolchain.config import Options
from surgery.toolchain.names import map_names
from surgery.toolchain.quantised import ROUNDED, QuantiseError
from surgery.toolchain.refusal import Kind
from tests.support import model_of

pytestmark = pytest.mark.witness

TAPS = ", ".join(str(((7 * n) % 13 - 6) / 20) for n in range(64))
NETWORK = f"""g (float[1,8,16,16] x) => (float[1,8,16,16] y) <float[8,8,1,1] w = {{{TAPS}}}> {{
    c = Conv(x, w)
    s = Sigmoid(c)
    m = Mul(c, s)
    y = Conv(m, w)
}}"""
SQUARE, ROW = ", ".join(["0.1"] * 4096), ", ".join(["0.5"] * 64)
CRASHES = f"""g (float[1,4,14,64] x) => (float[1,4,14,64] y) <float[64,64] w = {{{SQUARE}}}, float[64] b = {{{ROW}}}> {{
    m = MatMul(x, w)
    r = Relu(m)
    a = Add(r, b)
    n = MatMul(a, w)
    y = Relu(n)
}}"""
LEAVES = """
import time
from pathlib import Path
from surgery.toolchain import Witness, find
with Witness(find()) as witness:
    folder = witness._worker.folder()
    witness._worker.submit("hb_mapper", ["--help"], folder, 60).result()
    print(folder.parent, flush=True)
    time.sleep(60)
"""


def network(opset: int = 11) -> Model:
    model = model_of(NETWORK, opset=opset, ir_version=7)
    for node in model.graph.nodes:
        node.name = f"{node.op}_{node.outputs[0].name}"
        if node.op == "Conv":  # the toolchain's path for X3 wants them all spelt out
            node.attrs |= {"kernel_shape": [1, 1], "strides": [1, 1], "pads": [0] * 4, "dilations": [1, 1], "group": 1}
    return model


@pytest.fixture(scope="module")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witness]:
    place = tmp_path_factory.mktemp("with space, ünïcode")
    before, tempfile.tempdir = tempfile.tempdir, str(place)
    try:
        with Witness(cache=Cache(place / "cache")) as opened:
            yield opened
        assert {path.name for path in place.iterdir()} <= {"cache"}
    finally:
        tempfile.tempdir = before


@pytest.mark.parametrize("march", ["bernoulli2", "bayes", "bayes-e"])
def test_placement(witness: Witness, march: str) -> None:
    model = network()
    answer = witness.check(model, march)
    assert answer.refusal is None
    assert answer.placement is not None
    assert set(answer.versions) == {"hbdk", "horizon_nn", "hb_mapper"}
    names = map_names(model, answer.placement)
    assert {node.name: names.device(node.name) for node in model.graph.nodes} == {
        node.name: "bpu" for node in model.graph.nodes
    }
    assert names.rows["Sigmoid_s"] == names.rows["Mul_m"]


def test_second_time_out_of_the_cache(witness: Witness) -> None:
    witness.check(network(), "bayes-e")
    begun = time.monotonic()
    answer = witness.check(network(), "bayes-e")
    assert answer.cached
    assert time.monotonic() - begun < 1


def test_compiled(witness: Witness) -> None:
    answer = witness.compile(network(), "bayes-e", Options("O1", remove=("Quantize", "Dequantize")))
    assert answer.refusal is None
    assert answer.performance is not None
    assert answer.performance.ops == 2 * 2 * 8 * 8 * 16 * 16
    assert {layer.name for layer in answer.performance.layers} >= {"Conv_c", "Conv_y"}
    assert [node.type for node in answer.removed] == ["Quantize", "Dequantize"]
    assert all(node.scale for node in answer.removed)


def test_what_could_be_taken_off(witness: Witness) -> None:
    answer = witness.removable(network(), "bayes-e")
    assert answer.placement is not None
    kinds = {op.name: op.op for op in answer.placement.quantised}
    assert [kinds[name] for name in answer.candidates] == ["HzQuantize", "HzDequantize"]
    assert witness.removable(network(opset=13), "bayes-e").candidates == ()


def test_refused(witness: Witness) -> None:
    answer = witness.check(network(opset=13), "bayes")
    assert answer.refusal is not None
    assert (answer.refusal.kind, answer.placement) == (Kind.OPSET, None)


def test_crash(witness: Witness) -> None:
    answer = witness.check(model_of(CRASHES, opset=11, ir_version=7), "bayes-e")
    assert answer.refusal is not None
    assert (answer.refusal.kind, answer.refusal.text[:18]) == (Kind.CRASH, "segmentation fault")


def test_time_out(witness: Witness) -> None:
    answer = witness.check(network(), "bayes-e", shapes={"x": (1, 8, 16, 16)}, limit=0.05)
    assert answer.refusal is not None
    assert answer.refusal.kind is Kind.TIMEOUT
    assert witness.check(network(), "bayes-e", shapes={"x": (1, 8, 16, 16)}).refusal is None  # no answer was kept


def test_awkward_names(witness: Witness, tmp_path: Path) -> None:
    model = network()
    model.graph.inputs[0].name = "in;put é"
    path = tmp_path / "mödel with space;.onnx"
    model.save(path)
    assert witness.check(path, "bayes-e").placement is not None
    refused = witness.compile(path, "bayes-e", Options("O0")).refusal
    assert refused is not None
    assert "';' in its name" in refused.text


def test_two_at_once_in_one_cache(witness: Witness) -> None:
    model = network()
    model.graph.nodes[0].name = "other"
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(lambda _: witness.check(model, "bayes"), range(2))
    assert one.placement == two.placement


def test_quantised_numbers(witness: Witness) -> None:
    model = network()
    rng = np.random.default_rng(0)
    samples = [{"x": rng.standard_normal((1, 8, 16, 16)).astype(np.float32)} for _ in range(2)]
    session = open_session(model)
    with witness.quantise(model, "bayes-e", samples) as quantised:
        for stage in ROUNDED:
            for sample, found in zip(samples, quantised.run_all(samples, stage), strict=True):
                expected = session.run(sample)["y"]
                assert found["y"].dtype == np.float32
                assert 0 < np.abs(found["y"] - expected).max() < 0.05 * np.ptp(expected)


def test_a_model_that_is_not_quantised(witness: Witness) -> None:
    with pytest.raises(QuantiseError, match="opset version"):
        witness.quantise(network(opset=13), "bayes-e", [{"x": np.zeros((1, 8, 16, 16), np.float32)}])


def test_killed_with_all_it_started() -> None:
    asking = subprocess.Popen([sys.executable, "-c", LEAVES], stdout=subprocess.PIPE, text=True)
    assert asking.stdout is not None
    root = Path(asking.stdout.readline().strip())
    assert root.is_dir()
    os.kill(asking.pid, signal.SIGKILL)
    asking.wait()
    deadline = time.monotonic() + 10
    while root.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not root.exists()
    assert str(root) not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


def test_command_line(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    network().save(path)
    done = CliRunner().invoke(app, ["check", str(path), "--march", "X5", "--witness"])
    assert done.exit_code == 0, done.output
    assert "4 nodes placed as we do, 0 differently." in done.output
    done = CliRunner().invoke(app, ["diff", str(path), str(path), "--march", "X5", "--witness", "--samples", "1"])
    assert done.exit_code == 0, done.output
    assert "Quantised for bayes-e" in done.output
    status = CliRunner().invoke(app, ["witness", "status"])
    assert "marches    bernoulli2, bayes, bayes-e" in status.output
