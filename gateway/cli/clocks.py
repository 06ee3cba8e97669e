"""`hangdao clock`: a sandbox's time; and what happened while it was moved."""

import time as real_time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, time
from typing import Any

import click
from rich.console import Console

from gateway.cli.connection import Api, reaching
from gateway.cli.output import Group, Refusal, facts, moment, tell
from gateway.cli.parameters import Duration, NextMoment, seconds_until
from gateway.sandbox import card

CALM_S = 1.0
"""Without news for so long everything has happened that can happen now."""
LOOK_S = 0.2
_PAGE = 1000

_TOLD: Mapping[str, tuple[str, str]] = {
    "paid": ("paid", "已付款"),
    "settled": ("settled", "已结算"),
    "returned": ("returned", "被退回"),
    "failed": ("failed", "失败"),
    "parked": ("parked", "转人工"),
    "in_doubt": ("in doubt", "状态未知"),
    "contradicted": ("contradicted", "回执矛盾"),
}
"""Of a payout's events those that people wait for, in this order."""


@click.group("clock", cls=Group)
def clock_command() -> None:
    """The sandbox's time."""


@clock_command.command("show")
@reaching("operator")
def show(api: Api) -> None:
    """Show the gateway's clock and the institutions'."""
    clocks = _clocks(api)
    tell(clocks, lambda console: _draw_clocks(console, clocks))


@clock_command.command("advance")
@click.argument("duration", type=Duration(), required=False)
@click.option("--to", type=NextMoment(), help="09:00 (the next one), or 2026-11-23 01:00.")
@click.option(
    "--wait",
    "patience_s",
    type=click.FloatRange(0, 600),
    default=10.0,
    show_default=True,
    help="Real seconds to watch at most for what happens; 0 does not watch.",
)
@reaching("operator")
def advance(
    api: Api, /, *, duration: int | None, to: datetime | time | None, patience_s: float
) -> None:
    """Move both clocks forward by DURATION (30s, 15m, 2h, 1d, "1 day"), or to a moment.

    Then statements that are due are read, and what has happened to payouts is told.
    """
    if (duration is None) == (to is None):
        raise click.UsageError("give DURATION or --to, one of the two")
    before = _clocks(api)  # both answer, or nothing moves
    if to is not None:
        duration = _seconds_to(to, before["gateway"])
    feed = _move(api, duration or 0)
    try:
        happened = _watch(api, feed, patience_s) if patience_s else None
    except Refusal as refusal:
        refusal.advise("the clocks have been moved", "时钟已前移")
        raise
    clocks = {**_clocks(api), "gateway_before": before["gateway"], "happened": happened}

    def draw(console: Console) -> None:
        _draw_clocks(console, clocks)
        if happened is not None:
            for sentence in sentences(happened):
                console.print(sentence, markup=False)

    tell(clocks, draw)


def _seconds_to(to: datetime | time, now: str) -> int:
    seconds = seconds_until(to, datetime.fromisoformat(now))
    if seconds < 1:
        raise Refusal(
            "clock_only_forward",
            f"it is {moment(now)} already, and a clock only moves forward",
            zh="时钟只能向前拨",
        )
    return seconds


def _move(api: Api, seconds: int) -> int:
    """Move the institutions' clock, then ours; the position of the newest event before that."""
    if api.place.control_url is not None:
        feed = int(api.get("/v1/admin/clock")["feed"])
        api.control("POST", "clock", {"advance": f"{seconds}s"})
    try:
        moved = api.post("/v1/admin/clock/advance", {"seconds": seconds})
    except Refusal as refusal:
        if api.place.control_url is not None:
            refusal.advise("the institutions' clock has been moved already", "机构时钟已前移")
        raise
    if api.place.folder is not None:
        card.moved(api.place.folder, seconds)
    # The institutions tell us of what happened there before our own clock moves.
    return feed if api.place.control_url is not None else int(moved["feed"])


def _watch(api: Api, feed: int, patience_s: float) -> dict[str, Any]:
    """Wait until nothing happens any more, read statements, wait again, and count."""
    deadline = real_time.monotonic() + patience_s
    events: Counter[str] = Counter()
    feed = _until_calm(api, feed, events, deadline)
    read = api.post("/v1/admin/statements/read")
    _until_calm(api, feed, events, deadline)
    kept = ("days", "lines", "settled", "returned", "breaks", "dead", "waiting")
    return {
        "events": dict(events),
        "statements": {name: read[name] for name in kept},
        "calm": real_time.monotonic() < deadline,
    }


def _until_calm(api: Api, feed: int, events: Counter[str], deadline: float) -> int:
    """Count events until there were none for a while; the position of the last one."""
    heard = real_time.monotonic()
    while True:
        page = api.get("/v1/events", after=feed, limit=_PAGE)
        now = real_time.monotonic()
        if page["data"]:
            feed, heard = int(page["next_after"]), now
            events.update(one["type"].removeprefix("payout.") for one in page["data"])
        if not page["has_more"]:
            if now >= heard + CALM_S or now >= deadline:
                return feed
            real_time.sleep(LOOK_S)


def sentences(happened: Mapping[str, Any]) -> list[str]:
    """What happened, in English and in Chinese."""
    events, read = happened["events"], happened["statements"]
    told = [(events[kind], *words) for kind, words in _TOLD.items() if events.get(kind)]
    told_en = [f"{count} {en}" for count, en, _ in told]
    told_zh = [f"{count} 笔{zh}" for count, _, zh in told]
    if told_en:
        told_en[0] = f"{told[0][0]} payout{'s' if told[0][0] != 1 else ''} {told[0][1]}"
    if read["days"]:
        told_en.append(f"{read['days']} statement{'s' if read['days'] != 1 else ''} read")
        told_zh.append(f"读取 {read['days']} 份对账单")
    if read["breaks"]:
        told_en.append(f"{read['breaks']} break{'s' if read['breaks'] != 1 else ''} opened")
        told_zh.append(f"新增 {read['breaks']} 笔差错")
    lines = [
        ", ".join(told_en) or "nothing happened to any payout",
        "，".join(told_zh) or "没有付款发生变化",
    ]
    if not happened["calm"]:
        lines += ["more is still happening; look again", "仍有变化，请稍后再看"]
    return lines


def _clocks(api: Api) -> dict[str, Any]:
    clocks = {"gateway": api.get("/v1/admin/clock")["now"], "institutions": None}
    if api.place.control_url is not None:
        clocks["institutions"] = api.control("GET", "clock")["now"]
    return clocks


def _draw_clocks(console: Console, clocks: Mapping[str, Any]) -> None:
    rows = [
        ("gateway", moment(clocks["gateway"])),
        ("institutions", moment(clocks["institutions"]) or "none are known here"),
    ]
    console.print(facts(rows))
