"""strip-io-nodes: what goes, in which order, what stays and why; and that the host's part makes it whole again."""

from __future__ import annotations

import numpy as np
import pytest

from passes.strip import REMOVABLE, StripIoNodes
from surgery.drift.inputs import make_inputs
from surgery.errors import InputError
from surgery.ir.session import open_session
from surgery.pipeline.pipeline import Pipeline
from tests.support import Applied, apply_pass, interface, model_of

QDQ = """g (float[1,3,4,4] x) => (float[1,4,4,4] y)
<float s = {0.05}, int8 z = {3}, float so = {0.1}, int8 zo = {-2}, float[4,3,1,1] w = {1,2,3,4,5,6,7,8,9,10,11,12}>
{
    q = QuantizeLinear (x, s, z)
    d = DequantizeLinear (q, s, z)
    c = Conv (d, w)
    qo = QuantizeLinear (c, so, zo)
    y = DequantizeLinear (qo, so, zo)
}"""

TAIL = """g (float[1,3,2,2] x) => (float[1,4,3] y)
<float s = {0.1}, int8 z = {0}, int64[3] shape = {1,3,4}>
{
    r = Relu (x)
    q = QuantizeLinear (r, s, z)
    d = DequantizeLinear (q, s, z)
    f = Reshape (d, shape)
    y = Transpose <perm = [0, 2, 1]> (f)
}"""


def strip(text: str, march: str | None = None, **options: object) -> Applied:
    """Not idempotent: the lists are gone through once, so that another run finds other nodes at the edges."""
    return apply_pass(model_of(text), StripIoNodes(**options), march, idempotent=False)  # type: ignore[arg-type]


def test_names_are_separated_as_in_the_toolchain_and_hold_no_separator() -> None:
    assert StripIoNodes(names="a; b;").names == ("a", "b")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"the name 'a,b' holds ',', which separates names; give its type in types"):
        Pipeline.of("strip-io-nodes").with_options({"strip-io-nodes.names": "a,b"})
    with pytest.raises(InputError, match=r"the name 'a;b' holds ';'"):
        Pipeline.of({"strip-io-nodes": {"names": ["a;b"]}})


def test_quantise_and_dequantise_go_at_both_ends() -> None:
    done = strip(QDQ)
    assert done.ops == ["Conv"]
    assert interface(done.model) == [("d", "float32", "1x3x4x4"), ("c", "float32", "1x4x4x4")]
    assert done.result.applied == 4
    assert done.manager.io is not None
    assert done.manager.io.removed == (
        "QuantizeLinear_0"[:14],
        "DequantizeLinear",
        "QuantizeLinear_1",
        "DequantizeLinear_1",
    )
    assert done.result.drift_total == 0.0


def test_the_host_part_around_the_stripped_model_is_the_original_bit_by_bit() -> None:
    original = model_of(QDQ)
    done = strip(QDQ)
    io = done.manager.io
    assert io is not None
    whole = io.compose(done.model)
    assert interface(whole) == interface(original)
    for sample in make_inputs(original, samples=3).samples:
        ours, theirs = open_session(whole).run(sample)["y"], open_session(original).run(sample)["y"]
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("types", "march", "left"),
    [
        ("Quantize Transpose Dequantize Cast Reshape", "bayes-e", ["Relu", "QuantizeLinear", "DequantizeLinear"]),
        ("Transpose Reshape Dequantize Quantize", "bayes-e", ["Relu"]),
        ("Quantize Transpose Dequantize Cast Reshape", "nash-e", ["Relu"]),
    ],
)
def test_order_of_the_list_matters_to_hb_mapper_and_not_to_hb_compile(types: str, march: str, left: list[str]) -> None:
    assert strip(TAIL, march, types=tuple(types.split()), order="march").ops == left


def test_order_can_be_chosen_against_the_march() -> None:
    assert strip(TAIL, "bayes-e", types=("Dequantize", "Transpose", "Reshape", "Quantize"), order="recursive").ops == [
        "Relu"
    ]


def test_one_end_only() -> None:
    assert strip(QDQ, side="inputs").ops == ["Conv", "QuantizeLinear", "DequantizeLinear"]
    assert strip(QDQ, side="outputs").ops == ["QuantizeLinear", "DequantizeLinear", "Conv"]


def test_by_name_in_the_order_given() -> None:
    listed = strip(TAIL, types=(), names=("Transpose", "Reshape"), order="listed")
    assert listed.ops == ["Relu", "QuantizeLinear", "DequantizeLinear"]
    listed = strip(TAIL, types=(), names=("Reshape", "Transpose"), order="listed")
    assert listed.ops == ["Relu", "QuantizeLinear", "DequantizeLinear", "Reshape"]


