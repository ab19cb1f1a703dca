"""substitute-ops: the numbers at the ends of float32, and over random shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.substitute import SubstituteOps
from passes.substitute.norms import band
from passes.substitute.products import contraction
from passes.substitute.resizing import nearest
from surgery.ir.session import open_session
from surgery.pipeline.result import Status
from tests.passes.substitutions import CASES, net
from tests.passes.test_substitute import path, run
from tests.support import apply_pass

Array = np.ndarray[Any, np.dtype[np.float32]]
INF = np.inf
EDGES = np.array(
    [
        0,
        -0.0,
        1e-30,
        -1e-30,
        1e-7,
        -1e-7,
        0.3,
        -0.3,
        1,
        -1,
        3,
        -3,
        20,
        -20,
        88,
        -88,
        1e4,
        -1e4,
        1e30,
        -1e30,
        1e38,
        -1e38,
    ],
    np.float32,
)
ELEMENTWISE = {
    "HardSwish": ("y = HardSwish (x)", 14, "bayes-e"),
    "Mish": ("y = Mish (x)", 18, "bayes-e"),
    "Swish": ("y = Swish <alpha = 1.5> (x)", 24, "bayes-e"),
    "Gelu": ("y = Gelu (x)", 20, "bayes-e"),
    "Gelu tanh": ('y = Gelu <approximate = "tanh"> (x)', 20, "bayes-e"),
    "PRelu": ("y = PRelu (x, c)", 13, "bayes-e"),
    "Celu": ("y = Celu (x)", 13, "bayes-e"),
    "Celu of 2": ("y = Celu <alpha = 2.0> (x)", 13, "bayes-e"),
    "ThresholdedRelu": ("y = ThresholdedRelu <alpha = -0.25> (x)", 13, "bayes-e"),
    "Shrink": ("y = Shrink <lambd = 0.3, bias = 0.3> (x)", 13, "bayes-e"),
    "Neg": ("y = Neg (x)", 13, "bayes-e"),
    "Min": ("y = Min (x, c)", 13, "bayes-e"),
    "Div": ("y = Div (x, c)", 13, "bare"),
    "Softplus": ("y = Softplus (x)", 13, "bare"),
    "Softsign": ("y = Softsign (x)", 13, "bare"),
    "HardSigmoid": ("y = HardSigmoid (x)", 13, "bare"),
    "Elu": ("y = Elu (x)", 13, "bare"),
    "Selu": ("y = Selu (x)", 13, "bare"),
    "Abs": ("y = Abs (x)", 13, "bare"),
}


def before_and_after(body: str, opset: int, march: str, x: Array, y: str = "", **constants: Any) -> tuple[Array, Array]:
    """What the model gives for ``x`` as it is and as it becomes."""
    shape = f"float[{','.join(map(str, x.shape))}]"
    model = net(body, opset, shape, y or shape, **constants)
    done = run(model, march, verify=False)
    assert done.result.status is Status.APPLIED, done.reasons
    one, two = (open_session(m).run({"x": x})["y"] for m in (model, done.model))
    return one, two


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_edges(name: str) -> None:
    body, opset, march = ELEMENTWISE[name]
    constants = {"c": 0.25} if "c)" in body else {}
    one, two = before_and_after(body, opset, march, EDGES.reshape(1, 2, 11), **constants)
    np.testing.assert_allclose(two, one, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["Shrink", "Neg", "Abs", "Softplus", "Elu", "PRelu"])
def test_infinities(name: str) -> None:
    body, opset, march = ELEMENTWISE[name]
    constants = {"c": 0.25} if "c)" in body else {}
    one, two = before_and_after(body, opset, march, np.array([[[INF, -INF, 0.0]]], np.float32), **constants)
    np.testing.assert_array_equal(two, one)


ROWS = np.array(
    [[1e4, 1e4, 1e4], [-1e30, 0, 1e30], [-INF, 0, -INF], [-INF, -INF, 5], [88, 89, 90], [-104, -105, -106], [0, 0, 0]],
    np.float32,
)


@pytest.mark.parametrize("body", ["y = LogSoftmax (x)", "y = ReduceLogSumExp <axes = [1]> (x)"])
def test_exponentials_do_not_overflow(body: str) -> None:
    y = "float[7,1]" if "Reduce" in body else ""
    one, two = before_and_after(body, 13, "bayes-e", ROWS, y)
    np.testing.assert_allclose(two, one, rtol=1e-6, atol=1e-6)


def test_nothing_but_minus_infinity() -> None:
    rows = np.full((2, 3), -INF, np.float32)
    one, two = before_and_after("y = ReduceLogSumExp <axes = [1]> (x)", 13, "bayes-e", rows, "float[2,1]")
    np.testing.assert_array_equal((one, two), -INF)


@pytest.mark.parametrize("op", ["ReduceSumSquare", "ReduceMin", "ReduceLogSum"])
def test_reductions_of_large_numbers(op: str) -> None:
    rows = np.array([[1e15, 2e15, 3e15, 4e15], [1e-15, 1e-15, 1e-15, 3e-15], [5, 5, 5, 5]], np.float32)
    one, two = before_and_after(f"y = {op} <axes = [1]> (x)", 13, "bayes-e", rows, "float[3,1]")
    np.testing.assert_allclose(two, one, rtol=1e-6)


@pytest.mark.parametrize("op", ["ReduceL1", "ReduceL2"])
def test_norms_of_large_numbers(op: str) -> None:
    maps = np.array([[1e15, 2e15, 3e15, 4e15], [1e-15, 1e-15, 1e-15, 3e-15], [5, 5, 5, 5]], np.float32)
    body = f"y = {op} <axes = [2, 3]> (x)"
    one, two = before_and_after(body, 13, "bayes-e", maps.reshape(3, 1, 2, 2), "float[3,1,1,1]")
    np.testing.assert_allclose(two, one, rtol=1e-6)


def layer_norm(x: Array, epsilon: float = 1e-5) -> np.ndarray[Any, Any]:
    """The definition, in float64."""
    rest = x.astype(np.float64) - x.astype(np.float64).mean(-1, keepdims=True)
    return rest / np.sqrt((rest**2).mean(-1, keepdims=True) + epsilon)


@pytest.mark.parametrize("march", ["bayes-e", "bernoulli2"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e15])
def test_layer_norm_keeps_its_digits(scale: float, march: str) -> None:
    """Around zero as well as beside an offset that a mean of squares would drown in."""
    noise = np.random.default_rng(0).normal(0, scale, (1, 2, 3, 16)).astype(np.float32)
    for x in (noise, noise + np.float32(100 * scale)):
        _, two = before_and_after("y = LayerNormalization (x, g)", 17, march, x, g=np.ones(16, np.float32))
        np.testing.assert_allclose(two, layer_norm(x), atol=1e-3 if x is not noise else 1e-5)


def test_layer_norm_of_equal_numbers_is_the_bias() -> None:
    x, one = np.full((1, 2, 3, 16), 7.25, np.float32), np.ones(16, np.float32)
    _, two = before_and_after("y = LayerNormalization (x, g, b)", 17, "bayes-e", x, g=one, b=3 * one)
    np.testing.assert_array_equal(two, 3)


def test_a_norm_of_zero_gives_zero() -> None:
    one, two = before_and_after("y = LpNormalization (x)", 13, "bayes-e", np.zeros((2, 3), np.float32))
    np.testing.assert_array_equal((one, two), 0)


SIDES = st.tuples(*[st.integers(1, 6)] * 4)
REDUCTIONS = ["ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp", "ReduceMax", "ReduceMean"]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    SIDES,
    st.sampled_from(REDUCTIONS),
    st.sets(st.integers(-4, 3), min_size=1),
    st.booleans(),
    st.sampled_from(["bayes-e", "bernoulli2"]),
)
def test_reductions(sides: tuple[int, ...], op: str, axes: set[int], keep: bool, march: str) -> None:
    chosen = list(dict.fromkeys(a % 4 for a in axes))
    body = f"r = {op} <axes = {chosen}, keepdims = {int(keep)}> (x)  y = Exp (r)"
    left = [1 if a in chosen else s for a, s in enumerate(sides) if keep or a not in chosen]
    run(net(body, 13, f"float[{','.join(map(str, sides))}]", f"float[{','.join(map(str, left))}]"), march)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(SIDES, st.integers(-4, 3), st.booleans(), st.booleans())
def test_running_sums(sides: tuple[int, ...], axis: int, exclusive: bool, reverse: bool) -> None:
    shape = f"float[{','.join(map(str, sides))}]"
    body = f"y = CumSum <exclusive = {int(exclusive)}, reverse = {int(reverse)}> (x, a)"
    run(net(body, 13, shape, shape, a=np.array(axis)), "bayes-e")


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.tuples(st.integers(1, 2), st.integers(1, 6), st.integers(1, 6), st.integers(1, 6)), st.data())
def test_normalisations(sides: tuple[int, ...], data: st.DataObject) -> None:
    groups = data.draw(st.sampled_from([g for g in range(1, 7) if sides[1] % g == 0]))
    op, opset = data.draw(st.sampled_from([("GroupNormalization", 21), ("InstanceNormalization", 13)]))
    attrs = f"<num_groups = {groups}>" if op[0] == "G" else ""
    shape, vector = f"float[{','.join(map(str, sides))}]", np.linspace(-1, 1, sides[1], dtype=np.float32)
    run(net(f"y = {op} {attrs} (x, g, g)", opset, shape, shape, g=vector), "bernoulli2")


EQUATIONS = ["bij,bjk->bik", "bij,bkj->bik", "ij,jk->ki", "abij,jk->abik", "bji,bkj->kbi", "abcd,abed->abce"]


@pytest.mark.parametrize("equation", EQUATIONS)
def test_contractions(equation: str) -> None:
    found = contraction(equation)
    assert found is not None
    rng, sizes = np.random.default_rng(0), dict(zip("abcdeijk", range(2, 10), strict=True))
    a, b = (rng.normal(size=[sizes[s] for s in term]) for term in equation.split("->", maxsplit=1)[0].split(","))
    product = np.matmul(a.transpose(found[0]), b.transpose(found[1])).transpose(found[2])
    np.testing.assert_allclose(product, np.einsum(equation, a, b))


@pytest.mark.parametrize(
    "equation", ["ij,jk", "ij->ji", "ii,ij->j", "i,j->ij", "ijk,ljk->il", "ij,kj->i", "...i,ij->...j"]
)
def test_no_contraction(equation: str) -> None:
    assert contraction(equation) is None


@pytest.mark.parametrize(("small", "factor"), [(1, 3), (4, 3), (5, 7), (6, 2)])
def test_nearest_repeats(small: int, factor: int) -> None:
    repeated = [i for i in range(small) for _ in range(factor)]
    assert nearest(small, small * factor, "half_pixel", "round_prefer_floor") == repeated
    assert nearest(small, small * factor, "asymmetric", "floor") == repeated
    assert nearest(small, small * factor, "tf_crop_and_resize", "floor") is None


def test_band() -> None:
    assert band(4, 3).sum(1).tolist() == [2, 3, 3, 2]
    assert band(4, 1).tolist() == np.eye(4).tolist()


@pytest.mark.parametrize("name", ["HardSwish", "Neg", "ReduceMin", "LogSoftmax", "Min-Max-to-Clip"])
def test_float16(name: str) -> None:
    case = CASES[name]
    halves = {k: np.asarray(v, np.float16) for k, v in case.constants.items()}
    kind = case.x.replace("float", "float16")
    done = apply_pass(net(case.body, case.opset, kind, kind, **halves), SubstituteOps(), path(case.march))
    assert done.ops == case.after.split()
    assert {
        str(t.dtype) for n in done.model.nodes() for t in n.inputs if t.dtype is not None and t.dtype.kind == "f"
    } == {"float16"}
