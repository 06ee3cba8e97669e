"""A running API: one for each test, or one for a whole file of refusals."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.gateway.api.desk import Desk, open_desk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Two merchants, an operator, three channels."""
    async with open_desk(tmp_path) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """The same for all tests of a file, which leave nothing behind that another could meet."""
    async with open_desk(tmp_path_factory.mktemp("desk")) as opened:
        yield opened
