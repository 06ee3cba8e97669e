"""What backtests read from a running gateway: past payouts by pages, and the channels' terms."""

import asyncio

from typing_extensions import TypedDict  # pydantic reads typing.TypedDict only from 3.12 on

from gateway.api.context import Answer, Call
from gateway.api.schemas import HistoryQuery
from gateway.domain.payout import PayoutId
from gateway.engine import history
from policies.backtest.lines import KIND, LAYOUT, Header, header_json
from policies.backtest.record import Record
from policies.calendars.workdays import PUBLISHED


class HistoryPage(TypedDict):
    """Payouts by acceptance, without payee data; `next` is the `after` of the next page."""

    data: list[Record]
    next: str | None


class TermsView(TypedDict):
    """The first line of a history file; policies/README.md describes it."""

    kind: str
    v: int
    since: str | None
    until: str | None
    salt: str | None
    channels: list[dict[str, object]]
    almanac: dict[str, object] | None


async def list_history(call: Call) -> Answer:
    """GET /v1/admin/history."""
    query: HistoryQuery = call.query
    after = None if query.after is None else PayoutId(query.after)
    past = await call.gateway.store.history(query.since, query.until, after, query.limit)
    # Taking hundreds of decisions apart would hold up payouts that are being sent meanwhile.
    records = await asyncio.to_thread(lambda: [history.record_of(one) for one in past])
    following = records[-1].payout if len(records) == query.limit else None
    return 200, {"data": records, "next": following}


async def show_terms(call: Call) -> Answer:
    """GET /v1/admin/history/terms."""
    gateway = call.gateway
    almanac = None if gateway.almanac == PUBLISHED else gateway.almanac
    header = Header(KIND, LAYOUT, None, None, None, tuple(history.terms_of(gateway)), almanac)
    return 200, header_json(header)
