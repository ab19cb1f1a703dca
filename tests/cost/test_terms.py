"""What the time of a node is made of, and what it reads from memory or writes there."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from surgery.cost.amounts import amounts
from surgery.cost.coefficients import Alignment, Memory, Rates, rates
from surgery.cost.edges import Edge, edge_of
from surgery.cost.kinds import Kind, kinds
from surgery.cost.overlap import side_by_side, windowed
from surgery.cost.terms import Term
from surgery.ir import Model
from surgery.target import load_target
from tests.cost.make import X5
from tests.support import model_of

PLAIN = Alignment(in_channels=1, stem_in_channels=1, out_channels=1, height=1, width=1, source="none")
W = "float[8,8,3,3] w = {" + ",".join(["0.1"] * 576) + "}"
ODD, LEAST = {"odd_kernel": True}, {"strided_kernel": 3}
D = "float[8,1,7,7] d = {" + ",".join(["0.1"] * 392) + "}"


def model(body: str, inputs: str = "float[1,8,16,16] x", outputs: str = "y", weights: str = "float s = {1.0}") -> Model:
    return model_of(f"g ({inputs}) => ({outputs}) <{weights}> {{ {body} }}")


def terms(made: Model, op: str, align: Alignment = PLAIN, cpu: str = "") -> dict[str, float]:
    node = next(n for n in made.nodes() if n.op == op)
    edge = edge_of(node, lambda n: "cpu" if n.op == cpu else "bpu")
    return {str(t): pytest.approx(v) for t, v in amounts(node, kinds(node), align, edge).items()}


def test_convolutions_by_their_stride_and_their_input():
    chain = "a = Exp(x) b = Conv<pads=[1,1,1,1]{}>(a, w) y = Exp(b)"
    assert terms(model(chain.format(""), weights=W), "Conv") == {"layer": 1, "dense": 8 * 8 * 9 * 256e-9}
    strided = terms(model(chain.format(",strides=[2,2]"), weights=W), "Conv")
    assert strided == {"layer": 1, "dense_strided": 8 * 8 * 9 * 64e-9}
    small = "float[8,3,3,3] w = {" + ",".join(["0.1"] * 216) + "}"
    stem = terms(model("b = Conv<pads=[1,1,1,1]>(x, w) y = Exp(b)", "float[1,3,16,16] x", weights=small), "Conv")
    assert stem["stem_area"] == 256e-6
    assert stem["stem_taps"] == 3 * 256e-6
    assert stem["enter"] == 3 * 256e-6


@pytest.mark.parametrize(("stride", "places"), [(2, 7), (3, 13), (4, 7), (5, 11)])
def test_strides_beyond_two_are_worked_out_between(stride: int, places: int) -> None:
    chain = f"a = Exp(x) b = Conv<strides=[{stride},{stride}]>(a, w) y = Exp(b)"
    assert terms(model(chain, weights=W), "Conv")["dense_strided"] == places * places * 9 * 64e-9


@pytest.mark.parametrize(
    ("said", "kernel", "stride", "taps"),
    [
        (ODD, (2, 2), 2, 9), (ODD, (1, 4), 1, 5), (ODD, (3, 3), 2, 9),
        (LEAST, (2, 2), 2, 9), (LEAST, (1, 2), 2, 9), (LEAST, (2, 2), 1, 4),
        (LEAST, (2, 1), 2, 2), (LEAST, (1, 1), 2, 1), (LEAST, (5, 5), 2, 25),
        ({}, (2, 2), 2, 4),
    ],
)  # fmt: skip
def test_a_kernel_as_the_engine_has_it(said: dict[str, int], kernel: tuple[int, int], stride: int, taps: int) -> None:
    (high, wide), align = kernel, PLAIN.model_copy(update=said)
    weights = f"float[8,8,{high},{wide}] w = {{" + ",".join(["0.1"] * (64 * high * wide)) + "}"
    made = model(f"a = Exp(x) b = Conv<strides=[{stride},{stride}]>(a, w) y = Exp(b)", weights=weights)
    found = amounts(node := next(n for n in made.nodes() if n.op == "Conv"), kinds(node), align, edge_of(node))
    places = prod(node.outputs[0].shape[2:])
    assert found.get("dense", 0) + found.get("dense_strided", 0) == pytest.approx(places * taps * 64e-9)


def test_what_a_convolution_writes_takes_longer_than_few_products():
    align = PLAIN.model_copy(update={"write_macs": 200})
    weights = f"{W}, float[8,8,1,1] p = {{{','.join(['0.1'] * 64)}}}"
    chain = "a = Exp(x) b = Conv(a, p) {} y = Exp(c)"
    size, busy = 8 * 256e-6, 64 * 256 / 200 * 1e-6

    def found(between: str) -> dict[str, float]:
        made = terms(model(chain.format(between), weights=weights), "Conv", align)
        return {name: made[name] for name in ("written", "written_apart") if name in made}

    assert found("c = Sin(b)") == {"written": size - busy}
    assert found("r = Relu(b) c = Conv<strides=[2,2]>(r, w)") == {"written": size - busy, "written_apart": size}
    assert found("r = Exp(b) c = Conv<strides=[2,2]>(r, w)") == {"written": size - busy}
    many = PLAIN.model_copy(update={"write_macs": 4})
    assert terms(model(chain.format("c = Sin(b)"), weights=weights), "Conv", many)["written"] == 0


def test_a_lookup_that_is_read_at_a_stride():
    chain = "a = Conv(x, w) s = Sigmoid(a) b = Mul(a, s) y = Conv<strides=[{0},{0}]>(b, w)"
    assert terms(model(chain.format(2), weights=W), "Mul")["lookup_apart"] == 8 * 196e-6
    assert "lookup_apart" not in terms(model(chain.format(1), weights=W), "Mul")
    clipped = " ".join(f"r{n + 1} = Relu(r{n})" for n in range(2000))
    far = model(f"r0 = Exp(x) {clipped} y = Conv<strides=[2,2]>(r2000, w)", weights=W)
    assert terms(far, "Exp")["lookup_apart"] == 8 * 256e-6


def test_channels_of_a_sum_are_scaled_by_a_layer_of_their_own():
    scale = "float[1,8,1,1] k = {" + ",".join(["0.1"] * 8) + "}"
    made = model("a = Sub(x, z) y = Mul(a, k)", "float[1,8,16,16] x, float[1,8,16,16] z", weights=scale)
    assert terms(made, "Mul")["channels_scaled"] == 8 * 256e-6
    assert terms(made, "Mul")["channels_scaled_call"] == 8e-6
    ones = "float[8,1,1,1] o = {" + ",".join(["0.1"] * 8) + "}"
    alone = "a = Exp(x) b = Conv<group=8{}>(a, o) y = Exp(b)"
    assert terms(model(alone.format(""), weights=ones), "Conv")["channels_scaled"] == 8 * 256e-6
    assert "channels_scaled" not in terms(model(alone.format(",strides=[2,2]"), weights=ones), "Conv")
    behind = model("a = Conv(x, w) y = Mul(a, k)", weights=f"{W}, {scale}")
    assert kinds(behind.graph.nodes[-1]) == (Kind.FUSED,)


def test_two_rows_are_added_up_as_columns():
    assert terms(model("y = Add(x, z)", "float[1,64] x, float[1,64] z"), "Add")["column"] == 64 * 2.75e-6
    assert "column" not in terms(model("y = Add(x, z)", "float[1,64,1] x, float[1,64,1] z"), "Add")
    assert "column" not in terms(model("y = Add(x, s)", "float[1,64] x"), "Add")


def test_a_depthwise_convolution_sees_beyond_its_places():
    made = model("a = Exp(x) b = Conv<group=8,pads=[3,3,3,3]>(a, d) y = Exp(b)", weights=D)
    assert terms(made, "Conv") == {"layer": 1, "depthwise_large": 8 * 22 * 22 * 49e-9}


def test_lookups_by_what_is_before_them_and_how_many():
    alone = model("a = Exp(x) b = Neg(a) y = Exp(b)")
    behind = model("a = Exp(x) b = Conv<pads=[1,1,1,1]>(a, w) c = Neg(b) y = Exp(c)", weights=W)
    assert terms(alone, "Neg") == {"layer": 1, "lookup": 2048e-6}
    assert terms(behind, "Neg") == {"layer": 1, "lookup_behind": 2048e-6}
    few = PLAIN.model_copy(update={"one_by_one": 2048})
    assert terms(behind, "Neg", few) == {"layer": 1, "lookup_small": 2048e-6}


CONV = "Conv<pads=[1,1,1,1]>(x, w)"


def test_sums_that_leave_as_they_are_have_to_be_turned():
    found = terms(model(f"y = {CONV}", weights=W), "Conv")
    assert found["leave_turned"] == 2048e-6
    assert found["leave_rows"] == 8 * 16e-6
    assert "leave" not in found
    assert terms(model("y = Mul(x, s)"), "Mul")["leave_turned"] == 2048e-6
    row = model("y = Mul(x, s)", "float[1,8] x")
    assert terms(row, "Mul")["leave"] == 8e-6


@pytest.mark.parametrize(
    ("body", "op"),
    [
        ("y = Exp(x)", "Exp"),
        ("y = Mul(x, x)", "Mul"),
        ("y = Add(x, s)", "Add"),
        ("y = Conv<pads=[2,2,2,2], dilations=[2,2]>(x, w)", "Conv"),
    ],
)
def test_what_is_no_sum_leaves_in_eight_bits(body: str, op: str) -> None:
    found = terms(model(body, weights=f"float s = {{1.0}}, {W}"), op)
    assert found["leave"] == 2048e-6
    assert "leave_turned" not in found


def test_sums_that_the_march_reads_itself_leave_in_eight_bits() -> None:
    made = model(f"a = {CONV} b = Neg(a) c = Abs(a) y = Exp(c)", weights=W)
    assert terms(made, "Conv", cpu="Abs")["leave"] == 2048e-6


def test_what_the_other_side_reads_leaves_and_what_it_makes_enters():
    made = model("a = Exp(x) b = Neg(a) c = Abs(b) y = Exp(c)")
    assert "leave" not in terms(made, "Neg")
    assert terms(made, "Neg", cpu="Abs")["leave"] == 2048e-6
    assert terms(made, "Abs", cpu="Neg")["enter"] == 2048e-6


@pytest.mark.parametrize(("folded", "first"), [("Identity(a)", ["a"]), ("Transpose<perm=[0,2,3,1]>(a)", [])])
def test_what_leaves_through_a_folded_node_leaves(folded: str, first: list[str]):
    made = model(f"a = {CONV} b = {folded} y = Abs(b)", weights=W)
    node = next(n for n in made.nodes() if n.op == "Conv")
    device = {"Conv": "bpu", "Identity": "folded", "Transpose": "folded", "Abs": "cpu"}
    edge = edge_of(node, lambda n: device[n.op])
    assert [t.name for t in edge.leaves] == ["a"]
    assert [t.name for t in edge.sums] == first


def test_a_node_without_work_of_its_own_still_hands_on():
    made = model("a = Conv<pads=[1,1,1,1]>(x, w) y = Relu(a)", weights=W)
    node = next(n for n in made.nodes() if n.op == "Relu")
    assert amounts(node, (), PLAIN, edge_of(node)) == {Term.LEAVE: pytest.approx(2048e-6)}


FAR = {"dilated_far": 2048e-6, "dilated_written": 2048e-6, "dilated_places": 256e-6, "dilated_rows": 16e-3}


@pytest.mark.parametrize(
    ("dilation", "tile", "places", "beside"),
    [
        (1, (1, 1), 256, {}),
        (2, (4, 8), 256, {"dilated": 2048e-6, "dilated_written": 2048e-6}),
        (4, (1, 1), 256, FAR),
        (3, (1, 1), 9 * 6 * 6, FAR),
        (4, (4, 8), 16 * 4 * 8, FAR),
        (12, (4, 8), 144 * 4 * 8, FAR),
    ],
)
def test_a_dilation_has_its_price_beside_the_products(
    dilation: int, tile: tuple[int, int], places: int, beside: dict[str, float]
) -> None:
    """A far one sorts the places into maps, each of which is worked out in the engine's sides."""
    around = f"pads=[{','.join(4 * [str(dilation)])}], dilations=[{dilation},{dilation}]"
    made = model(f"a = Exp(x) b = Conv<{around}>(a, w) y = Exp(b)", weights=W)
    align = PLAIN.model_copy(update=dict(zip(("height", "width"), tile, strict=True)))
    found = terms(made, "Conv", align)
    assert found == {"layer": 1, "dense": pytest.approx(8 * 8 * 9 * places * 1e-9), **beside}


