"""scripts/fuzz_convolutions.py: a slice of its random convolutions, and that it sees what goes wrong."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest

from surgery.ir import Model
from surgery.target import load_target
from tests.support import ROOT

SEED = 11


@pytest.fixture
def fuzz(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import fuzz_convolutions

    return fuzz_convolutions


def test_a_case_is_the_same_whatever_the_number_of_cases(fuzz):
    case = fuzz.drawn(SEED, 3)
    assert case == fuzz.drawn(SEED, 3) != fuzz.drawn(SEED, 4)
    assert case.model(3) == case.model(3)


def test_cases_are_convolutions_of_all_kinds(fuzz):
    cases = [fuzz.drawn(SEED, index) for index in range(300)]
    assert {side for case in cases for side in case.kernel} == set(range(1, 14))
    assert {step for case in cases for step in (*case.strides, *case.dilations)} == {1, 2, 3, 4}
    assert {case.op for case in cases} == {"Conv", "ConvTranspose"}
    assert any(case.group == case.inputs > 1 for case in cases)
    assert any(case.pads[:2] != case.pads[2:] for case in cases)
    for case in cases[:40]:
        onnx.checker.check_model(onnx.shape_inference.infer_shapes(case.model(0), strict_mode=True))


def test_both_sides_of_limits_are_met(fuzz):
    target, over = load_target("bernoulli2"), Counter[str]()
    for index in range(60):
        over.update(fuzz.broken_limits(Model.load(fuzz.drawn(SEED, index).model(index)), target))
    for limit in ("kernel_h", "dilation", "dilation_stride", "in_channels_per_group", "uneven_pads"):
        assert 0 < over[f"Conv.{limit}"] < 55, over


@pytest.mark.parametrize("march", ["bernoulli2", "bayes", "bayes-e"])
def test_random_convolutions_are_rewritten_and_compute_the_same(fuzz, march):
    found = fuzz.batch(march, SEED, range(10))
    assert not found.broken
    assert found.worst < fuzz.BOUND
    assert found.cured
    assert found.rewritten
    assert not set(found.left) - set(found.limits), "no limit is broken that was kept"


def test_what_moves_beyond_rounding_is_told(fuzz, monkeypatch, capsys):
    monkeypatch.setattr(fuzz, "drift", lambda *_: 1.0)
    found = next(f for f in (fuzz.told("bernoulli2", SEED, i) for i in range(14)) if f.rewritten)
    assert "drift 1.0e+00" in found.broken[0]
    monkeypatch.setattr(fuzz, "fuzz", lambda *_: iter([("bernoulli2", found)]))
    assert fuzz.main(["--cases", "1"]) == 1
    said = capsys.readouterr()
    assert found.broken[0] in said.err
    assert "1 failures" in said.out


def test_outputs_that_nothing_moves_are_left_out(fuzz, monkeypatch):
    monkeypatch.setattr(fuzz, "outputs", lambda *_: np.ones(4))
    found = fuzz.told("bernoulli2", SEED, 0)
    assert (found.cases, found.constant, found.over) == (1, 1, 0)
