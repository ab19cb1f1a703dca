"""Which engine a node keeps busy, and what is free because a neighbour does it."""

from __future__ import annotations

from math import prod

import pytest

from surgery.cost.kinds import kinds
from tests.support import model_of
from tests.target.nodes import node

CONV = "float[8,4,3,3] w"


def found(body: str, inputs: str = "float[1,4,8,8] x", outputs: str = "y", weights: str = "") -> dict[str, str]:
    """The kinds by op type; ops that occur twice get a number."""
    text = (
        f"g ({inputs}) => ({outputs}) <{weights}> {{ {body} }}"
        if weights
        else f"g ({inputs}) => ({outputs}) {{ {body} }}"
    )
    table: dict[str, str] = {}
    for made in model_of(text).nodes():
        key = made.op if made.op not in table else f"{made.op}{sum(k.startswith(made.op) for k in table) + 1}"
        table[key] = "+".join(kinds(made))
    return table


ONE = "float s = {1.0}, float h = {0.5}, float r = {1.414}"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a = Sigmoid(x) y = Mul(x, a)", {"Sigmoid": "fused", "Mul": "lookup"}),
        ("a = Sigmoid(x) y = Mul(a, x)", {"Sigmoid": "fused", "Mul": "lookup"}),
        ("a = HardSigmoid<alpha=0.16666667>(x) y = Mul(x, a)", {"HardSigmoid": "fused", "Mul": "lookup"}),
        ("a = HardSigmoid(x) y = Mul(x, a)", {"HardSigmoid": "lookup", "Mul": "gate"}),
        ("a = Softplus(x) b = Tanh(a) y = Mul(x, b)", {"Softplus": "fused", "Tanh": "fused", "Mul": "lookup"}),
        ("a = Tanh(x) y = Mul(x, a)", {"Tanh": "lookup", "Mul": "gate"}),
        ("y = Sigmoid(x)", {"Sigmoid": "lookup"}),
        ("y = Relu(x)", {"Relu": "lookup"}),
        ("y = Transpose<perm=[0,2,3,1]>(x)", {"Transpose": "turn"}),
        ("y = Flatten(x)", {"Flatten": "flatten"}),
        ("a = GlobalAveragePool(x) y = Flatten(a)", {"GlobalAveragePool": "global", "Flatten": "view"}),
        ("a = AveragePool<kernel_shape=[2,2]>(x) y = Relu(a)", {"AveragePool": "pool", "Relu": "fused"}),
        ("a = Mul(x, x) y = Relu(a)", {"Mul": "gate", "Relu": "lookup"}),
        ("y = Softmax(x)", {"Softmax": "reduce+elementwise+lookup+reduce+elementwise"}),
        ("y = GlobalAveragePool(x)", {"GlobalAveragePool": "global"}),
        ("y = MatMul(x, x)", {"MatMul": "matmul"}),
    ],
)
def test_without_weights(body, expected):
    assert found(body) == expected


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((1, 8, 1, 1), "fused"), ((8, 1, 1), "fused"), ((1,), "fused"), ((1, 1, 6, 6), "gate"),
     ((6, 6), "gate"), ((6,), "gate")],
)  # fmt: skip
def test_a_factor_per_place_is_not_taken_up_as_one_per_channel_is(shape, kind):
    """They are two layers, on the X3 the second of 830 us (data/efficiency/averages.csv)."""
    values = ", ".join(["0.5"] * prod(shape))
    weights = f"float{list(shape)} m = {{{values}}}"
    inputs = f"float[1,4,8,8] x, {CONV}"
    assert found("a = Conv(x, w) y = Mul(a, m)", inputs, "float[1,8,6,6] y", weights)["Mul"] == kind
    summed = found("a = Conv(x, w) y = Add(a, m)", inputs, "float[1,8,6,6] y", weights)["Add"]
    assert summed == {"gate": "elementwise"}.get(kind, kind)


def shaped(op, shape, **attrs):
    """The kinds of one operator on a value of a shape."""
    made = node(op, [shape], shape, **attrs)
    return "+".join(kinds(made))


def shaped_to(op, before, after, **attrs):
    """The kinds of one operator between values of two shapes."""
    return "+".join(kinds(node(op, [before], after, **attrs)))


def test_transposes_are_told_apart_by_what_they_part():
    """Leading axes that stay, and short runs of elements over three axes or more (seen at O2 on bayes-e)."""
    assert shaped("Transpose", (1, 256, 4, 16), perm=[0, 2, 1, 3]) == "move"
    assert shaped("Transpose", (4, 49, 3, 32), perm=[0, 2, 1, 3]) == "move"
    assert shaped("Transpose", (2, 32, 784), perm=[1, 0, 2]) == "move"
    assert shaped("Transpose", (1, 2, 32, 28, 28), perm=[0, 2, 1, 3, 4]) == "block"
    assert shaped("Transpose", (1, 2, 8, 2, 8, 64), perm=[0, 1, 3, 2, 4, 5]) == "block"
    assert shaped("Transpose", (1, 256, 3, 4, 16), perm=[2, 0, 3, 4, 1]) == "turn"
    assert shaped("Transpose", (1, 256, 3, 4, 16), perm=[2, 0, 3, 1, 4]) == "scatter"
    assert shaped("Transpose", (1, 64, 8, 2, 8, 2), perm=[0, 1, 3, 5, 2, 4]) == "scatter"
    assert shaped("Transpose", (1, 64, 2, 8, 2, 8), perm=[0, 2, 4, 1, 3, 5]) == "scatter"
    assert shaped("Transpose", (1, "N", 2, 8), perm=[3, 2, 1, 0]) == "move"


