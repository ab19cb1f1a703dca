"""From any document, or from what came instead of one, to its content."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from surgery.report.audit import AuditDocument
from surgery.report.base import Document
from surgery.report.batch import Failure
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
from surgery.report.verdict import Closing
from surgery.report.view.audited import audit_page
from surgery.report.view.content import Page
from surgery.report.view.cost_diff import cost_diff_page
from surgery.report.view.costs import cost_page
from surgery.report.view.drift import diff_page
from surgery.report.view.linted import config_page, lint_page
from surgery.report.view.listed import bisect_page, calibration_page, explain_page, marches_page, passes_page
from surgery.report.view.placed import check_page
from surgery.report.view.profiled import profile_page
from surgery.report.view.ran import run_page
from surgery.report.view.tradeoff import tradeoff_page

_PAGES: dict[type[Document], Callable[[Any], Page]] = {
    CheckDocument: check_page,
    CostDocument: cost_page,
    CostDiffDocument: cost_diff_page,
    DiffDocument: diff_page,
    RunDocument: run_page,
    ExplainDocument: explain_page,
    BisectDocument: bisect_page,
    CalibrationDocument: calibration_page,
    ProfileDocument: profile_page,
    PassesDocument: passes_page,
    MarchesDocument: marches_page,
    LintDocument: lint_page,
    ConfigDocument: config_page,
    TradeoffDocument: tradeoff_page,
    AuditDocument: audit_page,
}


def page(document: Document) -> Page:
    """The content of ``document``."""
    return _PAGES[type(document)](document)


def failure_page(failure: Failure) -> Page:
    """The model that could not be worked on, and why."""
    said = " ".join(failure.error.split())
    return Page(f"Failed for {failure.march}", failure.model, closing=Closing(False, said))
