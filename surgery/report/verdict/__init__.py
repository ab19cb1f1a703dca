"""What a document comes to: the findings that decide the exit code, the closing sentence, and what to type next."""

from __future__ import annotations

from surgery.report.verdict import numbers, placed, tools  # which register their closings
from surgery.report.verdict.closing import Closing, closing
from surgery.report.verdict.commands import command, look_again, run_with
from surgery.report.verdict.findings import Finding, drifted, findings
from surgery.report.verdict.sentences import takes, took

__all__ = [
    "Closing",
    "Finding",
    "closing",
    "command",
    "drifted",
    "findings",
    "look_again",
    "numbers",
    "placed",
    "run_with",
    "takes",
    "took",
    "tools",
]