def test_blocks_and_splits():
    assert shaped("DepthToSpace", (1, 16, 4, 4), blocksize=2) == "block"
    assert shaped("Split", (1, 16, 4, 4), axis=1) == "slice"
    assert shaped("Split", (3, 1, 4, 256, 16), axis=0) == "slice"
    assert shaped("Split", (1, 256, 192), axis=2) == "scatter"


@pytest.mark.parametrize("halved", ["Mul(d, h)", "Mul(h, d)"])
def test_gelu_in_the_erf_form_is_one_lookup(halved: str) -> None:
    body = f"a = Div(x, r) b = Erf(a) c = Add(b, s) d = Mul(x, c) y = {halved}"
    assert found(body, weights=ONE) == {
        "Div": "fused",
        "Erf": "fused",
        "Add": "fused",
        "Mul": "fused",
        "Mul2": "lookup",
    }


@pytest.mark.parametrize(
    ("inputs", "kind"),
    [
        ("float[1,4,8,8] x, float[1,4,8,8] z", "gate"),
        ("float[1,4,8,8] x, float[1,1,8,8] z", "gate"),
        ("float[1,4,8,8] x, float[1,4,1,1] z", "elementwise"),
        ("float[4,8,8] x, float[4,8,8] z", "elementwise"),
    ],
)
@pytest.mark.parametrize("op", ["Mul", "Div"])
def test_a_map_times_a_map(op: str, inputs: str, kind: str) -> None:
    assert found(f"y = {op}(x, z)", inputs=inputs) == {op: kind}
    assert found("y = Add(x, z)", inputs=inputs) == {"Add": "elementwise"}


def test_an_activation_whose_inside_is_read_elsewhere_is_no_lookup():
    table = found("a = Sigmoid(x) y = Mul(x, a) z = Exp(a)", outputs="y, z")
    assert table["Sigmoid"] == "lookup"
    assert table["Mul"] == "gate"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("y = Conv<pads=[1,1,1,1]>(x, w)", {"Conv": "dense"}),
        ("a = Conv<pads=[1,1,1,1]>(x, w) y = Relu(a)", {"Conv": "dense", "Relu": "fused"}),
        (
            "a = Conv<pads=[1,1,1,1]>(x, w) b = Add(a, x8) y = Relu(b)",
            {"Conv": "dense", "Add": "shortcut", "Relu": "fused"},
        ),
        ("a = Conv<pads=[1,1,1,1]>(x, w) y = Mul(a, k)", {"Conv": "dense", "Mul": "fused"}),
        (
            "a = Conv<pads=[1,1,1,1]>(x, w) y = BatchNormalization(a, k8, k8, k8, k8)",
            {"Conv": "dense", "BatchNormalization": "fused"},
        ),
        ("y = BatchNormalization(x8, k8, k8, k8, k8)", {"BatchNormalization": "elementwise"}),
        ("y = Mul(x, k)", {"Mul": "elementwise"}),
        ("y = Conv<group=8>(x8, d)", {"Conv": "depthwise"}),
        ("y = Conv<group=2>(x8, w)", {"Conv": "dense"}),
    ],
)
def test_around_convolutions(body, expected):
    weights = (
        "float[8,4,3,3] w = {" + ",".join(["0.1"] * 288) + "}, float k = {2.0}, float[8] k8 = {1,1,1,1,1,1,1,1},"
        " float[8,1,3,3] d = {" + ",".join(["0.1"] * 72) + "}"
    )
    assert found(body, "float[1,4,8,8] x, float[1,8,8,8] x8", weights=weights) == expected


def test_what_a_reshape_does_to_rows():
    shapes = {"flat": (1, -1), "three": (2, 2, 64), "four": (1, 8, 8, 4), "same": (2, 2, 8, 8)}
    weights = ", ".join(f"int64[{len(s)}] {name} = {{{', '.join(map(str, s))}}}" for name, s in shapes.items())
    assert found("y = Reshape(x, flat)", "float[1,4,1,1] x", weights=weights) == {"Reshape": "view"}
    assert found("y = Reshape(x, three)", weights=weights) == {"Reshape": "join"}
    assert found("y = Reshape(x, four)", weights=weights) == {"Reshape": "part"}
    assert found("y = Reshape(x, same)", weights=weights) == {"Reshape": "move"}


W4 = "float[4,4,1,1] w = {" + ",".join(["0.1"] * 16) + "}"


