"""The administration over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from simulators.control import Control
from simulators.world import World
from tests.simulators.alipay.customer import TRANSFER, account, to_card, transfer
from tests.simulators.sockets import exchange, receiving, wire
from tests.simulators.worlds import merchant, second, world


@dataclass
class Desk:
    """A client of the administration of one world."""

    world: World
    url: str
    http: aiohttp.ClientSession

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON; text bodies are sent as they are."""
        given = {"data": body} if isinstance(body, str) else {"json": body}
        async with self.http.request(method, f"{self.url}/_sim/{path}", **given) as reply:
            return reply.status, await reply.json()

    async def pay(self, biz: dict[str, object] | None = None) -> bytes:
        """Submit a transfer over the wire."""
        asker = merchant(self.world)
        request = asker.request(asker.parameters(TRANSFER, biz or transfer()))
        raw, _ = await exchange(self.world.shells["alipay"].url, wire(request))
        return raw


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """Two accounts under administration, on a clock that stands."""
    async with (
        world(account(notify_url=None, port=0), second(port=0)) as running,
        aiohttp.ClientSession() as http,
    ):
        control = Control(running)
        await control.start()
        yield Desk(running, control.url, http)
        await control.stop()


async def test_health_names_everything(desk: Desk) -> None:
    """Kinds and addresses, of each account too."""
    status, body = await desk.call("GET", "health")
    assert (status, body["ok"]) == (200, True)
    named = body["simulators"]["alipay"]
    assert named["kind"] == "alipay"
    assert set(named["accounts"]) == {"alipay-1", "alipay-2"}
    assert named["accounts"]["alipay-1"] == named["url"] != named["accounts"]["alipay-2"]


async def test_the_clock_is_read_and_moved(desk: Desk) -> None:
    """By a length or to a moment, never back."""
    assert await desk.call("GET", "clock") == (
        200,
        {"now": "2026-03-02T02:00:00+00:00", "mode": "virtual"},
    )
    assert (await desk.call("POST", "clock", {"advance": "1d"}))[1] == {
        "now": "2026-03-03T02:00:00+00:00"
    }
    assert (await desk.call("POST", "clock", {"set": "2026-03-04T00:00:00+08:00"}))[1] == {
        "now": "2026-03-03T16:00:00+00:00"
    }
    status, body = await desk.call("POST", "clock", {"set": "2026-03-01T00:00:00+08:00"})
    assert status == 400
    assert "does not go back" in body["error"]


async def test_advancing_settles_and_tells(desk: Desk) -> None:
    """When the call returns, the card is paid and its notice has arrived."""
    async with receiving() as receiver, world(account(notify_url=receiver.url)) as running:
        control = Control(running)
        await control.start()
        here = Desk(running, control.url, desk.http)
        await here.pay(to_card())
        await here.call("POST", "clock", {"advance": 3})
        assert [m["kind"] for m in (await here.call("GET", "truth"))[1]] == ["payout"]
        assert len(receiver.bodies) == 2
        await control.stop()


async def test_a_fault_comes_and_goes(desk: Desk) -> None:
    """Added, listed with its hits, removed; a refusal works at once."""
    _, added = await desk.call(
        "POST", "faults", {"action": "reject", "params": {"code": "PAYEE_NOT_EXIST"}}
    )
    assert b"PAYEE_NOT_EXIST" in await desk.pay()
    (listed,) = (await desk.call("GET", "faults"))[1]
    assert (listed["id"], listed["hits"]) == (added["id"], 1)
    assert await desk.call("DELETE", f"faults/{added['id']}") == (200, {"removed": "f1"})
    assert b'"code":"10000"' in await desk.pay()
    await desk.call("POST", "faults", {"action": "refuse", "account": "alipay-1"})
    with pytest.raises(ConnectionRefusedError):
        await desk.pay()
    await desk.call("DELETE", "faults")
    assert b'"code":"10000"' in await desk.pay()


async def test_a_scenario_replaces_the_rules(desk: Desk) -> None:
    """YAML with offsets; `replace: false` adds instead."""
    await desk.call("POST", "faults", {"action": "unsigned"})
    text = "faults:\n  - {action: reject, at: +1h, until_at: +2h}\n"
    assert await desk.call("POST", "scenario", text) == (200, {"ids": ["f1"]})
    (rule,) = (await desk.call("GET", "faults"))[1]
    assert (rule["action"], rule["from_at"]) == ("reject", "2026-03-02T03:00:00Z")
    more = {"replace": False, "faults": [{"action": "slow", "params": {"fixed": 1}}]}
    assert await desk.call("POST", "scenario", more) == (200, {"ids": ["f2"]})
    assert len((await desk.call("GET", "faults"))[1]) == 2


async def test_a_scenario_is_taken_whole_or_not_at_all(desk: Desk) -> None:
    """A rule that cannot be given leaves the present ones standing."""
    await desk.call("POST", "faults", {"action": "unsigned"})
    for bad in ({"action": "dance"}, {"action": "reject", "account": "nobody"}):
        status, _ = await desk.call("POST", "scenario", {"faults": [{"action": "garbage"}, bad]})
        assert status == 400
        assert [r["action"] for r in (await desk.call("GET", "faults"))[1]] == ["unsigned"]


