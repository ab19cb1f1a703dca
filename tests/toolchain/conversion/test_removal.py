"""What ``remove_node_type`` takes off placed models, in which order, and what stays and why."""

from __future__ import annotations

import pytest

from surgery.errors import InputError
from surgery.ir import Model
from surgery.pipeline.view import place_as_seen
from surgery.report.removal import RemovalPart, removal_part
from surgery.target import load_target
from surgery.toolchain.conversion.edges import Chain, chains, removals
from tests.support import model_of

WEIGHT = ", ".join(["0.125"] * (8 * 8))
CONV = "Conv <kernel_shape = [1,1], strides = [1,1], dilations = [1,1], group = 1, pads = [0,0,0,0]>"
HEAD = f"<float[8,8,1,1] w = {{{WEIGHT}}}, int64[3] s = {{1,8,64}}, int64 one = {{1}}>"
X = "float[1,8,8,8]"


def model(body: str, outputs: str = "float[1,8,64] y", inputs: str = f"{X} x", opset: int = 11) -> Model:
    return model_of(f"g ({inputs}) => ({outputs}) {HEAD} {{ {body} }}", opset=opset, ir_version=7)


TAIL = model(f"c = {CONV} (x, w)  [r] r = Reshape (c, s)  [t] y = Transpose <perm = [0,2,1]> (r)", "float[1,64,8] y")


def ends(network: Model, march: str = "bayes-e") -> dict[str, Chain]:
    return {chain.port: chain for chain in chains(place_as_seen(network, load_target(march)))}


def types(chain: Chain) -> list[str]:
    return [link.type for link in chain.links]


def preview(network: Model, *asked: str, march: str = "bayes-e") -> RemovalPart:
    return removal_part(place_as_seen(network, load_target(march)), asked)


def test_what_the_tool_adds_is_at_the_ends() -> None:
    found = ends(model(f"[c] y = {CONV} (x, w)", f"{X} y"))
    assert types(found["x"]) == ["Quantize"]
    assert types(found["y"]) == ["Dequantize"]
    assert found["y"].stop == "'c' is computed on the BPU"
    assert {link.node for chain in found.values() for link in chain.links} == {""}


def test_what_is_on_the_cpu_at_the_end_goes_from_outside_inwards() -> None:
    found = ends(TAIL)["y"]
    assert [(link.type, link.node) for link in found.links] == [
        ("Transpose", "t"),
        ("Reshape", "r"),
        ("Dequantize", ""),
    ]


@pytest.mark.parametrize(
    ("body", "outputs", "kinds"),
    [
        (
            f"c = {CONV} (x, w)  [m] y = ReduceMean <axes = [2, 3], keepdims = 0> (c)",
            "float[1,8] y",
            ["Reshape", "Dequantize"],
        ),
        (f"c = {CONV} (x, w)  [m] y = ReduceMean <axes = [2, 3]> (c)", "float[1,8,1,1] y", ["Dequantize"]),
        (
            f"c = {CONV} (x, w)  [r] r = Reshape (c, s)  [m] y = Softmax <axis = 2> (r)",
            "float[1,8,64] y",
            ["Softmax", "Reshape", "Dequantize"],
        ),
        (f"c = {CONV} (x, w)  [i] y = Identity (c)", f"{X} y", ["Dequantize"]),
    ],
)
def test_what_is_at_an_output(body: str, outputs: str, kinds: list[str]) -> None:
    assert types(ends(model(body, outputs))["y"]) == kinds


def test_what_only_reshapes_is_a_reshape_and_one_with_the_layout_where_there_is_one_place() -> None:
    assert types(ends(model(f"c = {CONV} (x, w)  [f] y = Flatten (c)", "float[1,512] y"))["y"]) == [
        "Reshape",
        "Dequantize",
    ]
    pooled = model(f"c = {CONV} (x, w)  p = GlobalAveragePool (c)  [f] y = Flatten (p)", "float[1,8] y")
    assert types(ends(pooled)["y"]) == ["Dequantize"]


def test_changes_of_layout_are_nodes_at_the_ends_of_bernoulli2() -> None:
    found = ends(model(f"[c] y = {CONV} (x, w)", f"{X} y"), "bernoulli2")
    assert (types(found["x"]), types(found["y"])) == (["Transpose", "Quantize"], ["Dequantize"])
    thin = ends(model(f"[c] y = {CONV} (x, w)", "float[1,8,1,1] y", "float[1,8,1,1] x"), "bernoulli2")
    assert (types(thin["x"]), types(thin["y"])) == (["Reshape", "Quantize"], ["Reshape", "Dequantize"])