def test_the_places_of_a_map_are_listed_for_nothing_behind_a_convolution():
    weights = f"{W4}, int64[3] rows = {{1, 4, 64}}, int64[4] map = {{1, 4, 8, 8}}"
    assert found("a = Conv(x, w) y = Reshape(a, rows)", weights=weights)["Reshape"] == "view"
    assert found("a = Conv(x, w) r = Relu(a) y = Reshape(r, rows)", weights=weights)["Reshape"] == "view"
    assert found("a = Reshape(x, map) y = Conv(a, w)", "float[1,4,64] x", weights=weights)["Reshape"] == "part"
    assert found("a = Exp(x) y = Reshape(a, rows)", weights=weights)["Reshape"] == "join"


def test_tokens_of_a_map_and_back_are_free():
    weights = "int64[3] rows = {1, 4, 64}, int64[4] map = {1, 4, 8, 8}"
    there = "a = Reshape(x, rows) t = Transpose<perm=[0,2,1]>(a)"
    body = f"{there} e = Exp(t) b = Transpose<perm=[0,2,1]>(e) y = Reshape(b, map)"
    table = found(body, weights=weights)
    assert set(table.values()) == {"view", "lookup"}
    other = found("a = Reshape(x, rows) y = Transpose<perm=[1,0,2]>(a)", weights=weights)
    assert other["Reshape"] == "join"


def test_a_transpose_of_five_axes_parts_the_rows_itself():
    weights = "int64[5] heads = {1, 64, 2, 2, 4}, int64[5] five = {1, 64, 2, 2, 4}"
    turned = "a = Reshape(x, heads) y = Transpose<perm=[2,0,3,4,1]>(a)"
    parted = "a = Reshape(x, heads) y = Transpose<perm=[2,0,3,1,4]>(a)"
    assert found(turned, "float[1,64,16] x", weights=weights) == {"Reshape": "view", "Transpose": "turn"}
    assert found(parted, "float[1,64,16] x", weights=weights)["Reshape"] == "part"


def test_queries_keys_and_values_are_laid_apart_or_cut_into_heads():
    weights = (
        "int64[5] five = {1, 64, 3, 2, 2}, int64[4] four = {1, 64, 2, 6}, float[4,12] w = {"
        + ",".join(["0.1"] * 48)
        + "}, float[12] b = {"
        + ",".join(["0"] * 12)
        + "}, int64[3] rows = {1, 4, 64}"
    )
    of_a_map = "a = Reshape(x, rows) t = Transpose<perm=[0,2,1]>(a) m = MatMul(t, w)"
    apart = "f = Reshape(m, five) y = Transpose<perm=[2,0,3,1,4]>(f)"
    tokens = "float[1,64,4] x"
    assert found(f"{of_a_map} c = Add(m, b) {apart.replace('(m', '(c')}", weights=weights)["Reshape2"] == "apart"
    assert found(f"m = MatMul(x, w) {apart}", tokens, weights=weights)["Reshape"] == "apart"
    assert found(f"{of_a_map} y = Reshape(m, four)", weights=weights)["Reshape2"] == "heads"
    assert found("m = MatMul(x, w) y = Reshape(m, four)", tokens, weights=weights)["Reshape"] == "part"
    assert found("y = Reshape(x, four)", "float[1,64,12] x", weights=weights)["Reshape"] == "part"


def test_reductions_of_a_map_are_global_and_others_are_not():
    assert shaped_to("ReduceMean", (1, 4, 8, 8), (1, 4, 1, 1), axes=[2, 3]) == "global"
    assert shaped_to("ReduceMean", (1, 4, 8, 8), (1, 4), axes=[2, 3], keepdims=0) == "global"
    assert shaped_to("ReduceMean", (1, 4, 8, 8), (1, 1, 8, 8), axes=[1]) == "reduce"


def test_kinds_of_convolutions():
    def kind(weight: tuple[int, ...], group: int, op: str = "Conv") -> str:
        held = f"float[{','.join(map(str, weight))}] w = {{{','.join(['0'] * prod(weight))}}}"
        return found(f"y = {op}<group={group}>(x, w)", weights=held)[op]

    assert kind((4, 1, 3, 3), 4) == "depthwise"
    assert kind((8, 1, 3, 3), 4) == "multiplied"
    assert kind((4, 2, 3, 3), 2) == "dense"
    assert kind((4, 1, 2, 2), 4, "ConvTranspose") == "depthwise"
    assert kind((4, 2, 2, 2), 1, "ConvTranspose") == "transposed"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("y, z = Split<axis=1>(x)", "split"),
        ("y, z = Split<axis=2>(x)", "slice"),
        ("y = Slice(x, b, e, c)", "cut"),
        ("y = Slice(x, b, e, h)", "slice"),
    ],
)
def test_channels_of_a_map_are_told_apart_otherwise_than_places(body: str, kind: str) -> None:
    outputs = "y, z" if "z" in body else "y"
    weights = "int64[1] b = {0}, int64[1] e = {2}, int64[1] c = {1}, int64[1] h = {2}"
    assert found(body, outputs=outputs, weights=weights) == {body.partition("(")[0].split()[-1].split("<")[0]: kind}
