"""The official alipay-sdk-python, unmodified, pays through a gateway in Alipay's place.

The gateway is a process of its own that pays by its Alipay channel at a simulator: the SDK's words
go in at one end, the same words come out at the other. The simulator's books say what was paid.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from simulators.faults import FaultRule
from tests.e2e.town import PATIENCE_S, Town, town

SESSION = Path(__file__).with_name("alipay_session.py")
HOST = "openapi.alipay.example"
BY_HOST = f"http://{HOST}/gateway.do"
BY_PREFIX = "http://127.0.0.1/d/alipay/gateway.do"
ACCOUNT = {"account_type": "ACCTRANS_ACCOUNT", "alipay_user_id": "2088000000000001"}


@dataclass(slots=True)
class Line:
    """What lies between the SDK and the gateway; swallows replies at a word."""

    port: int
    lose: int = 0
    """So many replies are lost, each after the gateway gave it."""
    lost: list[bytes] = field(default_factory=list)
    carrying: set["asyncio.Task[None]"] = field(default_factory=set)

    def opened(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One more connection."""
        task = asyncio.create_task(self._carry(reader, writer))
        self.carrying.add(task)
        task.add_done_callback(self.carrying.discard)

    async def hung_up(self) -> None:
        """Wait until nobody is connected any more."""
        while self.carrying:
            await asyncio.wait(self.carrying)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.port)
        onward = asyncio.create_task(self._onward(reader, up_writer))
        with suppress(ConnectionError):
            while data := await up_reader.read(65_536):
                if self.lose:
                    self.lose -= 1
                    self.lost.append(data)
                    break
                writer.write(data)
        onward.cancel()
        for one in (writer, up_writer):
            one.close()
            with suppress(ConnectionError):
                await one.wait_closed()

    async def _onward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.write_eof()


@dataclass(slots=True)
class Shop:
    """A card platform that used to pay at Alipay itself."""

    town: Town
    line: Line
    port: int
    app_id: str
    private_key: str
    alipay_public_key: str

    async def session(self, *calls: tuple[str, dict[str, Any]], url: str = BY_HOST) -> list[Any]:
        """What the SDK got for each call."""
        order = {
            "port": self.port,
            "server_url": url,
            "app_id": self.app_id,
            "private_key": self.private_key,
            "platform_public_key": self.alipay_public_key,
            "calls": calls,
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(SESSION)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(json.dumps(order).encode()), 60)
        assert process.returncode == 0, err.decode()
        answers: list[Any] = json.loads(out)
        return answers

    async def until(self, reference: str, state: str) -> None:
        """Wait until the gateway has brought it there."""
        found: list[Mapping[str, Any]] = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not (found and found[0]["state"] == state):
                    await asyncio.sleep(0.1)
                    known = await self.town.payouts()
                    found = [one for ref, one in known.items() if ref.endswith(f":{reference}")]
        except TimeoutError:
            told = [await self.town.told(one) for one in found]
            raise AssertionError(f"{reference} is not {state} but {told}") from None

    def fault(self, **rule: Any) -> str:
        """Have the institution below misbehave."""
        return self.town.world.add_rule(FaultRule(op="submit", **rule)).id


@asynccontextmanager
async def shop(folder: Path) -> AsyncIterator[Shop]:
    """A town whose merchant has an Alipay account at the gateway, found by host name as well."""
    async with town(folder, edit=_door) as here:
        mine = "/v1/admin/merchants/acme/dialects"
        made = await here.operator.post(mine, {"dialect": "alipay"})
        line = Line(int(here.installation.url.rpartition(":")[2]))
        server = await asyncio.start_server(line.opened, "127.0.0.1", 0)
        async with server:
            yield Shop(
                *(here, line, server.sockets[0].getsockname()[1], made["public_id"]),
                *(made["secrets"]["app_private_key_pkcs1"], made["secrets"]["alipay_public_key"]),
            )
            await line.hung_up()


def _door(document: dict[str, Any]) -> None:
    document["dialect_hosts"] = [{"host": HOST, "dialect": "alipay"}]


def transfer(number: str, amount: str = "12.34", payee: str = "li@example.test") -> dict[str, Any]:
    """The SDK's model, as a dictionary."""
    return {
        "out_biz_no": number,
        "trans_amount": amount,
        "product_code": "TRANS_ACCOUNT_NO_PWD",
        "biz_scene": "DIRECT_TRANSFER",
        "order_title": "佣金",
        "remark": "三月佣金",
        "payee_info": {"identity": payee, "identity_type": "ALIPAY_LOGON_ID", "name": "李雷"},
    }


def about(number: str) -> dict[str, Any]:
    """What is asked by the caller's own number."""
    asked = transfer(number)
    return {name: asked[name] for name in ("out_biz_no", "product_code", "biz_scene")}


