"""Triggers and magic: make something happen by hand, and see which hands there are."""

import time

from tests.gateway.cli.served import Served, hangdao
from tests.gateway.cli.test_payouts import LATER, ask_for, until_paid

BANK_CARD = ("--card", "6222020200112233445", "--name", "王小明", "--purpose", "佣金")


def by_card(served: Served, *flags: str) -> str:
    """A payout to a card, once it is under way or paid; gives its id."""
    made = served.ask("payout", "create", "--amount", "45.60", *BANK_CARD, *flags)
    deadline = time.monotonic() + 15
    while not served.ask("payout", "attempts", made["id"])["data"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return str(made["id"])


def test_an_event_is_forced_on_a_payouts_order(served: Served) -> None:
    """A payout's id stands for the reference of its attempt."""
    made = ask_for(served)
    until_paid(served, made["id"])
    done = served.ask("trigger", "notice.resend", made["id"])
    reference = served.ask("payout", "attempts", made["id"])["data"][0]["reference"]
    assert (done["event"], done["reference"]) == ("notice.resend", reference)
    assert done["payout"] == {"id": made["id"], "state": "paid"}


def test_its_consequence_is_told(served: Served) -> None:
    """The gateway asks and finds it paid; nobody tells it of the return but the statement."""
    made = by_card(served, "--ref", "triggered-1")
    shown = served.run("trigger", "payout.settled", made).stdout
    assert f"{made} is now paid / 状态变为 paid" in shown
    shown = served.run("trigger", "payout.returned", "triggered-1").stdout
    assert f"{made} is paid still" in shown
    assert "状态仍为 paid" in shown
    happened = served.ask("clock", "advance", "1d12h", "--wait", "60")["happened"]
    assert happened["events"]["returned"] == 1
    assert served.ask("payout", "show", made)["state"] == "returned"


def test_an_event_that_does_not_fit_now_says_why(served: Served) -> None:
    """The institution's own words: an order that was paid cannot fail any more."""
    made = ask_for(served)
    until_paid(served, made["id"])
    refused = served.run("trigger", "payout.failed", made["id"])
    assert refused.exit_code == 1
    assert "payout.failed does not fit an account order in SUCCESS" in refused.stderr
    assert "机构模拟器拒绝" in refused.stderr
    unknown = served.run("trigger", "payout.vanished", made["id"])
    assert "there are: payout.settled" in unknown.stderr


def test_an_event_needs_an_order(served: Served) -> None:
    """A payout that was not sent has none, and an unknown reference neither."""
    later = ask_for(served, *LATER)
    refused = served.run("trigger", "payout.returned", later["id"])
    assert refused.exit_code == 1
    assert "was not tried at any channel yet" in refused.stderr
    assert "尚未提交到任何渠道" in refused.stderr
    assert served.run("trigger", "payout.returned", "unheard-of").exit_code == 1
    assert served.run("trigger", "payout.returned").exit_code == 2


def test_without_institutions_nothing_can_be_forced(served: Served) -> None:
    """A gateway by address alone is no sandbox."""
    flags = ("--url", served.url, "--key", served.operator_key)
    made = ask_for(served)
    until_paid(served, made["id"])
    for command in (("trigger", "notice.resend", made["id"]), ("trigger", "ls"), ("magic",)):
        refused = hangdao(*command, *flags)
        assert refused.exit_code == 1
        assert "works in a sandbox only" in refused.stderr
        assert "只在沙箱中可用" in refused.stderr


def test_the_events_of_each_kind_are_listed(served: Served) -> None:
    """In both languages, from the simulators that run."""
    listed = served.ask("trigger", "ls")["data"]
    assert {one["kind"] for one in listed} == {"alipay"}
    assert [one["event"] for one in listed] == [
        *("payout.settled", "payout.failed", "payout.returned", "notice.resend"),
    ]
    shown = served.run("trigger", "ls").stdout
    assert "退票" in shown
    assert "is sent again" in shown


def test_magic_payees_and_amounts_are_listed(served: Served) -> None:
    """Of the kinds that run, in both languages, amounts in major units."""
    listed = served.ask("magic")["data"]
    assert {one["kind"] for one in listed} == {"alipay"}
    shown = served.run("magic").stdout
    for part in ("nobody@magic.test", "账户不存在", "no such account", "100.01", "reset_before"):
        assert part in shown
    assert served.ask("magic", "alipay")["data"] == listed


def test_magic_of_a_kind_that_does_not_run_is_refused(served: Served) -> None:
    """With those that do."""
    refused = served.run("magic", "wechat_pay")
    assert refused.exit_code == 1
    assert "there are: alipay" in refused.stderr
