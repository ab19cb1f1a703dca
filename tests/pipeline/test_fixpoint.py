"""The default pipeline leaves nothing for a second run of itself."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper

from surgery.ir import Model
from surgery.pipeline.run import run
from tests.support import ROOT, proto_of

LAYERS = """g (float[1,8,16,16] x) => (float[1,8,16,16] y) {
    a = Conv <pads = [4, 4, 4, 4]> (x, w)  b = Conv (x, u)  c = Add (a, b)  e = Exp (c)  f = Add (e, o)  l = Log (f)
    t = Transpose <perm = [0, 2, 3, 1]> (l)  s = Transpose <perm = [0, 3, 1, 2]> (t)  m = Neg (s)  n = Neg (s)
    y = Add (m, n) }"""


def _layers() -> Model:
    """A model with work for most passes."""
    proto = proto_of(LAYERS, opset=13)
    rng = np.random.default_rng(0)
    for name, shape in {"w": (8, 8, 9, 9), "u": (8, 8, 1, 1), "o": (1,)}.items():
        array = np.ones(shape) if name == "o" else rng.standard_normal(shape)
        proto.graph.initializer.append(numpy_helper.from_array(array.astype(np.float32), name))
    return Model.load(proto)


MODELS = {"digits": Model.load(ROOT / "models/digits.onnx"), "layers": _layers()}


@pytest.mark.parametrize("march", ["bernoulli2", "bayes", "bayes-e", "nash-m"])
@pytest.mark.parametrize("name", MODELS)
def test_a_second_run_changes_nothing(name: str, march: str) -> None:
    first = run(MODELS[name], march=march, verify="off")
    assert any(done.applied for done in first.passes)
    again = run(first.model.to_proto(), march=march, verify="off")
    assert [done.name for done in again.passes if done.applied] == []