def test_a_stride_leaves_a_dilation_unsorted() -> None:
    made = model("a = Exp(x) b = Conv<strides=[2,2], pads=[3,3,3,3], dilations=[3,3]>(a, w) y = Exp(b)", weights=W)
    found = terms(made, "Conv")
    assert found["dense_strided"] == pytest.approx(8 * 8 * 9 * 64e-9)
    assert found["dilated_far"] == 2048e-6 / 4
    assert found["dilated_written"] == 512e-6 / 4
    assert found["dilated_places"] == 64e-6 / 4
    assert found["dilated_rows"] == 8e-3 / 4


def test_the_places_of_a_batch_are_those_of_all_its_maps() -> None:
    around = "pads=[3,3,3,3], dilations=[3,3]"
    made = model(f"a = Exp(x) b = Conv<{around}>(a, w) y = Exp(b)", inputs="float[2,8,16,16] x", weights=W)
    assert terms(made, "Conv")["dilated_places"] == 2 * 256e-6
    pool = "kernel_shape=[5,5], pads=[2,2,2,2]"
    made = model(f"a = Exp(x) b = AveragePool<{pool}>(a) y = Exp(b)", inputs="float[2,8,16,16] x")
    assert terms(made, "AveragePool")["average_edge"] == 2 * 256e-6


