"""Alipay's callers are told how their transfers ended, where they gave an address."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from msgspec.structs import replace

from channels.alipay.channel import build as build_channel
from channels.alipay.settings import AlipaySettings
from channels.contract import Notice, Reason, Rejected, Returned, Unknown, UnknownCause
from gateway.api.dialects.alipay import Alipay
from gateway.webhooks.egress import Egress
from gateway.webhooks.sender import WebhookSender
from tests.builders import after, cny
from tests.channels.alipay.platform import TERMS
from tests.gateway.api.desk import ACME
from tests.gateway.dialects.alipay_app import TRANSFER, card, transfer
from tests.gateway.dialects.conftest import APP_ID, OpenPlatform, pairs
from tests.gateway.dialects.place import deliver
from tests.gateway.webhooks.receiver import receiver


@dataclass(slots=True)
class Ears:
    """The caller's side of a notice, and the courier that brings it."""

    platform: OpenPlatform
    sender: WebhookSender
    url: str
    word: str = "success"
    heard: list[bytes] = field(default_factory=list)

    async def hear(self, request: web.Request) -> web.Response:
        """Keep it, and say the word."""
        self.heard.append(await request.read())
        return web.Response(text=self.word)

    @property
    def told(self) -> list[dict[str, Any]]:
        """What was said, each proven."""
        return [self.platform.app.notified(body) for body in self.heard]

    async def pay(self, number: str, **changes: Any) -> dict[str, Any]:
        """A transfer whose end is to be told."""
        content = transfer(number, **changes)
        return await self.platform.app.call(TRANSFER, content, notify_url=self.url)

    async def deliver(self) -> int:
        """Send what is owed now; how many tries that were."""
        return await deliver(self.platform.desk, self.sender)


@pytest.fixture
async def ears(platform: OpenPlatform) -> AsyncIterator[Ears]:
    """Where the caller listens, on loopback."""
    sender = WebhookSender(Egress(["127.0.0.0/8"]), timeout_s=2)
    async with receiver() as listening:
        made = Ears(platform, sender, f"http://{listening.origin}/notify")
        listening.behaviours["/notify"] = made.hear
        yield made
        await sender.aclose()


async def test_a_payment_is_told_once(platform: OpenPlatform, ears: Ears) -> None:
    """Signed, with what a query says; nothing before its end."""
    await ears.pay("A")
    assert await ears.deliver() == 0
    await platform.work()

    assert (await ears.deliver(), await ears.deliver()) == (1, 0)

    (told,) = ears.told
    asked = await platform.app.query("A")
    assert told.pop("notify_id")
    assert told.items() >= {k: v for k, v in asked.items() if k not in ("code", "msg")}.items()
    assert (told["status"], told["action_type"], told["product_code"]) == (
        *("SUCCESS", "FINISH", "TRANS_ACCOUNT_NO_PWD"),
    )


async def test_a_failure_and_a_return_are_told(platform: OpenPlatform, ears: Ears) -> None:
    """With their cause, and the day the money came back."""
    platform.desk.till.outcomes += [
        Rejected(Reason.PAYEE_NOT_FOUND, "NO", ""),
        Returned("till-1", after(5), cny(1230), Reason.BANK_RETURNED),
    ]
    await ears.pay("A")
    await platform.work()
    await ears.pay("B", payee_info=card())
    await platform.work()
    while await ears.deliver():
        pass

    said = {one["out_biz_no"]: one for one in ears.told}
    assert (said["A"]["status"], said["A"]["error_code"]) == ("FAIL", "PAYEE_NOT_EXIST")
    assert (said["B"]["status"], said["B"]["product_code"]) == (
        *("REFUND", "TRANS_BANKCARD_NO_PWD"),
    )
    assert said["B"]["refund_date"] == "2026-03-02 10:00:05"


async def test_what_nobody_knows_is_not_told(platform: OpenPlatform, ears: Ears) -> None:
    """Silence until it is known."""
    platform.desk.till.outcomes.append(Unknown(UnknownCause.TIMEOUT))
    await ears.pay("A")
    await platform.work()

    assert await ears.deliver() == 0


async def test_who_does_not_say_the_word_is_told_again(platform: OpenPlatform, ears: Ears) -> None:
    """After 4, 10 and 10 minutes, 1, 2, 6 and 15 hours, under the same notice id."""
    ears.word = "ok"
    await ears.pay("A")
    await platform.work()
    waits = []
    for _ in range(7):
        assert await ears.deliver() == 1
        (owed,) = await platform.desk.store.deliveries(ACME, None, 1)
        waits.append((owed.due_at - platform.desk.clock.now()).total_seconds())
        platform.desk.clock.at = owed.due_at
    ears.word = "success"

    assert (await ears.deliver(), await ears.deliver()) == (1, 0)
    stock = [240, 600, 600, 3600, 7200, 21600, 54000]
    assert all(wait <= real <= wait * 1.1 for wait, real in zip(stock, waits, strict=True))
    assert len({one["notify_id"] for one in ears.told}) == 1


async def test_a_bad_address_never_refuses_the_order(platform: OpenPlatform, ears: Ears) -> None:
    """Its caller asks instead."""
    ears.url = "http://169.254.169.254/latest"

    assert (await ears.pay("A"))["status"] == "DEALING"
    await platform.work()
    shown = await platform.desk.get("/v1/admin/dialects/da_1", key="operator")
    assert shown.json["refused_notify"]["number"] == "A"


async def test_our_own_channel_reads_it(platform: OpenPlatform, ears: Ears) -> None:
    """Gateway to gateway: a genuine notice about our reference, and its reply is the word."""
    settings = AlipaySettings.model_validate(
        {
            "gateway_url": platform.app.url,
            "app_id": APP_ID,
            "private_key": pairs()[0][0],
            "alipay_public_key": Alipay().public_parts(platform.account.keys[0])[
                "alipay_public_key"
            ],
        }
    )
    channel = build_channel("upstream", settings, TERMS, platform.desk.clock.now)
    taken = await ears.pay("R1")
    await platform.work()
    await ears.deliver()

    read = channel.read_notice({}, ears.heard[0], platform.desk.clock.now())
    forged = channel.read_notice({}, ears.heard[0].replace(b"R1", b"R2"), platform.desk.clock.now())
    await channel.aclose()

    assert isinstance(read, Notice)
    assert (read.reference, read.channel_ref, read.event) == ("R1", taken["order_id"], "SUCCESS")
    assert read.reply.body.decode() == Alipay().notify_word
    assert not isinstance(forged, Notice)


async def test_notices_are_signed_with_the_newest_key(platform: OpenPlatform, ears: Ears) -> None:
    """Also those of orders that were asked for with the one before."""
    await ears.pay("A")
    await platform.work()
    fresh = replace(platform.account.keys[0], id="k2", theirs=pairs()[2][1], ours=pairs()[2][0])
    rotated = platform.account.rotated(fresh, only=False)
    await platform.desk.store.change_dialect_account(rotated, "rotated", "ops")
    await ears.deliver()
    platform.app.alipay_public_key = pairs()[2][1]

    assert ears.told[0]["status"] == "SUCCESS"
