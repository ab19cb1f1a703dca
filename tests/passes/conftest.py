"""What tests of passes share."""

from __future__ import annotations

import pytest

from surgery.pipeline.policy import ByPurpose


@pytest.fixture
def paying(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every match pays, alone and together; when it really does is the manager's to say."""
    monkeypatch.setattr(ByPurpose, "_loss", lambda *_: None)
    monkeypatch.setattr(ByPurpose, "_guess", lambda *_: None)
    monkeypatch.setattr(ByPurpose, "slower", lambda _: None)
