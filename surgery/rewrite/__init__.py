"""Local rewrites: rules, what they need, how they edit, and the engine that applies them."""

from surgery.ir.origin import ORIGIN
from surgery.rewrite import inline, need
from surgery.rewrite.engine import Diverged, Engine, Event, Stats
from surgery.rewrite.rewriter import Rewriter
from surgery.rewrite.rule import Context, Exactness, Limit, Mismatch, Purpose, Rule, weakest

__all__ = [
    "ORIGIN",
    "Context",
    "Diverged",
    "Engine",
    "Event",
    "Exactness",
    "Limit",
    "Mismatch",
    "Purpose",
    "Rewriter",
    "Rule",
    "Stats",
    "inline",
    "need",
    "weakest",
]
