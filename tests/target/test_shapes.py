"""Arithmetic on shapes: the examples of the vendor's merging and broadcasting rules."""

from __future__ import annotations

import pytest

from surgery.target.shapes import aligned, broadcast_sides, fits_form, matmul_batch_ok, merged_rank

B, D, H, M, K, N = 6, 5, 4, 7, 3, 2


def test_aligned_puts_ones_in_front() -> None:
    assert aligned([(3,), (2, 3)]) == [(1, 3), (2, 3)]


@pytest.mark.parametrize(
    ("shapes", "sides"),
    [
        ([(1, 8, 4, 4), (1, 8, 4, 4)], 0),
        ([(1, 8, 4, 4), (1, 8, 1, 1)], 1),
        ([(1, 8, 4, 4), ()], 1),
        ([(1, 8, 1, 4), (1, 8, 4, 1)], 2),
    ],
)
def test_broadcast_sides(shapes: list[tuple[int, ...]], sides: int) -> None:
    assert broadcast_sides(shapes) == sides


@pytest.mark.parametrize(
    ("shapes", "rank"),
    [
        ([(2, 3, 4, 5, 1), (2, 1, 4, 5, 6)], 4),  # NHWD1 with N1WDC merges W and D
        ([(2, 3, 4, 5, 6), (2, 3, 1, 5, 1)], 4),  # NHWDC with NH1D1 merges N and H
        ([(2, 3, 4, 5, 6), (2, 1, 4, 1, 6)], 5),  # NHWDC with N1W1C does not merge
        ([(2, 5, 4, 5, 2), (2, 1, 4, 1, 2)], 5),
        ([(2, 1, 4, 1, 2), (1, 5, 1, 5, 1)], 5),
        ([(2, 3, 4, 5, 6), (2, 1, 1, 1, 1)], 2),  # broadcast neighbours merge
        ([(2, 1, 4, 1, 6), (2, 1, 4, 1, 6)], 1),
    ],
)
def test_merged_rank(shapes: list[tuple[int, ...]], rank: int) -> None:
    assert merged_rank(shapes) == rank


@pytest.mark.parametrize(
    ("left", "right", "allowed"),
    [
        ((H, D, M, K), (H, D, K, N), True),
        ((H, D, M, K), (H, 1, K, N), True),
        ((H, 1, M, K), (1, D, K, N), False),
        ((1, 1, M, K), (H, D, K, N), True),
        ((H, 1, M, K), (H, D, K, N), False),
        ((B, H, D, M, K), (B, 1, 1, K, N), True),
        ((B, H, D, M, K), (B, 1, D, K, N), False),
        ((M, K), (K, N), True),
    ],
)
def test_matmul_batch_dims(left: tuple[int, ...], right: tuple[int, ...], *, allowed: bool) -> None:
    assert matmul_batch_ok(left, right) is allowed


@pytest.mark.parametrize(
    ("shapes", "form", "fits"),
    [
        ([(1, 8, 4, 4), (1, 8, 1, 1)], "NxCxHxW,NxCx1x1", True),
        ([(1, 8, 4, 4), (1, 9, 1, 1)], "NxCxHxW,NxCx1x1", False),
        ([(1, 8, 4, 4), (8, 1, 1)], "NxCxHxW,NxCx1x1", False),
        ([(1, 4, 3), (3, 5)], "1xMxK,1xKxN", False),
        ([(2, 4, 3), (3, 5)], "BxMxK,KxN", True),
        ([(3,), (3, 5)], "K,KxN", True),
    ],
)
def test_forms(shapes: list[tuple[int, ...]], form: str, *, fits: bool) -> None:
    assert fits_form(shapes, form) is fits
