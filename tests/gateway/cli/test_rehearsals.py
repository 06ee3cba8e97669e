"""Clock, faults and triggers: institutions and gateway move together, and only in a sandbox."""

from datetime import datetime

import orjson

from gateway.sandbox import card
from tests.gateway.cli.served import CHANNEL, Served, hangdao
from tests.gateway.cli.test_payouts import LATER, ask_for, until_paid


def test_both_clocks_advance_together(served: Served) -> None:
    """Institutions and gateway stay within a few seconds of each other, and the card remembers."""
    before = served.ask("clock", "show")
    after = served.ask("clock", "advance", "2h")
    moved = [at(after, who) - at(before, who) for who in ("gateway", "institutions")]
    assert all(7200 <= one.total_seconds() < 7230 for one in moved)
    made = card.read(served.folder)
    assert made is not None
    assert made.ahead_s >= 7200
    assert "institutions" in served.run("clock", "show").stdout


def at(clocks: dict[str, str], who: str) -> datetime:
    """One of the two clocks."""
    return datetime.fromisoformat(clocks[who])


def test_without_institutions_only_the_gateways_clock_moves(served: Served) -> None:
    """An address alone names no simulators; the answer says so."""
    flags = ("--url", served.url, "--key", served.operator_key)
    assert orjson.loads(hangdao("clock", "show", *flags, "--json").stdout)["institutions"] is None
    refused = hangdao("fault", "ls", *flags, "--json")
    assert refused.exit_code == 1
    assert orjson.loads(refused.stdout)["error"]["code"] == "no_institutions"


def test_a_fault_strikes_the_channel_that_is_named(served: Served) -> None:
    """Added by the channel's own name, listed with its hits, removed; another payout passes."""
    param = ("--param", "code=PAYER_STATUS_ERROR")
    added = served.ask("fault", "add", "reject", "--account", CHANNEL, "--op", "submit", *param)
    listed = served.ask("fault", "ls")["data"]
    assert [(one["id"], one["account"]) for one in listed] == [(added["id"], "alipay-1")]
    shown = served.run("fault", "ls").stdout
    assert CHANNEL in shown
    assert "code=PAYER_STATUS_ERROR" in shown
    served.ask("fault", "rm", added["id"])
    assert served.run("fault", "rm", added["id"]).exit_code == 1
    until_paid(served, ask_for(served)["id"])


def test_all_faults_are_cleared_at_once(served: Served) -> None:
    """Whatever was added is gone."""
    served.ask("fault", "add", "notice_lost", "--times", "1")
    served.ask("fault", "clear")
    assert served.ask("fault", "ls") == {"data": []}


def test_a_fault_that_does_not_exist_is_refused_with_the_known_ones(served: Served) -> None:
    """The institutions' own words, exit code 1."""
    result = served.run("fault", "add", "explode")
    assert result.exit_code == 1
    assert "reset_after" in result.stderr


def test_an_event_is_forced_on_a_payouts_order(served: Served) -> None:
    """A payout's id stands for the reference of its last attempt."""
    made = ask_for(served)
    until_paid(served, made["id"])
    done = served.ask("trigger", "notice.resend", made["id"])
    reference = served.ask("payout", "attempts", made["id"])["data"][0]["reference"]
    assert done == {"event": "notice.resend", "reference": reference}


def test_an_event_needs_an_order(served: Served) -> None:
    """A payout that was not sent has none, and an unknown reference neither."""
    later = ask_for(served, *LATER)
    for reference in (later["id"], "unheard-of"):
        assert served.run("trigger", "payout.returned", reference).exit_code == 1