def test_per_channel_scales_move_with_their_axis() -> None:
    done = strip(
        """g (float[1,2,3] x) => (float[1,2,3] y) <float[2] s = {0.1, 0.2}, int8[2] z = {0, 1}>
        { r = Relu (x) q = QuantizeLinear <axis = 1> (r, s, z) y = DequantizeLinear <axis = 1> (q, s, z) }"""
    )
    assert done.ops == ["Relu"]


def test_every_removable_type_goes_at_an_output() -> None:
    text = """g (float[1,6] x) => (float[2,3] y) <int64[2] shape = {2, -1}>
    { r = Relu (x) c = Cast <to = 1> (r) f = Reshape (c, shape) t = Transpose <perm = [1, 0]> (f)
      u = Transpose <perm = [1, 0]> (t) y = Softmax <axis = -1> (u) }"""
    assert strip(text, types=REMOVABLE).ops == ["Relu"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "g (float[2,3] x) => (float[2,3] y, float[3,2] v) { v = Transpose (x) y = Relu (x) }",
            "input 'x' also feeds 'Relu', the node must be the only path",
        ),
        (
            "g (float[2,3] x) => (float[2,3] y, float[3,2] v) { y = Relu (x) v = Transpose (y) }",
            "tensor 'y' is also a graph output, the node must be the only path",
        ),
        (
            "g (float[2,3] x) => (float[2,3] y, float[3,2] v) { r = Relu (x) v = Transpose (r) y = Sigmoid (r) }",
            "tensor 'r' also feeds 'Sigmoid', the node must be the only path",
        ),
        (
            "g (float[2,3] x) => (float[3,2] v, float[3,2] y) { r = Relu (x) v = Transpose (r) y = Neg (v) }",
            "output 'v' is also read inside the model, the node must be the end of a single path",
        ),
        (
            "g (float[2,3] x) => (float[3,2] y) { y = Transpose (x) }",
            "nothing but 'Transpose' stands between 'x' and the output",
        ),
        (
            "g (float[6] x, int64[2] n) => (float[a,b] y) { r = Relu (x) y = Reshape (r, n) }",
            "'Reshape' has a second input that is computed, it must have one path through it",
        ),
    ],
)
def test_refusals(text: str, reason: str) -> None:
    done = strip(text, types=("Transpose", "Reshape"), side="outputs" if "nothing" in reason else "both")
    assert reason in done.reasons
    assert done.result.applied == 0


def test_a_type_that_cannot_be_removed_by_name() -> None:
    done = strip("g (float[2,3] x) => (float[2,3] y) { r = Neg (x) y = Relu (r) }", types=(), names=("Relu",))
    assert done.reasons == [f"Relu is no type that can be removed ({', '.join(REMOVABLE)})"]


def test_an_unknown_inner_type_stays() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "custom": 1]>
    g (float[2] x) => (float[2] y) { t = custom.Thing (x) y = Cast <to = 1> (t) }"""
    done = apply_pass(model_of(text), StripIoNodes(types=("Cast",)), verify=False)
    assert "the type of 't' is not known, it would become an end of the model" in done.reasons


def test_protected_nodes_stay() -> None:
    import re

    from surgery.pipeline.manager import Manager

    manager = Manager(model_of(QDQ), protect=re.compile("^DequantizeLinear$"), trace=True)
    result = manager.run([("strip-io-nodes", StripIoNodes())])[-1]
    assert [n.op for n in manager.model.graph.nodes] == ["DequantizeLinear", "Conv"]
    assert "'DequantizeLinear' is protected" in {e.reason for e in result.events}


def test_two_strips_compose() -> None:
    pipeline = Pipeline.of(
        {"strip-io-nodes": {"types": ["Dequantize"]}, "id": "first"},
        {"strip-io-nodes": {"types": ["Quantize", "Dequantize"]}},
    )
    result = pipeline.run(model_of(QDQ), march="nash-e")
    assert result.io is not None
    assert [n.op for n in result.model.nodes()] == ["Conv"]
    assert interface(result.io.compose(result.model)) == interface(model_of(QDQ))
    assert result.verified == "full"
    assert result.drift is not None
    assert all(out.bit_identical for out in result.drift.outputs)


def test_bad_options_name_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown removable type 'Dequantise'") as caught:
        Pipeline.of({"strip-io-nodes": {"types": ["Dequantise"]}})
    assert "Dequantize" in str(caught.value)
    with pytest.raises(InputError, match="unknown node 'Tranpose'"):
        strip(TAIL, names=("Tranpose",))


def test_an_output_returned_twice_stays() -> None:
    done = strip(
        "g (float[2,3] x) => (float[3,2] y, float[3,2] y) { r = Relu (x) y = Transpose (r) }", types=("Transpose",)
    )
    assert done.ops == ["Relu", "Transpose"]
