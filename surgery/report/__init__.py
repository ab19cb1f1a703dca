"""Reports are data: a document per command, written as JSON and seen as terminal text, Markdown or HTML."""

from __future__ import annotations

from surgery.report.audit import AuditDocument
from surgery.report.base import Document, ModelRef, Span
from surgery.report.batch import BatchDocument
from surgery.report.calibration import CalibrationDocument
from surgery.report.catalogue import MarchesDocument, PassesDocument
from surgery.report.check import CheckDocument
from surgery.report.config import ConfigDocument
from surgery.report.cost import CostDocument
from surgery.report.cost_diff import CostDiffDocument
from surgery.report.diff import DiffDocument
from surgery.report.lint import LintDocument
from surgery.report.profile import ProfileDocument
from surgery.report.run import RunDocument
from surgery.report.trace import BisectDocument, ExplainDocument
from surgery.report.tradeoff import TradeoffDocument
from surgery.report.verdict import Closing, Finding, closing, findings
from surgery.report.verdict_tradeoff import again  # with it, closing and findings know of searches

__all__ = [
    "AuditDocument",
    "BatchDocument",
    "BisectDocument",
    "CalibrationDocument",
    "CheckDocument",
    "Closing",
    "ConfigDocument",
    "CostDiffDocument",
    "CostDocument",
    "DiffDocument",
    "Document",
    "ExplainDocument",
    "Finding",
    "LintDocument",
    "MarchesDocument",
    "ModelRef",
    "PassesDocument",
    "ProfileDocument",
    "RunDocument",
    "Span",
    "TradeoffDocument",
    "again",
    "closing",
    "findings",
]
