"""remove-noops: a Transpose that moves no element is a Reshape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.noops import RemoveNoops
from tests.support import apply_pass


def moved(shape: tuple[int, ...], perm: list[int]) -> str:
    after = [shape[p] for p in perm]
    nodes = f"a = Sin (x)  t = Transpose <perm = {perm}> (a)  y = Sin (t)"
    return f"g (float{list(shape)} x) => (float{after} y) {{ {nodes} }}"


@pytest.mark.parametrize(
    ("shape", "perm"), [((4, 1, 3), [1, 0, 2]), ((4, 1, 3), [0, 2, 1]), ((1, 5, 1, 2), [1, 0, 3, 2]), ((1, 1), [1, 0])]
)
def test_a_reshape(shape: tuple[int, ...], perm: list[int]) -> None:
    applied = apply_pass(moved(shape, perm), RemoveNoops())
    assert "Transpose" not in applied.ops
    assert applied.result.drift_total == 0.0


def test_elements_that_move() -> None:
    applied = apply_pass(moved((4, 1, 3), [2, 1, 0]), RemoveNoops())
    assert "axes [2, 0] of 4x1x3 change their order, only those of size 1 may" in applied.reasons


def test_beside_a_transpose_the_two_are_merged() -> None:
    text = """g (float[2,1,3] x) => (float[3,1,2] y) {
    a = Sin (x)  t = Transpose <perm = [1, 0, 2]> (a)  u = Transpose <perm = [2, 0, 1]> (t)  y = Sin (u) }"""
    applied = apply_pass(text, RemoveNoops())
    assert applied.ops == ["Sin", "Transpose", "Sin"]
    assert "it stands next to a Transpose" in applied.reasons


def test_a_dim_that_is_not_known() -> None:
    text = "g (float[N,1,3] x) => (float[1,N,3] y) { a = Sin (x)  t = Transpose <perm = [1, 0, 2]> (a)  y = Sin (t) }"
    assert "'a' has the shape Nx1x3, every dim must be known" in apply_pass(text, RemoveNoops()).reasons


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_element_moves(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.sampled_from([1, 1, 2, 3]), min_size=1, max_size=5)))
    perm = data.draw(st.permutations(range(len(shape))))
    applied = apply_pass(moved(shape, list(perm)), RemoveNoops(), verify=False)
    x = np.arange(np.prod(shape)).reshape(shape)
    stays = np.array_equal(x.transpose(perm).reshape(-1), x.reshape(-1))
    assert ("Transpose" not in applied.ops) == stays
