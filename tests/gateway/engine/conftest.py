"""The running whole, as a fixture."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.engine import reconcile
from tests.gateway.engine.rig import Rig, running


@pytest.fixture(autouse=True)
def _unpaced_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause between two days of statements is the institution's affair, not these tests'."""
    monkeypatch.setattr(reconcile, "PACE_S", 0)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """An empty SQLite database."""
    return f"sqlite://{tmp_path}/hangdao.db"


@pytest.fixture
async def rig(url: str) -> AsyncIterator[Rig]:
    """Two Alipay accounts and a WeChat one, cheapest first, and a worker that runs."""
    async with running(url) as made:
        yield made
