"""Merchants, keys, channels, books, events and webhooks of a running gateway, by commands."""

import hashlib
import time
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen
from uuid import uuid4

import orjson
import pytest

from tests.gateway.cli.conftest import Canned
from tests.gateway.cli.served import CHANNEL, Served, answer, hangdao
from tests.gateway.cli.test_payouts import ask_for, until_paid


def test_a_merchant_is_added_once(served: Served) -> None:
    """The second time is refused, and the list shows it with its agreement."""
    name = f"m{uuid4().hex[:8]}"
    flags = ("--name", "点卡", "--fee-rate-ppm", "1500", "--release-delay", "10m")
    made = served.ask("merchant", "add", name, *flags)
    assert (made["fee"]["rate_ppm"], made["release_delay_s"]) == (1500, 600)
    assert served.run("merchant", "add", name, *flags).exit_code == 1
    assert name in served.run("merchant", "ls").stdout


def test_a_deposit_is_booked_once_per_key(served: Served) -> None:
    """A repeated booking says that it changed nothing."""
    name = f"m{uuid4().hex[:8]}"
    served.ask("merchant", "add", name, "--name", "x")
    deposit = ("merchant", "fund", name, "--amount", "10.00", "--booking", "first")
    assert [served.ask(*deposit)["booked"] for _ in range(2)] == [True, False]
    assert "nothing changed" in served.run(*deposit).stdout


def test_a_deposit_without_a_booking_key_gets_one(served: Served) -> None:
    """Printed, so that it can be repeated."""
    made = served.ask("merchant", "fund", "acme", "--amount", "10.00")
    assert made["booking"].startswith("cli-")


@pytest.mark.parametrize("amount", ["0", "1.234", "x"])
def test_an_impossible_deposit_is_a_usage_error(amount: str, served: Served) -> None:
    """Refused here: the command counts in minor units itself."""
    assert served.run("merchant", "fund", "acme", "--amount", amount).exit_code == 2


def test_a_revoked_key_opens_nothing(served: Served) -> None:
    """Made, used, revoked, refused; the list never shows the key itself."""
    made = served.ask("key", "create", "acme", "--label", "short", "--scope", "payouts:read")
    use = ("payout", "ls", "--url", served.url, "--key", made["key"])
    assert hangdao(*use).exit_code == 0
    served.ask("key", "revoke", made["id"])
    assert hangdao(*use).exit_code == 1
    listed = served.run("key", "ls", "acme").stdout
    assert made["id"] in listed
    assert made["key"] not in listed


def test_a_signing_key_shows_its_secret_once(served: Served) -> None:
    """With --signed there is a second secret."""
    result = served.run("key", "create", "acme", "--label", "signed", "--signed")
    assert "signing secret" in result.stdout


def test_a_key_is_for_a_merchant_or_for_an_operator(served: Served) -> None:
    """Neither and both are usage errors, as are a merchant's options for an operator."""
    assert served.run("key", "create", "--label", "x").exit_code == 2
    assert served.run("key", "create", "acme", "--operator", "--label", "x").exit_code == 2
    assert served.run("key", "create", "--operator", "--label", "x", "--signed").exit_code == 2
    assert served.run("key", "ls").exit_code == 2


@pytest.mark.parametrize(
    ("verb", "status"), [("pause", "paused"), ("drain", "draining"), ("resume", "active")]
)
def test_a_channel_is_switched(verb: str, status: str, served: Served) -> None:
    """The answer is the list of channels as they stand now."""
    found = served.ask("channel", verb, CHANNEL, "--reason", "尝试")
    assert [(one["status"], one["reason"]) for one in found["data"]] == [(status, "尝试")]
    assert CHANNEL in served.run("channel", "resume", CHANNEL).stdout


