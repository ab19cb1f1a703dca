"""The scripts that go over a corpus, on a small one of the test's own and on small models of the real one."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import onnx
import pytest

from tests.support import ROOT, SHARED, model_of, proto_of

GOOD = "g (float[1,4] x) => (float[1,4] y) <float one = {1}> { a = Mul (x, one)  b = Identity (a)  y = Relu (b) }"
CUSTOM = """<ir_version: 8, opset_import: ["": 13, "own": 1]>
g (float[1,4] x) => (float[1,4] y) { a = own.Mystery (x)  y = Relu (a) }"""
INVALID = "g (float[1,4] x) => (float[1,4] y) { y = NoSuchOperator (x) }"


@dataclass(frozen=True)
class Ran:
    """What a script printed, by line, and how it ended."""

    code: int
    lines: list[str]
    errors: str

    def row(self, name: str) -> str:
        """The line of one model."""
        return next(line for line in self.lines if line.startswith(name))


def script(name: str, *args: str, corpus: Path | None = None, cache: Path | None = None) -> Ran:
    """Run a script in a process of its own."""
    own = {"SURGERY_CORPUS": str(corpus)} if corpus else {}
    own |= {"SURGERY_CORPUS_CACHE": str(cache)} if cache else {}
    env = {**os.environ, **own, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / name), *args], env=env, capture_output=True, text=True, check=False
    )
    return Ran(done.returncode, done.stdout.splitlines(), done.stderr)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A corpus of three models: one that is well, one that onnxruntime does not run, one that is no model."""
    folder = tmp_path / "corpus"
    for name, text in {"good": GOOD, "custom": CUSTOM, "invalid": INVALID}.items():
        (folder / "edge").mkdir(parents=True, exist_ok=True)
        onnx.save(proto_of(text, opset=13), folder / "edge" / f"{name}.onnx")
    (folder / "index.json").write_text(json.dumps({}))
    return folder


def test_roundtrip_corpus_prints_a_table(own: Path, tmp_path: Path) -> None:
    ran = script("roundtrip_corpus.py", corpus=own, cache=tmp_path)
    assert ran.code == 0, ran.errors
    assert ran.row("model").split() == ["model", "status", "notes", "s", "detail"]
    assert ran.row("edge/good").split()[1] == "same"
    assert ran.row("edge/custom").split()[1] == "unrun"
    assert ran.row("edge/invalid").split()[1] == "refused"
    assert ran.lines[-1] == "3 models: 1 same, 1 unrun, 1 refused"


def test_run_corpus_prints_a_table(own: Path, tmp_path: Path) -> None:
    marches = ("--march", "bernoulli2", "--march", "nash-e")
    ran = script("run_corpus.py", *marches, "--again", corpus=own, cache=tmp_path)
    assert ran.code == 0, ran.errors
    assert [line.split()[1] for line in ran.lines if line.startswith("==")] == ["bernoulli2", "nash-e"]
    good = ran.row("edge/good")
    assert good.split()[1] == "ok"
    assert "remove-noops 2" in good
    assert ran.lines[-1] == "6 runs: 2 ok, 4 unrun"


@pytest.mark.parametrize(("name", "failures"), [("roundtrip_corpus.py", "3 FAILED"), ("run_corpus.py", "3 FAILED")])
def test_a_failure_is_counted_and_ends_with_1(own: Path, tmp_path: Path, name: str, failures: str) -> None:
    march = ("--march", "bayes-e") if name == "run_corpus.py" else ()
    ran = script(name, "--seconds", "0.001", *march, corpus=own, cache=tmp_path)
    assert ran.code == 1
    assert "took more than 0 s" in ran.row("edge/good")
    assert ran.lines[-1].endswith(failures)