def test_a_dilation_of_a_single_place_is_none() -> None:
    point = "float[8,8,1,1] w = {" + ",".join(["0.1"] * 64) + "}"
    made = model("a = Exp(x) b = Conv<dilations=[3,3]>(a, w) y = Exp(b)", weights=point)
    assert set(terms(made, "Conv")) == {"layer", "dense"}


@pytest.mark.parametrize(
    ("pool", "beside"),
    [
        ("kernel_shape=[5,5], pads=[2,2,2,2]", {"average_edge": 256e-6, "average_edge_taps": 256 * 25e-6}),
        ("kernel_shape=[5,5], pads=[2,2,2,2], count_include_pad=1", {}),
        ("kernel_shape=[3,3], pads=[1,1,1,1]", {}),
    ],
)
def test_an_average_of_what_there_is_at_the_edge(pool: str, beside: dict[str, float]) -> None:
    taps = 25 if "5,5" in pool else 9
    made = model(f"a = Exp(x) b = AveragePool<{pool}>(a) y = Exp(b)")
    assert terms(made, "AveragePool") == {"layer": 1, "average": 2048 * taps * 1e-6, **beside}


def test_the_largest_of_a_large_window_is_found_in_stages() -> None:
    made = model("a = Exp(x) b = MaxPool<kernel_shape=[5,5], pads=[2,2,2,2]>(a) y = Exp(b)")
    assert terms(made, "MaxPool") == {"layer": 1, "pool": 2048 * 25**0.8 * 1e-6}