def test_a_channel_is_killed_and_revived_by_a_person(served: Served) -> None:
    """A key without a name revives nothing; the list says who killed it, and why."""
    killed = served.run("channel", "kill", CHANNEL, "--reason", "款项异常")
    assert "killed by key:" in killed.stdout
    assert "款项异常" in killed.stdout
    result = served.run("channel", "revive", CHANNEL, "--reason", "已查")
    assert result.exit_code == 1
    assert "具名人员" in result.stderr
    use = ("channel", "revive", CHANNEL, "--reason", "已查", "--url", served.url)
    revived = hangdao(*use, "--key", served.person_key)
    assert revived.exit_code == 0, revived.output
    assert "killed" not in revived.stdout


def test_maintenance_is_planned_on_the_business_clock(served: Served) -> None:
    """Eight hours ahead of UTC unless an offset is given; removed, it is gone."""
    window = ("2999-01-01 01:00", "2999-01-01 05:00")
    made = served.ask("channel", "maintenance", "add", CHANNEL, *window, "--reason", "升级")
    assert made["from_at"] == "2998-12-31T17:00:00Z"
    assert made["id"] in served.run("channel", "maintenance", "ls").stdout
    assert served.ask("channel", "maintenance", "rm", made["id"])["data"] == []
    assert served.run("channel", "maintenance", "add", CHANNEL, "x", "y").exit_code == 2


def test_a_channel_is_shown_with_its_keys(served: Served) -> None:
    """By name and the beginning of their fingerprints; a key without an end has none."""
    one = served.ask("channel", "show", CHANNEL)
    shown = served.run("channel", "show", CHANNEL).stdout
    assert one["credentials"][0]["name"] == "private_key_file"
    for each in one["credentials"]:
        assert f"{each['holder']} {each['name']}" in shown
        assert each["fingerprint"][:16] in shown
    assert "keys end" in served.run("channel", "ls").stdout


def test_a_channel_that_is_not_there_is_refused(served: Served) -> None:
    """In both languages."""
    result = served.run("channel", "pause", "nowhere")
    assert (result.exit_code, result.stderr.splitlines()[1]) == (1, "渠道不存在")


def test_a_top_up_arrives_at_the_institution_too(served: Served) -> None:
    """In a sandbox ledger and institution stay equal; a repeated booking moves neither."""

    def stands() -> tuple[int, int]:
        ledger = served.ask("channel", "ls")["data"][0]["float_minor"]
        with_them = institution_balance(served)
        return ledger, with_them

    before = stands()
    booking = ("--amount", "5.00", "--booking", uuid4().hex)
    for _ in range(2):
        served.ask("channel", "topup", CHANNEL, *booking)
    after = stands()
    assert (after[0] - before[0], after[1] - before[1]) == (500, 500)


def institution_balance(served: Served) -> int:
    """What lies on the account in the simulator's books, in fen."""
    import httpx

    control = served.children[0].ready["control"]
    rows = httpx.get(f"{control}/_sim/accounts", trust_env=False).json()
    return int(rows[0]["balance_fen"])


def test_the_ledger_adds_up(served: Served) -> None:
    """Every balance recomputed from its entries."""
    assert served.ask("ledger", "check")["balanced"] is True
    assert served.run("ledger", "check").stdout.endswith("balanced\n")


def test_a_ledger_that_does_not_add_up_fails_the_command(canned: Canned) -> None:
    """Exit code 1, so that a monitor notices; the problems are in the document."""
    canned.body = b'{"data": [], "balanced": false, "problems": ["held demo: 1 is not 2"]}'
    result = hangdao("ledger", "check", "--url", canned.url, "--key", "k", "--json")
    assert result.exit_code == 1
    assert orjson.loads(result.stdout)["error"]["problems"] == ["held demo: 1 is not 2"]
    assert "held demo" in result.stderr


def test_statements_and_breaks_can_be_asked_for(served: Served) -> None:
    """Nothing is open in a quiet sandbox."""
    assert set(served.ask("statement", "read")) >= {"days", "settled", "breaks", "waiting"}
    assert served.ask("break", "ls") == {"data": []}
    assert served.run("break", "ls").stdout.strip() == "none"
    assert "settled" in served.run("statement", "read").stdout


