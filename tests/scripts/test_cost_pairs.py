"""Pairs for the sign of a predicted change: pieces of models, and what is counted."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from tests.support import ROOT, model_of

CHAIN = "g (float[1,4,8,8] x) => (float[1,4,8,8] y) <float[4,4,1,1] w = {%s}> { %s y = Relu(v59) }"


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import cost_pairs
    import pieces

    return cost_pairs, pieces


def test_a_piece_is_a_valid_model_with_the_values_of_the_whole(scripts):
    steps = " ".join(
        f"v{i} = {'Conv' if i % 3 else 'Sigmoid'}({f'v{i - 1}' if i else 'x'}{', w' if i % 3 else ''})"
        for i in range(60)
    )
    weights = ", ".join(["0.2", "0.1", "-0.3", "0.4"] * 4)
    whole = model_of(CHAIN % (weights, steps)).to_proto()
    part = scripts[1].piece(onnx.shape_inference.infer_shapes(whole), np.random.default_rng(1))
    onnx.checker.check_model(part, full_check=True)
    (begin,), (end,) = part.graph.input, part.graph.output
    assert 10 <= len(part.graph.node) < len(whole.graph.node)
    whole.graph.output.extend([onnx.ValueInfoProto(name=begin.name), onnx.ValueInfoProto(name=end.name)])
    feed = np.random.default_rng(0).normal(size=(1, 4, 8, 8)).astype(np.float32)
    _, entering, leaving = _run(whole, {"x": feed})
    np.testing.assert_array_equal(_run(part, {begin.name: entering})[0], leaving)


def _run(model, feeds):
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)


def test_pieces_whose_ends_are_no_maps_are_not_taken(scripts):
    scalars = "g (float[1,4] x) => (int64[2] y) { y = Shape(x) }"
    assert scripts[1].piece(model_of(scalars).to_proto(), np.random.default_rng(0)) is None


def test_the_share_of_signs_that_agree(scripts, tmp_path):
    pair = scripts[0].Pair
    rows = [
        pair("bayes", 0, "right", 10, 8, 10, 9),
        pair("bayes", 1, "wrong", 10, 12, 10, 9),
        pair("bayes", 2, "does not count", 10, 12, 100, 99),
        pair("bayes", 3, "refused", 10, 12, 0, 5, "no"),
        pair("bayes-e", 4, "elsewhere", 10, 12, 10, 9),
    ]
    head, *wrong = scripts[0].summary(rows, "bayes")
    assert head.endswith("4 pairs, 3 compiled, 2 changed by more than 2 %, the estimate has the sign of 1 (50.0 %)")
    assert len(wrong) == 1
    assert "wrong" in wrong[0]
    table = tmp_path / "pairs.csv"
    scripts[0].csv_rows.write(pair, rows, table)
    assert scripts[0].csv_rows.read(pair, table) == rows