@pytest.mark.parametrize("url", [BY_HOST, BY_PREFIX])
async def test_it_pays_queries_and_reads_the_balance(tmp_path: Path, url: str) -> None:
    """By a host name and by the prefix: only the address and the keys are others."""
    async with shop(tmp_path) as here:
        before, taken = await here.session(
            ("balance", ACCOUNT), ("transfer", transfer("S-1")), url=url
        )
        await here.until("S-1", "paid")
        found, by_order, again, other, money = await here.session(
            ("query", about("S-1")),
            ("query", {"order_id": taken["order_id"]}),
            ("transfer", transfer("S-1")),
            ("transfer", transfer("S-1", "12.35")),
            ("balance", ACCOUNT),
            url=url,
        )

        assert before["available_amount"] == "1000000.00"
        assert (taken["is_success"], taken["status"]) == (True, "DEALING")
        assert (found["status"], found["trans_amount"]) == ("SUCCESS", "12.34")
        assert by_order["out_biz_no"] == "S-1"
        assert (again["status"], again["order_id"]) == ("SUCCESS", taken["order_id"])
        assert (other["is_success"], other["sub_code"]) == (False, "PAYMENT_INFO_INCONSISTENCY")
        assert money["available_amount"] == "999987.66"
        assert here.town.paid_out() == {"li@example.test": 1}


async def test_refusals_reach_the_caller_with_their_code(tmp_path: Path) -> None:
    """The SDK verifies the refusal and hands out code, sub_code and text; nothing was paid."""
    async with shop(tmp_path) as here:
        card = {"identity": "1", "identity_type": "BANKCARD_ACCOUNT", "name": "李雷"}
        short, wrong, absent, carried = await here.session(
            ("transfer", transfer("S-1", "90000000.00")),
            ("transfer", transfer("S-2", "1.234")),
            ("query", about("S-1")),
            ("transfer", {**transfer("S-3"), "payee_info": card}),
        )
        here.private_key, kept = _another_key(), here.private_key
        (stranger,) = await here.session(("transfer", transfer("S-4")))
        here.private_key = kept

        assert (short["code"], short["sub_code"]) == ("40004", "EXCEED_LIMIT_SM_AMOUNT")
        assert (wrong["sub_code"], absent["sub_code"]) == ("INVALID_PARAMETER", "ORDER_NOT_EXIST")
        assert carried["sub_code"] == "INVALID_CARDNO"
        assert (stranger["code"], stranger["sub_code"]) == ("40002", "isv.invalid-signature")
        assert await here.town.payouts() == {}


async def test_lost_replies_and_an_unsure_channel_pay_once(tmp_path: Path) -> None:
    """The SDK hears nothing and sends the same again; below, the channel's answer is lost too."""
    async with shop(tmp_path) as here:
        here.fault(action="reset_after", times=1)
        here.line.lose = 2
        first, second, third = await here.session(
            ("transfer", transfer("S-1")), ("query", about("S-1")), ("transfer", transfer("S-1"))
        )
        await here.until("S-1", "paid")
        (found,) = await here.session(("query", about("S-1")))

        assert len(here.line.lost) == 2
        assert "raised" in first
        assert "raised" in second
        assert third["status"] in {"DEALING", "SUCCESS"}
        assert found["status"] == "SUCCESS"
        assert here.town.paid_out() == {"li@example.test": 1}
        await here.town.check_books()


async def test_a_payee_whom_the_channel_refuses_has_failed(tmp_path: Path) -> None:
    """With the cause in Alipay's own words, the money back, and nothing paid."""
    async with shop(tmp_path) as here:
        await here.session(("transfer", transfer("S-1", payee="nobody@magic.test")))
        await here.until("S-1", "failed")
        found, again, money = await here.session(
            ("query", about("S-1")),
            ("transfer", transfer("S-1", payee="nobody@magic.test")),
            ("balance", ACCOUNT),
        )

        assert (found["status"], found["error_code"]) == ("FAIL", "PAYEE_NOT_EXIST")
        assert found["fail_reason"] == "转账失败：收款账号不存在"
        assert again["status"] == "FAIL"
        assert money["available_amount"] == "1000000.00"
        assert here.town.paid_out() == {}


async def test_a_silent_channel_is_dealing_until_it_is_known(tmp_path: Path) -> None:
    """Refused in its words though executed, then found: never told as failed in between."""
    async with shop(tmp_path) as here:
        here.fault(action="unknown_code", times=1, params={"code": "SYSTEM_ERROR"})
        (taken,) = await here.session(("transfer", transfer("S-1")))
        await here.town.until_moved(1)
        (open_,) = await here.session(("query", about("S-1")))
        await here.until("S-1", "paid")
        (found,) = await here.session(("query", about("S-1")))

        assert {taken["status"], open_["status"]} <= {"DEALING", "SUCCESS"}
        assert found["status"] == "SUCCESS"
        assert here.town.paid_out() == {"li@example.test": 1}


def _another_key() -> str:
    from gateway.api.dialects import rsa

    return rsa.pkcs1_of(rsa.new_pair()[0])
