"""Markers: what needs ``../shared`` or the vendor's toolchain is skipped where that is not there, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from surgery.toolchain import Witness, WitnessError, find
from surgery.toolchain.cache import Cache

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witness]:
    """The vendor's toolchain, started once, for tests marked ``witness``; nothing is known from runs before."""
    with Witness(cache=Cache(tmp_path_factory.mktemp("vendor"))) as opened:
        yield opened


def _witness() -> bool:
    """Whether the vendor's toolchain is where ``surgery`` looks for it."""
    try:
        find()
    except WitnessError:
        return False
    return True


def _absent() -> dict[str, str]:
    """Marker -> why its tests cannot run here."""
    reasons = {"shared": (SHARED.is_dir(), "no ../shared"), "witness": (_witness(), "no vendor toolchain")}
    return {marker: reason for marker, (found, reason) in reasons.items() if not found}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for marker, reason in _absent().items():
        for item in items:
            if marker in item.keywords:
                item.add_marker(pytest.mark.skip(reason=f"{marker}: {reason}"))


def _reasons(terminalreporter: pytest.TerminalReporter) -> Iterator[str]:
    for report in terminalreporter.stats.get("skipped", []):
        yield report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else "skipped"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts = Counter(_reasons(terminalreporter))
    for marker, reason in _absent().items():
        terminalreporter.write_line(f"{counts[f'{marker}: {reason}']} tests marked {marker} skipped: {reason}")
