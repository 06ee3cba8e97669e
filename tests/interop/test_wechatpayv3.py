"""The unmodified `wechatpayv3` client against the WeChat Pay simulator, over real sockets.

The client is a public package that talks to the real platform. It is only pointed here: the
instance attribute `_core._gate_way` names the simulator, nothing of it is replaced, and its own
signature checks stay on. It is blocking, so every call runs in a thread beside the event loop that
serves.
"""

import asyncio
import gzip
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from wechatpayv3 import WeChatPay, WeChatPayType

from simulators.clock import BEIJING
from simulators.faults import read_rule
from simulators.scenario import Plan
from simulators.wechat_pay.signing import pem_of, self_signed
from simulators.world import World
from tests.simulators.wechat_pay.merchant import (
    APIV3_KEY,
    CERTIFICATE_SERIAL,
    PUBLIC_KEY_ID,
    REPORT,
    account,
    certificate_pem,
    config,
    key,
    private_pem,
    public_pem,
)

OPENID = "o-MYE42l80oelYMDE34nYD456Xoy"
BATCH = {
    "out_batch_no": "plfk2020042013",
    "details": [{"out_detail_no": "d1", "openid": OPENID, "transfer_amount": 100}],
}


@dataclass
class Platform:
    """A simulator that listens, and a place where its notices arrive."""

    world: World
    notify_url: str
    received: list[tuple[Any, bytes]] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    read: Callable[[Any, bytes], Any] | None = None  # the client that judges notices

    @property
    def url(self) -> str:
        """Where the simulator listens."""
        return self.world.shells["wechat"].url

    def client(self, **changes: Any) -> Any:
        """The client in public-key mode, pointed at the simulator; its own arguments can change."""
        mine = account(1)
        made: Any = WeChatPay(
            **{
                "wechatpay_type": WeChatPayType.MINIPROG,
                "mchid": mine["mchid"],
                "private_key": private_pem("merchant-1"),
                "cert_serial_no": mine["serial_no"],
                "appid": mine["appid"],
                "apiv3_key": APIV3_KEY,
                "notify_url": self.notify_url,
                "timeout": (2, 5),
                "public_key": public_pem("platform"),
                "public_key_id": PUBLIC_KEY_ID,
            }
            | changes
        )
        made._core._gate_way = self.url
        return made

    def fault(self, **rule: object) -> None:
        """Adds a fault rule."""
        self.world.add_rule(read_rule(rule, self.world.clock.now()))

    async def on_notice(self, request: web.BaseRequest) -> web.StreamResponse:
        """Takes a notice exactly when the client's own check does."""
        body = await request.read()
        self.received.append((request.headers, body))
        assert self.read is not None
        told = await asyncio.to_thread(self.read, request.headers, body)
        if not told:
            return web.Response(status=401)
        self.taken.append(told)
        return web.Response(status=204)


def plan(**changes: object) -> Plan:
    """One simulator on a clock that stands a day before the real one.

    The client signs with the machine's time, so the tolerance is wide; a day later a statement of
    the payouts made now exists, ready from midnight on.
    """
    section = config(
        account(1, batches=[BATCH], notify_url=None, balance_fen=10_000_000),
        clock_tolerance_s=2 * 86_400,
        statement_from_hour=0,
    )
    start = datetime.now(UTC) - timedelta(days=1)
    return Plan.model_validate(
        {"seed": 3, "clock": {"mode": "virtual", "start": start}, "simulators": [section | changes]}
    )


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    server = TestServer(web.Application())
    here = Platform(World(plan()), "")
    server.app.router.add_post("/notices", here.on_notice)
    async with server, here.world:
        here.notify_url = str(server.make_url("/notices"))
        yield here


async def call(function: Callable[..., Any], *args: Any, **named: Any) -> tuple[int, Any]:
    """One blocking call of the client; JSON replies are parsed."""
    status, said = await asyncio.to_thread(function, *args, **named)
    return status, json.loads(said) if isinstance(said, str) and said else said


async def transfer(client: Any, out_bill_no: str = "payout1", **changes: Any) -> tuple[int, Any]:
    """A transfer of 12.34 yuan by the client."""
    return await call(
        client.mch_transfer_bills,
        **{
            "out_bill_no": out_bill_no,
            "transfer_scene_id": "1000",
            "openid": OPENID,
            "transfer_amount": 1234,
            "transfer_remark": "2026年5月报销",
            "transfer_scene_report_infos": REPORT,
        }
        | changes,
    )