def test_softmax_is_left_out_of_what_is_taken_unasked() -> None:
    network = model(f"c = {CONV} (x, w)  [r] r = Reshape (c, s)  [m] y = Softmax <axis = 2> (r)")
    assert removals(chains(place_as_seen(network, load_target("bayes-e")))) == ("Quantize",)
    part = preview(network, "Softmax;Reshape", "Dequantize")
    assert [one.type for one in part.removed] == ["Softmax", "Reshape", "Dequantize"]


MAP, ROWS, TURNED = f"{X} z", "float[1,8,64] y", "float[1,64,8] y"
STAYS = {
    "a reader on the CPU": (
        f"c = {CONV} (x, w)  [e] z = LogSoftmax <axis = 3> (x)",
        f"{X} c, {MAP}",
        "x",
        "'x' feeds 'Conv' and 'e', it must be the only path",
    ),
    "two readers": (
        f"c = {CONV} (x, w)  [r] y = Reshape (c, s)  [e] z = LogSoftmax <axis = 3> (c)",
        f"{ROWS}, {MAP}",
        "y",
        "'c' also feeds 'e', it must be the only path",
    ),
    "an output, too": (
        f"c = {CONV} (x, w)  [r] r = Reshape (c, s)  [t] y = Transpose <perm = [0,2,1]> (r)",
        f"{TURNED}, float[1,8,64] r",
        "y",
        "'r' is an output, too",
    ),
    "another type": (
        f"c = {CONV} (x, w)  [r] r = Reshape (c, s)  [l] y = LogSoftmax <axis = 2> (r)",
        ROWS,
        "y",
        "LogSoftmax 'l' is no type that is removed",
    ),
    "Softmax at an input": (
        f"[m] m = Softmax <axis = 3> (x)  c = {CONV} (m, w)",
        f"{X} c",
        "x",
        "Softmax 'm' is no type that is removed",
    ),
    "nothing else": ("[t] y = Transpose (x)", f"{X} y", "y", "'x' is an input"),
}


@pytest.mark.parametrize("name", STAYS)
def test_what_stays(name: str) -> None:
    body, outputs, port, reason = STAYS[name]
    assert reason in ends(model(body, outputs))[port].stop


def test_an_input_that_nothing_reads() -> None:
    network = model(f"c = {CONV} (x, w)", f"{X} c", f"{X} x, {X} z")
    assert ends(network)["z"].stop == "nothing reads 'z'"


def test_a_list_is_gone_through_once_or_until_nothing_goes() -> None:
    public = ("Quantize", "Transpose", "Dequantize", "Cast", "Reshape")
    once = preview(TAIL, *public)
    assert [(one.type, one.port) for one in once.removed] == [("Quantize", "x"), ("Transpose", "y"), ("Reshape", "y")]
    [left] = [one for one in once.stays if one.type]
    assert left.reason == "the list is gone through once, and Dequantize comes before Reshape, which is outside of it"
    again = preview(TAIL, *public, march="nash-e")
    assert again.order == "recursive"
    assert not any(one.type for one in again.stays if one.side == "output")


def test_what_is_not_listed_stays() -> None:
    part = preview(TAIL, "Transpose")
    assert [(one.type, one.reason) for one in part.stays] == [
        ("Quantize", "it is not listed"),
        ("Reshape", "it is not listed"),
    ]
    assert [one.type for one in part.candidates] == ["Quantize", "Transpose"]


def test_auto_lists_what_is_there_and_takes_all_of_it() -> None:
    part = preview(TAIL, "auto")
    assert part.types == ("Transpose", "Reshape", "Dequantize", "Quantize")
    assert [one.type for one in part.removed] == list(part.types)
    assert not any(one.type for one in part.stays)


def test_ends_are_in_the_order_in_which_the_graph_comes_to_them() -> None:
    both = f"[a] a = {CONV} (z, w)  [b] y = {CONV} (x, w)  [c] v = Add (a, y)"
    part = preview(model(both, f"{X} v, {X} y", f"{X} x, {X} z"), "Quantize")
    assert [one.port for one in part.removed] == ["z", "x"]


def test_pictures_are_not_quantised() -> None:
    placed = place_as_seen(TAIL, load_target("bayes-e"))
    part = removal_part(placed, ["auto"], frozenset())
    assert "Quantize" not in part.types
    assert part.stays[0].reason == "the input is a picture, which is converted on the BPU"


def test_a_type_that_no_tool_removes_and_a_march_without_a_tool() -> None:
    with pytest.raises(InputError, match="unknown removable type 'Dequantise'") as caught:
        preview(TAIL, "Dequantise")
    assert "Dequantize" in str(caught.value)
    with pytest.raises(InputError, match="unknown removable type 'DequantizeFilter'"):
        preview(TAIL, "DequantizeFilter", march="nash-e")
