"""Arithmetic of movements that wait: what they are together, undone, and passed by two operands."""

from __future__ import annotations

import pytest

from surgery.target.moves import Moves, joined, keeps_order, reshape, shared_end, transpose, undone

TOKENS = (reshape((1, 8, 4, 4), (1, 8, 16)), transpose((1, 8, 16), (0, 2, 1)))
BACK = (reshape((1, 16, 8), (1, 1, 16, 8)), transpose((1, 1, 16, 8), (0, 3, 1, 2)))


@pytest.mark.parametrize(
    ("moves", "more", "count"),
    [
        ((), [reshape((1, 8), (1, 8))], 0),
        ((), list(TOKENS), 2),
        (TOKENS, [transpose((1, 16, 8), (0, 2, 1)), reshape((1, 8, 16), (1, 8, 4, 4))], 0),
        (TOKENS[:1], [reshape((1, 8, 16), (1, 128))], 1),
        (TOKENS, list(BACK), 4),
    ],
)
def test_what_meets_becomes_one_or_none(moves: Moves, more: list[object], count: int) -> None:
    assert len(joined(moves, more)) == count  # type: ignore[arg-type]


def test_products_behind_tokens_see_the_map_and_those_behind_windows_do_not() -> None:
    assert keeps_order(joined(TOKENS, BACK))
    assert not keeps_order(TOKENS)
    turned = (transpose((1, 8, 4, 4), (0, 2, 3, 1)), reshape((1, 4, 4, 8), (1, 16, 8)))
    assert not keeps_order(joined(turned, BACK))


@pytest.mark.parametrize(
    ("shape", "source"),
    [((1, 16, 1), (1, 1, 4, 4)), ((1, 1, 8), (1, 8, 1, 1)), ((1, 16, 8), (1, 8, 4, 4)), ((1, 1, 1), (1, 1, 1, 1))],
)
def test_what_is_stretched_is_led_back(shape: tuple[int, ...], source: tuple[int, ...]) -> None:
    found = undone(shape, TOKENS)
    assert found is not None
    assert (found[0].before, found[-1].after) == (source, shape)


def test_a_part_of_a_dim_cannot_be_led_back() -> None:
    assert undone((1, 4, 1), (reshape((1, 16), (1, 4, 4)),)) is None


@pytest.mark.parametrize(("before", "after"), [((1, 0, 4), (0, 4)), ((0, 4), (0,)), ((2, 0), (0, 3, 5))])
def test_values_without_elements_are_not_led_back(before: tuple[int, ...], after: tuple[int, ...]) -> None:
    assert undone((1,) * len(after), (reshape(before, after),)) is None


def test_two_operands_pass_the_same_last_moves() -> None:
    stretched = undone((1, 16, 1), TOKENS)
    assert stretched is not None
    assert shared_end(TOKENS, stretched) == 2
    assert shared_end(TOKENS, TOKENS[1:]) == 1
    flat = (reshape((1, 8, 4, 4), (1, 8, 16, 1)),)
    assert shared_end(flat, flat) == 0, "from rank 4 to rank 4 only one operand passes"
    wide = (reshape((1, 8, 16), (1, 8, 4, 4)),)
    assert shared_end(wide, wide) == 1, "from rank 3 to 5 both pass"
    low = (reshape((8, 16), (1, 8, 4, 4)),)
    assert shared_end(low, low) == 0
    high = (reshape((1, 4, 4, 7, 7, 8), (16, 49, 8)),)
    assert shared_end(high, high) == 0, "nothing of two operands is done at rank 6"
