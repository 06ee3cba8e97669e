"""The clock: institutions and gateway move together, and what happened meanwhile is told."""

from datetime import datetime
from typing import Any

import orjson
import pytest

from gateway.cli.clocks import sentences
from gateway.sandbox import card
from tests.gateway.cli.served import Served, hangdao
from tests.gateway.cli.test_payouts import ask_for, until_paid

FAST = ("--wait", "0")


def test_both_clocks_advance_together(served: Served) -> None:
    """Institutions and gateway stay within a few seconds of each other, and the card remembers."""
    before = served.ask("clock", "show")
    after = served.ask("clock", "advance", "2h", *FAST)
    moved = [at(after, who) - at(before, who) for who in ("gateway", "institutions")]
    assert all(7200 <= one.total_seconds() < 7230 for one in moved)
    made = card.read(served.folder)
    assert made is not None
    assert made.ahead_s >= 7200
    assert after["happened"] is None
    assert "institutions" in served.run("clock", "show").stdout


def at(clocks: dict[str, str], who: str) -> datetime:
    """One of the two clocks."""
    return datetime.fromisoformat(clocks[who])


def test_without_institutions_none_are_shown(served: Served) -> None:
    """An address alone names no simulators."""
    flags = ("--url", served.url, "--key", served.operator_key)
    assert orjson.loads(hangdao("clock", "show", *flags, "--json").stdout)["institutions"] is None


def test_a_clock_moves_to_a_moment(served: Served) -> None:
    """The next time it is nine o'clock in Beijing, give or take what the commands took."""
    after = served.ask("clock", "advance", "--to", "09:00", *FAST)
    local = at(after, "gateway").astimezone(datetime.fromisoformat("2026-01-01T00:00+08:00").tzinfo)
    assert (local.hour, local.minute) == (9, 0)


@pytest.mark.parametrize("flags", [("--to", "2020-01-01 09:00"), ("1d", "--to", "09:00"), ()])
def test_what_cannot_be_moved_to_is_refused(served: Served, flags: tuple[str, ...]) -> None:
    """The past, or two wishes at once, or none; nothing moves."""
    before = at(served.ask("clock", "show"), "gateway")
    refused = served.run("clock", "advance", *flags)
    assert refused.exit_code in {1, 2}
    assert (at(served.ask("clock", "show"), "gateway") - before).total_seconds() < 60


def test_the_past_is_refused_in_both_languages(served: Served) -> None:
    """With the time it is."""
    refused = served.run("clock", "advance", "--to", "2020-01-01 09:00")
    assert "only moves forward" in refused.stderr
    assert "时钟只能向前拨" in refused.stderr


def test_what_happens_meanwhile_is_counted(served: Served) -> None:
    """A payout is settled by the next day's statement, which the command has read."""
    made = ask_for(served)
    until_paid(served, made["id"])
    happened = served.ask("clock", "advance", "1 day 12 hours", "--wait", "60")["happened"]
    assert happened["statements"]["days"] >= 1
    assert happened["events"]["settled"] >= 1
    assert happened["calm"]
    assert served.ask("payout", "show", made["id"])["state"] == "settled"


def test_it_is_told_in_both_languages(served: Served) -> None:
    """Without anything to tell, that is told."""
    shown = served.run("clock", "advance", "1s").stdout
    assert "nothing happened to any payout" in shown
    assert "没有付款发生变化" in shown


def read(**changes: int) -> dict[str, int]:
    """A round of statements that found nothing, but for the changes."""
    return {"days": 0, "breaks": 0, **changes}


@pytest.mark.parametrize(
    ("events", "statements", "en", "zh"),
    [
        (
            {"settled": 3, "returned": 1, "armed": 9},
            read(days=2),
            "3 payouts settled, 1 returned, 2 statements read",
            "3 笔已结算，1 笔被退回，读取 2 份对账单",
        ),
        ({"paid": 1}, read(), "1 payout paid", "1 笔已付款"),
        ({}, read(days=1, breaks=1), "1 statement read, 1 break opened", None),
        ({"armed": 4}, read(), "nothing happened to any payout", "没有付款发生变化"),
    ],
)
def test_the_sentence_names_what_people_wait_for(
    events: dict[str, int], statements: dict[str, int], en: str, zh: str | None
) -> None:
    """Outcomes, statements and breaks; not the steps in between."""
    said = sentences({"events": events, "statements": statements, "calm": True})
    assert said[0] == en
    assert zh in (None, said[1])


def test_a_watch_that_was_cut_short_says_so() -> None:
    """More may still happen."""
    happened: dict[str, Any] = {"events": {}, "statements": read(), "calm": False}
    assert "look again" in sentences(happened)[2]
