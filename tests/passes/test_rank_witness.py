"""normalise-rank before the vendor's own toolchain: what comes out is taken, and on the BPU."""

from __future__ import annotations

import numpy as np
import pytest

from surgery.ir import Model
from surgery.toolchain import Witness
from tests.passes.rank_models import net, run

pytestmark = pytest.mark.witness

POINT = "kernel_shape = [1, 1], dilations = [1, 1], strides = [1, 1], pads = [0, 0, 0, 0], group = 1"
LINE = "kernel_shape = [3], dilations = [1], strides = [1], pads = [1, 1], group = 1"
CUBE = "kernel_shape = [3, 3, 3], dilations = [1, 1, 1], strides = [1, 1, 1], pads = [1, 1, 1, 1, 1, 1], group = 1"
MAP = "[1,32,16,16]"
WEIGHT = np.random.default_rng(0).normal(0, 0.1, (32, 32, 1, 1)).astype(np.float32)


def between(body: str, **held: object) -> Model:
    """``body``, which makes b of a, between two convolutions."""
    text = f"a = Conv <{POINT}> (x, w)  {body}  y = Conv <{POINT}> (b, w)"
    return net(text, MAP, MAP, 11, w=WEIGHT, **held)


def line() -> Model:
    return net(f"a = Conv <{LINE}> (x, w)  b = Relu (a)  y = Conv <{LINE}> (b, w)", "[1,16,64]", "[1,16,64]", 11,
               w=(16, 16, 3))  # fmt: skip


def volume() -> Model:
    return net(f"a = Conv <{CUBE}> (x, w)  y = Relu (a)", "[1,4,4,16,16]", "[1,4,4,16,16]", 11, w=(4, 4, 3, 3, 3))


@pytest.mark.parametrize("march", ["bernoulli2", "bayes", "bayes-e"])
def test_a_network_of_conv1d_alone_is_taken(march: str, vendor: Witness) -> None:
    assert vendor.check(line(), march).refusal is not None
    answer = vendor.check(run(line(), march).model, march)
    assert answer.refusal is None
    assert answer.placement is not None
    assert [r.device for r in answer.placement.rows if r.type == "HzSQuantizedConv"] == ["bpu", "bpu"]


def test_a_network_of_conv3d_alone_is_taken(vendor: Witness) -> None:
    assert vendor.check(volume(), "bernoulli2").refusal is not None
    assert vendor.check(run(volume(), "bernoulli2").model, "bernoulli2").refusal is None


UNSHUFFLED = """r = Reshape (a, k)  t = Transpose <perm = [0, 1, 3, 5, 2, 4]> (r)  u = Reshape (t, m)
    s = Relu (u)  q = DepthToSpace <blocksize = 2> (s)  b = Tanh (q)"""


@pytest.mark.parametrize("march", ["bernoulli2", "bayes-e"])
def test_a_pixel_unshuffle_is_a_convolution_on_the_bpu(march: str, vendor: Witness) -> None:
    model = between(UNSHUFFLED, k=[1, 32, 8, 2, 8, 2], m=[1, 128, 8, 8])
    done = run(model, march)
    assert "Transpose" not in done.ops
    answer = vendor.check(done.model, march)
    assert answer.refusal is None
    assert answer.placement is not None
    assert not answer.placement.cpu
