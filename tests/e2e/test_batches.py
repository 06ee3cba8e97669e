"""Batches before real kills: in every phase, with the institution's own books as the judge."""

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.e2e.deadly import reached
from tests.e2e.town import PATIENCE_S, Town, payee, town

ROWS = range(12)
MONEY = 2_000
KEY = "batch-before-kills-0123456789"


def sheet(first: int) -> bytes:
    """A file of payouts, each to a payee of its own."""
    lines = ["商户单号,金额,付款方式,收款账号,收款人,用途"]
    lines += [f"batch-{first + n},20.00,支付宝,{payee(first + n)},张三丰,货款" for n in ROWS]
    return "\n".join(lines).encode()


async def upload(here: Town, mode: str, first: int = 0) -> httpx.Response:
    """Send it; the same upload again is harmless."""
    async with httpx.AsyncClient(
        base_url=here.installation.url, trust_env=False, timeout=15
    ) as http:
        return await http.post(
            "/v1/batches",
            params={"count": len(ROWS), "total_minor": len(ROWS) * MONEY, "mode": mode},
            content=sheet(first),
            headers={
                "Authorization": f"Bearer {here.key}",
                "Content-Type": "text/csv",
                "Idempotency-Key": f"{KEY}-{first}",
            },
        )


async def cut_off(here: Town, mode: str) -> None:
    """Upload to a gateway that is killed once it has stored some of its rows."""
    with pytest.raises(httpx.HTTPError):
        await upload(here, mode)
    await here.dead()
    assert here.paid_out().total() == 0


async def test_killed_in_every_phase_all_rows_are_paid_once(tmp_path: Path) -> None:
    """kill -9 while rows are stored, checked, accepted and set free, one after the other: before
    the last of them nothing is sent, and in the end each row is paid exactly once."""
    async with town(tmp_path, "put_rows:2") as here:
        await cut_off(here, "all_or_nothing")
        await here.start("taken_refs:1")
        assert (await upload(here, "all_or_nothing")).status_code == 202
        await here.dead()
        await here.start("accept:7")
        await here.dead()
        assert here.paid_out().total() == 0
        await here.start("release_rows:1")
        await here.dead()
        await here.start()
        await here.until_paid(len(ROWS))
        assert here.paid_out() == {payee(number): 1 for number in ROWS}
        again = await upload(here, "all_or_nothing")
        assert (again.status_code, again.json()["state"]) == (202, "done")
        await here.check_books()


async def test_killed_while_it_is_undone_no_row_is_paid(tmp_path: Path) -> None:
    """A number is taken by another payout between check and acceptance, and kill -9 comes while
    the accepted rows are cancelled: none of the batch is ever sent, all its money is back."""
    gate = tmp_path / "gate"
    async with town(tmp_path, f"reserve_batch:wait:{gate}", "undo_row:3") as here:
        assert (await upload(here, "all_or_nothing", 100)).status_code == 202
        async with asyncio.timeout(PATIENCE_S):
            while not reached(gate).exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.02)
        taken = await here.ask(1, merchant_ref="batch-109")
        assert taken.status_code == 201
        # Else it may be in doubt when the process dies, and stay so for minutes.
        await here.until_paid(1)
        gate.touch()
        await here.dead()
        await here.start()
        batch = await here.until_over((await upload(here, "all_or_nothing", 100)).json()["id"])
        assert (batch["state"], batch["refused"]["code"]) == ("refused", "row_refused")
        known = await here.until_paid(1)
        assert {one["state"] for ref, one in known.items() if ref != "batch-109"} == {"cancelled"}
        assert here.paid_out() == {payee(1): 1}
        balances = (await here.merchant.get("/v1/balances"))["data"]
        assert [one["balance_minor"] for one in balances if one["book"] == "held"] == [0]
        await here.check_books()


async def test_killed_twice_row_by_row_each_is_paid_once(tmp_path: Path) -> None:
    """kill -9 while rows are stored and while they become payouts, some of them sent already."""
    async with town(tmp_path, "put_rows:1") as here:
        await cut_off(here, "per_row")
        await here.start("accept:6")
        assert (await upload(here, "per_row")).status_code == 202
        await here.dead()
        await here.start()
        await here.until_paid(len(ROWS))
        assert here.paid_out() == {payee(number): 1 for number in ROWS}
        await here.check_books()
