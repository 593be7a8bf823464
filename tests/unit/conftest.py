"""What the unit tests share."""

from __future__ import annotations

import pytest

from dynamic_providers import report


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that the operator is told; nothing goes to an engine."""
    lines: list[str] = []
    monkeypatch.setattr(report, "info", lines.append)
    monkeypatch.setattr(report, "warning", lines.append)
    return lines
