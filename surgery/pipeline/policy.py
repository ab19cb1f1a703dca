"""Purpose decides: which matches are wanted, and which rewrites stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from surgery.ir import Node
from surgery.pipeline.context import PassContext
from surgery.pipeline.gain import Gains
from surgery.pipeline.state import State, compare
from surgery.rewrite import Engine, Purpose, Rewriter, Rule
from surgery.rewrite.engine import Policy

WHOLE = 200
"""Most rewrites of a pass that are judged by estimates of the whole model, each of which takes a look at every node."""
CLOSE = 1.5
"""Time over that of before up to which a LEGALISE rewrite that loses among its neighbours is judged as a whole."""
ILLEGAL = frozenset({"cpu", "refused"})
IN_A_BODY = "inside a body, which runs on the CPU as a whole"


class ByPurpose(Policy):
    """The policy of the pass manager.

    A LEGALISE rewrite stays when all it makes is legal. An operator younger than what the toolchain takes stops the
    whole model, wherever it stands and whatever it costs to replace: where no rule does so by what is legal, its rules
    are tried :meth:`again`, and then older operators will do.

    Args:
        ctx: the march's verdicts and costs.
        later: the LEGALISE rules of this and later passes, which may finish what a rewrite begins.

    Attributes:
        careful: judge every rewrite by an estimate of the whole model instead of the nodes around it.
        now: the model as the march saw it last, after what was kept; None when nobody looked.
        looked_ahead: rules of later passes were tried, so that what was kept depends on them.
    """

    def __init__(self, ctx: PassContext, later: Sequence[Rule[Any]]) -> None:
        self.ctx, self.later = ctx, later
        self.careful = self.looked_ahead = False
        self._judged, self._gains = 0, Gains(ctx)
        self._stuck: list[Node] = []
        self._last: set[Node] = set()
        self.now: State | None = None
        self._looked: tuple[Node, Sequence[Any]] | None = None

    def restart(self) -> None:
        """Judge anew, by the whole model, after everything was undone."""
        self.careful, self.now = True, None
        self.forget()
        self._stuck, self._last = [], set()

    def again(self) -> list[Node]:
        """The operators that the toolchain does not know and that nothing legal replaced, each once."""
        stuck, self._stuck = [n for n in self._stuck if n not in self._last], []
        self._last.update(stuck)
        return stuck

    def slower(self) -> str | None:
        """Why everything kept since the start does not pay, taken together; None when it does or cannot be said."""
        if "at_start" not in vars(self.ctx):  # nothing that has to pay was tried
            return None
        self.now = self.ctx.state()
        return _slower(self.ctx.at_start, self.now)

    def wanted(self, rule: Rule[Any], node: Node) -> str | None:
        """Why ``rule`` is not to be tried at ``node``: protected, legal already, or not its trouble."""
        if self.ctx.is_protected(node):
            return "protected"
        if rule.purpose is Purpose.ACCELERATE:
            return self._unpaid(node)
        if rule.purpose is not Purpose.LEGALISE:
            return None
        violations = self._violations(node)
        if node.graph is not self.ctx.main:
            violations = [v for v in violations if v.is_birth]
            if not violations:
                return IN_A_BODY
        if not violations:
            return "violates no limit of the march"
        if not rule.cure(violations):
            return f"does not cure {', '.join(v.constraint for v in violations)}"
        return None

    def _unpaid(self, node: Node) -> str | None:
        """Why nothing that is done to ``node`` can be said to pay."""
        if not self.ctx.is_priced:
            return "no cost coefficients: whether it pays cannot be said"
        return None if node.graph is self.ctx.main else IN_A_BODY

    def _violations(self, node: Node) -> Sequence[Any]:
        """The limits that ``node`` violates, remembered for the rules that are tried at it one after the other."""
        if self._looked is None or self._looked[0] is not node:
            self._looked = (node, self.ctx.violations(node))
        return self._looked[1]

    def kept(self, rule: Rule[Any], node: Node, apply: Callable[[], None], rw: Rewriter) -> str | None:
        """Apply, and say why it has to be undone: protected, still illegal, or no gain."""
        try:
            return self._kept(rule, node, apply, rw)
        finally:
            self.forget()

    def price(self, rule: Rule[Any], apply: Callable[[], None], rw: Rewriter) -> tuple[float | None, str]:
        """What the rewrite makes, with what later rules make of that, takes; and why it may not stay."""
        try:
            reason = self._apply(rule, apply, rw)
            return (self.ctx.local_us(_alive(rw.made)), "") if reason is None else (None, reason)
        finally:
            self.forget()

    def forget(self) -> None:
        """The graph is not what it was when a node was looked at last."""
        self._looked = None

    def _kept(self, rule: Rule[Any], node: Node, apply: Callable[[], None], rw: Rewriter) -> str | None:
        if rule.purpose not in (Purpose.LEGALISE, Purpose.ACCELERATE):
            apply()
            return self._protected(rw)
        self._look_at_start(rw)
        if rule.purpose is Purpose.LEGALISE and self._is_unborn(node):
            return self._replaced(node, apply, rw)
        if self.careful:
            return self._kept_as_a_whole(rule, apply, rw)
        mark, before = rw.editor.mark(), self._time_to_beat([node])
        reason = self._apply(rule, apply, rw) or self._guess(rule, rw)
        after = None if reason is not None else self.ctx.local_us(_alive(rw.made))
        if after is None:
            return reason
        removed = list(rw.removed)
        if removed != [node]:  # only now known: what they cost is seen when they are back in place
            rw.editor.rollback(mark)
            before = self._time_to_beat(removed)
        loss = self._loss(rule, before, after)
        if loss is not None and _is_close(rule, before, after):
            rw.editor.rollback(mark)
            return self._looked_again(rule, apply, rw)
        return loss if loss is not None or removed == [node] else self._apply(rule, apply, rw)

    def _looked_again(self, rule: Rule[Any], apply: Callable[[], None], rw: Rewriter) -> str | None:
        """By the whole model: what the nodes around lose is often won by those that come to the BPU with them."""
        self.now = None
        reason = self._kept_as_a_whole(rule, apply, rw)
        self.now = None
        return reason

    def _look_at_start(self, rw: Rewriter) -> None:
        """See the model before the first rewrite that has to pay; what needs not may have been done already."""
        if "at_start" not in vars(self.ctx):
            rw.editor.settle()
            _ = self.ctx.at_start

    def _replaced(self, node: Node, apply: Callable[[], None], rw: Rewriter) -> str | None:
        """As :meth:`kept`, of an operator that the toolchain does not know: no time excuses it."""
        apply()
        wrong = self._is_unborn if node in self._last else self._illegal
        reason = self._protected(rw) or self._finish(rw, wrong, wrong)
        if reason is None:
            self.now = None
        else:
            self._stuck.append(node)
        return reason

    def _kept_as_a_whole(self, rule: Rule[Any], apply: Callable[[], None], rw: Rewriter) -> str | None:
        """As :meth:`kept`, but judged by the whole model, whose placement a rewrite may change far away."""
        if self._judged >= WHOLE:
            return f"only {WHOLE} rewrites are judged by estimates of the whole model"
        before = self.now or self._look(rw)
        reason = self._apply(rule, apply, rw) or self._guess(rule, rw)
        if reason is not None:
            return reason
        self._judged += 1
        after = self._look(rw)
        if (loss := _slower(before, after)) is None:
            self.now = after
        return loss

    def _look(self, rw: Rewriter) -> State | None:
        rw.editor.settle()
        return self.ctx.state()

    def _guess(self, rule: Rule[Any], rw: Rewriter) -> str | None:
        """An assumed time says nothing about a gain."""
        node = self.ctx.assumed(_alive(rw.made)) if rule.purpose is Purpose.ACCELERATE else None
        return None if node is None else f"the time of {node.op} on this march is assumed, not measured"

    def _time_to_beat(self, nodes: Sequence[Node]) -> float | None:
        """What ``nodes`` cost; None when one that the toolchain refuses stops the whole model."""
        device = cache(self.ctx.device)
        refused = any(device(node) == "refused" for node in nodes)
        return None if refused else self.ctx.local_us(nodes, device)

    @property
    def _is_refused_as_a_whole(self) -> bool:
        """Whether the toolchain refused the model at the start, nothing of which ran on the BPU."""
        start = self.ctx.at_start
        return start is not None and not start.placement.segments

    def _loss(self, rule: Rule[Any], before: float | None, after: float) -> str | None:
        if before is None:
            return None
        if rule.purpose is Purpose.LEGALISE:
            if after <= before or self._is_refused_as_a_whole:
                return None
            return f"predicted {after:.0f} us instead of {before:.0f} us"
        return self._gains.lack(rule, before, after)

    def _apply(self, rule: Rule[Any], apply: Callable[[], None], rw: Rewriter) -> str | None:
        apply()
        if (reason := self._protected(rw)) is not None or rule.purpose is not Purpose.LEGALISE:
            return reason
        return self._finish(rw, lambda node: self._illegal(node) and not self._may_stay(node, rule), self._illegal)

    def _finish(self, rw: Rewriter, wrong: Callable[[Node], bool], open_to: Callable[[Node], bool]) -> str | None:
        """Legalise what the rewrite made and is ``open_to`` it, by rules yet to come; why some is still ``wrong``."""
        made, removed, touched = list(rw.made), list(rw.removed), list(rw.touched)
        waiting = [n for n in made if open_to(n)]
        if not waiting:
            return None
        self.looked_ahead = True
        nested = _Nested(self, rw, made, removed, touched, open_to)
        Engine("legalise", self.later, self.ctx, rw, nested).run(waiting)
        rw.made, rw.removed, rw.touched = made, removed, touched
        worst = next((n for n in _alive(made) if wrong(n)), None)
        if worst is None:
            return None
        limits = ", ".join(f"{v.constraint} {v.found}" for v in self.ctx.violations(worst))
        return f"makes {worst.op}, which is not legal either ({limits})"

    def _is_unborn(self, node: Node) -> bool:
        return self.ctx.verdict(node).birth is not None

    def _may_stay(self, node: Node, rule: Rule[Any]) -> bool:
        return node.op in rule.leaves and self.ctx.device(node) == "cpu"

    def _illegal(self, node: Node) -> bool:
        verdict = self.ctx.verdict(node)
        return verdict.device in ILLEGAL and bool(verdict.violations)

    def _protected(self, rw: Rewriter) -> str | None:
        name = next((n.name for n in (*rw.removed, *rw.touched) if self.ctx.is_protected(n)), None)
        return None if name is None else f"would change {name!r}, which is protected"


class _Nested(Policy):
    """Keeps what later rules do to the nodes of one group that are ``open_to`` it, and adds it to that group."""

    def __init__(
        self,
        outer: ByPurpose,
        rw: Rewriter,
        made: list[Node],
        removed: list[Node],
        touched: list[Node],
        open_to: Callable[[Node], bool],
    ) -> None:
        self.outer, self.rw, self.made, self.removed, self.touched = outer, rw, made, removed, touched
        self.open_to = open_to

    def wanted(self, rule: Rule[Any], node: Node) -> str | None:
        """As outside; but nothing beyond the group is rewritten."""
        mine = node in self.made and self.open_to(node)
        return self.outer.wanted(rule, node) if mine else "not of this group"

    def kept(self, rule: Rule[Any], node: Node, apply: Callable[[], None], rw: Rewriter) -> str | None:
        """Apply and keep; the group is judged as a whole."""
        apply()
        self.outer.forget()
        mine = {id(n) for n in self.made}
        self.made += rw.made
        self.removed += [n for n in rw.removed if id(n) not in mine]
        self.touched += rw.touched
        return None

    def again(self) -> Sequence[Node]:
        """None: the group is judged as a whole."""
        return ()


def _slower(before: State | None, after: State | None) -> str | None:
    if before is None or after is None or before.estimate is None or after.estimate is None:
        return None
    paired = compare(before, after).interval
    if paired is None or paired.mid >= 1:
        return None
    old, new = before.estimate.latency_ms.mid, after.estimate.latency_ms.mid
    return f"predicted {new:.3g} ms for the model instead of {old:.3g} ms"


def _is_close(rule: Rule[Any], before: float | None, after: float) -> bool:
    """Whether a rewrite for the BPU loses so little that what follows from it may outweigh the loss."""
    return rule.purpose is Purpose.LEGALISE and before is not None and after <= CLOSE * before


def _alive(nodes: Sequence[Node]) -> list[Node]:
    return [n for n in nodes if n.graph is not None]
