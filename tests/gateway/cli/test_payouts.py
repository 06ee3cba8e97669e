"""`hangdao payout`: its flags, and what they do at a running gateway."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
import orjson
import pytest

from gateway.cli.instruments import instruments
from gateway.cli.payouts import create
from tests.gateway.cli.served import CHANNEL, Served, hangdao

TO = ("--alipay", "payee@example.test", "--name", "王小明", "--purpose", "佣金")
LATER = ("--release-after", (datetime.now(UTC) + timedelta(days=30)).isoformat())


def ask_for(served: Served, *flags: str) -> Any:
    """A payout of 12.30 CNY, made by flags."""
    return served.ask("payout", "create", "--amount", "12.30", *TO, *flags)


def until_paid(served: Served, payout: str) -> Any:
    """The payout once its channel has paid it."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        shown = served.ask("payout", "show", payout)
        if shown["state"] == "paid":
            return shown
        time.sleep(0.05)
    raise AssertionError(f"{payout} is {shown['state']}, not paid")


def read(*arguments: str) -> list[dict[str, str]]:
    """The instruments that a command line stands for."""
    context = create.make_context("create", list(arguments))
    return instruments(context, context.params)


def test_each_way_keeps_its_own_name_and_bank() -> None:
    """The order on the line is the order of preference."""
    assert read(
        "--card", "6222", "--name", "甲", "--bank", "ICBC", "--alipay", "a", "--name=乙"
    ) == [
        {"rail": "bank_card", "number": "6222", "name": "甲", "bank_code": "ICBC"},
        {"rail": "alipay", "identity": "a", "name": "乙"},
    ]


def test_a_way_without_a_name_takes_the_first_one() -> None:
    """All ways lead to the same person."""
    assert read("--wechat", "oABCDEF", "--alipay", "a", "--name", "甲") == [
        {"rail": "wechat", "openid": "oABCDEF", "name": "甲"},
        {"rail": "alipay", "identity": "a", "name": "甲"},
    ]