def test_a_break_is_shown_with_its_amount(canned: Canned) -> None:
    """Amounts in major units, the day as it is."""
    broken = {
        "channel": "alipay-main",
        "on": "2026-11-20",
        "kind": "missing_ours",
        "reference": None,
        "line_ref": "L1",
        "amount_minor": 1230,
        "currency": "CNY",
        "payout_id": None,
        "detail": "a line nobody asked for",
        "opened_at": None,
    }
    canned.body = orjson.dumps({"data": [broken]})
    shown = hangdao("break", "ls", "--url", canned.url, "--key", "k").stdout
    assert "12.30 CNY" in shown
    assert "L1" in shown


def test_events_are_read_after_a_position(served: Served) -> None:
    """A reader who remembers the last position gets only what came later."""
    made = ask_for(served)
    until_paid(served, made["id"])
    first = served.ask("event", "ls", "--limit", "1")
    assert first["has_more"]
    after = str(first["next_after"])
    later = served.ask("event", "ls", "--after", after)["data"]
    assert all(one["feed"] > first["next_after"] for one in later)
    assert f"--after {after}" in served.run("event", "ls", "--limit", "1").stdout


def test_a_webhook_endpoint_lives_and_dies(served: Served) -> None:
    """Added with a secret, rotated to another, switched off."""
    made = served.ask("webhook", "add", "http://127.0.0.1:9/hook", "--kind", "paid")
    again = served.ask("webhook", "rotate", made["id"])
    assert made["secret"] != again["secret"]
    assert made["secret"] not in served.run("webhook", "ls").stdout
    assert served.ask("webhook", "rm", made["id"])["active"] is False
    shown = served.run("webhook", "add", "http://127.0.0.1:9/hook", "--kind", "failed")
    assert "whsec_" in shown.stdout


def test_a_webhook_can_be_sent_again(served: Served) -> None:
    """What `payout deliveries` lists can be resent by its id; what it does not list cannot."""
    endpoint = served.ask("webhook", "add", "http://127.0.0.1:9/hook")
    made = ask_for(served)
    owed = served.ask("payout", "deliveries", made["id"])["data"]
    assert served.run("webhook", "resend", owed[0]["id"]).exit_code == 0
    assert served.run("webhook", "resend", "nothing").exit_code == 1
    assert owed[0]["id"] in served.run("payout", "deliveries", made["id"]).stdout
    served.ask("webhook", "rm", endpoint["id"])


def test_a_merchants_fee_is_set_and_shown(served: Served) -> None:
    """Tiers as they were given, the mode in both languages, the month so far."""
    name = f"m{uuid4().hex[:8]}"
    served.ask("merchant", "add", name, "--name", "x")
    tiers = ("--tier", "0:3000", "--tier", "10000000:1000:50")
    made = served.ask("merchant", "fee", "set", name, *tiers, "--mode", "deducted")
    assert made["fee"]["tiers"][1] == {"floor": 10_000_000, "rate_ppm": 1000, "flat_minor": 50}
    assert served.ask("merchant", "fee", "show", name) == made
    told = served.run("merchant", "fee", "show", name).stdout
    assert "deducted 内扣" in told
    assert "0.1 %" in told


def test_a_tier_that_cannot_be_read_is_a_usage_error(served: Served) -> None:
    """With an example."""
    refused = served.run("merchant", "fee", "set", "acme", "--tier", "100k:0.1%")
    assert refused.exit_code == 2
    assert "10000000:1000" in refused.stderr


