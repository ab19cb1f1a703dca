"""Permutations of the flattened index space, against numpy."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from passes.rank.axes import Move, block_move, block_order, channel_order, grouped, move_of
from passes.rank.moves import kernels

SIZES = st.lists(st.sampled_from([1, 2, 3, 4]), min_size=1, max_size=6)
NOTHING = Move(())


def indices(shape: tuple[int, ...], perm: tuple[int, ...]) -> np.ndarray:
    """Where in the source every element of a Transpose's result was."""
    return np.arange(prod(shape)).reshape(shape).transpose(perm).reshape(-1)


@st.composite
def transposes(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...]]:
    shape = tuple(draw(SIZES))
    return shape, tuple(draw(st.permutations(range(len(shape)))))


@given(transposes())
def test_the_fewest_axes_move_as_all_do(made: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    move = move_of(*made)
    assert np.array_equal(indices(move.shape, move.perm), indices(*made))
    assert len(move.shape) <= len(made[0])
    assert move.is_identity == np.array_equal(indices(*made), np.arange(prod(made[0])))


@given(transposes())
def test_equal_permutations_are_equal_moves(made: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    shape, perm = made
    wide = [part for size in shape for part in ((2, size // 2) if size % 2 == 0 else (size, 1))]
    assert move_of(wide, [2 * p + half for p in perm for half in (0, 1)]) == move_of(shape, perm)


@given(transposes())
def test_the_inverse_moves_back(made: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    move = move_of(*made)
    there = indices(*made)
    assert np.array_equal(there[indices(move.inverse.shape, move.inverse.perm)], np.arange(len(there)))
    back = move.then(move.inverse)
    assert back is not None
    assert back.is_identity


@given(transposes(), st.randoms(use_true_random=False))
def test_two_moves_in_turn(made: tuple[tuple[int, ...], tuple[int, ...]], random: np.random.Generator) -> None:
    shape = [part for size in made[0] for part in ((2, size // 2) if size % 2 == 0 else (size,))]
    random.shuffle(shape)
    perm = list(range(len(shape)))
    random.shuffle(perm)
    both = move_of(*made).then(move_of(shape, perm))
    if both is not None:
        assert np.array_equal(indices(both.shape, both.perm), indices(*made)[indices(tuple(shape), tuple(perm))])


def test_digits_that_do_not_divide() -> None:
    assert move_of((2, 3), (1, 0)).then(move_of((3, 2), (1, 0))) is not None
    assert move_of((2, 3), (1, 0)).then(move_of((2, 3), (1, 0))) is None
    assert grouped(move_of((2, 3), (1, 0)), (2, 3)) is None


@pytest.mark.parametrize("blocks_outer", [True, False])
@pytest.mark.parametrize("grid", [(1, 8, 3, 5), (2, 4, 2, 2), (1, 16, 1, 3), (3, 36, 2, 1)])
def test_block_operators_are_found(grid: tuple[int, int, int, int], blocks_outer: bool) -> None:
    order = block_order(block_move(grid, 2, blocks_outer=blocks_outer), grid, 2)
    inner = np.arange(grid[1])
    assert order == tuple(inner.reshape(4, -1).T.reshape(-1) if blocks_outer else inner)


@given(st.permutations(range(8)), st.sampled_from([(1, 8, 2, 3), (2, 8, 1, 1)]))
def test_an_order_of_channels_that_no_axes_give_is_not_found(order: list[int], grid: tuple[int, int, int, int]) -> None:
    """Only what a Transpose of factors of the channels does is an order; found orders are right."""
    move = move_of((grid[0], 2, 4, grid[2] * grid[3]), (0, 2, 1, 3))
    found = channel_order(move, grid)
    assert found == (0, 4, 1, 5, 2, 6, 3, 7)
    assert kernels(tuple(order), 1)[0].reshape(8, 8).sum() == 8


@pytest.mark.parametrize(
    ("shape", "perm"),
    [((2, 4, 4), (1, 0, 2)), ((1, 8, 2, 2), (0, 1, 3, 2)), ((1, 8, 4), (0, 2, 1)), ((8, 4), (1, 0))],
)
def test_what_is_no_order_of_channels(shape: tuple[int, ...], perm: tuple[int, ...]) -> None:
    grid = (2, 4, 2, 2) if len(shape) == 3 and shape[0] == 2 else (1, 8, 2, 2)
    assert channel_order(move_of(shape, perm), grid) is None


def test_what_fills_no_blocks() -> None:
    assert block_order(move_of((1, 6, 4), (0, 2, 1)), (1, 6, 2, 2), 2) is None
    assert block_order(move_of((1, 8, 4), (0, 2, 1)), (1, 8, 2, 2), 2) is None
    assert block_order(move_of((8, 9), (1, 0)), (1, 8, 3, 3), 2) is None


def test_kernels_are_grouped_where_channels_stay_in_their_blocks() -> None:
    weight, group = kernels((1, 0, 2, 3, 5, 4, 7, 6), 2)
    assert (weight.shape, group) == ((8, 1, 2, 2), 2)
    assert (kernels((0, 4, 1, 5, 2, 6, 3, 7), 2)[0].shape) == (8, 2, 2, 2)
