"""Which layers of two models are each other's."""

from __future__ import annotations

import math

import pytest

from surgery.cost.compare import Pair, pairs
from surgery.ir.origin import ORIGIN
from tests.cost.make import estimated
from tests.support import model_of

MAP = "float[1,32,64,64]"
BEFORE = f"g ({MAP} x) => (y) {{ [a] a = Exp(x) [b] b = Neg(a) [c] y = Exp(b) }}"


def told(before: str, after: str, origins: dict[str, str] | None = None) -> list[tuple[list[str], list[str], str]]:
    """The names on both sides of each pair, and how they were matched."""
    second = model_of(after)
    for node in second.nodes():
        if node.name in (origins or {}):
            node.metadata = {ORIGIN: f"pass/rule: {(origins or {})[node.name]}"}
    found = pairs(estimated(model_of(before)), estimated(second))
    return [([c.node.name for c in p.before], [c.node.name for c in p.after], p.by) for p in found]


def test_layers_of_one_name_and_operator_are_a_pair() -> None:
    assert sorted(told(BEFORE, BEFORE)) == [([n], [n], "name") for n in "abc"]


def test_what_a_rewrite_made_of_a_layer_stands_for_it() -> None:
    after = f"g ({MAP} x) => (y) {{ [a] a = Exp(x) [b] m = Abs(a) [b_1] b = Neg(m) [c] y = Exp(b) }}"
    assert (["b"], ["b", "b_1"], "origin") in told(BEFORE, after, {"b": "b", "b_1": "b"})


def test_a_rewritten_model_is_the_same_as_itself_whatever_its_layers_were_made_of() -> None:
    text = f"g ({MAP} x) => (y) {{ [b] a = Exp(x) [b_1] y = Neg(a) }}"
    assert sorted(told(text, text, {"b": "b", "b_1": "b"})) == [(["b"], ["b"], "name"), (["b_1"], ["b_1"], "name")]


def test_a_name_of_another_operator_is_no_pair_without_an_origin() -> None:
    after = f"g ({MAP} x) => (y) {{ [a] a = Exp(x) [b] b = Transpose<perm=[0,2,3,1]>(a) [c] y = Exp(b) }}"
    assert {(tuple(b), tuple(a), by) for b, a, by in told(BEFORE, after)} >= {
        (("b",), (), "none"),
        ((), ("b",), "none"),
    }
    assert (["b"], ["b"], "name") in told(BEFORE, after, {"b": "b"})


def test_other_names_are_matched_by_operator_and_shape_in_order() -> None:
    after = f"g ({MAP} x) => (y) {{ [p] a = Exp(x) [q] b = Neg(a) [r] y = Exp(b) }}"
    assert sorted(told(BEFORE, after)) == [([old], [new], "shape") for old, new in zip("abc", "pqr", strict=True)]


def test_of_equal_shapes_those_of_equal_time_are_a_pair() -> None:
    """The Neg at the end of ``before`` writes for the host, as the last of ``after`` does."""
    before = f"g ({MAP} x) => (y) {{ [a] a = Exp(x) [b] y = Neg(a) }}"
    after = f"g ({MAP} x) => (y) {{ [p] a = Exp(x) [q] b = Neg(a) [r] y = Neg(b) }}"
    assert (["b"], ["r"], "shape") in told(before, after)
    assert ([], ["q"], "none") in told(before, after)


def test_other_shapes_are_no_pair() -> None:
    after = BEFORE.replace("64,64", "32,32").replace("[a]", "[p]").replace("[b]", "[q]").replace("[c]", "[r]")
    assert {by for *_, by in told(BEFORE, after)} == {"none"}


def test_the_largest_change_comes_first_and_what_is_not_known_before_it() -> None:
    after = f"g ({MAP} x) => (y) {{ [a] a = Exp(x) [n] m = Mod(a, a) [b] b = Neg(m) [c] y = Exp(b) }}"
    found = pairs(estimated(model_of(BEFORE)), estimated(model_of(after)))
    changes = [abs(pair.change) for pair in found]
    assert changes == sorted(changes, reverse=True)
    unknown = estimated(model_of(BEFORE.replace("[1,", "[N,")))
    assert all(math.isnan(pair.change) for pair in pairs(estimated(model_of(BEFORE)), unknown))


def test_changes_add_up_to_that_of_all_layers() -> None:
    after = f"g ({MAP} x) => (y) {{ [a] a = Exp(x) [z] y = Abs(a) }}"
    one, two = estimated(model_of(BEFORE)), estimated(model_of(after))
    both = [sum(cost.us.mid for cost in side.nodes) for side in (one, two)]
    assert sum(pair.change for pair in pairs(one, two)) == pytest.approx(both[1] - both[0])


def test_what_takes_no_time_on_either_side_is_left_out() -> None:
    text = "g (float[1,8,64,64] x) => (y) { [a] a = Exp(x) [v] b = Identity(a) [c] y = Exp(b) }"
    names = {name for before, after, _ in told(text, text) for name in (*before, *after)}
    assert names == {"a", "c"}


def test_an_empty_pair_changes_nothing() -> None:
    assert Pair((), (), "none").change == 0
