"""The client's page: every block runs, as it stands, before a real gateway."""

import asyncio
import io
import re
from collections.abc import AsyncIterator
from contextlib import redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

import gateway.client
from gateway.webhooks.signing import new_secret, signed_headers
from tests.gateway.api.desk import Desk, open_desk
from tests.gateway.client.test_real_gateway import address, stored
from tests.gateway.client.test_webhooks import BODY

PAGE = Path(gateway.client.__file__).with_name("README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SECRET = new_secret(bytes(range(32)))


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """A gateway, named by the environment as the page says."""
    async with open_desk(tmp_path) as opened:
        monkeypatch.setenv("HANGDAO_URL", address(opened))
        monkeypatch.setenv("HANGDAO_KEY", opened.keys["acme"])
        monkeypatch.setenv("HANGDAO_WEBHOOK_SECRETS", SECRET)
        yield opened


def run_page() -> tuple[dict[str, Any], str]:
    """All blocks, one after the other, in one program; what they left and printed."""
    names: dict[str, Any] = {}
    with redirect_stdout(io.StringIO()) as printed:
        for block in BLOCKS:
            exec(compile(block, "README.md", "exec"), names)  # noqa: S102 - our own page
    names["client"].close()
    return names, printed.getvalue()


async def test_every_block_runs(desk: Desk) -> None:
    """It pays twice and splits once, uploads a file, and reads what it has done."""
    names, printed = await asyncio.to_thread(run_page)
    assert await stored(desk) == 4
    assert names["batch"].count == 1
    assert names["payout"].merchant_ref == "order-1"
    assert names["cursor"] == names["feed"].cursor > 0
    assert "payout.accepted" in printed
    assert "held" in printed


async def test_the_receiver_takes_what_is_signed_once(desk: Desk) -> None:
    """204 for a webhook and its repetition, 401 for anything else."""
    names, _ = await asyncio.to_thread(run_page)
    headers = signed_headers("wd_1", BODY, (SECRET,), datetime.now(UTC))

    def post(body: bytes) -> str:
        environ: dict[str, Any] = {
            f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()
        }
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        setup_testing_defaults(environ)
        told: list[str] = []
        names["receiver"](environ, lambda status, _: told.append(status))
        return told[0]

    with redirect_stdout(io.StringIO()) as printed:
        statuses = [post(BODY), post(BODY), post(BODY + b" ")]
    assert [one[:3] for one in statuses] == ["204", "204", "401"]
    assert printed.getvalue().count("payout.paid order-1 12345") == 1


def test_every_name_that_is_exported_is_there() -> None:
    """Nothing in `__all__` is missing, and the list is in order."""
    assert sorted(gateway.client.__all__) == gateway.client.__all__
    assert all(hasattr(gateway.client, name) for name in gateway.client.__all__)
