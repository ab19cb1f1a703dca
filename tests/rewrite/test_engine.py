"""The worklist: who is asked, in which order, how often, and what is written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from surgery.ir import Node
from surgery.rewrite import Context, Diverged, Engine, Exactness, Mismatch, Purpose, Rewriter, Rule, need
from tests.rewrite.world import World, world


class Exact(Rule[Node]):
    """What the rules below share."""

    purpose, exactness = Purpose.NORMALISE, Exactness.EXACT


class FoldNegs(Exact):
    """``Neg(Neg(x)) -> x``."""

    name, roots = "fold-negs", frozenset({"Neg"})

    def match(self, node: Node, ctx: Context) -> Node | Mismatch:
        need.producer(node, 0, "Neg")
        return node

    def rewrite(self, match: Node, rw: Rewriter) -> None:
        inner = match.inputs[0].producer
        assert inner is not None
        rw.replace(match, inner.inputs[0])


class Rename(Exact):
    """Turns every node of one type into another."""

    name, roots = "rename", frozenset({"Abs"})
    into: ClassVar[str] = "Neg"

    def match(self, node: Node, ctx: Context) -> Node | Mismatch:
        return node

    def rewrite(self, match: Node, rw: Rewriter) -> None:
        rw.replace(match, rw.op(self.into, match.inputs[0], heir=match))


class Back(Rename):
    """The other way."""

    name, roots, into = "back", frozenset({"Neg"}), "Abs"


@dataclass
class Asked(Exact):
    """Notes which nodes it was asked about; never matches."""

    name, roots = "asked", frozenset({"Relu", "Exp"})
    seen: list[str] = field(default_factory=list)

    def match(self, node: Node, ctx: Context) -> Node | Mismatch:
        self.seen.append(node.name)
        return Mismatch(f"{node.op} is not wanted", node.inputs[0])

    def rewrite(self, match: Node, rw: Rewriter) -> None:
        raise AssertionError("never matches")


def run(w: World, *rules: Rule[Any], **options: Any) -> Engine:
    engine = Engine("pass", rules, w, w.rw, **options)
    engine.run()
    return engine


CHAIN = "g (float[1] x) => (float[1] y) { a = Relu (x)  b = Neg (a)  c = Neg (b)  d = Exp (c)  y = Relu (d) }"


def test_rule_fires() -> None:
    w = world(CHAIN)
    stats = run(w, FoldNegs()).stats
    assert w.ops == ["Relu", "Exp", "Relu"]
    assert (stats.matched, stats.applied, dict(stats.fired)) == (1, 1, {"fold-negs": 1})
    assert [(e.rule, e.old, e.new) for e in stats.edits] == [("fold-negs", ("Neg_1", "Neg"), ())]


def test_mismatch_is_recorded() -> None:
    w = world(CHAIN)
    stats = run(w, Asked(), trace=True).stats
    assert (stats.refused, stats.applied) == (3, 0)
    assert dict(stats.reasons) == {"Relu is not wanted": 2, "Exp is not wanted": 1}
    assert [(e.node, e.outcome, e.at) for e in stats.events] == [
        ("Relu", "refused", "x"),
        ("Exp", "refused", "c"),
        ("Relu_1", "refused", "d"),
    ]


def test_rules_are_indexed_by_root() -> None:
    """Nodes of other types are not asked about; those that are come in topological order."""
    rule = Asked()
    run(world(CHAIN), rule)
    assert rule.seen == ["Relu", "Exp", "Relu_1"]


def test_custom_operators_of_the_same_name_are_left_alone() -> None:
    rule = Asked()
    run(
        world(
            """<ir_version: 8, opset_import: ["": 17, "my": 1]> g (float[1] x) => (float[1] y) { y = my.Relu (x) }"""
        ),
        rule,
    )
    assert rule.seen == []


def test_bound_names_the_rules() -> None:
    w = world(CHAIN)
    before = w.model.digest()
    with pytest.raises(Diverged, match=r"still firing after 1000 rewrites: 'back', 'rename'"):
        run(w, Rename(), Back())
    w.editor.rollback()
    assert w.model.digest() == before


def test_limit_on_matches() -> None:
    text = "g (float[1] x) => (float[1] y) { a = Abs (x)  b = Abs (a)  c = Abs (b)  y = Abs (c) }"
    for limit in range(5):
        w = world(text)
        assert run(w, Rename(), limit=limit).stats.applied == limit
        assert w.ops == ["Neg"] * limit + ["Abs"] * (4 - limit)


def test_statistics_and_events() -> None:
    w = world(CHAIN.replace("y = Relu (d)", "y = Abs (d)"))
    engine = run(w, Rename(), FoldNegs(), trace=True)
    outcomes = [(e.rule, e.node, e.outcome) for e in engine.stats.events]
    assert ("fold-negs", "Neg", "refused") in outcomes
    assert ("fold-negs", "Neg_1", "applied") in outcomes
    assert ("rename", "Abs", "applied") in outcomes
    assert set(engine.stats.fired_rules) == {"rename", "fold-negs"}


def test_without_a_trace_only_counts_are_kept() -> None:
    stats = run(world(CHAIN), FoldNegs()).stats
    assert stats.events == []
    assert stats.refused == 1


def test_what_a_rewrite_makes_is_looked_at_again() -> None:
    """Four renamed nodes cancel in pairs: what is made is matched, and so is what reads it."""
    w = world("g (float[1] x) => (float[1] y) { a = Abs (x)  b = Abs (a)  c = Abs (b)  d = Abs (c)  y = Exp (d) }")
    run(w, Rename(), FoldNegs())
    assert w.ops == ["Exp"]


def test_the_first_rule_that_matches_wins() -> None:
    w = world("g (float[1] x) => (float[1] y) { y = Abs (x) }")

    class Other(Rename):
        name, into = "other", "Sin"

    run(w, Other(), Rename())
    assert w.ops == ["Sin"]


def test_bodies_are_visited() -> None:
    w = world("""<ir_version: 8, opset_import: ["": 17]> g (bool c, float[1] x) => (float[1] y) {
        y = If (c) <then_branch = t () => (float[1] p) { a = Neg (x)  b = Neg (a)  p = Exp (b) },
                    else_branch = e () => (float[1] q) { q = Neg (x) }> }""")
    assert run(w, FoldNegs()).stats.applied == 1
    assert sorted(w.ops) == ["Exp", "If", "Neg"]


@dataclass(frozen=True)
class Only:
    """A policy that wants only some nodes, and keeps only some rewrites."""

    nodes: Sequence[str]
    kept_by: str = "*"

    def wanted(self, rule: Rule[Any], node: Node) -> str | None:
        return None if node.name in self.nodes else "not this one"

    def kept(self, rule: Rule[Any], node: Node, apply: Callable[[], None], rw: Rewriter) -> str | None:
        apply()
        return None if self.kept_by in ("*", rule.name) else "does not pay"

    def again(self) -> Sequence[Node]:
        return ()


def test_a_policy_decides_which_nodes_are_wanted() -> None:
    w = world("g (float[1] x) => (float[1] y) { a = Abs (x)  b = Abs (a)  y = Abs (b) }")
    engine = run(w, Rename(), policy=Only(["Abs_1"]), trace=True)
    assert w.ops == ["Abs", "Neg", "Abs"]
    unwanted = {(e.node, e.reason) for e in engine.stats.events if e.outcome == "not-wanted"}
    assert unwanted == {("Abs", "not this one"), ("Abs_2", "not this one")}


def test_what_is_not_kept_is_undone_and_the_next_rule_tried() -> None:
    w = world("g (float[1] x) => (float[1] y) { y = Abs (x) }")

    class Other(Rename):
        name, into = "other", "Sin"

    engine = run(w, Other(), Rename(), policy=Only(["Abs"], kept_by="rename"), trace=True)
    assert w.ops == ["Neg"]
    assert (engine.stats.matched, engine.stats.applied, engine.stats.not_kept) == (2, 1, 1)
    assert [(e.rule, e.outcome, e.reason) for e in engine.stats.events] == [
        ("other", "not-kept", "does not pay"),
        ("rename", "applied", ""),
    ]


def test_a_long_chain_is_linear() -> None:
    """No restart from the first node after each hit."""
    rule = Asked()
    lines = "  ".join(f"v{2 * i + 1} = Abs (v{2 * i})  v{2 * i + 2} = Relu (v{2 * i + 1})" for i in range(300))
    w = world(f"g (float[1] v0) => (float[1] v600) {{ {lines} }}")
    assert run(w, Rename(), rule).stats.applied == 300
    assert len(rule.seen) <= 900


class Absent(Exact):
    """About something that is never there."""

    name, roots = "absent", frozenset({"Neg"})

    def match(self, node: Node, ctx: Context) -> Node | Mismatch:
        return Mismatch("is not there", node, absent=True)

    def rewrite(self, match: Node, rw: Rewriter) -> None:
        raise AssertionError


def test_what_is_not_there_is_no_refusal() -> None:
    w = world("g (float[2] x) => (float[2] y) { y = Neg (x) }")
    stats = run(w, Absent(), trace=True).stats
    assert (stats.refused, dict(stats.reasons)) == (0, {})
    assert [(event.outcome, event.reason) for event in stats.events] == [("refused", "is not there")]
