"""unroll-loops before the vendor's own toolchain: a model with a loop is refused, its copies are taken."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper

from surgery.ir import Model
from surgery.pipeline.run import run
from surgery.toolchain import Witness
from surgery.toolchain.refusal import Kind
from tests.support import proto_of

CONV = "kernel_shape = [3, 3], pads = [1, 1, 1, 1]"


def looped() -> Model:
    """A convolution, and three more in a loop."""
    proto = proto_of(
        f"""g (float[1,8,16,16] x) => (float[1,8,16,16] y) <int64 n = {{3}}> {{
            a = Conv <{CONV}> (x, w)
            l = Loop (n, , a) <body = b (int64 i, bool go, float[1,8,16,16] s) => (bool on, float[1,8,16,16] s2) {{
                on = Identity (go)  s2 = Conv <{CONV}> (s, w) }}>
            y = Conv <{CONV}> (l, w) }}""",
        opset=11,
        ir_version=7,
    )
    weight = np.random.default_rng(0).normal(0, 0.1, (8, 8, 3, 3)).astype(np.float32)
    proto.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    return Model.load(proto)


@pytest.mark.witness
@pytest.mark.parametrize("march", ["bernoulli2", "bayes-e"])
def test_the_witness_takes_the_copies(march: str) -> None:
    model = looped()
    after = run(model, march=march).model
    with Witness() as witness:
        before = witness.check(model, march)
        assert before.refusal is not None
        assert before.refusal.kind is Kind.OPERATOR
        placement = witness.check(after, march).placement
    assert placement is not None
    assert [row.device for row in placement.rows] == ["bpu"] * 5