async def test_truth_accounts_and_topup(desk: Desk) -> None:
    """What really moved, by account."""
    await desk.pay()
    assert await desk.call("POST", "accounts/alipay-2/topup", {"amount_fen": 500}) == (
        200,
        {"account": "alipay-2", "added_fen": 500},
    )
    _, truth = await desk.call("GET", "truth")
    assert [(m["account"], m["kind"], m["amount_minor"]) for m in truth] == [
        ("alipay-1", "payout", 1234),
        ("alipay-2", "topup", 500),
    ]
    assert truth[0]["payee"] == "li@example.test"
    assert len((await desk.call("GET", "truth?account=alipay-2"))[1]) == 1
    balances = {a["account"]: a["balance_fen"] for a in (await desk.call("GET", "accounts"))[1]}
    assert balances == {"alipay-1": 998_766, "alipay-2": 1_000_500}


async def test_the_journal_can_be_followed(desk: Desk) -> None:
    """Requests with what was decided; secrets masked."""
    await desk.pay()
    _, rows = await desk.call("GET", "journal?reference=po-1")
    (row,) = rows
    assert (row["op"], row["account"], row["status"]) == ("submit", "alipay-1", 200)
    assert "li@example.test" not in str(row)
    assert (await desk.call("GET", f"journal?after={row['number']}"))[1] == []


async def test_a_trigger_forces_a_return(desk: Desk) -> None:
    """The card comes back at once; a second time does not fit."""
    await desk.pay(to_card())
    await desk.call("POST", "clock", {"advance": "1m"})
    event = {"event": "payout.returned", "reference": "po-1"}
    assert (await desk.call("POST", "trigger", event))[0] == 200
    assert [m["kind"] for m in (await desk.call("GET", "truth"))[1]] == ["payout", "return"]
    status, body = await desk.call("POST", "trigger", event)
    assert status == 409
    assert "REFUND" in body["error"]


async def test_triggers_are_listed_by_kind(desk: Desk) -> None:
    """Each with its words in both languages; what is listed is what the simulator knows."""
    _, listed = await desk.call("GET", "triggers")
    assert all(row["zh"] and row["en"] for row in listed)
    await desk.pay(to_card())
    for row in listed:
        if row["kind"] != "alipay":
            continue
        status, said = await desk.call(
            "POST", "trigger", {"event": row["event"], "reference": "po-1", "simulator": "alipay"}
        )
        assert status == 200 or "no event" not in said["error"], said
    status, said = await desk.call("POST", "trigger", {"event": "x", "reference": "po-1"})
    for row in listed:
        assert row["event"] in said["error"]


async def test_actions_are_listed_with_their_parameters(desk: Desk) -> None:
    """What a rule may say, for people and consoles."""
    _, listed = await desk.call("GET", "actions")
    late = next(row for row in listed if row["action"] == "statement_late")
    assert (late["asked"], late["params"]) == ("statement", ["after"])
    assert late["meaning"]


async def test_a_reset_starts_over(desk: Desk) -> None:
    """Books, orders, rules and journal are fresh; the clock and the addresses stay."""
    await desk.pay()
    await desk.call("POST", "faults", {"action": "refuse"})
    await desk.call("POST", "clock", {"advance": "1h"})
    assert await desk.call("POST", "reset") == (200, {"reset": True})
    assert (await desk.call("GET", "truth"))[1] == []
    assert (await desk.call("GET", "faults"))[1] == []
    assert (await desk.call("GET", "journal"))[1] == []
    assert (await desk.call("GET", "clock"))[1]["now"] == "2026-03-02T03:00:00+00:00"
    assert b'"code":"10000"' in await desk.pay()


async def test_magic_is_listed(desk: Desk) -> None:
    """The table of the kinds that run, for consoles and people."""
    _, rows = await desk.call("GET", "magic")
    assert {"nobody@magic.test", "6222000000000002", None} <= {row["payee"] for row in rows}
    assert {row["kind"] for row in rows} == {"alipay"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "nothing", None, 404),
        ("PUT", "clock", {}, 404),
        ("DELETE", "faults/f9", None, 404),
        ("POST", "clock", {}, 400),
        ("POST", "clock", {"advance": "soon"}, 400),
        ("POST", "clock", {"set": "2026-03-03"}, 400),
        ("POST", "clock", "{", 400),
        ("POST", "clock", "[]", 400),
        ("POST", "faults", {"action": "dance"}, 400),
        ("POST", "faults", {"action": "reject", "account": "nobody"}, 400),
        ("POST", "scenario", "faults: [", 400),
        ("POST", "scenario", "rules: []", 400),
        ("POST", "accounts/nobody/topup", {"amount_fen": 1}, 404),
        ("POST", "accounts/alipay-1/topup", {"amount_fen": 1.5}, 400),
        ("POST", "accounts/alipay-1/topup", {"amount_fen": 1, "why": "x"}, 400),
        ("POST", "trigger", {"event": "payout.returned"}, 400),
        ("POST", "trigger", {"event": "payout.returned", "reference": "po-9"}, 409),
        ("GET", "journal?after=x", None, 400),
    ],
)
async def test_bad_calls_are_answered_with_words(
    desk: Desk, method: str, path: str, body: object, status: int
) -> None:
    """Each mistake has its status and a sentence."""
    got, said = await desk.call(method, path, body)
    assert got == status
    assert said["error"]


async def test_a_reset_forgets_what_was_owed(desk: Desk) -> None:
    """A refused notice of the old books does not climb the ladder in the new ones."""
    async with (
        receiving((500, "no")) as receiver,
        world(account(notify_url=receiver.url), notice_ladder_s=[60, 60]) as running,
    ):
        await Desk(running, "", desk.http).pay()
        await running.settle()
        running.reset()
        await running.settle()
        told = len(receiver.bodies)
        assert running.shells["alipay"].next_at() is None
        assert told == 1
