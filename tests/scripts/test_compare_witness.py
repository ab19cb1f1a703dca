"""compare_witness.py and its networks: what is compared, and what is told."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest

import surgery
from surgery.report.check import CheckDocument
from surgery.report.witness import Disagreement, WitnessCheck, WitnessSide
from tests.support import ROOT


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import compare_witness

    yield compare_witness
    sys.modules.pop("compare_witness", None)


@pytest.mark.parametrize("seed", range(0, 60, 5))
def test_networks_are_valid_and_their_seeds_tell_all(module: Any, seed: int) -> None:
    made = module.network(seed)
    onnx.checker.check_model(made, full_check=True)
    assert made.SerializeToString(deterministic=True) == module.network(seed).SerializeToString(deterministic=True)
    assert made.SerializeToString() != module.network(seed + 1).SerializeToString()
    assert all(value.type.tensor_type.elem_type for value in made.graph.output)


def test_cells_are_those_that_costs_are_measured_of(module: Any, tmp_path: Path) -> None:
    options = argparse.Namespace(random=0, cells=2, seed=3)
    found = []
    for subject in module.subjects(options, tmp_path, "bayes-e"):
        found.append(subject.name)
        assert onnx.load(subject.path) == module.cost_networks.network(int(subject.path.stem))
    assert found == ["cells/3", "cells/4"]


def answered(monkeypatch: pytest.MonkeyPatch, module: Any, folder: Path, **side: Any) -> Any:
    """What is made of an answer in which the last node is on the CPU."""
    path = folder / "m.onnx"
    onnx.save(module.network(5), path)
    document = surgery.check(path, march="bayes-e")
    last = document.nodes[-1]
    theirs = Disagreement(name=last.name, op=last.op, ours=last.device, theirs="cpu")
    found = WitnessCheck(
        versions={}, side=WitnessSide(**{"accepted": True, "segments": 3, **side}),
        agreed=len(document.nodes) - 1, disagreements=(theirs,), inserted=(),
    )  # fmt: skip

    def check(*_: Any, **__: Any) -> CheckDocument:
        return document.model_copy(update={"witness": found})

    monkeypatch.setattr(module.surgery, "check", check)
    return module.compare(module.Subject("m", path, {}), "bayes-e", None)


def test_nodes_verdict_and_segments(
    module: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = answered(monkeypatch, module, tmp_path)
    assert (row.same, row.segments, row.both) == (row.nodes - 1, 3, True)
    module._print(row)
    module._totals([row])
    told = capsys.readouterr().out
    assert "theirs cpu" in told
    assert "SEGMENTS" in told
    assert "verdict alike on 1 of 1 models, segments on 0 of 1" in told


def test_a_refusal_is_compared_by_its_verdict_alone(
    module: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = answered(monkeypatch, module, tmp_path, accepted=False, refusal="crash", reason="it died")
    assert (row.nodes, row.ours, row.theirs) == (0, True, False)
    module._print(row)
    assert "VERDICT DIFFERS (theirs: it died)" in capsys.readouterr().out


def test_a_time_out_counts_as_nothing(
    module: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = answered(monkeypatch, module, tmp_path, accepted=False, refusal="timeout", reason="not done")
    module._print(row)
    module._totals([row])
    assert capsys.readouterr().out.splitlines()[-1].endswith("no answer: not done")


def test_without_the_toolchain_it_says_so(module: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["compare_witness.py", "--random", "1", "--witness", str(tmp_path)])
    assert module.main() == 2
