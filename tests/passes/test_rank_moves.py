"""normalise-rank: permutations of elements as convolutions, block operators and fewer Transposes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from passes.rank.axes import move_of
from tests.passes.rank_models import moved, net, run

pytestmark = pytest.mark.usefixtures("paying")

MOVED = {
    # x, shape between the Reshapes, perm, y; what comes out; the rule
    "shuffle of rank 5": ([1, 6, 2, 2], [1, 2, 3, 2, 2], [0, 2, 1, 3, 4], [1, 6, 2, 2], "Mul Conv", "order-channels"),
    "shuffle of rank 3": ([1, 6, 2, 2], [2, 3, 4], [1, 0, 2], [1, 6, 2, 2], "Mul Conv", "order-channels"),
    "shuffle of a batch": ([2, 6, 2, 2], [2, 2, 3, 4], [0, 2, 1, 3], [2, 6, 2, 2], "Mul Conv", "order-channels"),
    "pixel shuffle": (
        [1, 8, 2, 3], [1, 2, 2, 2, 2, 3], [0, 1, 4, 2, 5, 3], [1, 2, 4, 6], "Mul ConvTranspose", "fill-blocks",
    ),
    "pixel shuffle DCR": (
        [1, 8, 2, 3], [1, 2, 2, 2, 2, 3], [0, 3, 4, 1, 5, 2], [1, 2, 4, 6], "Mul ConvTranspose", "fill-blocks",
    ),
    "pixel shuffle by 3": (
        [2, 18, 2, 2], [2, 2, 3, 3, 2, 2], [0, 1, 4, 2, 5, 3], [2, 2, 6, 6], "Mul ConvTranspose", "fill-blocks",
    ),
    "pixel unshuffle": (
        [1, 2, 4, 6], [1, 2, 2, 2, 3, 2], [0, 1, 3, 5, 2, 4], [1, 8, 2, 3], "Mul Conv", "gather-blocks",
    ),
    "space to depth": ([1, 2, 4, 6], [1, 2, 2, 2, 3, 2], [0, 3, 5, 1, 2, 4], [1, 8, 2, 3], "Mul Conv", "gather-blocks"),
    "large space to depth": (
        [1, 64, 4, 4], [1, 64, 2, 2, 2, 2], [0, 3, 5, 1, 2, 4], [1, 256, 2, 2], "Mul SpaceToDepth", "as-blocks",
    ),
    "large depth to space": (
        [1, 256, 2, 2], [1, 2, 2, 64, 2, 2], [0, 3, 4, 1, 5, 2], [1, 64, 4, 4], "Mul DepthToSpace", "as-blocks",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MOVED)
def test_a_move_becomes(name: str) -> None:
    x, shape, perm, after, ops, rule = MOVED[name]
    done = run(moved(x, shape, perm, after))
    assert (" ".join(done.ops), done.result.applied) == (ops, 1)
    assert [edit.change.rule for edit in done.result.edits] == [rule]
    assert done.result.exactness == ("exact" if rule == "as-blocks" else "rounding")


STAYS = ("large", "by 3", "of a batch")
"""In names of what is not written anew there: a Transpose of rank 4 is legal."""


@pytest.mark.parametrize("name", [name for name in MOVED if not any(word in name for word in STAYS)])
def test_a_move_is_illegal_on_bernoulli2(name: str) -> None:
    """The same comes out, because the CPU runs the Transpose there; a ConvTranspose has strides of 2 and 4 only."""
    x, shape, perm, after, ops, rule = MOVED[name]
    done = run(moved(x, shape, perm, after), "bernoulli2")
    legal = {"order-channels": "order", "fill-blocks": "filling", "gather-blocks": "gathering"}[rule]
    assert (" ".join(done.ops), [e.change.rule for e in done.result.edits]) == (ops, [f"legalise-{legal}"])


def test_the_text() -> None:
    done = run(moved([1, 4, 2, 2], [1, 2, 2, 2, 2], [0, 2, 1, 3, 4], [1, 4, 2, 2]))
    conv = "Conv <dilations: ints = [1, 1], group: int = 1, kernel_shape: ints = [1, 1], pads: ints = [0, 0, 0, 0], "
    assert conv in done.text
    weight = done.model.graph.nodes[-1].inputs[1].values[:, :, 0, 0]
    assert weight.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]


def test_a_lone_block_operator_of_another_block() -> None:
    model = net("s = Sin (x)  y = DepthToSpace <blocksize = 3> (s)", "[1,9,2,2]", "[1,1,6,6]")
    assert run(model).ops == ["Sin", "ConvTranspose"]


COLLAPSED = {
    "to one": (
        "a = Transpose <perm = [0, 2, 3, 1]> (s)  b = Reshape (a, k)  c = Transpose <perm = [2, 0, 1]> (b)",
        [1, 30, 4],
        [4, 30],
        "Sin Reshape",
    ),
    "to none": (
        "a = Transpose <perm = [0, 2, 3, 1]> (s)  b = Reshape (a, k)  c = Transpose <perm = [0, 2, 1]> (b)",
        [1, 30, 4],
        [1, 4, 30],
        "Sin Reshape",
    ),
    "to another": (
        "a = Transpose <perm = [0, 2, 3, 1]> (s)  b = Reshape (a, k)  c = Transpose <perm = [1, 0, 2]> (b)",
        [5, 6, 4],
        [30, 4],
        "Sin Reshape Transpose Reshape",
    ),
}


@pytest.mark.parametrize("name", COLLAPSED)
def test_moves_collapse(name: str) -> None:
    body, between, after, ops = COLLAPSED[name]
    done = run(net(f"s = Sin (x)  {body}  y = Reshape (c, l)", "[1,4,5,6]", str(after), k=between, l=after))
    assert (" ".join(done.ops), [e.change.rule for e in done.result.edits]) == (ops, ["collapse-moves"])
    assert done.result.exactness == "exact"


@pytest.mark.parametrize(
    ("between", "first", "then", "after"),
    [
        ([1, 4, 16, 10], [0, 2, 1, 3], [0, 2, 3, 1], [1, 4, 10, 16]),
        ([4, 1, 16, 10], [1, 2, 0, 3], [2, 3, 0, 1], [4, 10, 1, 16]),
        ([4, 16, 10], [1, 0, 2], [1, 2, 0], [4, 10, 16]),
    ],
)
def test_one_move_ends_the_chain(between: list[int], first: list[int], then: list[int], after: list[int]) -> None:
    """As behind a Softmax that is written over the last axis: no Reshape is left behind the Transpose."""
    body = f"a = Reshape (s, k)  b = Transpose <perm = {first}> (a)  y = Transpose <perm = {then}> (b)"
    done = run(net(f"s = Sin (x)  {body}", "[1,64,10]", str(after), k=between))
    assert done.ops == ["Sin", "Reshape", "Transpose"]
    assert [e.change.rule for e in done.result.edits] == ["collapse-moves"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_permutation_stays_one(data: st.DataObject) -> None:
    """Whatever rule fires on a random Reshape-Transpose-Reshape of rank 4 to rank 4: numbers and interface hold."""
    block, channels = data.draw(st.sampled_from([1, 2, 3])), data.draw(st.sampled_from([1, 2]))
    high, wide = data.draw(st.sampled_from([(2, 2), (1, 3), (4, 2)]))
    parts = [data.draw(st.sampled_from([1, 2])), block, block, channels * 2, high, wide]
    perm = data.draw(st.permutations(range(1, 6)))
    count = int(np.prod(parts))
    x = [parts[0], int(np.prod(parts[1:4])), high, wide]
    order = [parts[p] for p in (0, *perm)]
    after = [parts[0], count // parts[0] // int(np.prod(order[-2:])), *order[-2:]]
    done = run(moved(x, parts, [0, *perm], after))
    if move_of(parts, [0, *perm]).is_identity:
        assert done.result.applied == 0


REFUSED = {
    "channels": ([1, 4, 2, 2], [4, 2, 2], [2, 1, 0], [1, 4, 2, 2], "whole channels must move"),
    "blocks": ([1, 4, 2, 2], [4, 2, 2], [2, 1, 0], [1, 1, 4, 4], "channels must fill blocks"),
    "pixels": ([1, 1, 4, 4], [4, 4], [1, 0], [1, 4, 2, 2], "blocks must become channels"),
    "operators": ([1, 4, 2, 2], [4, 2, 2], [2, 1, 0], [1, 4, 2, 2], "no block operator does that"),
    "nothing": ([1, 4, 2, 2], [4, 1, 4], [1, 0, 2], [1, 4, 2, 2], "every element stays where it is, some must move"),
    "one": ([1, 4, 2, 2], [4, 2, 2], [2, 1, 0], [1, 4, 2, 2], "one node moves the elements, there must be two"),
    "rank": ([1, 4, 2, 2], [4, 2, 2], [2, 1, 0], [4, 4], "'y' has rank 2, it must be 4"),
    "size": (
        [1, 256, 2, 2], [2, 128, 4], [1, 0, 2], [1, 256, 2, 2],
        "needs a constant of 262144 bytes, more than the 60 bytes of weights in the model",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name: str) -> None:
    x, shape, perm, after, reason = REFUSED[name]
    done = run(moved(x, shape, perm, after), verify=False, idempotent=False)
    assert any(reason in text for text in done.reasons), done.reasons


def test_symbolic_dims_are_named() -> None:
    model = net("s = Sin (x)  y = Transpose <perm = [0, 2, 1, 3]> (s)", '["N",4,2,2]', '["N",2,4,2]')
    done = run(model, verify=False)
    assert any("'y' has the shape Nx2x4x2, every dim must be known" in reason for reason in done.reasons)


OTHERS = {
    "goes on": (
        "a = Transpose <perm = [0, 2, 1, 3]> (x)  y = Transpose <perm = [3, 0, 1, 2]> (a)",
        "[1,4,2,2]",
        "[2,1,2,4]",
        "it is looked at from its last move",
    ),
    "constant": ("a = Transpose <perm = [1, 0]> (w)  y = Mul (x, a)", "[2,3]", "[2,3]", "'w' is constant"),
    "empty": ("y = Transpose <perm = [1, 0]> (x)", "[0,3]", "[3,0]", "'x' has no elements"),
    "integers": (
        "i = Cast <to = 7> (x)  t = Transpose <perm = [1, 0]> (i)  y = Cast <to = 1> (t)",
        "[2,3]",
        "[3,2]",
        "its kind must be one of 'f'",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_refusals(name: str) -> None:
    body, x, y, reason = OTHERS[name]
    done = run(net(body, x, y, **({"w": (3, 2)} if "(w)" in body else {})), verify=False)
    assert any(reason in text for text in done.reasons), done.reasons
