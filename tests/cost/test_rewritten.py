"""What rewrites make: maps spread apart, odd channels, lines of maps, and maps that cross to the host."""

from __future__ import annotations

import pytest

from surgery.cost.coefficients import Alignment
from surgery.cost.edges import Edge, edge_of
from surgery.ir import Model
from tests.cost.test_terms import PLAIN, model, terms

POOL = "AveragePool<kernel_shape=[2,2], strides=[2,2]>"
CONV = "Conv<kernel_shape=[1,1]>"
POINT = "float[8,8,1,1] w = {" + ",".join(["0.1"] * 64) + "}"
TURNED = PLAIN.model_copy(update={"turned_above": 4, "turned_times": 5, "turned_width": 10})


def _edge(made: Model, op: str, *cpu: str) -> Edge:
    return edge_of(next(n for n in made.nodes() if n.op == op), lambda n: "cpu" if n.op in cpu else "bpu")


@pytest.mark.parametrize(("stride", "places"), [(2, {}), (3, {"spread_places": 48 * 48e-6})])
def test_a_map_spread_apart_is_what_it_becomes_and_far_apart_its_places_too(
    stride: int, places: dict[str, float]
) -> None:
    weights = "float[8,1,3,3] w = {" + ",".join(["0.1"] * 72) + "}"
    pads = ",".join(["0"] * 2 + [str(3 - stride)] * 2)
    body = f"a = Exp(x) b = ConvTranspose<group=8, strides=[{stride},{stride}], pads=[{pads}]>(a, w) y = Exp(b)"
    size = 16 * stride
    assert terms(model(body, weights=weights), "ConvTranspose") == {
        "layer": 1,
        "spread": pytest.approx(8 * size * size * 1e-6),
        **places,
    }


@pytest.mark.parametrize(("first", "odd"), [(8, False), (6, True)])
def test_channels_that_begin_between_two_multiples_are_put_in_their_places(first: int, *, odd: bool) -> None:
    align = PLAIN.model_copy(update={"in_channels": 4})
    inputs = f"float[1,{first},4,4] x, float[1,5,4,4] z"
    found = terms(model("a = Exp(x) b = Neg(z) c = Concat<axis=1>(a, b) y = Exp(c)", inputs), "Concat", align)
    size = (first + 5) * 16
    assert found["concat"] == size * 1e-6
    assert ("concat_odd" in found, "cut_convolved" in found) == (odd, odd)
    if odd:
        assert found["concat_odd"] == 11 * 4e-3
        assert found["cut_convolved"] == 11 * 11 * 16e-9


@pytest.mark.parametrize(("reader", "convolved"), [(f"{CONV}", False), ("Neg", True)])
def test_odd_channels_are_picked_by_the_products_that_read_them(reader: str, *, convolved: bool) -> None:
    align = PLAIN.model_copy(update={"in_channels": 3})
    second = ", w)" if reader == CONV else ")"
    body = f"a = Exp(x) b, c = Split<axis=1>(a) y = {reader}(b{second} z = {reader}(c{second}"
    found = terms(model(body, "float[1,16,4,4] x", "y, z", POINT), "Split", align)
    assert found["split"] == 256e-6
    assert found["split_odd"] == 16 * 4e-3
    assert ("cut_convolved" in found) == convolved
    if convolved:
        assert found["cut_convolved"] == 16 * 16 * 16e-9
    assert "split_odd" not in terms(model(body, "float[1,16,4,4] x", "y, z", POINT), "Split", PLAIN)


