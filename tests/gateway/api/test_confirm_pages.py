"""The page on which payees confirm, as strangers and payees meet it."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from msgspec.structs import replace

from channels.contract import Outcome, Paid, PayeeAction, Pending, Reason, Rejected
from gateway.api.app import build_app
from gateway.api.confirm_links import ConfirmLinks, where_to_confirm
from gateway.domain.payout import PayoutId
from gateway.ports import StoreError
from tests.builders import NOW, after
from tests.gateway.api.desk import CARD, PUBLIC, Answer, Desk, open_desk

HOSTILE = "\"><script>alert(1)</script>&'`{{7*7}}"
ACTION = PayeeAction(
    "wechat_confirm", "pkg/+==", after(days=1), app_id="wx8888888888888888", mch_id="1900000109"
)


async def waiting(desk: Desk, action: PayeeAction | None = ACTION, ref: str = "order-1") -> str:
    """A payout whose payee has something to do; gives its id."""
    desk.till.outcomes.append(Pending("till-1", "WAIT_USER_CONFIRM", action))
    made = await desk.pay(ref)
    await desk.work(made)
    return made


async def view(desk: Desk, payout_id: str) -> str:
    """The path of its page, as the API tells it."""
    told = (await desk.get(f"/v1/payouts/{payout_id}")).json["action"]["confirm_url"]
    assert isinstance(told, str)
    assert told.startswith(f"{PUBLIC}/c/")
    return told.removeprefix(PUBLIC)


async def opened(desk: Desk, path: str) -> Answer:
    """The page, as anybody opens it."""
    return await desk.get(path, key=None)


async def test_the_page_opens_wechats_own(desk: Desk) -> None:
    """With what the channel gave for it; the amount is all it tells."""
    path = await view(desk, await waiting(desk))

    page = (await opened(desk, path)).raw.decode()

    for part in (
        'data-mch="1900000109"',
        'data-app="wx8888888888888888"',
        'data-package="pkg/+=="',
    ):
        assert part in page
    assert '"requestMerchantTransfer"' in page
    assert "¥123.45" in page
    assert "<svg" in page
    for secret in (CARD, CARD[-4:], "王小五", "货款", "order-1", "acme", "till"):
        assert secret not in page


async def test_the_page_loads_nothing_and_may_run_only_its_own(desk: Desk) -> None:
    """No address leads anywhere; a fresh nonce each time; nobody frames, indexes or refers it."""
    path = await view(desk, await waiting(desk))
    first, second = await opened(desk, path), await opened(desk, path)
    nonces = [
        re.findall(r"script-src 'nonce-([0-9a-f]{32})'", one.headers["Content-Security-Policy"])[0]
        for one in (first, second)
    ]

    policy = first.headers["Content-Security-Policy"].split("; ")
    assert nonces[0] != nonces[1]
    assert set(policy) >= {
        "default-src 'none'",
        f"style-src 'nonce-{nonces[0]}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    }
    assert "unsafe" not in first.headers["Content-Security-Policy"]
    page = first.raw.decode()
    assert not re.search(r"""(?:src|href|url)\s*[=(]\s*["']?\s*(?:https?:)?//""", page)
    assert len(re.findall(r"<(?:script|style)\b", page)) == page.count(f'nonce="{nonces[0]}"') == 2
    assert not re.search(r"""\s(?:on\w+|style)=["']""", page)
    said = {name: first.headers[name] for name in ("Referrer-Policy", "X-Robots-Tag")}
    assert said == {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}
    assert first.headers["Cache-Control"] == "no-store"
    assert first.headers["Content-Type"] == "text/html; charset=utf-8"


async def test_what_a_channel_says_cannot_leave_its_attribute(desk: Desk) -> None:
    """An institution's words are text, whatever they hold."""
    action = replace(ACTION, package_info=HOSTILE, app_id=HOSTILE, mch_id=HOSTILE)
    path = await view(desk, await waiting(desk, action))

    page = (await opened(desk, path)).raw.decode()

    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert page.count("<script") == 1
    assert 'data-package="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;' in page


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", "//x.test/", "weixin:"]
)
async def test_only_web_addresses_are_links(desk: Desk, link: str) -> None:
    """Anything else is not offered to be opened."""
    made = await waiting(desk, PayeeAction("open_link", link, after(days=1)))

    page = (await opened(desk, _path(desk, made))).raw.decode()

    assert link not in page
    assert "<a " not in page


async def test_a_channels_own_page_is_linked_without_a_referrer(desk: Desk) -> None:
    """Where an early link turns out to lead to another gateway's page."""
    link = "https://up.example.test/confirm?a=1&b=2"
    made = await waiting(desk, PayeeAction("open_link", link, after(days=1)))

    page = (await opened(desk, _path(desk, made))).raw.decode()

    assert 'href="https://up.example.test/confirm?a=1&amp;b=2" rel="noopener noreferrer"' in page
    told = (await desk.get(f"/v1/payouts/{made}")).json["action"]
    assert told["confirm_url"] == link


