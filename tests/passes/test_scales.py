"""fuse-convs: the scale of attention goes into the weights of its queries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.linear import FuseConvs
from surgery.pipeline.result import Status
from tests.passes.test_linear import net
from tests.support import Applied, apply_pass

SCALE: dict[str, Any] = {"s": np.float32(0.25)}
HEADS: dict[str, Any] = {"h": np.array([1, 5, 2, 4])}


def taken(body: str, x: str = "float[1,5,8]", **constants: Any) -> Applied:
    """What fuse-convs makes of it, verified."""
    return apply_pass(net(body, x, "", 13, **SCALE, **constants), FuseConvs())


def test_of_a_projection() -> None:
    done = taken(
        "a = MatMul (x, w)  b = Add (a, c)  r = Reshape (b, h)  t = Transpose <perm = [0,2,1,3]> (r)  y = Mul (t, s)",
        w=(8, 8),
        c=(8,),
        **HEADS,
    )
    assert done.ops == ["MatMul", "Add", "Reshape", "Transpose"]


def test_of_a_part_of_a_projection() -> None:
    split = "p, q, v = Split <axis = 2> (a)"
    done = taken(f"a = MatMul (x, w)  {split}  m = Mul (q, s)  n = Add (m, v)  y = Add (n, p)", w=(8, 12))
    assert done.ops == ["MatMul", "Split", "Add", "Add"]
    sliced = split.replace("(a)", "(b)")
    taken(
        f"a = MatMul (x, w)  b = Add (a, c)  {sliced}  m = Div (p, s)  n = Add (m, v)  y = Add (n, q)",
        w=(8, 12),
        c=(12,),
    )


def test_of_heads_that_are_split_apart() -> None:
    """As YOLO11 has it: a convolution, a Reshape in heads, and a Split within every head."""
    done = taken(
        "a = Conv (x, w, c)  r = Reshape (a, g)  p, q = Split <axis = 2> (r)  m = Mul (p, s)"
        " t = Transpose <perm = [0, 1, 3, 2]> (q)  y = MatMul (t, m)",
        "float[1,8,3,4]",
        w=(16, 8, 1, 1),
        c=(16,),
        g=np.array([1, 2, 8, 12]),
    )
    assert "Mul" not in done.ops


def test_of_parts_by_index() -> None:
    """As torch's multi-head attention has it: queries, keys and values by Gather."""
    done = taken(
        "a = MatMul (x, w)  r = Reshape (a, g)  p = Gather <axis = 2> (r, i)  q = Gather <axis = 2> (r, j)"
        " m = Mul (p, s)  y = Add (m, q)",
        w=(8, 16),
        g=np.array([1, 5, 2, 8]),
        i=np.array(0),
        j=np.array(1),
    )
    assert done.ops == ["MatMul", "Reshape", "Gather", "Gather", "Add"]


def test_behind_the_product_of_two_values() -> None:
    done = taken(
        "q = MatMul (x, w)  k = MatMul (x, u)  t = Transpose <perm = [0, 2, 1]> (k)  p = MatMul (q, t)  y = Mul (p, s)",
        w=(8, 8),
        u=(8, 8),
    )
    assert done.ops == ["MatMul", "MatMul", "Transpose", "MatMul"]


def test_of_a_gemm() -> None:
    for attrs, w in (("transB = 1", (8, 5)), ("transB = 0", (5, 8))):
        body = f"f = Reshape (x, f2)  a = Gemm <{attrs}> (f, w, c)  r = Reshape (a, h)  y = Mul (r, s)"
        done = taken(body, "float[5,5]", w=w, c=(8,), f2=np.array([5, 5]), h=np.array([1, 5, 2, 4]))
        assert done.ops == ["Reshape", "Gemm", "Reshape"]


