"""Every unit test begins without a learned secret, so that none leaks into another's words."""

from __future__ import annotations

import pytest

from console import secrets


@pytest.fixture(autouse=True)
def no_learned_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "REDACTOR", secrets.Redactor())
