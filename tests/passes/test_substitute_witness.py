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
BETWEEN: dict[str, tuple[str, str]] = {
    "LogSoftmax": ("b = LogSoftmax <axis = 3> (a)", "bayes-e"),
    "ReduceMin": ("r = ReduceMin <axes = [2, 3]> (a)  b = Mul (a, r)", "bayes-e"),
    "InstanceNormalization": ("b = InstanceNormalization (a, v, v)", "bernoulli2"),
    "Sub": ("s = Sigmoid (a)  b = Sub (s, a)", "bernoulli2"),
    "Mod": ("b = Mod <fmod = 1> (a, d)", "bayes-e"),
    "OneHot": (
        (
            "i = ArgMax <axis = 1, keepdims = 0> (a)  n = Constant <value = int64 {16}> ()  "
            "o = Constant <value = float[2] {0.0, 1.0}> ()  b = OneHot <axis = 1> (i, n, o)"
        ),
        "bayes-e",
    ),
    "ConvTranspose of stride 1": ("b = ConvTranspose <pads = [1, 1, 1, 1]> (a, k)", "bernoulli2"),
    "ConvTranspose of stride 8": (
        (
            "c = ConvTranspose <strides = [8, 8], pads = [4, 4, 4, 4]> (a, t)  "
            "b = MaxPool <kernel_shape = [8, 8], strides = [8, 8]> (c)"
        ),
        "bernoulli2",
    ),
    "ConvTranspose of strides 1 and 4, to a part of a phase": (
        (
            "c = ConvTranspose <strides = [1, 4], pads = [1, 0, 1, 0]> (a, k)  "
            "b = MaxPool <kernel_shape = [1, 4], strides = [1, 4], pads = [0, 0, 0, 1]> (c)"
        ),
        "bernoulli2",
    ),
    "ConvTranspose of stride 3 and pads": (
        (
            "c = ConvTranspose <strides = [3, 3], pads = [1, 1, 1, 1]> (a, k)  "
            "b = MaxPool <kernel_shape = [3, 3], strides = [3, 3], pads = [1, 1, 1, 1]> (c)"
        ),
        "bayes-e",
    ),
    "Resize-cubic": (
        'c = Resize <mode = "cubic"> (a, e, u)  b = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (c)',
        "bayes-e",
    ),
    "LayerNormalization written out": (
        (
            "z = Transpose <perm = [0, 2, 3, 1]> (a)  m = ReduceMean <axes = [3]> (z)  n = Sub (z, m)  p = Pow (n, d)  "
            "q = ReduceMean <axes = [3]> (p)  r = Add (q, f)  s = Sqrt (r)  o = Div (n, s)  g = MatMul (o, h)  "
            "b = Transpose <perm = [0, 3, 1, 2]> (g)"
        ),
        "bernoulli2",
    ),
}
HELD = {
    "v": VECTOR,
    "d": np.float32(2),
    "k": np.full((16, 16, 3, 3), 0.01, np.float32),
    "t": np.full((16, 16, 16, 16), 0.01, np.float32),
    "e": np.zeros(0, np.float32),
    "u": np.array([1, 1, 2, 2], np.float32),
    "f": np.float32(1e-5),
    "h": WEIGHT[:, :, 0, 0],
    "wide": np.array([1, 3, 4, 3, 4, 16]),
    "narrow": np.array([1, 12, 12, 16]),
}
"""Constants by the name under which a body reads them."""


def between(name: str) -> Model:
    """One operator between two convolutions, in opset 11."""
    body = f"a = Conv <{ONE}> (x, w)  {BETWEEN[name][0]}  y = Conv <{ONE}> (b, w)"
    constants = {"w": WEIGHT, **{n: c for n, c in HELD.items() if f"{n})" in body or f"{n}, u)" in body}}
    return net(body, 11, "float[1,16,12,12]", "float[1,16,12,12]", **constants)


@pytest.mark.witness
@pytest.mark.parametrize("name", BETWEEN)
def test_the_witness_puts_it_on_the_bpu(name: str, vendor: Witness) -> None:
    march = BETWEEN[name][1]
    placed = vendor_devices(vendor, run(between(name), march).model, march)
    assert [row for row, device in placed.items() if device == "cpu"] == []


WINDOWS = """
    z = Transpose <perm = [0, 2, 3, 1]> (a)  i = Reshape (z, wide)  j = Transpose <perm = [0, 1, 3, 2, 4, 5]> (i)
    l = Reshape (j, narrow)  ab = Add (z, l)  m = ReduceMean <axes = [3]> (ab)  n = Sub (ab, m)  p = Pow (n, d)
    q = ReduceMean <axes = [3]> (p)  r = Add (q, f)  s = Sqrt (r)  o = Div (n, s)  g = MatMul (o, h)
    b = Transpose <perm = [0, 3, 1, 2]> (g)
"""


@pytest.mark.witness
def test_a_normalisation_behind_windows_is_on_the_bpu_as_a_whole(
    vendor: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def devices() -> set[str]:
        rows = vendor_devices(vendor, run(between("windows"), "bernoulli2").model, "bernoulli2").items()
        return {device for row, device in rows if "/Pow" in row or "/Mul" in row or "/Reciprocal" in row}

    monkeypatch.setitem(BETWEEN, "windows", (WINDOWS, "bernoulli2"))
    assert devices() == {"bpu"}
    monkeypatch.setattr("passes.substitute.written._is_of_the_cpu", lambda *_: False)
    assert "cpu" in devices()
