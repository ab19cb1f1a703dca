"""The findings of a document, which decide the exit code."""

from __future__ import annotations

from enum import StrEnum
from functools import singledispatch

from surgery.report.base import Document
from surgery.report.check import CheckDocument, Summary
from surgery.report.config import ConfigDocument
from surgery.report.diff import DiffDocument
from surgery.report.lint import LintDocument
from surgery.report.profile import ProfileDocument
from surgery.report.run import RunDocument
from surgery.report.trace import BisectDocument
from surgery.report.witness import WitnessSide


class Finding(StrEnum):
    """What makes a finished command exit 1; ``--fail-on`` narrows it."""

    REFUSED = "refused"
    CPU = "cpu"
    UNKNOWN = "unknown"
    UNVERIFIED = "unverified"
    DRIFT = "drift"
    BUDGET = "budget"
    SETTINGS = "settings"
    FAILED = "failed"


@singledispatch
def findings(_document: Document) -> frozenset[Finding]:
    """What in the document makes the command exit 1; nothing for the catalogues."""
    return frozenset()


def _placed(accepted: bool, side: Summary) -> frozenset[Finding]:
    found = {
        Finding.REFUSED: not accepted or side.refused > 0,
        Finding.CPU: side.cpu > 0,
        Finding.UNKNOWN: side.unknown > 0,
    }
    return frozenset(finding for finding, there in found.items() if there)


def _outranked(ours: frozenset[Finding], witness: WitnessSide | None) -> frozenset[Finding]:
    """The findings about placement, the toolchain's own where it was asked and came as far as its table."""
    if witness is None:
        return ours
    found = {Finding.REFUSED: not witness.accepted, Finding.CPU: len(witness.cpu) > len(witness.own)}
    theirs = frozenset(finding for finding, there in found.items() if there)
    return theirs if witness.rows else ours | theirs


@findings.register
def _(document: CheckDocument) -> frozenset[Finding]:
    return _outranked(_placed(document.accepted, document.summary), document.witness.side if document.witness else None)


@findings.register
def _(document: RunDocument) -> frozenset[Finding]:
    found = {Finding.UNVERIFIED: document.verified != "full", Finding.BUDGET: bool(document.exceeded)}
    placed = _placed(document.after.accepted, document.after)
    placed = _outranked(placed, document.witness.after if document.witness else None)
    return placed | {finding for finding, there in found.items() if there}


@findings.register
def _(document: DiffDocument) -> frozenset[Finding]:
    return frozenset({Finding.DRIFT}) if drifted(document) else frozenset()


@findings.register
def _(document: BisectDocument) -> frozenset[Finding]:
    return frozenset({Finding.DRIFT}) if document.guilty else frozenset()


@findings.register
def _(document: ProfileDocument) -> frozenset[Finding]:
    return frozenset({Finding.CPU}) if document.bottleneck and document.bottleneck.on_cpu else frozenset()


@findings.register
def _(document: LintDocument) -> frozenset[Finding]:
    return frozenset({Finding.SETTINGS}) if document.left else frozenset()


@findings.register
def _(document: ConfigDocument) -> frozenset[Finding]:
    return frozenset() if document.accepted else frozenset({Finding.REFUSED})


def drifted(document: DiffDocument) -> bool:
    """Whether a value is further from the reference than rounding explains, or an output cannot be compared."""
    return document.first_bad is not None or any(out.problem for out in document.outputs)