def test_a_wechat_user_needs_no_name() -> None:
    """Nothing is made up."""
    assert read("--wechat", "oABCDEF") == [{"rail": "wechat", "openid": "oABCDEF"}]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--name", "甲", "--alipay", "a"),
        ("--bank", "ICBC"),
        ("--alipay", "a", "--bank", "ICBC"),
    ],
    ids=["nobody", "name first", "bank alone", "bank of no card"],
)
def test_flags_that_belong_to_nothing_are_refused(arguments: tuple[str, ...]) -> None:
    """Better no payout than one to the wrong name."""
    with pytest.raises(click.UsageError):
        read(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--amount", "1.00", "--alipay", "a"),
        ("--purpose", "p", "--alipay", "a"),
        ("--amount", "1.00", "--purpose", "p"),
        ("--amount", "1.00", "--purpose", "p", "--alipay", "a", "--currency", "QQQ"),
        ("--file", "-", "--amount", "1.00"),
        ("--file", "absent.json"),
    ],
    ids=["no purpose", "no amount", "nobody", "no such currency", "both ways", "no such file"],
)
def test_wrong_usage_is_told_before_a_gateway_is_looked_for(
    arguments: tuple[str, ...], elsewhere: Path
) -> None:
    """Exit code 2, nothing on standard output."""
    result = hangdao("payout", "create", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_payout_is_made_and_paid(served: Served) -> None:
    """From flags to the channel's word."""
    made = ask_for(served)
    assert made["idempotency_key"].startswith("cli-")
    paid = until_paid(served, made["id"])
    assert (paid["amount_minor"], paid["channel"]) == (1230, CHANNEL)


def test_the_same_key_does_not_pay_twice(served: Served) -> None:
    """Repeated with the key that was printed, it is the same payout and says so."""
    made = ask_for(served)
    until_paid(served, made["id"])
    again = ask_for(served, "--idempotency-key", made["idempotency_key"])
    assert (again["id"], again["replayed"], made["replayed"]) == (made["id"], True, False)


def test_people_see_key_state_and_masked_payee(served: Served) -> None:
    """Without --json: a sheet with everything needed to repeat and to follow it."""
    result = served.run("payout", "create", "--amount", "12.30", *TO, *LATER)
    assert result.exit_code == 0
    assert "cli-" in result.stdout
    assert "scheduled" in result.stdout
    assert "payee@example.test" not in result.stdout


def test_a_request_can_come_from_a_file(served: Served, tmp_path: Path) -> None:
    """The bytes go to the API as they are."""
    file = tmp_path / "payout.json"
    ref = f"file-{uuid4().hex[:8]}"
    file.write_bytes(orjson.dumps(body(ref)))
    assert served.ask("payout", "create", "--file", str(file))["merchant_ref"] == ref


def test_what_is_wrong_with_a_file_the_api_says(served: Served) -> None:
    """A key given twice is not quietly the last one's win."""
    result = served.run("payout", "create", "--file", "-", given='{"purpose": "a", "purpose": "b"}')
    assert result.exit_code == 1
    assert "stands twice" in result.stderr
    assert "重复" in result.stderr


def body(ref: str) -> dict[str, Any]:
    """A request as the API takes it."""
    way = {"rail": "alipay", "identity": "payee@example.test", "name": "王小明"}
    return {
        "merchant_ref": ref,
        "amount_minor": 100,
        "currency": "CNY",
        "purpose": "佣金",
        "release_after": LATER[1],
        "beneficiary": {"instruments": [way]},
    }


@pytest.mark.parametrize("amount", ["1.234", "1e3", "0", "-1", "9" * 21])
def test_an_impossible_amount_is_refused(amount: str, served: Served) -> None:
    """Nothing is rounded on the way; the API names the field."""
    result = served.run("payout", "create", f"--amount={amount}", *TO, "--json")
    assert result.exit_code == 1
    assert orjson.loads(result.stdout)["error"]["code"] == "field_invalid"


def test_a_payout_is_found_by_the_merchants_own_number(served: Served) -> None:
    """PAYOUT may be an id or a reference."""
    ref = f"own-{uuid4().hex[:8]}"
    made = ask_for(served, "--ref", ref, *LATER)
    assert served.ask("payout", "show", ref)["id"] == made["id"]


def test_a_payout_that_is_not_there_is_refused(served: Served) -> None:
    """By reference and by id; a strange id does not lead to another path."""
    for named in ("nobodys", "po_nobodys", "po_../../admin/ledger?x=1"):
        result = served.run("payout", "show", named)
        assert (result.exit_code, result.stdout) == (1, "")


def test_a_payout_can_be_cancelled_before_it_is_sent(served: Served) -> None:
    """And not a second time into another state."""
    made = ask_for(served, *LATER)
    assert served.ask("payout", "cancel", made["id"])["state"] == "cancelled"
    refused = served.run("payout", "release", made["id"])
    assert refused.exit_code == 1
    assert "当前状态" in refused.stderr


def test_a_payout_can_be_let_go(served: Served) -> None:
    """Released, it is paid now."""
    made = ask_for(served, *LATER)
    served.ask("payout", "release", made["id"])
    until_paid(served, made["id"])


def test_a_paid_payout_tells_its_story(served: Served) -> None:
    """Attempts, timeline, reasons and webhooks, for scripts and for people."""
    made = ask_for(served)
    until_paid(served, made["id"])
    kinds = [one["type"] for one in served.ask("payout", "timeline", made["id"])["data"]]
    assert kinds == ["payout.accepted", "payout.armed", "payout.paid"]
    assert [one["channel"] for one in served.ask("payout", "attempts", made["id"])["data"]] == [
        CHANNEL
    ]
    assert served.ask("payout", "why", made["id"]) == served.ask("policy", "explain", made["id"])
    assert served.ask("payout", "deliveries", made["id"]) == {"data": []}
    told = "".join(
        served.run("payout", verb, made["id"]).stdout for verb in ("timeline", "attempts", "why")
    )
    for word in ("payout.armed", "confirmed", "was chosen", "选择"):
        assert word in told


def test_payouts_are_listed_page_by_page(served: Served) -> None:
    """Filters narrow, `--after` goes on where the page ended."""
    ids = [ask_for(served, *LATER)["id"] for _ in range(2)]
    first = served.ask("payout", "ls", "--state", "scheduled", "--limit", "1")
    assert first["data"][0]["id"] == ids[1]
    assert first["has_more"]
    second = served.ask("payout", "ls", "--state", "scheduled", "--after", ids[1], "--limit", "1")
    assert second["data"][0]["id"] == ids[0]
    assert f"--after {ids[1]}" in served.run("payout", "ls", "--limit", "1").stdout


def test_the_operator_sees_what_the_merchant_made(served: Served) -> None:
    """`--as operator` takes the sandbox's other key."""
    made = ask_for(served, *LATER)
    assert served.ask("payout", "show", made["id"], "--as", "operator")["merchant_id"] == "acme"
