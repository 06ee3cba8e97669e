"""The real process: killed, stopped, started twice, out of disk. The institution's books judge."""

import asyncio
import os
import resource
import signal
from pathlib import Path

import httpx

from gateway.clock import SystemClock
from gateway.sandbox.processes import Child, ProcessError
from gateway.store.mark import last_halt
from gateway.wiring import open_configured_store
from tests.e2e.town import Town, body, payee, town

ALL = range(30)


async def test_killed_at_work_it_pays_each_payout_once_and_keeps_its_word(tmp_path: Path) -> None:
    """kill -9 while requests are taken in and sends are in the air, twice: what was acknowledged
    is there, callers who ask again get the same payout, and each is paid exactly once."""
    async with town(tmp_path) as here:
        rule = here.slow_down("500ms")
        answered: list[int] = []

        async def ask(number: int) -> None:
            try:
                answer = await here.ask(number)
            except httpx.HTTPError:
                return
            if answer.status_code == 201:
                answered.append(number)

        for moved in (3, 10):
            asking = asyncio.gather(*(ask(number) for number in ALL))
            await here.until_moved(moved)
            await here.kill()
            await asking
            await here.start()
            known = await here.payouts()
            assert {body(number)["merchant_ref"] for number in answered} <= set(known)
        assert here.world.remove_rule(rule)
        again = await asyncio.gather(*(here.ask_until_taken(number) for number in ALL))
        assert {answer.status_code for answer in again} == {201}
        await here.until_paid(len(ALL))
        assert here.paid_out() == {payee(number): 1 for number in ALL}
        await _armed_once_and_doubted(here)
        await here.check_books()


async def _armed_once_and_doubted(here: Town) -> None:
    """Each has one attempt for ever, and those in the air at a kill were in doubt after it."""
    events = (await here.operator.get("/v1/events", limit=1000))["data"]
    doubts = [one for one in events if one["type"] == "payout.in_doubt"]
    assert "recovery" in {one["data"]["source"] for one in doubts}
    assert sum(one["type"] == "payout.armed" for one in events) == len(ALL)


async def test_without_disk_it_stops_sending_and_leaves(tmp_path: Path) -> None:
    """Files may not grow any more: nothing is acknowledged, the process ends with 1, and with
    room again everything that was acknowledged is there and paid once."""
    async with town(tmp_path) as here:
        await asyncio.gather(*(here.ask(number) for number in range(3)))
        await here.until_paid(3)
        pid = here.gateway.pid
        assert pid is not None
        wal = here.folder / "data" / "hangdao.db-wal"
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (wal.stat().st_size, resource.RLIM_INFINITY))
        number, answer = 3, None
        while answer is None or answer.status_code == 201:
            answer = await here.ask(number)
            number += 1
        assert (answer.status_code, answer.json()["retryable"]) == (503, True)
        sent = here.paid_out().total()
        async with asyncio.timeout(15):
            assert await here.gateway.wait() == 1
        said = last_halt(here.folder / "data")
        assert said is not None
        assert "disk" in said["en"]
        assert "磁盘" in said["zh"]
        assert here.paid_out().total() == sent
        assert "store.broken" in (here.folder / "gateway.log").read_text(encoding="utf-8")
        await here.start()
        acknowledged = range(number - 1)
        known = await here.until_paid(len(acknowledged))
        assert set(known) == {body(one)["merchant_ref"] for one in acknowledged}
        assert here.paid_out() == {payee(one): 1 for one in acknowledged}
        await here.check_books()


async def test_asked_to_stop_it_finishes_what_it_has_begun(tmp_path: Path) -> None:
    """SIGTERM while sends are in the air: their answers are waited for and stored, exit code 0.
    Meanwhile a second process on the same database is refused."""
    async with town(tmp_path) as here:
        second = Child(
            *("gateway", "serve", "--config", str(here.installation.config), "--port", "0"),
            log=here.folder / "second.log",
            env=here.installation.env,
        )
        assert "in use by another process" in await _refusal(second)
        here.slow_down("800ms")
        await asyncio.gather(*(here.ask(number) for number in range(5)))
        await here.until_moved(5)
        pid = here.gateway.pid
        assert pid is not None
        os.kill(pid, signal.SIGTERM)
        assert await here.gateway.wait() == 0
        store = await open_configured_store(here.settings, SystemClock(), migrate=False)
        kinds = [event.kind for event in await store.feed(None, 0, 1000)]
        problems = await store.audit()
        await store.aclose()
        assert (kinds.count("paid"), kinds.count("in_doubt"), problems) == (5, 0, [])


async def _refusal(child: Child) -> str:
    """What a process says that does not start."""
    try:
        await child.start()
    except ProcessError as error:
        return str(error)
    await child.stop()
    return "it started"
