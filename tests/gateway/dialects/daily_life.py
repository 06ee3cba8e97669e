"""An Epay site's day against failing channels, told line by line: `python -m` this module.

All is real but the clock and the way to the door: the stock plugin, the gateway, institutions that
lose answers. What is printed is kept in `daily_life.txt` and compared by a test, so that a
change of what callers see is seen in review. Signatures, payees and page addresses are masked.
"""

import asyncio
import re
import sys
import tempfile
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiohttp import ServerDisconnectedError

from gateway.api.confirm_links import ConfirmLinks
from gateway.engine import operate
from gateway.ports import StoreError
from tests.gateway.dialects.peer_defects.shop import TO_LI, NearPlugin, Shop, open_shop
from tests.gateway.engine.rig import A, B, Rig, W, running, seat

KEPT = Path(__file__).with_suffix(".txt")
SUBMIT, QUERY = "api/transfer/submit", "api/transfer/query"
MUTE = seat(A, account={"notify_url": None})
PAYEES = frozenset({"account", "name"})
_PAGE = re.compile(r"/c/[^\"]+")


@dataclass(slots=True)
class TellingPlugin(NearPlugin):
    """The plugin, writing down what goes to and fro."""

    lines: list[str] = field(default_factory=list)

    async def post(self, path: str, fields: Mapping[str, str]) -> Mapping[str, Any]:
        """One exchange."""
        self.lines.append(f"→ POST /{path}")
        told = (f"{name}={_masked(name, text)}" for name, text in fields.items())
        self.lines.append("    " + " ".join(told))
        try:
            reply = await NearPlugin.post(self, path, fields)
        except ServerDisconnectedError:
            self.lines.append("← (连接已断开，无任何应答 · the connection ends, nothing is said)")
            raise
        shown = {name: _masked(name, text) for name, text in reply.items()}
        self.lines.append("← " + _PAGE.sub("/c/…", orjson.dumps(shown).decode()))
        return reply

    def say(self, *lines: str) -> None:
        """A heading, or what happens off the wire."""
        self.lines += lines


def _masked(name: str, text: object) -> object:
    if name in {"sign", "receipt", "receipt_name"}:
        return "…"
    if name in PAYEES and text:
        return f"{str(text)[0]}***"
    return text


async def transcript(folder: Path) -> str:
    """The day, from the beginning on an empty database in this folder."""
    async with running(f"sqlite://{folder}/day.db", (MUTE, B, W)) as rig:
        links = ConfirmLinks("https://pay.example.test", b"of-at-least-thirty-two-bytes-long")
        shop = await open_shop(rig, plugin_of=TellingPlugin, links=links)
        plugin = shop.plugin
        assert isinstance(plugin, TellingPlugin)
        for scene in (_morning, _lost_reply, _new_number, _refusals, _wechat, _away, _evening):
            await scene(rig, shop, plugin)
            plugin.say("")
        return "\n".join(plugin.lines)


async def _morning(rig: Rig, shop: Shop, plugin: TellingPlugin) -> None:
    plugin.say("# 查余额 · how much is there", "")
    await plugin.ask("api/transfer/balance")


async def _lost_reply(rig: Rig, shop: Shop, plugin: TellingPlugin) -> None:
    plugin.say(
        "# 提交；渠道付了款却没有应答 · submitted; the channel pays and its answer is lost", ""
    )
    rig.fault("reset_after", A)
    rig.fault("not_found_window", A, seconds="60s")
    await shop.submit("2026030210000000001")
    plugin.say(
        "", "# 本站没收到应答，同号重提：同一笔单 · the site lost our reply and asks again", ""
    )
    await shop.submit("2026030210000000001")
    plugin.say("", "# 结果未知：一直是处理中 · nobody knows: processing", "")
    await plugin.query("2026030210000000001")
    await rig.pass_time(minutes=10)
    plugin.say("", "# 十分钟后渠道查到已付 · ten minutes later the channel has found it", "")
    await plugin.query("2026030210000000001")
    plugin.say("", f"  {len(rig.moved())} payment(s) at the institutions: {rig.moved()}")


async def _new_number(rig: Rig, shop: Shop, plugin: TellingPlugin) -> None:
    plugin.say(
        "# 网站超时后换号再付：留给人审 · after a timeout the site pays under a new number", ""
    )
    await shop.submit("2026030210000000002", money="50.00")
    await shop.submit("2026030210000000003", money="50.00")
    found = {one.merchant_ref: one for one in await shop.payouts()}
    held = found["da_1:2026030210000000003"]
    plugin.say("", f"  {held.state}: {held.reason}", "")
    await operate.cancel(rig.gateway, held.id, None, "ops")
    plugin.say("# 运营取消了重复的那笔 · a person cancels the second one", "")
    await plugin.query("2026030210000000003")
    await plugin.query("2026030210000000002")


async def _refusals(rig: Rig, shop: Shop, plugin: TellingPlugin) -> None:
    plugin.say("# 什么都没存下的才会被拒 · refused only where nothing is stored", "")
    await shop.submit("2026030210000000004", money="1.234")
    await shop.submit("2026030210000000004", money="999999.00")
    await shop.submit("2026030210000000001", money="1.00")
    tampered = plugin.signed({"out_biz_no": "2026030210000000001"})
    await plugin.post(QUERY, {**tampered, "out_biz_no": "2026030210000000002"})


async def _wechat(rig: Rig, shop: Shop, plugin: TellingPlugin) -> None:
    plugin.say("# 微信收款须确认：首个应答就有确认页 · a page for the payee at once", "")
    await shop.submit("2026030210000000005", **TO_LI)
    await plugin.query("2026030210000000005")
    await rig.later(seconds=5)
    plugin.say("", "# 收款人已确认 · the payee has confirmed", "")
    await plugin.query("2026030210000000005")


async def _away(rig: Rig, shop: Shop, plugin: TellingPlugin) -> None:
    plugin.say("# 数据库不可用 · the store is away", "")
    with _without(rig, "search", "dialect_orders"):
        await shop.submit("2026030210000000001")
        await plugin.query("2026030210000000001")
    plugin.say("", "# 重启后数据库仍不可用 · still away after a restart: nothing can be said", "")
    shop.reconnect()
    with _without(rig, "dialect_account"):
        await shop.submit("2026030210000000006")


async def _evening(rig: Rig, shop: Shop, plugin: TellingPlugin) -> None:
    plugin.say("# 回单与余额 · proof and balance", "")
    await plugin.ask("api/transfer/proof", out_biz_no="2026030210000000001")
    await rig.pass_time(minutes=5)
    await plugin.ask("api/transfer/proof", out_biz_no="2026030210000000001")
    await plugin.ask("api/transfer/balance")
    plugin.say("", f"  at the institutions: {sorted(rig.moved())}")


@contextmanager
def _without(rig: Rig, *methods: str) -> Any:
    """The store, not answering some questions."""

    async def away(*_: object, **__: object) -> object:
        raise StoreError("away")

    kind = type(rig.store)
    real = {name: getattr(kind, name) for name in methods}
    for name in methods:
        setattr(kind, name, away)
    try:
        yield
    finally:
        for name, method in real.items():
            setattr(kind, name, method)


def main() -> None:
    """Write the day to standard output."""
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(asyncio.run(transcript(Path(folder))) + "\n")


if __name__ == "__main__":
    main()