def test_a_map_that_becomes_a_row_has_its_elements_turned_one_by_one() -> None:
    made = model("a = Exp(x) b = Flatten(a) y = Exp(b)")
    assert terms(made, "Flatten") == {"layer": 1, "flatten": 2048e-6}
    shapes = "int64[3] groups = {1, 2, 1024}, int64[3] rows = {1, 8, 256}"
    grouped = model("a = Exp(x) b = Reshape(a, groups) y = Exp(b)", weights=shapes)
    assert terms(grouped, "Reshape") == {"layer": 1, "flatten": 2048e-6}
    assert "flatten" not in terms(model("a = Exp(x) b = Reshape(a, rows) y = Exp(b)", weights=shapes), "Reshape")


def test_channels_that_are_cut_are_those_of_a_convolution() -> None:
    cut = "int64[1] l = {0}, int64[1] r = {4}, int64[1] c = {1}"
    made = model("a = Exp(x) b = Slice(a, l, r, c) y = Exp(b)", weights=cut)
    align = PLAIN.model_copy(update={"out_channels": 8})
    assert terms(made, "Slice", align) == {"layer": 1, "cut": 1024e-6, "cut_convolved": 8 * 8 * 256e-9}


WINDOWS = "int64[6] t = {1, 8, 2, 8, 2, 8}, int64[4] r = {4, 8, 8, 8}"


def test_windows_of_a_map_are_laid_apart_row_by_row() -> None:
    body = "a = Conv<pads=[1,1,1,1]>(x, w) b = Reshape(a, t) c = Transpose<perm=[0,2,4,1,3,5]>(b) d = Reshape(c, r)"
    made = model(f"{body} y = Exp(d)", weights=f"{WINDOWS}, {W}")
    first, last = (n for n in made.nodes() if n.op == "Reshape")
    assert (kinds(first), kinds(last)) == (("window",), ("window",))
    assert terms(made, "Transpose") == {"layer": 1, "scatter": 2048e-6, "scatter_rows": 8 * 2 * 8e-6}
    assert terms(made, "Reshape") == {"layer": 1, "window": 2048e-6}


