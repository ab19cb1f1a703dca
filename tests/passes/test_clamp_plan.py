"""The arithmetic of cutting a layer: sizes, pieces, and the order in which plans are tried."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from passes.clamp.plan import MOST_PARTS, Piece, Plan, Work, balanced, plans, plans_for

WORKS = st.builds(Work, st.integers(1, 9), st.integers(1, 40), st.integers(1, 40))
STEPS = st.tuples(st.sampled_from([1, 4, 8]), st.sampled_from([1, 8, 16]))


@pytest.mark.parametrize(
    ("total", "parts", "step", "sizes"),
    [
        (4608, 2, 8, (2304, 2304)),
        (10, 3, 1, (4, 3, 3)),
        (100, 3, 16, (48, 32, 20)),
        (20, 2, 16, (16, 4)),
        (5, 3, 16, (2, 2, 1)),
        (7, 1, 4, (7,)),
    ],
)
def test_balanced(total: int, parts: int, step: int, sizes: tuple[int, ...]) -> None:
    assert balanced(total, parts, step) == sizes


@given(total=st.integers(1, 500), parts=st.integers(1, 20), step=st.sampled_from([1, 4, 8, 16]))
def test_balanced_sizes_cover_the_total(total: int, parts: int, step: int) -> None:
    sizes = balanced(total, min(parts, total), step)
    assert sum(sizes) == total
    assert min(sizes) > 0
    assert max(sizes) - min(sizes) < 2 * step


def test_fewest_nodes_first() -> None:
    work = Work(1, 16, 16)
    assert plans(work)[0] == Plan((1,), (16,), (8, 8))
    assert Plan((1,), (8, 8), (16,)).nodes == 4
    assert [plan.nodes for plan in plans(work)] == sorted(plan.nodes for plan in plans(work))


def test_least_waste_among_plans_of_as_many_nodes() -> None:
    inputs, outputs = Plan((1,), (17, 15), (32,)), Plan((1,), (32,), (11, 11, 10))
    assert inputs.nodes == outputs.nodes
    assert (inputs.work((16, 1)), outputs.work((16, 1))) == (48 * 32, 32 * 32)
    ranked = [plan for plan in plans(Work(1, 8, 32), (4, 16)) if plan.nodes == 4]
    assert ranked == [Plan((1,), (4, 4), (32,)), Plan((1,), (8,), (11, 11, 10))]


def test_groups_are_kept_whole_before_they_are_opened() -> None:
    first = plans(Work(4, 6, 6))[0]
    assert first == Plan((2, 2), (6,), (6,))
    opened = [plan for plan in plans(Work(4, 6, 6)) if len(plan.inputs) > 1 or len(plan.outputs) > 1]
    assert opened
    assert all(plan.groups == (1, 1, 1, 1) for plan in opened)


def test_depthwise_parts_are_multiples_of_the_step() -> None:
    assert plans(Work(100, 1, 1), (4, 16))[0].groups == (64, 36)


def test_one_channel_has_no_plan() -> None:
    assert plans(Work(1, 1, 1)) == []


def test_rows_of_pieces() -> None:
    plan = Plan((1, 1), (3, 2), (4,))
    assert list(plan.rows()) == [
        (Piece(0, 1, range(3), range(4)), Piece(0, 1, range(3, 5), range(4))),
        (Piece(1, 1, range(3), range(4)), Piece(1, 1, range(3, 5), range(4))),
    ]
    assert plan.input_sizes == (3, 2, 3, 2)
    assert plan.output_sizes == (4, 4)


def test_an_input_in_parts_is_read_as_it_comes() -> None:
    assert plans_for(Work(1, 10, 6), (7, 3))[0] == Plan((1,), (7, 3), (6,))
    assert plans_for(Work(5, 2, 3), (6, 4)) == [Plan((3, 2), (2,), (3,))]
    assert plans_for(Work(5, 2, 3), (5, 5)) == []
    assert plans_for(Work(2, 4, 3), (3, 1, 3, 1))[0] == Plan((1, 1), (3, 1), (3,))
    assert plans_for(Work(2, 4, 3), (3, 1, 1, 3)) == []


@settings(max_examples=50, deadline=None, derandomize=True)
@given(work=WORKS, steps=STEPS)
def test_every_plan_does_all_the_work_once(work: Work, steps: tuple[int, int]) -> None:
    for plan in plans(work, steps)[:40]:
        done = [
            (g, i, o)
            for row in plan.rows()
            for piece in row
            for g in range(piece.group, piece.group + piece.groups)
            for i in piece.inputs
            for o in piece.outputs
        ]
        assert len(done) == len(set(done)) == work.groups * work.inputs * work.outputs
        assert sum(len(row) for row in plan.rows()) <= MOST_PARTS
        assert sum(plan.input_sizes) == work.groups * work.inputs
        assert sum(plan.output_sizes) == work.groups * work.outputs
        assert {piece.work for row in plan.rows() for piece in row} == plan.distinct()
