"""lower-opset: what has no form in the older opset is named, and the model stays as it is."""

from __future__ import annotations

import pytest

from tests.passes.opset.support import lower, one, refusal
from tests.support import model_of

CASES = {
    "an operator that was born later": (
        17,
        one("y = LayerNormalization (x, s)", constants="float[5] s = {1.0,1.0,1.0,1.0,1.0}"),
        "there is no LayerNormalization in opset 11, it is of opset 17",
    ),
    "computed axes": (
        18,
        "g (float[2,3] x, int64[1] a) => (float[?,?] y) { y = ReduceMean (x, a) }",
        "axes 'a' is computed, it must be constant to become an attribute",
    ),
    "a computed split": (
        13,
        "g (float[2,4] x, int64[2] s) => (float[2,?] y, float[2,?] z) { y, z = Split <axis = 1> (x, s) }",
        "split 's' is computed, it must be constant to become an attribute",
    ),
    "parts of a dim that is not known": (
        18,
        "g (float[2,N] x) => (float[2,?] y, float[2,?] z) { y, z = Split <axis = 1, num_outputs = 2> (x) }",
        "dim 'N' of 'x' is split in parts, it must be known",
    ),
    "computed pads of some axes": (
        18,
        "g (float[2,4] x, int64[2] p) => (float[?,?] y) <int64[1] a = {1}> { y = Pad (x, p, , a) }",
        "input 1 ('p') must be constant",
    ),
    "an aspect ratio that is kept": (
        18,
        one('y = Resize <axes = [2, 3], keep_aspect_ratio_policy = "not_larger"> (x, , , s)', y="float[2,3,8,10]",
            constants="int64[2] s = {8, 12}"),
        "keep_aspect_ratio_policy=not_larger, older opsets only stretch",
    ),
    "a region of some axes": (
        18,
        one('y = Resize <mode = "linear", axes = [2, 3], coordinate_transformation_mode = "tf_crop_and_resize"> '
            "(x, r, , s)", y="float[2,3,8,10]",
            constants="int64[2] s = {8, 10}, float[4] r = {0.0, 0.0, 1.0, 1.0}"),
        "a region of some axes only (roi with axes), it must be of all axes",
    ),
    "antialiasing": (
        18,
        one('y = Resize <mode = "linear", antialias = 1> (x, , s)', y="float[2,3,2,2]",
            constants="float[4] s = {1.0, 1.0, 0.5, 0.5}"),
        "antialias=1 is not there yet in opset 11",
    ),
    "a dropout that trains": (
        13,
        one("y = Dropout (x, , t)", constants="bool t = {1}"),
        "training_mode is set, older opsets have no Dropout that drops",
    ),
    "a mask that is read": (
        13,
        "g (float[2,3] x) => (float[2,3] y, bool[2,3] m) { y, m = Dropout (x) }",
        "the mask 'm' is read, which is of another kind in older opsets",
    ),
    "a normalisation that trains": (
        15,
        ("g (float[2,3,4,5] x) => (float[2,3,4,5] y) <float[3] s = {1.0, 2.0, 3.0}> "
        "{ y, a, b = BatchNormalization <training_mode = 1> (x, s, s, s, s) }"),
        "training_mode is set, older opsets have no BatchNormalization that trains",
    ),
    "a zero that is kept": (
        14,
        "g (float[0,4] x, int64[2] s) => (float[?,?] y) { y = Reshape <allowzero = 1> (x, s) }",
        "allowzero=1 is not there yet in opset 11",
    ),
    "a scale per block": (
        21,
        one("i = Cast <to = 3> (x)  y = DequantizeLinear <axis = 3, block_size = 5> (i, s)",
            constants="float[2,3,4,1] s = {0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}"),
        "block_size=5, older opsets have one scale per channel at most",
    ),
    "16-bit levels per channel": (
        21,
        one("q = QuantizeLinear (x, s, z)  y = Cast <to = 1> (q)",
            constants="float[3] s = {0.1, 0.2, 0.3}, int16[3] z = {0, 0, 0}"),
        "'q' is int16, it must be int8 or uint8",
    ),
    "a computed scale per channel": (
        13,
        "g (float[2,3] x, float[3] s) => (int8[2,3] y) <int8[3] z = {0,0,0}> { y = QuantizeLinear (x, s, z) }",
        "input 1 ('s') must be constant",
    ),
    "scales of half precision": (
        19,
        "g (int8[2,3] x) => (float16[2,3] y) <float16[3] s = {1, 2, 3}> { y = DequantizeLinear (x, s) }",
        "the scale is float16 of rank 1, it must be float32 of rank 1",
    ),
    "a type that came later": (
        13,
        one("b = Cast <to = 16> (x)  y = Cast <to = 1> (b)"),
        "bfloat16 for 'b' is not there yet in opset 11",
    ),
    "integers of 8 bits": (
        14,
        one("i = Cast <to = 3> (x)  a = Relu (i)  y = Cast <to = 1> (a)"),
        "int8 for 'i' is not there yet in opset 11",
    ),
    "an exponent that the base cannot hold": (
        15,
        one("i = Cast <to = 10> (x)  p = Pow (i, e)  y = Cast <to = 1> (p)", constants="float e = {0.1}"),
        "the exponent 'e' does not fit into float16, the type of the base",
    ),
    "remainders of floats": (
        28,
        one("y = Mod (x, d)", constants="float d = {0.7}"),
        "fmod=0 on float32, older opsets have it for integers alone",
    ),
    "the last of equal values": (
        12,
        one("a = ArgMax <axis = 1, select_last_index = 1> (x)  y = Cast <to = 1> (a)", y="float[2,1,4,5]"),
        "select_last_index=1 is not there yet in opset 11",
    ),
    "another window": (
        22,
        ("g (float[1,1,2,2] x) => (float[1,1,1,1] y) "
        "{ y = MaxPool <kernel_shape = [1, 1], strides = [2, 2], pads = [0,0,1,1], ceil_mode = 1> (x) }"),
        "with ceil_mode 'y' has the shape 1x1x1x1, in opset 11 1x1x2x2",
    ),
    "dilated averages": (
        19,
        one("y = AveragePool <kernel_shape = [2, 2], dilations = [2, 2]> (x)", y="float[2,3,2,3]"),
        "dilations=[2, 2] is not there yet in opset 11",
    ),
    "a normalisation per place": (
        8,
        one("y = BatchNormalization <spatial = 0> (x, s, s, s, s)", x="float[1,2,1,1]", y="float[1,2,1,1]",
            constants="float[2,1,1] s = {1.0, 2.0}"),
        "spatial=0 has a mean per place, newer opsets have one per channel",
    ),
    "a scan over batches": (
        8,
        ("g (float[1,3,2] x) => (float[1,3,2] y) { "
        "y = Scan <num_scan_inputs = 1, body = b (float[2] i) => (float[2] o) { o = Relu (i) }> (, x) }"),
        "it is the Scan of opset 8, which goes over a batch, newer ones do not",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_refused(name: str) -> None:
    opset, text, reason = CASES[name]
    applied = lower(text, opset, verify=False)
    assert refusal(applied) == reason
    assert applied.model.opset == opset
    assert applied.model.digest() == model_of(text, opset=opset, ir_version=10 if opset > 18 else 8).digest()


def test_every_node_that_stands_in_the_way_is_named() -> None:
    applied = lower(one("a = Mish (x)  b = HardSwish (a)  y = Mish (b)"), 18)
    assert applied.result.refused == 3
    assert applied.result.reason.startswith("Mish: there is no Mish in opset 11, it is of opset 18 (2); HardSwish: ")


def test_a_function_of_the_model_stands_in_the_way() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "own": 1]>
    g (float[2] x) => (float[2] y) { y = own.twice (x) }
    <domain: "own", opset_import: ["": 17]> twice (a) => (b) { b = Add (a, a) }"""
    applied = lower(text)
    assert applied.result.reason.startswith("the model's function 'twice' has an opset of its own, it must be inlined")


def test_nothing_is_raised_beyond_eleven() -> None:
    applied = lower(one("y = Relu (x)"), 11, to=13)
    assert applied.result.reason == "opset 13 is newer than the model's 11, nothing is raised beyond 11 (1)"
