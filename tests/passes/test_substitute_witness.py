"""substitute-ops before the vendor's own toolchain: what comes out is on the BPU."""

from __future__ import annotations

import numpy as np
import pytest

from surgery.ir import Model
from surgery.toolchain import Witness
from tests.passes.substitutions import net
from tests.passes.test_substitute import run
from tests.support import vendor_devices

ONE = "kernel_shape = [1, 1], dilations = [1, 1], strides = [1, 1], pads = [0, 0, 0, 0], group = 1"
WEIGHT = np.random.default_rng(0).normal(0, 0.1, (16, 16, 1, 1)).astype(np.float32)
VECTOR = np.linspace(0.5, 1.5, 16, dtype=np.float32)
BETWEEN = {
    "LogSoftmax": ("b = LogSoftmax <axis = 3> (a)", "bayes-e"),
    "ReduceMin": ("r = ReduceMin <axes = [2, 3]> (a)  b = Mul (a, r)", "bayes-e"),
    "InstanceNormalization": ("b = InstanceNormalization (a, v, v)", "bernoulli2"),
    "Sub": ("s = Sigmoid (a)  b = Sub (s, a)", "bernoulli2"),
}


def between(name: str) -> Model:
    """One operator between two convolutions, in opset 11."""
    body = f"a = Conv <{ONE}> (x, w)  {BETWEEN[name][0]}  y = Conv <{ONE}> (b, w)"
    constants = {"w": WEIGHT, **({"v": VECTOR} if "v)" in body else {})}
    return net(body, 11, "float[1,16,12,12]", "float[1,16,12,12]", **constants)


@pytest.mark.witness
@pytest.mark.parametrize("name", BETWEEN)
def test_the_witness_puts_it_on_the_bpu(name: str, vendor: Witness) -> None:
    march = BETWEEN[name][1]
    placed = vendor_devices(vendor, run(between(name), march).model, march)
    assert [row for row, device in placed.items() if device == "cpu"] == []
