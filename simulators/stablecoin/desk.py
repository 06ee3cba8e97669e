"""The calls: which there are, and what each does with what is behind the counter.

Source: the API reference of Circle Mint (core API, payouts API, subscriptions, exchange rates).
An endpoint returns HTTP status and JSON, or raises RefusedError.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl

from simulators.actions import Stage
from simulators.books import Books
from simulators.faults import Faults, Hits
from simulators.kernel import Request
from simulators.stablecoin import views
from simulators.stablecoin.errors import CONFLICT, FORBIDDEN, RefusedError, invalid, not_found
from simulators.stablecoin.notices import CONFIRM_PATH, Notices
from simulators.stablecoin.payouts import Payout, Payouts
from simulators.stablecoin.requests import read_asked, read_body
from simulators.stablecoin.settings import Account, Settings
from simulators.stablecoin.views import Said

FIAT, CRYPTO = "/v1/businessAccount/payouts", "/v1/payouts"
PAGE_SIZE_MAX = 50
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", re.ASCII)


@dataclass(slots=True)
class Desk:
    """The state behind the endpoints."""

    settings: Settings
    books: Books
    payouts: Payouts
    notices: Notices
    faults: Faults


Endpoint = Callable[[Desk, Account | None, Request, Hits, datetime], tuple[int, Said]]


@dataclass(frozen=True, slots=True)
class Target:
    """A call that was recognized."""

    op: str
    endpoint: Endpoint
    number: str = ""
    needs_key: bool = True


def route(request: Request) -> Target | None:
    """Which call a request is; None for none there is."""
    method, path = request.method, request.path
    if (method, path) in _FIXED:
        op, endpoint = _FIXED[method, path]
        return Target(op, endpoint, needs_key=op not in {"health", "confirm"})
    head, _, last = path.rpartition("/")
    if method == "GET" and head in {FIAT, CRYPTO}:
        return Target("inquire", _fetch, last)
    if method == "GET" and head == "/v1/exchange/rates":
        return Target("rate", _rate, last)
    if method == "GET" and head == "/v2/notifications/publicKey":
        return Target("key", _public_key, last)
    if method == "DELETE" and head == "/v1/notifications/subscriptions":
        return Target("unsubscribe", _unsubscribe, last)
    return None


def _submit(
    desk: Desk, account: Account | None, request: Request, hits: Hits, now: datetime
) -> tuple[int, Said]:
    """Take a payout, or give the original reply to a repetition."""
    own = _owner(account)
    is_crypto = request.path == CRYPTO
    if ("crypto" if is_crypto else "fiat") not in own.products:
        raise RefusedError(FORBIDDEN)
    asked = read_asked(request.body, own, is_crypto=is_crypto)
    known = desk.payouts.of_key(own.account, asked.key)
    if known is not None and known.asked.same_as != asked.same_as:
        raise RefusedError(CONFLICT)
    if known is not None and not known.pays_twice:
        return 201, {"data": _as_created(known, own)}
    orders = desk.faults.pick(
        Stage.ORDER,
        op="submit",
        account=own.account,
        now=now,
        payee=asked.payee,
        reference=asked.key,
        amount_minor=asked.amount_minor,
    )
    short = hits.get("short_balance")
    limit = short.whole("available_fen") if short else None
    made = desk.payouts.create(own, asked, orders, now, limit)
    return 201, {"data": views.payout(made, own.wallet_id)}


def _as_created(payout: Payout, account: Account) -> Said:
    """The first reply again: the payout as it was when it was taken."""
    said = views.payout(payout, account.wallet_id)
    for name in ("errorCode", "return", "riskEvaluation"):
        said.pop(name, None)
    return said | {"status": "pending", "updateDate": said["createDate"]}


def _fetch(
    desk: Desk, account: Account | None, request: Request, hits: Hits, now: datetime
) -> tuple[int, Said]:
    own = _owner(account)
    is_crypto = not request.path.startswith(FIAT)
    number = request.path.rpartition("/")[2]
    for one in desk.payouts.of_account(own.account, is_crypto=is_crypto, now=now):
        if one.id == number:
            return 200, {"data": views.payout(one, own.wallet_id)}
    raise not_found()


def _list(
    desk: Desk, account: Account | None, request: Request, hits: Hits, now: datetime
) -> tuple[int, Said]:
    """Newest first; filters and pages as the reference names them."""
    own = _owner(account)
    pairs = parse_qsl(request.query, keep_blank_values=True)
    query = dict(pairs)
    statuses = {value for name, value in pairs if name == "status"}
    since, until = _moment(query, "from"), _moment(query, "to")
    found = desk.payouts.of_account(own.account, is_crypto=request.path == CRYPTO, now=now)
    shown = [
        one
        for one in found
        if query.get("destination") in {None, one.asked.payee}
        and query.get("type") in {None, one.asked.destination_type}
        and (not statuses or one.status in statuses)
        and (since is None or one.created_at >= since)
        and (until is None or one.created_at <= until)
    ]
    page = _page(shown, query)
    return 200, {"data": [views.payout(one, own.wallet_id) for one in page]}


def _page(shown: list[Payout], query: dict[str, str]) -> list[Payout]:
    size_text = query.get("pageSize", str(PAGE_SIZE_MAX))
    size = int(size_text) if size_text.isascii() and size_text.isdigit() else 0
    if not 1 <= size <= PAGE_SIZE_MAX:
        raise invalid("pageSize", "max_value" if size else "min_value")
    ids = [one.id for one in shown]
    for name in ("pageAfter", "pageBefore"):
        if name in query and query[name] not in ids:
            raise invalid(name)
    if "pageAfter" in query:
        start = ids.index(query["pageAfter"]) + 1
        return shown[start : start + size]
    if "pageBefore" in query:
        end = ids.index(query["pageBefore"])
        return shown[max(0, end - size) : end]
    return shown[:size]


def _moment(query: dict[str, str], name: str) -> datetime | None:
    text = query.get(name)
    if text is None:
        return None
    if _MOMENT.fullmatch(text) is None:
        raise invalid(name)
    return datetime.fromisoformat(text)


def _balance(
    desk: Desk, account: Account | None, request: Request, hits: Hits, now: datetime
) -> tuple[int, Said]:
    own = _owner(account)
    free = desk.books.available_minor(own.account)
    if short := hits.get("short_balance"):
        free = min(free, short.whole("available_fen"))
    frozen = desk.books.frozen_minor(own.account)
    return 200, {
        "data": {
            "available": [views.money(free, own.currency)],
            "unsettled": [views.money(frozen, own.currency)],
        }
    }


def _rate(
    desk: Desk, account: Account | None, request: Request, hits: Hits, now: datetime
) -> tuple[int, Said]:
    since = desk.payouts.since or now
    found = desk.payouts.rate(request.path.rpartition("/")[2], now, since)
    if found is None:
        raise not_found()
    buy, sell = found
    return 200, {"data": {"buy": str(buy), "sell": str(sell), "createDate": views.moment(now)}}


def _health(
    desk: Desk, account: Account | None, request: Request, hits: Hits, now: datetime
) -> tuple[int, Said]:
    return 200, {"message": "pong"}


def _subscribe(
    desk: Desk, account: Account | None, request: Request, hits: Hits, now: datetime
) -> tuple[int, Said]:
    own = _owner(account)
    endpoint = read_body(request.body).get("endpoint")
    if not isinstance(endpoint, str) or not endpoint.startswith(("https://", "http://")):
        raise invalid("endpoint")
    made = desk.notices.subscribe(own.account, endpoint, now)
    return 201, {"data": {"id": made.id, "endpoint": endpoint, "subscriptionDetails": []}}


def _subscriptions(
    desk: Desk, account: Account | None, request: Request, hits: Hits, now: datetime
) -> tuple[int, Said]:
    own = _owner(account)
    arn = desk.settings.topic_arn
    rows = [
        {
            "id": one.id,
            "endpoint": one.endpoint,
            "subscriptionDetails": [
                {"url": arn, "status": "confirmed" if one.confirmed else "pending"}
            ],
        }
        for one in desk.notices.subscriptions.values()
        if one.account == own.account
    ]
    return 200, {"data": rows}


def _unsubscribe(
    desk: Desk, account: Account | None, request: Request, hits: Hits, now: datetime
) -> tuple[int, Said]:
    number = request.path.rpartition("/")[2]
    known = desk.notices.subscriptions.get(number)
    if known is None or known.account != _owner(account).account:
        raise not_found()
    del desk.notices.subscriptions[number]
    return 200, {}


def _confirm(
    desk: Desk, account: Account | None, request: Request, hits: Hits, now: datetime
) -> tuple[int, Said]:
    """What SubscribeURL leads to, at Amazon."""
    query = dict(parse_qsl(request.query))
    if query.get("Action") != "ConfirmSubscription" or not desk.notices.confirm(
        query.get("Token", "")
    ):
        raise RefusedError(2, "Invalid token", status=400)
    return 200, {"ConfirmSubscriptionResponse": {"SubscriptionArn": desk.settings.topic_arn}}


def _public_key(
    desk: Desk, account: Account | None, request: Request, hits: Hits, now: datetime
) -> tuple[int, Said]:
    settings, key = desk.settings, desk.notices.public_key
    if key is None or request.path.rpartition("/")[2] != settings.notice_key_id:
        raise not_found()
    said: Said = {
        "id": settings.notice_key_id,
        "algorithm": "ECDSA_SHA_256",
        "publicKey": key,
        "createDate": "2026-01-01T00:00:00.000Z",
    }
    return 200, {"data": said}


def _owner(account: Account | None) -> Account:
    if account is None:
        raise AssertionError("only calls that need no key are executed without an account")
    return account


_FIXED: dict[tuple[str, str], tuple[str, Endpoint]] = {
    ("POST", FIAT): ("submit", _submit),
    ("POST", CRYPTO): ("submit", _submit),
    ("GET", FIAT): ("list", _list),
    ("GET", CRYPTO): ("list", _list),
    ("GET", "/v1/businessAccount/balances"): ("balance", _balance),
    ("GET", "/v1/balances"): ("balance", _balance),
    ("GET", "/ping"): ("health", _health),
    ("POST", "/v1/notifications/subscriptions"): ("subscribe", _subscribe),
    ("GET", "/v1/notifications/subscriptions"): ("subscriptions", _subscriptions),
    ("GET", CONFIRM_PATH): ("confirm", _confirm),
}