def test_windows_of_a_map_channels_first_are_cut_row_by_row() -> None:
    body = "a = Conv<pads=[1,1,1,1]>(x, w) b = Reshape(a, t) c = Transpose<perm=[0,2,4,3,5,1]>(b) d = Reshape(c, r)"
    made = model(f"{body} y = Exp(d)", weights=f"{WINDOWS}, {W}")
    assert kinds(next(n for n in made.nodes() if n.op == "Reshape")) == (Kind.VIEW,)
    assert terms(made, "Transpose") == {"layer": 1, "scatter": 2048e-6, "scatter_rows": 8 * 2 * 8 * 2e-6}


def test_the_other_side_of_a_sum_is_turned_with_a_map_that_is_turned_back() -> None:
    align = PLAIN.model_copy(update={"lane": 32})
    inputs = "float[1,8,16,16] x, float[1,16,16,8] z"
    turned = terms(model("a = Exp(z) b = Transpose<perm=[0,3,1,2]>(a) c = Exp(x) y = Add(b, c)", inputs), "Add", align)
    assert turned["turn"] == 16 * 16 * 32e-6
    both = "float[1,16,16,8] x, float[1,16,16,8] z"
    perm = "Transpose<perm=[0,3,1,2]>"
    assert "turn" not in terms(model(f"a = {perm}(z) b = {perm}(x) y = Add(a, b)", both), "Add", align)


def test_windows_are_joined_to_a_map_run_by_run() -> None:
    shapes = "int64[6] t = {1, 2, 2, 8, 8, 8}, int64[4] r = {1, 8, 16, 16}"
    body = "a = Reshape(x, t) b = Transpose<perm=[0,3,1,4,2,5]>(a) c = Reshape(b, r) y = Exp(c)"
    made = model(body, inputs="float[4,8,8,8] x", weights=shapes)
    assert terms(made, "Transpose") == {"layer": 1, "scatter": 2048e-6, "scatter_runs": 256e-6}
    assert [kinds(n)[0] for n in made.nodes() if n.op == "Reshape"] == ["move", "join"]


def test_matrices_that_enter_are_laid_out_as_they_are_loaded() -> None:
    made = model("a = MatMul(x, z) y = Exp(a)", inputs="float[1,1,4,8] x, float[1,1,8,4] z")
    found = terms(made, "MatMul")
    assert found["matmul_read"] == 0
    assert "enter" not in found


def test_few_elements_are_looked_up_by_rows_that_are_full() -> None:
    few = PLAIN.model_copy(update={"one_by_one": 2048, "map_width": 8})
    few = few.model_copy(update={"in_channels": 4})
    sizes = ("1,8,4,14", 8 * 4 * 16), ("1,3,4,14", 4 * 4 * 16), ("1,8,14,1", 8 * 16), ("1,3,1,1", 3), ("8,14", 112)
    for shape, size in sizes:
        made = model("a = Neg(x) b = Abs(a) y = Neg(b)", inputs=f"float[{shape}] x")
        assert terms(made, "Abs", few)["lookup_small"] == size * 1e-6
    padded = model("a = Neg(x) b = Abs(a) y = Neg(b)", inputs="float[1,5,16,17] x")
    assert "lookup_small" not in terms(padded, "Abs", few)
    native = model("a = Neg(x) b = LeakyRelu(a) y = Neg(b)")
    assert "lookup_small" not in terms(native, "LeakyRelu", few)


def test_sizes_are_those_that_the_chip_holds():
    align = PLAIN.model_copy(update={"map_channels": 16, "map_height": 3, "map_width": 10})
    made = model("a = Exp(x) b = Neg(a) y = Exp(b)")
    assert terms(made, "Neg", align) == {"layer": 1, "lookup": 16 * 18 * 20e-6}