async def test_transfer_and_query(platform: Platform) -> None:
    """A transfer waits for the payee, is paid, and is found by both numbers."""
    client = platform.client()
    platform.read = client.callback
    status, said = await transfer(client)
    assert (status, said["state"]) == (200, "WAIT_USER_CONFIRM")
    assert said["package_info"]
    await platform.world.advance(timedelta(seconds=1))
    status, found = await call(client.mch_transfer_bills_query, out_bill_no="payout1")
    assert (status, found["state"], found["transfer_amount"]) == (200, "SUCCESS", 1234)
    number = said["transfer_bill_no"]
    assert (await call(client.mch_transfer_bills_query, transfer_bill_no=number))[1] == found


async def test_repetition(platform: Platform) -> None:
    """The same call again is the same transfer; another amount under its number is refused."""
    client = platform.client()
    first = await transfer(client, transfer_remark="一次")
    assert await transfer(client, transfer_remark="一次") == first
    status, said = await transfer(client, transfer_amount=1235)
    assert (status, said["code"]) == (400, "INVALID_REQUEST")


async def test_name_is_encrypted_by_the_client(platform: Platform) -> None:
    """A large transfer carries the encrypted name, and its query returns it to the merchant."""
    client = platform.client()
    status, _ = await transfer(client, transfer_amount=200_000, user_name="张三")
    assert status == 200
    _, found = await call(client.mch_transfer_bills_query, out_bill_no="payout1")
    assert client.decrypt(found["user_name"]) == "张三"


async def test_cancel(platform: Platform) -> None:
    """A transfer that is not confirmed is cancelled, and its notice says so."""
    client = platform.client()
    platform.read = client.callback
    await transfer(client, openid="magic-never-confirms")
    status, said = await call(client.mch_transfer_bills_cancel, "payout1")
    assert (status, said["state"]) == (200, "CANCELING")
    await platform.world.advance(timedelta(seconds=1))
    _, found = await call(client.mch_transfer_bills_query, out_bill_no="payout1")
    assert found["state"] == "CANCELLED"
    assert [told["resource"]["state"] for told in platform.taken] == ["CANCELLED"]


async def test_balance(platform: Platform) -> None:
    """The client has no balance call of its own; its signed `request` makes it."""
    client = platform.client()
    await transfer(client)
    _, said = await call(client._core.request, "/v3/merchant/fund/balance/BASIC")
    assert said == {"available_amount": 10_000_000 - 1234, "pending_amount": 1234}


@pytest.mark.parametrize("tar_type", ["GZIP", None])
async def test_statement(platform: Platform, tar_type: str | None) -> None:
    """A day later the bill names the paid transfer; the download has the promised hash."""
    client = platform.client()
    platform.read = client.callback
    _, said = await transfer(client)
    day = platform.world.clock.now().astimezone(BEIJING).date().isoformat()
    await platform.world.advance(timedelta(days=1))
    if tar_type:
        _, bill = await call(client.fundflow_bill, day, tar_type=tar_type)
    else:
        _, bill = await call(client._core.request, f"/v3/bill/fundflowbill?bill_date={day}")
    _, content = await call(client.download_bill, bill["download_url"])
    assert isinstance(content, bytes)
    text = gzip.decompress(content) if tar_type else content
    assert hashlib.sha1(text, usedforsecurity=False).hexdigest() == bill["hash_value"]
    assert f"`{said['transfer_bill_no']},".encode() in text
    assert text.decode().splitlines()[-1] == "`1,`0,`0.00,`1,`12.34"


async def test_notice_is_verified_and_opened(platform: Platform) -> None:
    """`callback` accepts the notice of a paid transfer and decrypts it."""
    client = platform.client()
    platform.read = client.callback
    await transfer(client)
    await platform.world.advance(timedelta(seconds=1))
    (told,) = platform.taken
    assert told["event_type"] == "MCHTRANSFER.BILL.FINISHED"
    assert told["resource"]["out_bill_no"] == "payout1"
    assert (told["resource"]["state"], told["resource"]["transfer_amount"]) == ("SUCCESS", 1234)


