"""Faults at simulated institutions: by the channel's own name, and only in a sandbox."""

import orjson

from tests.gateway.cli.served import CHANNEL, Served, hangdao
from tests.gateway.cli.test_payouts import ask_for, until_paid


def test_without_institutions_there_are_no_faults(served: Served) -> None:
    """An address alone names no simulators; the answer says so."""
    flags = ("--url", served.url, "--key", served.operator_key)
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


def test_everything_that_can_go_wrong_is_listed(served: Served) -> None:
    """With the parameters that each action takes."""
    listed = {one["action"]: one["params"] for one in served.ask("fault", "actions")["data"]}
    assert listed["statement_late"] == ["after"]
    assert listed["statement_extra_line"] == ["reference", "amount_fen"]
    assert "statement_missing_line" in served.run("fault", "actions").stdout


def test_a_fault_may_be_meant_for_one_institution(served: Served) -> None:
    """By its name; one that is not there is refused."""
    served.ask("fault", "add", "notice_lost", "--simulator", "alipay")
    (listed,) = served.ask("fault", "ls")["data"]
    assert listed["simulator"] == "alipay"
    served.ask("fault", "clear")