def test_heads_of_a_map_are_cut_at_once_and_those_of_a_product_one_by_one():
    shape = "int64[4] t = {1, 8, 16, 16}"
    heads = model("a = Exp(x) y = Reshape(a, t)", inputs="float[1,2,4,256] x", weights=shape)
    assert terms(heads, "Reshape") == {"layer": 1, "part": 1024e-6, "part_rows": 64e-6, "leave": 2048e-6}
    product = model("a = MatMul(x, z) y = Reshape(a, t)", inputs="float[1,2,4,8] x, float[1,2,8,256] z", weights=shape)
    assert terms(product, "Reshape") == {"layer": 1, "part": 2048e-6, "part_rows": 128e-6, "leave": 2048e-6}


@pytest.mark.parametrize(("tokens", "large"), [(1024, False), (2048, True)])
def test_tokens_that_are_laid_apart(tokens: int, large: bool) -> None:
    weights = f"int64[5] t = {{1, {tokens}, 3, 4, 4}}, float[8,48] w = {{" + ",".join(["0.1"] * 384) + "}"
    made = model("m = MatMul(x, w) y = Reshape(m, t)", inputs=f"float[1,{tokens},8] x", weights=weights)
    size = tokens * 48e-6
    expected = {"layer": 1, "apart": size, "leave": size} | ({"apart_large": size} if large else {})
    assert terms(made, "Reshape") == expected


def test_heads_have_rows_as_long_as_the_lane() -> None:
    weights = "int64[4] t = {1, 64, 4, 12}, int64[3] r = {1, 8, 64}, float[8,48] w = {" + ",".join(["0.1"] * 384) + "}"
    body = "a = Reshape(x, r) b = Transpose<perm=[0,2,1]>(a) m = MatMul(b, w) y = Reshape(m, t)"
    made = model(body, inputs="float[1,8,8,8] x", weights=weights)
    reshape = made.graph.nodes[-1]
    align = PLAIN.model_copy(update={"lane": 128})
    assert amounts(reshape, kinds(reshape), align, Edge()) == {"layer": 1, "heads": pytest.approx(64 * 4 * 128e-6)}


def test_numbers_times_a_product_are_channels_that_are_rounded_up():
    align = PLAIN.model_copy(update={"out_channels": 16})
    inputs = "float[1,2,4,8] x, float[1,2,8,4] z"
    assert terms(model("a = MatMul(x, z) y = Mul(a, s)", inputs=inputs), "Mul", align) == {
        "layer": 1,
        "scale": 16 * 16e-6,
        "leave_turned": 32e-6,
        "leave_rows": 8e-6,
    }


def test_windows_of_layers_hide_each_others_loading():
    layers = np.array([(10.0, 1.0, 0.0), (1.0, 10.0, 0.0)])
    assert windowed(layers, 0.0, 1) == 20
    assert windowed(layers, 0.0, 2) == pytest.approx((10 + 11 + 10) / 2)
    assert windowed(layers, 1.0, 3) == pytest.approx(22)
    assert windowed(np.array([]), 0.0, 3) == 0
    assert Memory.model_fields["window"].default == 1


def test_weights_without_room_beside_those_in_use_are_not_loaded_ahead():
    assert side_by_side(10.0, 8.0, 5.0, 0.0) == 15
    assert side_by_side(10.0, 8.0, 8.0, 0.0) == 18
    assert side_by_side(10.0, 8.0, 0.0, 0.25) == 12
    assert windowed(np.array([(10.0, 1.0, 0.0), (1.0, 10.0, 7.0)]), 0.0, 2) == pytest.approx((10 + 18 + 10) / 2)
    sheet = rates(load_target("bayes-e")).sheet

    def table(room: float | None) -> Rates:
        memory = sheet.memory.model_copy(update={"ahead_mb": room})
        return Rates(sheet.model_copy(update={"memory": memory}))

    each = table(1.0).moved.us.mid
    assert table(1.0).late(500_000, 500_000) == 0
    assert table(1.0).late(750_000, 300_000) == pytest.approx(each * 0.3 * 2 / 3)
    assert table(1.0).late(2_000_000, 2_000_000) == pytest.approx(each * 2)
    assert table(None).late(10**9, 10**9) == 0


def test_one_place_is_rounded_up_as_the_march_says():
    made = model("a = Exp(x) y = Gemm(a, g)", "float[1,64] x", weights=f"float[64,8] g = {{{','.join(['0'] * 512)}}}")
    assert terms(made, "Gemm", rates(X5).align)["dense"] == 64 * 32 * 32e-9
    assert terms(made, "Gemm", PLAIN.model_copy(update={"height": 4, "width": 8, "single": 1}))["dense"] == 512e-9