async def test_nobody_guesses_or_changes_an_address(desk: Desk) -> None:
    """Each character counts; the store is not asked, and all that is wrong looks the same."""
    path = await view(desk, await waiting(desk))
    token = path.removeprefix("/c/")
    other = ConfirmLinks(PUBLIC, b"another installation's secret, long enough")
    wrong = [
        token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        for at in range(0, len(token), 7)
    ]
    wrong += [token[:-1], token + "A", token.upper(), token.partition(".")[0], "x", "%00", "..%2f"]
    wrong += [other.url(PayoutId(token.partition(".")[0])).rpartition("/")[2], token + "%0A"]

    asked = []
    real = type(desk.store).payout

    async def counted(self: object, payout_id: PayoutId) -> object:
        asked.append(payout_id)
        return await real(desk.store, payout_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(desk.store), "payout", counted)
        told = [await opened(desk, f"/c/{one}") for one in wrong]

    bodies = {re.sub(r"[0-9a-f]{32}", "", one.raw.decode()) for one in told}
    assert {one.status for one in told} == {404}
    assert len(bodies) == 1
    assert "链接无效" in bodies.pop()
    assert asked == []


async def test_a_signed_address_of_nothing_is_not_found(desk: Desk) -> None:
    """A database that forgot the payout, say."""
    assert (await opened(desk, _path(desk, "po_" + "0" * 26))).status == 404


async def test_the_day_to_confirm_ends(desk: Desk) -> None:
    """At the action's own moment: before it the time left is shown, from it on nothing opens."""
    made = await waiting(desk)
    path = await view(desk, made)
    desk.clock.at = after(days=1) - timedelta(seconds=61)
    last = await opened(desk, path)
    desk.clock.at = after(days=1)
    late = await opened(desk, path)

    assert 'data-left="61"' in last.raw.decode()
    assert '<strong id="left">00:01:01</strong>' in last.raw.decode()
    assert late.status == 410
    assert "确认已过期" in late.raw.decode()
    assert "pkg/+==" not in late.raw.decode()


@pytest.mark.parametrize(
    ("outcome", "status", "words"),
    [
        (Paid("till-1", NOW), 200, "已到账"),
        (Rejected(Reason.PAYEE_EXPIRED, "CLOSED", ""), 410, "这笔转账已关闭"),
        (Pending("till-1", "WAIT"), 200, "处理中"),
    ],
)
async def test_every_end_is_told_in_plain_words(
    desk: Desk, outcome: Outcome, status: int, words: str
) -> None:
    """Chinese first, English below; nothing of the payout besides."""
    desk.till.outcomes.append(outcome)
    made = await desk.pay()
    await desk.work(made)

    page = await opened(desk, _path(desk, made))

    assert page.status == status
    assert words in page.raw.decode()
    assert "123.45" not in page.raw.decode()


async def test_a_page_goes_a_week_after_the_end(desk: Desk) -> None:
    """An old link tells nothing any more."""
    made = await desk.pay()
    await desk.work(made)
    desk.clock.at = after(days=7, seconds=1)

    gone = await opened(desk, _path(desk, made))

    assert gone.status == 410
    assert "链接已失效" in gone.raw.decode()


async def test_a_store_that_is_away_is_said_to_be(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that the payment is gone; the page looks again by itself."""
    path = await view(desk, await waiting(desk))

    async def away(*_: object) -> object:
        raise StoreError("away")

    monkeypatch.setattr(type(desk.store), "payout", away)
    page = await opened(desk, path)

    assert page.status == 503
    assert 'data-refresh="10"' in page.raw.decode()


async def test_the_page_changes_nothing(desk: Desk) -> None:
    """Opened, headed and posted to, the database stays as it was."""
    path = await view(desk, await waiting(desk))
    before = desk.rows()

    for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
        told = await desk.call(method, path, key=None)
        assert told.status == (200 if method in {"GET", "HEAD"} else 405)

    assert desk.rows() == before


async def test_without_a_public_address_there_is_no_page(tmp_path: Path) -> None:
    """Nothing is promised that nobody could open."""
    async with open_desk(tmp_path) as desk:
        made = await waiting(desk)
        path = await view(desk, made)
        desk.api.confirm_links = None
        bare = TestServer(build_app(desk.api, body_max=65_536))
        await bare.start_server()
        try:
            async with desk.http.get(bare.make_url(path)) as told:
                assert told.status == 404
        finally:
            await bare.close()

        assert (await desk.get(f"/v1/payouts/{made}")).json["action"]["confirm_url"] is None


async def test_an_action_without_its_owner_has_no_page(desk: Desk) -> None:
    """WeChat's page cannot be opened without merchant and application."""
    made = await waiting(desk, PayeeAction("wechat_confirm", "pkg", after(days=1)))

    told = (await desk.get(f"/v1/payouts/{made}/attempts")).json["data"][0]["action"]

    assert (told["package_info"], told["confirm_url"]) == ("pkg", None)
    assert "处理中" in (await opened(desk, _path(desk, made))).raw.decode()


async def test_addresses_are_not_logged(desk: Desk) -> None:
    """A log line names the route; the signature stays between gateway and payee."""
    path = await view(desk, await waiting(desk))
    await opened(desk, path)

    lines = [one for one in desk.log_lines() if one.get("route") == "/c/{token}"]
    assert len(lines) == 1
    assert path.rpartition(".")[2] not in desk.log.getvalue()


def test_an_address_is_the_same_for_every_process() -> None:
    """One secret, one address: a link from one replica opens at another; the secret stays in."""
    one, two = (ConfirmLinks("https://a.test", b"k" * 32) for _ in range(2))
    payout_id = PayoutId("po_" + "a" * 26)

    assert one.url(payout_id) == two.url(payout_id)
    assert one.payout_of(two.url(payout_id).rpartition("/")[2]) == payout_id
    assert where_to_confirm(None, payout_id, ACTION) is None
    assert "kkk" not in repr(one)


def _path(desk: Desk, payout_id: str) -> str:
    assert desk.api.confirm_links is not None
    return desk.api.confirm_links.url(PayoutId(payout_id)).removeprefix(PUBLIC)