@pytest.mark.parametrize(
    ("after", "found"),
    [
        ("g (float[1,4] z) => (float[1,4] y) { y = Relu (z) }", "inputs changed: [('x', 'float32', (1, 4))] became"),
        ("g (float[1,4] x) => (float[1,8] y) { y = Concat <axis = 1> (x, x) }", "outputs changed: "),
        ("g (float[1,4] x) => (bool[1,4] y) { y = IsNaN (x) }", "outputs changed: [('y', 'float32', (1, 4))] became"),
        ("g (float[1,4] x) => (float[1,4] y) { y = Sin (x) }", ""),
    ],
)
def test_run_corpus_sees_an_interface_that_moved(after: str, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    moved = importlib.import_module("run_corpus")._moved
    before = model_of("g (float[1,4] x) => (float[1,4] y) { y = Relu (x) }")
    told = moved(before, model_of(after))
    assert told.startswith(found)
    assert bool(told) == bool(found)


def test_no_corpus_is_one_message(tmp_path: Path) -> None:
    ran = script("run_corpus.py", corpus=tmp_path / "none")
    assert (ran.code, ran.lines) == (1, [])
    assert ran.errors == f"no corpus at {tmp_path / 'none'} (set SURGERY_CORPUS)\n"


def test_bench_large_holds_the_peak_against_its_limit(tmp_path: Path) -> None:
    """One weight of 64 MiB: less than the limit on top of what importing takes, though it is read and written."""
    ran = script("bench_large.py", "--gib", "0.0625", "--folder", str(tmp_path))
    assert ran.code == 0, (ran.lines, ran.errors)
    assert ran.lines[0] == "0.06 GiB read, 0.06 GiB written, 1 nodes removed"
    assert "(limit 150)" in ran.lines[1]


def test_bench_large_ends_with_1_over_its_limit(tmp_path: Path) -> None:
    assert script("bench_large.py", "--gib", "0.0625", "--folder", str(tmp_path), "--mb", "10").code == 1


def test_bench_nodes_times_every_shape_of_graph() -> None:
    """What is timed is not judged here: a test of seconds says more about the machine."""
    ran = script("bench_nodes.py", "--nodes", "100", "--seconds", "1000")
    assert ran.code == 0, ran.errors
    assert [line.split("100 nodes")[0].strip() for line in ran.lines[:-1]] == [
        "wide",
        "reversed chain",
        "shared constant",
    ]
    assert script("bench_nodes.py", "--nodes", "100", "--seconds", "0").code == 1


def test_bench_peers_prints_ratios(own: Path, tmp_path: Path) -> None:
    """The peers come with the extra ``bench``; without them the script says so."""
    ran = script("bench_peers.py", "--only", "edge/good", corpus=own, cache=tmp_path)
    if find_spec("onnxslim") is None:
        assert (ran.code, ran.lines) == (1, [])
        assert "the peers are not installed: pip install '.[bench]'" in ran.errors
        return
    assert ran.row("edge/good").split()
    assert any(line.startswith("surgery/onnxslim: seconds ") and "memory " in line for line in ran.lines)
    assert ran.lines[-1].endswith("(0.5 of onnxslim)")


SMALL = {
    "edge": (
        "hm_loop_scan_op13",
        "hm_fp16_op13",
        "hm_bf16_int4_op21",
        "hm_unsorted_noname_op11",
        "hm_local_function_op17",
    ),
    "real": ("*dim_param", "*bad_graph_with_no_name", "*If_p1_11", "*custom_op_node", "*residual_testcase"),
    "models": ("own_script_loop_op13", "own_ops_op17", "own_lstm_tagger_op13", "own_anchor_decode_op11_dyn"),
    "latency": ("mobilenetv1",),
}
"""Small models of every folder of the corpus; the rest is for the scripts themselves, which take minutes."""


def _only(*folders: str) -> list[str]:
    return [arg for folder in folders for name in SMALL[folder] for arg in ("--only", f"{folder}/{name}")]


@pytest.mark.shared
@pytest.mark.parametrize("folder", SMALL)
def test_roundtrip(folder: str, tmp_path: Path) -> None:
    ran = script("roundtrip_corpus.py", *_only(folder), corpus=SHARED / "corpus", cache=tmp_path)
    assert ran.code == 0, ran.lines
    assert ran.lines[-1].startswith(f"{len(SMALL[folder])} models: ")


@pytest.mark.shared
def test_models_the_checker_refuses_are_refused_or_put_right(tmp_path: Path) -> None:
    ran = script("roundtrip_corpus.py", "--only", "real/*bad_graph*", corpus=SHARED / "corpus", cache=tmp_path)
    assert ran.code == 0, ran.lines
    assert {line.split()[1] for line in ran.lines[1:-1]} <= {"refused", "repaired", "same", "unrun"}
    assert "refused" in ran.lines[-1]


@pytest.mark.shared
@pytest.mark.parametrize("march", ["bernoulli2", "bayes-e", "nash-e"])
def test_run(march: str, tmp_path: Path) -> None:
    only = _only("edge", "models")
    ran = script("run_corpus.py", "--march", march, *only, corpus=SHARED / "corpus", cache=tmp_path)
    assert ran.code == 0, ran.lines
    assert " ok" in ran.lines[-1]