FIRST = "Gather <axis = 2> (r, i)"
KEPT: dict[str, tuple[str, dict[str, Any], str]] = {
    "a factor behind an activation": ("a = Relu (x)  y = Mul (a, s)", {}, "follows no change of form"),
    "a factor per channel": (
        "a = MatMul (x, w)  r = Reshape (a, h)  y = Mul (r, v)", {"w": (8, 8), "v": (4,), **HEADS}, "no single number"
    ),
    "read without the factor": (
        "a = MatMul (x, w)  r = Reshape (a, h)  m = Mul (r, s)  y = Add (m, r)", {"w": (8, 8), **HEADS},
        "without the factor",
    ),
    "the same part twice": (
        f"a = MatMul (x, w)  r = Reshape (a, h)  p = {FIRST}  q = {FIRST}  m = Mul (p, s)  y = Add (m, q)",
        {"w": (8, 8), "i": np.array(0), **HEADS}, "without the factor",
    ),
    "some elements of a channel": (
        "a = MatMul (x, w)  p, q = Split <axis = 1> (a, z)  m = Mul (p, s)  y = Concat <axis = 1> (m, q)",
        {"w": (8, 8), "z": np.array([2, 3])}, "on some elements of a channel",
    ),
    "a bias that is one number": (
        "a = MatMul (x, w)  b = Add (a, k)  p, q = Split <axis = 2> (b)  m = Mul (p, s)  y = Add (m, q)",
        {"w": (8, 8), "k": np.float32(3)}, "with and without the factor",
    ),
    "an activation between": (
        "a = MatMul (x, w)  b = Relu (a)  r = Reshape (b, h)  y = Mul (r, s)", {"w": (8, 8), **HEADS},
        "which a factor cannot pass",
    ),
    "an input": ("r = Reshape (x, h)  y = Mul (r, s)", HEADS, "comes from no layer"),
    "an output": (
        "a = MatMul (x, w)  r = Reshape (a, h)  t = Transpose (r)  y = Mul (r, s)", {"w": (8, 8), **HEADS},
        "without the factor",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", KEPT)
def test_what_stays(case: str) -> None:
    body, constants, reason = KEPT[case]
    done = taken(body, **constants)
    assert done.result.status is not Status.APPLIED
    assert any(reason in said for said in done.reasons), done.reasons


def test_half_precision_that_overflows() -> None:
    big: dict[str, Any] = {"w": np.full((8, 8), 6e4, np.float16), "f": np.float16(4), **HEADS}
    model = net(
        "a = MatMul (x, w)  r = Reshape (a, h)  y = Mul (r, f)", "float16[1,5,8]", "float16[1,5,2,4]", 13, **big
    )
    done = apply_pass(model, FuseConvs(), verify=False)
    assert any("beyond the range of float16" in said for said in done.reasons)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_any_way_keeps_the_numbers(data: st.DataObject) -> None:
    """A random chain of forms and parts between a layer and the factor: apply_pass holds the numbers."""
    shape: list[int] = [1, 6, 24]
    body, value, held = ["a = MatMul (x, w)  b = Add (a, c)"], "b", {}
    for index in range(data.draw(st.integers(1, 4))):
        kind, name = data.draw(st.sampled_from(["Transpose", "Reshape", "Split", "Gather"])), f"v{index}"
        if kind == "Transpose":
            perm = data.draw(st.permutations(range(len(shape))))
            body.append(f"{name} = Transpose <perm = {list(perm)}> ({value})")
            shape = [shape[p] for p in perm]
        elif kind == "Reshape":
            axis = data.draw(st.integers(0, len(shape) - 1))
            if shape[axis] % 2 or len(shape) > 4:
                continue
            shape = [*shape[:axis], 2, shape[axis] // 2, *shape[axis + 1 :]]
            held[f"k{index}"] = np.array(shape)
            body.append(f"{name} = Reshape ({value}, k{index})")
        else:
            axis = data.draw(st.integers(0, len(shape) - 1))
            if kind == "Split" and shape[axis] > 1:
                shape[axis] -= 1
                held[f"k{index}"] = np.array([shape[axis], 1])
                body.append(f"{name}, u{index} = Split <axis = {axis}> ({value}, k{index})")
            elif kind == "Gather" and len(shape) > 2:
                held[f"k{index}"] = np.array(data.draw(st.integers(0, shape[axis] - 1)))
                body.append(f"{name} = Gather <axis = {axis}> ({value}, k{index})")
                shape.pop(axis)
            else:
                continue
        value = name
    taken("  ".join([*body, f"y = Mul ({value}, s)"]), "float[1,6,8]", w=(8, 24), c=(24,), **held)


def test_values_too_large_to_write_down() -> None:
    body = "a = MatMul (x, w)  r = Reshape (a, h)  y = Mul (r, s)"
    large = net(body, "float[1,4200000,1]", "", 13, w=(1, 1), h=np.array([1, 2100000, 2, 1]), **SCALE)
    done = apply_pass(large, FuseConvs(), verify=False)
    assert any("has more than 4194304 elements" in said for said in done.reasons), done.reasons


FAULTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "a value times itself": (
        "a = MatMul (x, w)  r = Reshape (a, q)  p = MatMul (r, r)  y = Mul (p, s)",
        {"w": (8, 8), "q": np.array([1, 10, 2, 2])},
        "twice, the factor would be on both",
    ),
    "an element taken twice": (
        "a = MatMul (x, w)  g = Gather <axis = 2> (a, i)  p, q = Split <axis = 2> (g)  m = Mul (p, s)  y = Add (m, q)",
        {"w": (8, 8), "i": np.array([0, 0])},
        "takes an element twice",
    ),
    "a bias that is a number": (
        "f = Reshape (x, f2)  a = Gemm (f, w, k)  r = Reshape (a, h)  y = Mul (r, s)",
        {"w": (8, 8), "k": np.float32(3), "f2": np.array([5, 8]), **HEADS},
        "is added to all channels",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_would_be_scaled_wrongly_stays(case: str) -> None:
    body, constants, reason = FAULTS[case]
    done = taken(body, **constants)
    assert done.result.status is not Status.APPLIED
    assert any(reason in said for said in done.reasons), done.reasons
