"""Chips as data, and what they say about models: limits, verdicts, placement."""

from surgery.target.overlay import Word
from surgery.target.params import macs
from surgery.target.place import Placement, Summary, place
from surgery.target.registry import aliases, march_names
from surgery.target.rows import Row
from surgery.target.target import Target, load_target
from surgery.target.verdict import Refusal, Verdict, Violation

__all__ = [
    "Placement", "Refusal", "Row", "Summary", "Target", "Verdict", "Violation", "Word",
    "aliases", "load_target", "macs", "march_names", "place",
]  # fmt: skip
