"""Where the compiler lays the rows of a product: as measured at O2."""

from __future__ import annotations

import pytest

from surgery.cost.coefficients import rates
from surgery.cost.grid import Grid, grid
from surgery.cost.work import dense
from tests.cost.make import X5, weighted

LISTED = "r = Reshape (x, k)  t = Transpose <perm = [0, 2, 1]> (r)"


def laid(text: str, op: str = "MatMul") -> Grid:
    """The grid of the last ``op`` of a model."""
    return grid([n for n in weighted(text, opset=13).nodes() if n.op == op][-1])


@pytest.mark.parametrize(
    ("rows", "height", "width"),
    [(100, 1, 100), (196, 1, 196), (256, 1, 256), (240, 15, 16), (400, 25, 16), (576, 9, 64), (784, 49, 16)],
)
def test_rows_of_a_matrix_are_parted_by_the_largest_power_of_two(rows: int, height: int, width: int) -> None:
    text = f"g (float[{rows},64] x, float[64,32] w) => (y) {{ y = MatMul (x, w) }}"
    assert laid(text) == Grid(1, height, width)


@pytest.mark.parametrize(
    ("shape", "found"),
    [((1, 784), Grid(1, 1, 784)), ((49, 16), Grid(1, 49, 16)), ((2, 14, 14), Grid(2, 14, 14)), ((1,), Grid(1, 1, 1))],
)
def test_other_axes_are_the_sides_of_the_map(shape: tuple[int, ...], found: Grid) -> None:
    sizes = ",".join(map(str, (*shape, 64)))
    assert laid(f"g (float[{sizes}] x, float[64,32] w) => (y) {{ y = MatMul (x, w) }}") == found


def test_a_weight_on_the_left_has_its_rows_in_the_last_axis() -> None:
    assert laid("g (float[1,64,196] x, float[32,64] w) => (y) { y = MatMul (w, x) }") == Grid(1, 1, 196)


@pytest.mark.parametrize(
    ("between", "found"),
    [
        ("m = Relu (t)  y = MatMul (m, w)", Grid(1, 14, 14)),
        ("m = MatMul (t, w)  n = Add (t, m)  y = MatMul (n, w)", Grid(1, 14, 14)),
        ("s = Softmax (t)  m = Add (t, s)  y = MatMul (m, w)", Grid(1, 1, 196)),
        ("m = Transpose <perm = [1, 0, 2]> (t)  y = MatMul (m, w)", Grid(1, 196, 1)),
    ],
)
def test_tokens_keep_the_map_that_they_were_listed_of(between: str, found: Grid) -> None:
    text = f"""g (float[1,64,14,14] x, float[64,64] w) => (y) <int64[3] k = {{1, 64, 196}}> {{ {LISTED}  {between} }}"""
    assert laid(text) == found


def test_a_row_of_tokens_is_worked_on_as_four() -> None:
    model = weighted("g (float[1,196,64] x, float[64,64] w) => (y) { y = MatMul (x, w) }", opset=13)
    whole, sides = dense(next(iter(model.nodes())), rates(X5).align)
    assert whole * sides[2].aligned * sides[3].aligned == 4 * 200
