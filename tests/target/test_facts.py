"""Every fact of whole models, on one model that shows it."""

from __future__ import annotations

import onnx.parser
import pytest

from surgery.ir import Model
from surgery.target.facts import FACTS, model_facts, parted_pairs

TEXT = """
<ir_version: 7, opset_import: ["" : 11]>
g (float[n, 3, 4, 4] x, float[1, 3, 4, 4] y) => (float[1, 3, 4, 4] z, int64[2] k) {
  z = Add (x, y)
  k = Constant <value_ints: ints = [1, 2]> ()
}
"""
EXPECTED = {
    "opset": 11, "ir_version": 7, "inputs": 2, "outputs": 2, "input_ranks": (4, 4), "io_bytes": (192, 192, 16),
    "domains": (), "dynamic_dims": ("x: n",), "unscaled": (), "parted": (),
}  # fmt: skip


def test_facts() -> None:
    facts = model_facts(Model.load(onnx.parser.parse_model(TEXT)))
    assert facts == EXPECTED
    assert facts.keys() == FACTS.keys()


def test_every_fact_is_said_in_words() -> None:
    assert all(find.__doc__ for find in FACTS.values())


PAIRS = """
<ir_version: 7, opset_import: ["" : 11]>
g (float[1,8,4,4] x) => (float[1,8,4,4] y) <float s = {0.05}, int8 z = {3}, float[8] c = {1, 1, 1, 1, 1, 1, 1, 1}> {
  NODES
}
"""
Q, D = "[q] q = QuantizeLinear (x, s, z)", "[d] d = DequantizeLinear (q, s, z)"


@pytest.mark.parametrize(
    ("nodes", "found"),
    [
        (f"{Q} {D} y = Neg (d)", ()),
        (f"{Q} t = Tanh (x) {D} y = Add (d, t)", ("q",)),
        (f"t = Tanh (x) {Q} {D} y = Add (d, t)", ()),
        (f"{Q} k = Sqrt (c) {D} y = Mul (d, d)", ()),  # gone before
        (f"{Q} t = Identity (x) {D} y = Add (d, t)", ()),
        (f"{Q} {D} t = Tanh (x) e = DequantizeLinear (q, s, z) u = Add (e, t) y = Add (d, u)", ()),
        (f"{Q} r = QuantizeLinear (x, s, z) {D} e = DequantizeLinear (r, s, z) y = Add (d, e)", ("q", "r")),
    ],
)
def test_a_quantised_value_is_dequantised_right_behind(nodes: str, found: tuple[str, ...]) -> None:
    model = Model.load(onnx.parser.parse_model(PAIRS.replace("NODES", nodes)))
    assert tuple(node.outputs[0].name for node, _ in parted_pairs(model.graph)) == found
    assert len(model_facts(model)["parted"]) == len(found)