def test_an_account_in_another_protocol_is_made_shown_rotated_and_removed(served: Served) -> None:
    """Its keys are told when they are made, never again."""
    served.ask("merchant", "add", "m-epay", "--name", "Epay 站")
    add = ("merchant", "dialect", "add", "m-epay", "--dialect", "epay")
    made = served.ask(*add, "--public-id", "20001", "--ip", "10.0.0.0/8", "--rsa-only")
    account = made["id"]

    shown = served.ask("merchant", "dialect", "show", account)
    assert "secrets" not in shown
    assert shown["switches"]["ip_allow"] == ["10.0.0.0/8"]
    text = served.run("merchant", "dialect", "show", account).stdout
    assert "/d/epay/" in text
    change = ("merchant", "dialect", "set", account, "--any-signature", "--any-ip")
    changed = served.ask(*change, "--soft-dedupe-minutes", "3", "--version", "1")
    assert (changed["version"], changed["switches"]["soft_dedupe_minutes"]) == (2, 3)
    assert (changed["switches"]["rsa_only"], changed["switches"]["ip_allow"]) == (False, [])
    assert "version 2" in served.run(*change, "--version", "1").stderr
    assert served.run("merchant", "dialect", "set", account).exit_code == 2
    rotated = served.ask("merchant", "dialect", "rotate", account)
    assert len(rotated["keys"]) == 2
    assert rotated["secrets"]["md5_key"] != made["secrets"]["md5_key"]
    assert served.ask("merchant", "dialect", "rm", account)["removed_at"]
    assert "20001" in served.run("merchant", "dialect", "ls", "m-epay").stdout
    assert served.run(*add, "--public-id", "20001").exit_code == 1


def test_an_alipay_account_is_shown_with_what_an_sdk_is_configured_with(served: Served) -> None:
    """app_id, Alipay's public key, and the application's private key this once."""
    served.ask("merchant", "add", "m-alipay", "--name", "支付宝商户")
    add = ("merchant", "dialect", "add", "m-alipay", "--dialect", "alipay")
    shown = served.run(*add).stdout
    for name in ("app_id", "/d/alipay/", "alipay_public_key", "app_private_key_pkcs1"):
        assert name in shown
    kept = served.ask(*add, "--public-id", "2021000000000077")

    assert set(kept["secrets"]) == {
        "alipay_public_key",
        "app_private_key",
        "app_private_key_pkcs1",
    }
    again = served.ask("merchant", "dialect", "show", kept["id"])
    assert again["keys"][0]["public"] == {"alipay_public_key": kept["secrets"]["alipay_public_key"]}
    assert "private" not in served.run("merchant", "dialect", "show", kept["id"]).stdout
    assert served.run(*add, "--public-id", "77").exit_code == 1


def test_a_suspected_retry_is_found_to_repeat_another_order(served: Served) -> None:
    """By a person, who names both; a key without a name is told to be given one."""
    made = served.ask("merchant", "dialect", "add", "acme", "--dialect", "epay")
    for number in ("A", "B"):
        assert _epay_order(served, made, number)["code"] == 0
    (first,) = served.ask("payout", "ls", "--ref", f"{made['id']}:A")["data"]
    (held,) = served.ask("payout", "ls", "--ref", f"{made['id']}:B")["data"]
    repeats = ("payout", "repeats", held["id"], first["merchant_ref"], "--note", "同一笔")

    nameless = served.run(*repeats)
    use = (*repeats, "--url", served.url, "--key", served.person_key, "--json")
    told = answer(hangdao(*use))

    assert nameless.exit_code == 1
    assert "--person" in nameless.stderr
    assert (told["state"], told["reason"]) == ("cancelled", f"retry_of: {first['id']}")


def _epay_order(served: Served, account: dict[str, Any], number: str) -> Any:
    """As a caller with a shared secret asks."""
    fields = {
        "pid": account["public_id"],
        "timestamp": str(int(time.time())),
        "type": "alipay",
        "account": "repeats@example.com",
        "name": "王小五",
        "money": "7.77",
        "out_biz_no": number,
    }
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields))
    signed = (text + account["secrets"]["md5_key"]).encode()
    sign = hashlib.md5(signed, usedforsecurity=False).hexdigest()
    body = urlencode({**fields, "sign": sign, "sign_type": "MD5"}).encode()
    url = f"{served.url}/d/epay/api/transfer/submit"
    with urlopen(url, body, timeout=10) as reply:  # noqa: S310 - our own gateway
        return orjson.loads(reply.read())
