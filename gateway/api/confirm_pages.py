"""The page on which a payee confirms a payout in WeChat, for people without a key.

Its address (`api.confirm_links`) is all that is asked for, so it shows an amount and nothing else
of anybody, cannot be framed, indexed or referred from, and loads nothing from anywhere. WeChat's
own page is opened by `requestMerchantTransfer` (WeChat Pay API v3, merchant transfer, JSAPI);
outside WeChat the page shows itself as a QR code to scan.
"""

import io
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web
from msgspec import Struct

from gateway.api.confirm_links import PATH, ConfirmLinks, is_openable
from gateway.api.context import WHO, Api
from gateway.domain.payout import AttemptState, Payout, PayoutState
from gateway.ports import StoreError

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup

LINGER = timedelta(days=7)
"""How long after its end a payout's page still says how it ended."""
WAIT_REFRESH_S = 5
DONE = frozenset({PayoutState.PAID, PayoutState.SETTLED})


class _Words(Struct, frozen=True):
    zh: str
    en: str


class Step(Struct, frozen=True):
    """What the page is about to say."""

    name: str
    status: int
    words: _Words
    refresh_s: int = 0


CONFIRM = Step("confirm", 200, _Words("请确认收款", "Please confirm to receive this payment"))
OPEN = Step("open", 200, _Words("请确认收款", "Please confirm to receive this payment"))
WAIT = Step(
    "wait",
    200,
    _Words("转账处理中，请稍候", "Being processed; this page looks again by itself"),
    WAIT_REFRESH_S,
)
DONE_STEP = Step("done", 200, _Words("已到账，无需再操作", "Paid: there is nothing more to do"))
EXPIRED = Step(
    "expired",
    410,
    _Words("确认已过期，款项将退回付款方", "Too late to confirm; the payer gets the money back"),
)
CLOSED = Step("closed", 410, _Words("这笔转账已关闭", "This payment was closed"))
GONE = Step("gone", 410, _Words("链接已失效", "This link has expired"))
UNKNOWN = Step("unknown", 404, _Words("链接无效，请核对", "There is no such page"))
BUSY = Step("busy", 503, _Words("系统繁忙，请稍后刷新", "Busy; please try again shortly"), 10)


def open_page(app: web.Application, api: Api) -> None:
    """Add the page, if payees can be told an address of it."""
    links = api.confirm_links
    if links is None:
        return

    async def page(request: web.Request) -> web.Response:
        token = request.match_info["token"]
        payout_id = links.payout_of(token)
        if payout_id is None:
            # The store is not asked: guesses cost us nothing and learn nothing.
            return _response(api, UNKNOWN)
        try:
            payout = await api.gateway.store.payout(payout_id)
        except StoreError:
            return _response(api, BUSY)
        if payout is None:
            return _response(api, UNKNOWN)
        request[WHO]["merchant_id"] = payout.merchant_id
        now = api.gateway.clock.now()
        step = step_of(payout, now)
        return _response(api, step, _shown(step, payout, links, now))

    app.router.add_get(PATH + "{token}", page)


def step_of(payout: Payout, now: datetime) -> Step:
    """How the payout stands for its payee."""
    if payout.state.is_final or payout.state in DONE:
        if now - payout.updated_at > LINGER:
            return GONE
        return DONE_STEP if payout.state in DONE else CLOSED
    live = payout.live
    action = None if live is None else live.action
    if live is None or action is None or live.state is AttemptState.ARMED:
        return WAIT
    if now >= action.expires_at:
        return EXPIRED
    if is_openable(action):
        return CONFIRM
    if action.kind == "open_link" and urlsplit(action.package_info).scheme in {"http", "https"}:
        return OPEN
    return WAIT


def _shown(step: Step, payout: Payout, links: ConfirmLinks, now: datetime) -> Mapping[str, object]:
    action = None if payout.live is None else payout.live.action
    if action is None or step not in {CONFIRM, OPEN}:
        return {}
    if step is OPEN:
        return {"amount": str(payout.amount), "link": action.package_info}
    left_s = int((action.expires_at - now).total_seconds())
    return {
        "amount": str(payout.amount),
        "app_id": action.app_id,
        "mch_id": action.mch_id,
        "package": action.package_info,
        "left_s": max(left_s, 1),
        "clock": f"{left_s // 3600:02}:{left_s // 60 % 60:02}:{left_s % 60:02}",
        "qr": _qr(links.url(payout.id)),
    }


def _response(api: Api, step: Step, shown: Mapping[str, object] | None = None) -> web.Response:
    nonce = api.entropy.bytes(16).hex()
    text = _template().render(
        step=step.name,
        words=step.words,
        refresh_s=step.refresh_s,
        nonce=nonce,
        **(shown or {}),
    )
    policy = (
        "default-src 'none'",
        f"script-src 'nonce-{nonce}'",
        f"style-src 'nonce-{nonce}'",
        # WeChat's bridge calls the application it runs in through frames of these schemes.
        "frame-src weixin: weixinping: weixinpreinject:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return web.Response(
        status=step.status,
        text=text,
        content_type="text/html",
        charset="utf-8",
        headers={
            "Content-Security-Policy": "; ".join(policy),
            "Referrer-Policy": "no-referrer",
            "X-Robots-Tag": "noindex, nofollow",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Cache-Control": "no-store",
        },
    )


@cache
def _template() -> "jinja2.Template":
    # Most gateways never show the page, and start without what draws it.
    import jinja2  # noqa: PLC0415 - see above

    text = Path(__file__).with_name("pages").joinpath("confirm.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(text)


def _qr(address: str) -> "Markup":
    import segno  # noqa: PLC0415 - as in `_template`
    from markupsafe import Markup  # noqa: PLC0415 - as in `_template`

    drawn = io.BytesIO()
    made = segno.make(address, error="m", micro=False)
    made.save(
        drawn,
        kind="svg",
        scale=5,
        xmldecl=False,
        svgns=False,
        nl=False,
        svgclass=None,
        lineclass=None,
        title="二维码 QR",
    )
    # Made from our own address alone.
    return Markup(drawn.getvalue().decode())  # noqa: S704 - no part of it comes from outside
