"""What replaces young operators, at the ends of float32 and over random shapes: as onnxruntime's own, and float64."""

from __future__ import annotations

from math import erf, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.substitute.equations import spelled
from passes.substitute.grids import places
from surgery.ir.session import open_session
from tests.passes import test_substitute
from tests.passes.substitutions import net
from tests.passes.test_substitute_numbers import Array, before_and_after
from tests.support import Applied

INF, NAN = np.inf, np.nan


def run(*args: Any, **options: Any) -> Applied:
    """The pass on one march, which onnxruntime has judged."""
    done = test_substitute.run(*args, **options)
    assert done.result.drift_step is not None
    return done


DENORMAL = np.float32(1e-40)
ENDS = np.array(
    [0, -0.0, DENORMAL, -DENORMAL, 1e-38, -1e-38, 0.5, -0.5, 3, -3, 6, -6, 1e30, -1e30, 3e38, -3e38], np.float32
)
NONE = np.array([INF, -INF, NAN], np.float32)
SMALLEST = float(np.finfo(np.float32).tiny)


def _phi(x: float) -> float:
    return x * 0.5 * (1 + erf(x / sqrt(2)))


ACTIVATIONS = {
    "Gelu": ("y = Gelu (x)", 20, _phi),
    "Gelu tanh": (
        'y = Gelu <approximate = "tanh"> (x)',
        20,
        lambda x: x * 0.5 * (1 + np.tanh(sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    ),
    "HardSwish": ("y = HardSwish (x)", 14, lambda x: x * min(max(x / 6 + 0.5, 0), 1)),
    "Mish": ("y = Mish (x)", 18, lambda x: x * np.tanh(np.logaddexp(0, x))),
    "Celu": ("y = Celu (x)", 12, lambda x: max(x, 0) + min(np.expm1(min(x, 0)), 0)),
}


@pytest.mark.parametrize("march", ["bayes-e", "bernoulli2"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str, march: str) -> None:
    """Denormals come out as exactly as they went in; nothing overflows that does not in the operator itself."""
    body, opset, true = ACTIVATIONS[name]
    ends = np.clip(ENDS, -1.6e38, 1.6e38) if name == "Gelu" else ENDS
    one, two = before_and_after(body, opset, march, ends.reshape(1, 1, 4, 4))
    np.testing.assert_allclose(two, one, rtol=2e-6, atol=1e-6)
    np.testing.assert_allclose(two[np.abs(one) < 1e-37], one[np.abs(one) < 1e-37], rtol=1e-4, atol=SMALLEST / 1e7)
    wanted = np.array([true(float(x)) for x in ends]).reshape(one.shape)
    np.testing.assert_allclose(two, wanted, rtol=1e-5, atol=2e-7)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_what_is_no_number_is_as_before(name: str) -> None:
    body, opset, _ = ACTIVATIONS[name]
    one, two = before_and_after(body, opset, "bayes-e", NONE.reshape(1, 3))
    np.testing.assert_array_equal(two, one)


NORMS = {
    "LayerNormalization": ("y = LayerNormalization (x, g)", 17),
    "RMSNormalization": ("y = RMSNormalization (x, g)", 23),
}
SCALES = [1e-40, 1e-30, 1e-20, 1e-6, 1.0, 1e6, 1e15, 1e18]
"""Up to where squares of float32 end, and onnxruntime's operators with them."""


def normalised(name: str, x: Array) -> np.ndarray[Any, Any]:
    """The definition of the operator, in float64."""
    wide = x.astype(np.float64)
    rest = wide - wide.mean(-1, keepdims=True) if name == "LayerNormalization" else wide
    return rest / np.sqrt((rest**2).mean(-1, keepdims=True) + 1e-5)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", NORMS)
def test_normalisations(name: str, scale: float) -> None:
    body, opset = NORMS[name]
    x = (np.random.default_rng(0).normal(size=(1, 2, 3, 16)) * scale).astype(np.float32)
    one, two = before_and_after(body, opset, "bayes-e", x, g=np.ones(16, np.float32))
    largest = float(np.abs(one).max())
    np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-6 * largest)
    np.testing.assert_allclose(two, normalised(name, x), rtol=1e-4, atol=1e-5 * largest)


@pytest.mark.parametrize("scale", [1e20, 1e30])
@pytest.mark.parametrize("name", NORMS)
def test_where_squares_overflow_both_give_the_same(name: str, scale: float) -> None:
    body, opset = NORMS[name]
    x = (np.random.default_rng(0).normal(size=(1, 2, 3, 16)) * scale).astype(np.float32)
    one, two = before_and_after(body, opset, "bayes-e", x, g=np.ones(16, np.float32))
    np.testing.assert_array_equal(two, one)
    assert not one.any()


@pytest.mark.parametrize("value", [0.0, 7.25, -1e-40, 1e15])
def test_equal_numbers_have_no_deviation(value: float) -> None:
    """Their mean, nothing left of them, and the root of epsilon."""
    body = "n, m, d = LayerNormalization (x, g)  a = Add (n, m)  y = Add (a, d)"
    x, one = np.full((1, 2, 3, 16), value, np.float32), np.ones(16, np.float32)
    before, after = before_and_after(body, 17, "bayes-e", x, g=one)
    np.testing.assert_allclose(after, before, rtol=1e-6)
    np.testing.assert_allclose(after, value + 1e-5**-0.5, rtol=1e-6)


@pytest.mark.parametrize("bad", [INF, -INF, NAN])
def test_a_row_with_no_number_spoils_itself_only(bad: float) -> None:
    x = np.arange(32, dtype=np.float32).reshape(1, 1, 2, 16)
    x[..., 0, 3] = bad
    one, two = before_and_after("y = LayerNormalization (x, g)", 17, "bayes-e", x, g=np.ones(16, np.float32))
    assert np.isnan(two[..., 0, :]).all()
    assert np.isnan(one[..., 0, :]).all()
    np.testing.assert_allclose(two[..., 1, :], one[..., 1, :], rtol=1e-5)


def test_halves_are_squared_as_floats() -> None:
    """The square of 300 is no float16."""
    x = np.array([[1, 2, 300, -400] * 4], np.float16)
    shape, half = "float16[1,16]", np.ones(16, np.float16)
    model = net("y = LayerNormalization (x, g)", 17, shape, shape, g=half)
    after = run(model, "bayes-e").model
    one, two = (open_session(m).run({"x": x})["y"] for m in (model, after))
    np.testing.assert_allclose(two, one, rtol=2e-3)
    np.testing.assert_allclose(two, normalised("LayerNormalization", x.astype(np.float32)), rtol=2e-3)


def test_infinities_outside_of_a_triangle_become_zero() -> None:
    x = np.full((1, 2, 4, 4), -INF, np.float32)
    one, two = before_and_after("y = Trilu (x)", 14, "bayes-e", x)
    np.testing.assert_array_equal(two, one)
    np.testing.assert_array_equal(two, np.triu(x))


SIDES = st.tuples(st.integers(1, 2), st.integers(1, 4), st.integers(1, 6), st.integers(1, 6))


def _typed(shape: tuple[int, ...], kind: str = "float") -> str:
    if not shape:
        return kind
    return f"{kind}[{','.join(map(str, shape))}]"


@settings(max_examples=20, deadline=None, derandomize=True)
@given(SIDES, st.integers(-7, 7), st.booleans(), st.sampled_from(["float", "int64", "bool"]))
def test_triangles(sides: tuple[int, ...], diagonal: int, upper: bool, kind: str) -> None:
    shape = _typed(sides, kind)
    run(net(f"y = Trilu <upper = {int(upper)}> (x, k)", 14, shape, shape, k=np.array(diagonal)), "bayes-e")


@settings(max_examples=20, deadline=None, derandomize=True)
@given(SIDES, st.integers(-4, 3), st.sampled_from(["LayerNormalization", "RMSNormalization"]), st.booleans())
def test_normalised_axes(sides: tuple[int, ...], axis: int, op: str, computed: bool) -> None:
    gain = np.linspace(0.5, 2, int(np.prod(sides[axis:])), dtype=np.float32).reshape(sides[axis:])
    first, name = ("s = Sigmoid (g)", "s") if computed else ("", "g")
    body = f"{first}  y = {op} <axis = {axis}> (x, {name})"
    run(net(body, NORMS[op][1], _typed(sides), _typed(sides), g=gain), "bayes-e")


@settings(max_examples=20, deadline=None, derandomize=True)
@given(SIDES, st.integers(3, 5), st.data())
def test_groups(sides: tuple[int, ...], rank: int, data: st.DataObject) -> None:
    groups = data.draw(st.sampled_from([g for g in range(1, 5) if sides[1] % g == 0]))
    shape = (*sides, 2)[:rank]
    body = f"s = Sigmoid (g)  y = GroupNormalization <num_groups = {groups}> (x, s, g)"
    gain = np.linspace(-1, 1, sides[1], dtype=np.float32)
    run(net(body, 21, _typed(shape), _typed(shape), g=gain), "bayes-e")


def test_groups_of_unknown_sides() -> None:
    """One unknown dim follows from the others, two are asked for."""
    for shape, example in (("float[N,8,L]", (2, 8, 5)), ("float[N,8,H,W]", (2, 8, 3, 4))):
        body = "s = Sigmoid (g)  y = GroupNormalization <num_groups = 2> (x, s, g)"
        model = net(body, 21, shape, shape, g=np.linspace(-1, 1, 8, dtype=np.float32))
        x = np.random.default_rng(0).normal(size=example).astype(np.float32)
        done = run(model, "bayes-e", inputs={"x": x})
        assert ("Shape" in done.ops) == (len(example) == 4)


EQUATIONS = [
    "ij->ji", "ij->", "ij->j", "ij", "ji", "ij,jk", "i,j->ij", "ij,ij->ij", "ij,kj->i", "ijk,jil->kl", "abc,cd,de->abe",
    "i,i,i->i", "bhid,bhjd->bhij", "bijc,bijc->bij", "...i,ij->...j", "...ij,...jk->...ik", "ab,cd->acbd",
    "a...,a...->...", "bqhd,bkhd->bhqk",
]  # fmt: skip


@pytest.mark.parametrize("equation", EQUATIONS)
def test_equations(equation: str) -> None:
    """Against onnxruntime by the pass itself, and against numpy."""
    rng, letters = np.random.default_rng(0), dict(zip("abcdehijklq", range(2, 13), strict=True))
    terms = equation.split("->", maxsplit=1)[0].split(",")
    arrays = [rng.normal(size=_sizes(t, letters)).astype(np.float32) for t in terms]
    result = np.einsum(equation, *arrays)
    inputs = {f"c{i}": a for i, a in enumerate(arrays[1:])}
    body = f'y = Einsum <equation = "{equation}"> ({", ".join(["x", *inputs])})'
    model = net(body, 12, _typed(arrays[0].shape), _typed(result.shape), **inputs)
    done = run(model, "bayes-e", ("einsum",), inputs={"x": arrays[0]})
    assert "Einsum" not in done.ops
    found = open_session(done.model).run({"x": arrays[0]})["y"]
    np.testing.assert_allclose(found, result, rtol=1e-4, atol=1e-4)


def _sizes(term: str, letters: dict[str, int]) -> tuple[int, ...]:
    dots = (3, 2)
    head, _, tail = term.partition("...")
    return (*(letters[s] for s in head), *(dots if "..." in term else ()), *(letters[s] for s in tail))


def test_an_ellipsis_that_stretches() -> None:
    one, other = (np.random.default_rng(0).normal(size=s).astype(np.float32) for s in ((1, 3, 2), (4, 1, 2)))
    result = np.einsum("...i,...i->...", one, other)
    body = 'y = Einsum <equation = "...i,...i->..."> (x, c)'
    run(net(body, 12, _typed(one.shape), _typed(result.shape), c=other), "bayes-e", ("einsum",))


def test_an_equation_of_one_unknown_size() -> None:
    body = 'y = Einsum <equation = "bhid,bhjd->bhij"> (x, x)'
    done = run(net(body, 12, "float[N,2,3,4]", "float[N,2,3,3]"), "bayes-e", ("einsum",))
    assert done.ops == ["Transpose", "MatMul"]


def test_spelled() -> None:
    assert spelled("...ij,...jk->...ik", [4, 3]) == (("abij", "bjk"), "abik")
    assert spelled("ba", [2]) == (("ba",), "ab")
    assert spelled("i,i", [1, 1]) == (("i", "i"), "")


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.tuples(*[st.integers(0, 1)] * 4),
    st.integers(1, 3),
)
def test_blocks(
    block: tuple[int, int], strides: tuple[int, int], dilations: tuple[int, int], pads: tuple[int, ...], channels: int
) -> None:
    image = (7, 8)
    counts = [
        (n + pads[i] + pads[i + 2] - d * (k - 1) - 1) // s + 1
        for i, (n, k, d, s) in enumerate(zip(image, block, dilations, strides, strict=True))
    ]
    shape = (2, channels * block[0] * block[1], counts[0] * counts[1])
    body = f"y = Col2Im <strides = {list(strides)}, dilations = {list(dilations)}, pads = {list(pads)}> (x, i, b)"
    model = net(body, 18, _typed(shape), _typed((2, channels, *image)), i=np.array(image), b=np.array(block))
    run(model, "bayes-e")


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.lists(st.integers(2, 5), min_size=2, max_size=3), st.booleans())
def test_grids(sides: list[int], align: bool) -> None:
    rank = len(sides)
    body = f"y = AffineGrid <align_corners = {int(align)}> (x, s)"
    after = _typed((2, *sides, rank))
    run(net(body, 20, _typed((2, rank, rank + 1)), after, s=np.array([2, 3, *sides])), "bayes-e")


def test_places() -> None:
    assert places((2, 3), align=True)[:3].tolist() == [[-1, -1, 1], [0, -1, 1], [1, -1, 1]]
