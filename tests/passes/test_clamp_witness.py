"""What the vendor's checker says of a model before and after it is cut."""

from __future__ import annotations

import pytest

from passes.clamp import ClampConvChannels
from surgery.toolchain import Witness
from tests.passes.clamp_marches import seeded
from tests.support import apply_pass, vendor_devices

TEXT = """g (float[1,16,7,7] x) => (float[1,16,7,7] y) {
    a = Conv <dilations = [1, 1]> (x, u)
    b = Conv <dilations = [1, 1]> (a, w, c)
    r = Relu (b)
    d = Conv <dilations = [1, 1]> (r, v)
    y = Conv <dilations = [1, 1]> (d, z)
}"""
SIZES = {"u": (64, 16, 1, 1), "w": (5000, 64, 1, 1), "c": (5000,), "v": (64, 5000, 1, 1), "z": (16, 64, 1, 1)}


@pytest.mark.witness
def test_the_vendor_takes_what_was_cut(vendor: Witness) -> None:
    model = seeded(TEXT, opset=11, **SIZES)
    applied = apply_pass(model, ClampConvChannels(), "bernoulli2")
    assert "cpu" in vendor_devices(vendor, model, "bernoulli2").values()
    assert set(vendor_devices(vendor, applied.model, "bernoulli2").values()) == {"bpu"}
