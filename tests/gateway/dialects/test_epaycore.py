"""The stock V2 SDK against the gateway: what it sends is taken, what it gets it believes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.api.dialects.epay_signing import sign_reply
from tests.gateway.dialects.conftest import PID, Site, pairs
from tests.gateway.dialects.epaycore import EpayCore, ThrownError, form, is_zero, text_to_sign

ORDER = {
    "type": "bank",
    "account": "6222021234567890123",
    "name": "王小五",
    "money": "12.30",
    "remark": "提现 ~+&=%",
    "out_biz_no": "A~1",
}


@pytest.fixture
def sdk(site: Site) -> EpayCore:
    """Configured as the plugin is."""
    plugin = site.plugin
    assert plugin.appsecret is not None
    return EpayCore(plugin.http, plugin.appurl, PID, plugin.appkey, plugin.appsecret, plugin.now)


@asynccontextmanager
async def answering(sdk: EpayCore, body: bytes, *, wait_s: float = 0) -> AsyncIterator[EpayCore]:
    """The SDK before a server that says just this."""

    async def say(_: web.Request) -> web.Response:
        await asyncio.sleep(wait_s)
        return web.Response(body=body, status=502)

    app = web.Application()
    app.router.add_post("/{path:.*}", say)
    server = TestServer(app)
    await server.start_server(access_log=None)
    try:
        yield replace(sdk, apiurl=str(server.make_url("/")))
    finally:
        await server.close()


def test_a_request_is_written_as_php_writes_it() -> None:
    """In the order of the array, with plus for a blank and no letter left out."""
    assert form({"b": "王 ~", "a": "x+y&=%", "c": ""}) == b"b=%E7%8E%8B+%7E&a=x%2By%26%3D%25&c="
    signed = {"b": "", "a": " ", "d": "0", "c": True, "e": False, "list": [1], "sign": "x"}
    assert text_to_sign(signed) == "c=1&d=0"


async def test_it_submits_asks_and_counts_its_money(site: Site, sdk: EpayCore) -> None:
    """Every call it has for payouts, from a base URL and keys."""
    made = await sdk.execute("api/transfer/submit", ORDER)
    await site.work()
    found = await sdk.execute("/api/transfer/query", {"out_biz_no": "A~1"})
    money = await sdk.execute("api/transfer/balance", {})

    assert (made["status"], found["status"]) == (0, 1)
    assert found["remark"] == "提现 ~+&=%"
    assert money["available_money"] == "999987.40"


async def test_what_goes_wrong_is_one_exception_with_the_sites_words(
    site: Site, sdk: EpayCore
) -> None:
    """It never looks at the code: whoever wrote the text decides what its caller reads."""
    with pytest.raises(ThrownError, match="最多两位小数"):
        await sdk.execute("api/transfer/submit", {**ORDER, "money": "1.234"})
    with pytest.raises(ThrownError, match="转账交易号不存在"):
        await sdk.execute("api/transfer/query", {"out_biz_no": "nothing"})
    with pytest.raises(ThrownError, match="请求的接口不存在"):
        await sdk.execute("api/transfer/cancel", {"out_biz_no": "nothing"})
    assert await site.payouts() == []


async def test_a_wrong_key_of_the_platform_makes_a_stored_order_look_failed(
    site: Site, sdk: EpayCore
) -> None:
    """The caller's worst bug: so the same number again must be the same order."""
    wrong = replace(sdk, platform_public_key=pairs()[2][1])
    later = replace(sdk, now=lambda: sdk.now() + 200)

    with pytest.raises(ThrownError, match="返回数据验签失败"):
        await wrong.execute("api/transfer/submit", ORDER)
    told = await later.execute("api/transfer/submit", ORDER)

    assert told["out_biz_no"] == "A~1"
    assert len(await site.payouts()) == 1


@pytest.mark.parametrize(
    "body", [b"", b"null", b"{}", b"[]", b"<html>502</html>", b"{", b'"ok"', b"\xff"]
)
async def test_no_json_is_a_request_that_failed(sdk: EpayCore, body: bytes) -> None:
    """An error page of a box before us is read as "not paid"."""
    async with answering(sdk, body) as there:
        with pytest.raises(ThrownError, match="请求失败"):
            await there.execute("api/transfer/submit", ORDER)


async def test_a_late_answer_is_none(sdk: EpayCore) -> None:
    """After its time it has gone, whatever we do then."""
    async with answering(sdk, b'{"code":0}', wait_s=0.5) as there:
        with pytest.raises(ThrownError, match="请求失败"):
            await replace(there, timeout_s=0.05).execute("api/transfer/submit", ORDER)


async def test_only_code_nought_is_checked(site: Site, sdk: EpayCore) -> None:
    """An unsigned refusal by anybody in between is believed; an unsigned success is not."""
    stamp = str(int(sdk.now()))
    forged = {"code": 0, "msg": "success", "status": 1, "timestamp": stamp, "sign": "AAAA"}
    signed = {name: value for name, value in forged.items() if name != "sign"}
    genuine = {**signed, "sign": sign_reply(signed, site.account.keys[0])}
    old = {**signed, "timestamp": str(int(stamp) - 301)}
    stale = {**old, "sign": sign_reply(old, site.account.keys[0])}

    for reply, says in ((forged, "验签失败"), (stale, "验签失败"), ({"code": -1, "msg": "x"}, "x")):
        async with answering(sdk, orjson.dumps(reply)) as there:
            with pytest.raises(ThrownError, match=says):
                await there.execute("api/transfer/submit", ORDER)
    async with answering(sdk, orjson.dumps(genuine)) as there:
        assert (await there.execute("api/transfer/submit", ORDER))["status"] == 1


@pytest.mark.parametrize(
    ("code", "zero"),
    [
        *[(0, True), ("0", True), ("0.0", True), (None, True), (False, True)],
        *[(1, False), (-1, False), ("", False), ("ok", False), (True, False), ([], False)],
    ],
)
def test_php_decides_what_nought_is(code: object, zero: bool) -> None:
    """A reply without a code counts as code 0 and then lacks a signature."""
    assert is_zero(code) is zero


async def test_a_base_url_without_its_slash_reaches_nobody(site: Site, sdk: EpayCore) -> None:
    """The path grows onto what is there: nothing arrives, and nothing is stored."""
    bare = replace(sdk, apiurl=sdk.apiurl.rstrip("/"))

    with pytest.raises(ThrownError):
        await bare.execute("api/transfer/submit", ORDER)

    assert await site.payouts() == []