async def test_forgery_and_probe_are_turned_down(platform: Platform) -> None:
    """`callback` refuses a forged notice and a SIGNTEST probe, and the probe's pass is recorded."""
    client = platform.client()
    platform.read = client.callback
    platform.fault(action="notice_forged")
    await transfer(client)
    await platform.world.trigger("notice.probe", "payout1")
    await platform.world.advance(timedelta(seconds=1))
    assert len(platform.received) == 3
    assert [told["resource"]["state"] for told in platform.taken] == ["SUCCESS"]
    (row,) = platform.world.shells["wechat"].simulator.accounts()
    assert (row["probes_passed"], row["probes_failed"]) == (1, 0)


async def test_untaken_notice_comes_again(platform: Platform) -> None:
    """A receiver that fails gets the same notice again, which then verifies."""
    client = platform.client()
    platform.read = lambda _headers, _body: None
    await transfer(client)
    await platform.world.advance(timedelta(seconds=1))
    assert platform.taken == []
    platform.read = client.callback
    await platform.world.advance(timedelta(seconds=15))
    assert [told["resource"]["state"] for told in platform.taken] == ["SUCCESS"]
    assert len(platform.received) == 2


# The client itself still reads a deprecated attribute of the certificate library.
@pytest.mark.filterwarnings("ignore:Properties that return a na")
async def test_certificate_mode(platform: Platform, tmp_path: Path) -> None:
    """With a platform certificate instead of a public key everything works as well."""
    (tmp_path / f"{CERTIFICATE_SERIAL}.pem").write_text(certificate_pem(), encoding="utf-8")
    client = platform.client(public_key=None, public_key_id=None, cert_dir=str(tmp_path))
    platform.read = client.callback
    status, _ = await transfer(client, user_name="张三")
    assert status == 200
    await platform.world.advance(timedelta(seconds=1))
    assert [told["resource"]["state"] for told in platform.taken] == ["SUCCESS"]
    _, found = await call(client.mch_transfer_bills_query, out_bill_no="payout1")
    assert client.decrypt(found["user_name"]) == "张三"


async def test_certificate_rotation(platform: Platform, tmp_path: Path) -> None:
    """A client that knows only an old certificate fetches the one in force and goes on."""
    old = pem_of(self_signed(key("old"), 0x4444, "Tenpay"))
    (tmp_path / "4444.pem").write_text(old, encoding="utf-8")
    client = platform.client(public_key=None, public_key_id=None, cert_dir=str(tmp_path))
    assert (await call(client._core.request, "/v3/merchant/fund/balance/BASIC"))[0] == 200
    assert (tmp_path / f"{CERTIFICATE_SERIAL}.pem").read_text(encoding="utf-8") == certificate_pem()


@pytest.mark.parametrize("action", ["bad_signature", "unsigned"])
async def test_client_refuses_a_reply_it_cannot_verify(platform: Platform, action: str) -> None:
    """A spoiled signature makes the client raise although the transfer was taken."""
    client = platform.client()
    platform.fault(action=action, op="submit")
    with pytest.raises(Exception, match=r"signature|algorithm"):
        await transfer(client)
    status, _ = await call(client.mch_transfer_bills_query, out_bill_no="payout1")
    assert status == 200


async def test_lost_reply_has_executed(platform: Platform) -> None:
    """A connection reset after the transfer was taken: the client raises, a query finds it."""
    client = platform.client()
    platform.fault(action="reset_after", op="submit")
    with pytest.raises(OSError, match=r"reset|aborted"):
        await transfer(client)
    status, _ = await call(client.mch_transfer_bills_query, out_bill_no="payout1")
    assert status == 200


async def test_receipt(platform: Platform) -> None:
    """The receipt of a paid transfer is asked for, made, and downloaded."""
    client = platform.client()
    platform.read = client.callback
    await transfer(client, user_name="张三")
    await platform.world.advance(timedelta(seconds=1))
    assert (await call(client.mch_transfer_elecsign, "payout1"))[1]["state"] == "GENERATING"
    await platform.world.advance(timedelta(seconds=2))
    _, said = await call(client.mch_transfer_elecsign_query, "payout1")
    _, content = await call(client.download_bill, said["download_url"])
    assert hashlib.sha256(content).hexdigest() == said["hash_value"]


async def test_legacy_batch(platform: Platform) -> None:
    """An old account reads its batches and their details."""
    client = platform.client()
    _, said = await call(
        client.transfer_query_out_batch_no, "plfk2020042013", need_query_detail=True
    )
    assert said["transfer_detail_list"][0]["detail_status"] == "SUCCESS"
    status, detail = await call(client.transfer_query_out_detail_no, "d1", "plfk2020042013")
    assert (status, detail["transfer_amount"]) == (200, 100)
