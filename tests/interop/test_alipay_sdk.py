"""The official alipay-sdk-python, unmodified, works against the simulator over real sockets."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import sys
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from simulators.faults import FaultRule
from simulators.scenario import ClockPlan, Plan
from simulators.world import World
from tests.simulators.alipay.customer import START, about, account, config, to_card, transfer
from tests.simulators.keys import pair

SESSION = Path(__file__).with_name("alipay_session.py")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """An Alipay simulator on a clock that stands at 10:00 in Beijing."""
    section = config(account(notify_url=None, fee={"flat_fen": 10}))
    clock = ClockPlan(mode="virtual", start=START)
    async with World(Plan(seed=1, clock=clock, simulators=(section,))) as running:
        yield running


async def session(world: World, *calls: tuple[str, dict[str, object]]) -> list[dict[str, Any]]:
    """What the SDK got for each call."""
    order = {
        "port": int(world.shells["alipay"].url.rpartition(":")[2]),
        "app_id": account()["app_id"],
        "private_key": pair("app").private_pem,
        "platform_public_key": pair("platform").public_pem,
        "calls": calls,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SESSION),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(json.dumps(order).encode()), 30)
    assert process.returncode == 0, err.decode()
    answers: list[dict[str, Any]] = json.loads(out)
    return answers


async def test_transfer_query_balance_and_bill(world: World) -> None:
    """Account and card transfer, both queries, the balance, and the next day's bill."""
    paid, taken, waiting, money = await session(
        world,
        ("transfer", transfer("sdk-1", "12.34")),
        ("transfer", to_card("sdk-2", "100.00")),
        ("query", about(to_card("sdk-2"))),
        ("balance", {"account_type": "ACCTRANS_ACCOUNT", "alipay_user_id": "2088000000000001"}),
    )
    assert (paid["is_success"], paid["status"], paid["out_biz_no"]) == (True, "SUCCESS", "sdk-1")
    assert (taken["status"], waiting["status"]) == ("DEALING", "DEALING")
    assert waiting["arrival_time_end"] == "2026-03-02 12:00:00"
    assert (money["available_amount"], money["freeze_amount"]) == ("9887.46", "100.10")

    await world.advance(timedelta(days=1))
    arrived, bill = await session(
        world,
        ("query", {"order_id": taken["order_id"]}),
        ("bill", {"bill_type": "signcustomer", "bill_date": "2026-03-02"}),
    )
    assert (arrived["status"], arrived["order_fee"]) == ("SUCCESS", "0.10")
    raw = base64.b64decode(bill["file"])
    with zipfile.ZipFile(io.BytesIO(raw), metadata_encoding="gbk") as bundle:
        text = bundle.read("2088000000000001_20260302_账务明细.csv").decode("gbk")
    assert [line.split(",")[2].strip() for line in text.splitlines() if line[:1].isdigit()] == [
        "sdk-1",
        "sdk-1",
        "sdk-2",
        "sdk-2",
    ]


async def test_refusals_reach_the_caller_with_their_code(world: World) -> None:
    """The SDK verifies the refusal's signature and hands out code, sub_code and text."""
    nobody = {"identity": "nobody@magic.test", "identity_type": "ALIPAY_LOGON_ID", "name": "无"}
    (refused,) = await session(world, ("transfer", transfer(payee_info=nobody)))
    assert refused["is_success"] is False
    assert (refused["code"], refused["sub_code"]) == ("40004", "PAYEE_NOT_EXIST")
    assert refused["sub_msg"] == "收款账号不存在"


async def test_the_sdk_itself_checks_signatures(world: World) -> None:
    """A reply with a bad signature is refused by the SDK, though the money has moved."""
    world.add_rule(FaultRule(action="bad_signature", op="submit"))
    (lost,) = await session(world, ("transfer", transfer()))
    assert lost["raised"].startswith("ResponseException")
    assert "verify failed" in lost["raised"]
    assert len(world.shells["alipay"].simulator.truth()) == 2


async def test_repeating_the_same_transfer_pays_once(world: World) -> None:
    """The SDK signs anew with another timestamp; the number decides."""
    first, again, other = await session(
        world,
        ("transfer", transfer("sdk-1")),
        ("transfer", transfer("sdk-1")),
        ("transfer", transfer("sdk-1", "99")),
    )
    assert first["order_id"] == again["order_id"]
    assert other["sub_code"] == "PAYMENT_INFO_INCONSISTENCY"
    assert [m.kind for m in world.shells["alipay"].simulator.truth()] == ["payout", "fee"]