@pytest.mark.parametrize(
    ("axis", "lines"),
    [
        (3, {"reduce_rows": 16 * 2e-3, "reduce_along": 16 * 2 * 10e-3}),
        (2, {"reduce_columns": 12e-3, "reduce_along": 12 * 16e-3}),
        (1, {}),
    ],
)
def test_rows_and_columns_of_a_map_are_summed_up_one_by_one(axis: int, lines: dict[str, float]) -> None:
    align: Alignment = PLAIN.model_copy(update={"lane": 8})
    made = model(f"a = Exp(x) b = ReduceMean<axes=[{axis}]>(a) y = Exp(b)", "float[1,12,16,10] x")
    found = terms(made, "ReduceMean", align)
    assert found == {"layer": 1, "reduce": 12 * 160e-6, **lines}


def test_what_lies_channels_last_has_no_rows_to_sum_up() -> None:
    turned = "a = Exp(x) t = Transpose<perm=[0,2,3,1]>(a) c = Neg(t) b = ReduceMean<axes=[3]>(c) y = Exp(b)"
    assert "reduce_rows" not in terms(model(turned), "ReduceMean")
    largest = "a = Exp(x) b = ReduceMax<axes=[3]>(a) y = Exp(b)"
    assert "reduce_rows" not in terms(model(largest), "ReduceMax")


@pytest.mark.parametrize(
    ("shape", "counted"),
    [("1,8,4,6", 5 * 8 * 4 * 10), ("1,4,4,6", 96), ("1,8,1,1", 8), ("8,30", 240)],
)
def test_maps_of_many_channels_are_turned_as_they_are_loaded(shape: str, counted: int) -> None:
    edge = _edge(model("y = Exp(x)", f"float[{shape}] x"), "Exp")
    assert edge.sizes(TURNED)[0] == counted


def test_what_several_read_is_loaded_by_the_first() -> None:
    made = model("a = Exp(x) b = Neg(x) y = Add(a, b)")
    assert [t.name for t in _edge(made, "Exp").enters] == ["x"]
    assert not _edge(made, "Neg").enters
    assert [t.name for t in _edge(made, "Neg", "Exp").enters] == ["x"]


@pytest.mark.parametrize(
    ("body", "turned"),
    [
        (f"y = {POOL}(x)", True),
        ("y = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1]>(x)", False),
        ("a = Exp(x) y = Add(a, x)", True),
        ("a = Exp(x) b = Add(a, x) y = Abs(b)", False),
        (f"b = {CONV}(x, w) y = Abs(b)", True),
        ("b = MatMul(x, m) y = Abs(b)", False),
        (f"b = {CONV}(x, w) c = Max(b, s) y = Exp(c)", False),
        (f"b = {CONV}(x, w) c = Max(b, s) y = Abs(c)", True),
    ],
)
def test_sums_leave_turned_if_nothing_on_the_chip_asks_for_them(body: str, *, turned: bool) -> None:
    square = "float[16,16] m = {" + ",".join(["0.1"] * 256) + "}"
    made = model(body, weights=f"float s = {{1.0}}, {POINT}, {square}")
    op = next(op for op in ("AveragePool", "Conv", "Add", "MatMul") if any(n.op == op for n in made.nodes()))
    edge = _edge(made, op, "Abs", "Max")
    assert edge.leaves
    assert bool(edge.sums) == turned


def test_what_another_segment_reads_goes_through_memory() -> None:
    made = model("a = Exp(x) b = Abs(a) c = Neg(a) d = Add(b, c) y = Mul(c, d)")
    nodes = {node.op: node for node in made.nodes()}
    parts = {"Exp": 0, "Neg": 0, "Add": 1, "Mul": 1}

    def of(op: str, segments: dict[str, int]) -> Edge:
        return edge_of(nodes[op], lambda n: "cpu" if n.op == "Abs" else "bpu", lambda n: segments.get(n.op))

    assert [t.name for t in of("Neg", parts).leaves] == ["c"]
    assert [t.name for t in of("Add", parts).enters] == ["b", "c"]
    assert not of("Mul", parts).enters
    assert not of("Neg", dict.fromkeys(parts, 0)).leaves
    assert [t.name for t in of("Add", dict.fromkeys(parts, 0)).enters] == ["b"]
