"""substitute-ops: transposed convolutions and cubic enlargements by phases, of any size."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.substitute.phases import Axis, cubic
from tests.passes.substitutions import net, spread
from tests.passes.test_substitute import run
from tests.support import ROOT

SIDES = st.integers(1, 5)
STRIDES = st.sampled_from([1, 2, 4])
MARCH = str(ROOT / "tests" / "passes" / "marches" / "phases.yaml")


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SIDES, SIDES, st.tuples(STRIDES, STRIDES), st.integers(1, 3), st.integers(0, 2), st.data())
def test_any_transposed_convolution(
    height: int, width: int, strides: tuple[int, int], dilation: int, pad: int, data: st.DataObject
) -> None:
    """What comes out of the march without such a layer is held against onnxruntime by apply_pass."""
    kernel = data.draw(st.integers(pad + 1, 6))
    group = data.draw(st.sampled_from([1, 2]))
    reach, spare = (kernel - 1) * dilation + 1 - 2 * pad, [data.draw(st.integers(0, by - 1)) for by in strides]
    sides = [(n - 1) * by + reach + more for n, by, more in zip((height, width), strides, spare, strict=True)]
    body = (
        f"y = ConvTranspose <strides = {list(strides)}, dilations = [{dilation}, {dilation}], group = {group}, "
        f"pads = [{pad}, {pad}, {pad}, {pad}], output_padding = {spare}> (x, w)"
    )
    if min(sides) < 1:
        return
    weight = spread(4, 3, kernel, kernel)
    done = run(
        net(body, x=f"float[2,4,{height},{width}]", y=f"float[2,{3 * group},{sides[0]},{sides[1]}]", w=weight), MARCH
    )
    assert "ConvTranspose" not in done.ops, done.reasons


@settings(max_examples=20, deadline=None, derandomize=True)
@given(SIDES, SIDES, st.tuples(st.sampled_from([3, 5]), st.integers(1, 3)), st.data())
def test_any_pads_over_the_limit(height: int, width: int, strides: tuple[int, int], data: st.DataObject) -> None:
    """On the X5 the pads of odd strides come to less than kernel over stride."""
    kernel = data.draw(st.integers(3, 7))
    pads = [data.draw(st.integers(low, (kernel - 1) // 2)) for low in (1, 0)]
    sides = [(n - 1) * by + kernel - 2 * pad for n, by, pad in zip((height, width), strides, pads, strict=True)]
    if pads[0] * strides[0] < kernel or min(sides) < 1:
        return
    body = f"y = ConvTranspose <strides = {list(strides)}, pads = {pads * 2}> (x, w)"
    model = net(
        body, x=f"float[1,4,{height},{width}]", y=f"float[1,3,{sides[0]},{sides[1]}]", w=spread(4, 3, kernel, kernel)
    )
    done = run(model, "bayes-e")
    assert sorted(done.ops) == ["ConvTranspose", "Slice"], done.reasons


def test_an_axis_of_stride_2() -> None:
    """Kernel 4, pad 1, as detectors and generators have it: two taps per phase, of three places."""
    axis = Axis(before=5, after=10, kernel=4, stride=2, dilation=1, pad=1, phases=2)
    assert axis.taps.tolist() == [[3, 1, 4], [4, 2, 0]]
    assert (axis.offsets, axis.pads) == (range(-1, 2), (1, 1))


def test_an_axis_with_the_phases_of_the_other() -> None:
    """Stride 1 beside stride 2: two results per step, of two inputs, of which phase 1 sees the second in its middle."""
    axis = Axis(before=6, after=6, kernel=3, stride=1, dilation=1, pad=1, phases=2)
    assert axis.taps.tolist() == [[2, 1, 0, 3], [3, 2, 1, 0]]
    assert (axis.by, axis.offsets, axis.pads) == (2, range(-1, 3), (1, 1))


def test_weights_of_every_phase_add_up_to_one() -> None:
    for factor in (1, 2, 4, 8):
        for middle in (0.0, 0.5):
            assert np.allclose(cubic(factor, middle, -0.75).sum(axis=1), 1)
