"""Every fact of whole models, on one model that shows it."""

from __future__ import annotations

import onnx.parser

from surgery.ir import Model
from surgery.target.facts import FACTS, model_facts

TEXT = """
<ir_version: 7, opset_import: ["" : 11]>
g (float[n, 3, 4, 4] x, float[1, 3, 4, 4] y) => (float[1, 3, 4, 4] z, int64[2] k) {
  z = Add (x, y)
  k = Constant <value_ints: ints = [1, 2]> ()
}
"""
EXPECTED = {
    "opset": 11, "ir_version": 7, "inputs": 2, "outputs": 2, "input_ranks": (4, 4), "io_bytes": (192, 192, 16),
    "domains": (), "dynamic_dims": ("x: n",), "unscaled": (),
}  # fmt: skip


def test_facts() -> None:
    facts = model_facts(Model.load(onnx.parser.parse_model(TEXT)))
    assert facts == EXPECTED
    assert facts.keys() == FACTS.keys()


def test_every_fact_is_said_in_words() -> None:
    assert all(find.__doc__ for find in FACTS.values())
