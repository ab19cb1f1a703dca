"""Channels of a graph: which go together, which have to stay, and how to take some out."""

from surgery.channels.analysis import Channels, Group, Held, analyse
from surgery.channels.cut import Cut
from surgery.channels.plan import Kept, Plan, Thinned, plan_for, plan_of, thinned_layers

__all__ = [
    "Channels",
    "Cut",
    "Group",
    "Held",
    "Kept",
    "Plan",
    "Thinned",
    "analyse",
    "plan_for",
    "plan_of",
    "thinned_layers",
]
