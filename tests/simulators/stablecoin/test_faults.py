"""Faults in this institution's dialect, and what they do to money."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from simulators.actions import ACTIONS
from simulators.kernel import Cut
from simulators.stablecoin.magic import MAGIC
from tests.simulators.stablecoin.customer import CRYPTO, FIAT, coins, customer, key, wire

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("action", "params", "cut", "status", "moves"),
    [
        ("reset_before", {}, Cut.BEFORE, None, 0),
        ("reset_after", {}, Cut.AFTER, 201, 1),
        ("reset_mid", {}, Cut.MID, 201, 1),
        ("http_error", {"status": 503}, Cut.NONE, 503, 0),
        ("http_error", {"executed": True}, Cut.NONE, 502, 1),
        ("garbage", {}, Cut.NONE, 200, 1),
        ("garbage", {"executed": False}, Cut.NONE, 200, 0),
        ("reject", {"code": "-1"}, Cut.NONE, 500, 0),
        ("reject", {"code": "-1", "executed": True}, Cut.NONE, 500, 1),
        ("reject", {"code": "SYSTEM_ERROR"}, Cut.NONE, 500, 0),
        ("reject", {"code": "2"}, Cut.NONE, 400, 0),
        ("reject", {"code": "5020"}, Cut.NONE, 400, 0),
        ("reject", {"code": "401"}, Cut.NONE, 401, 0),
        ("reject", {"code": "3"}, Cut.NONE, 403, 0),
        ("reject", {"code": "1083"}, Cut.NONE, 409, 0),
        ("unknown_code", {}, Cut.NONE, 400, 1),
        ("throttle", {"per_s": 0}, Cut.NONE, 429, 0),
        ("maintenance", {"from_hour": "00:00", "to_hour": "23:59"}, Cut.NONE, 500, 0),
        ("slow", {"fixed": "3s"}, Cut.NONE, 201, 1),
        ("unsigned", {}, Cut.NONE, 201, 1),
        ("bad_signature", {}, Cut.NONE, 201, 1),
    ],
)
def test_what_is_answered_and_what_is_done_are_two_things(
    action: str, params: dict[str, Any], cut: Cut, status: int | None, moves: int
) -> None:
    """Each reply with the money that really moved."""
    mint = customer()
    mint.add(action, op="submit", params=params, times=1)
    mint.ask("POST", FIAT, wire())
    assert mint.last.cut is cut
    assert (mint.last.reply.status if mint.last.reply else None) == status
    assert mint.last.faults == ("f1",)
    assert mint.last.reference == key()
    mint.wait(MINUTE)
    assert len(mint.moved()) == moves


@pytest.mark.parametrize("action", ["reset_before", "reset_after", "garbage", "throttle", "reject"])
def test_the_same_request_after_a_fault_pays_once(action: str) -> None:
    """Whatever was answered first."""
    mint = customer()
    params = {"per_s": 0} if action == "throttle" else {}
    mint.add(action, op="submit", params=params, times=1)
    mint.ask("POST", FIAT, wire())
    paid = mint.pay()
    mint.wait(MINUTE)
    assert mint.show(paid)["status"] == "complete"
    assert len(mint.moved()) == 1


def test_an_institution_that_forgets_keys_pays_twice() -> None:
    """double_execute: what the promise protects from."""
    mint = customer()
    mint.add("double_execute")
    first, second = mint.pay(), mint.pay()
    mint.wait(MINUTE)
    assert first["id"] != second["id"]
    assert [kind for kind, _, _ in mint.moved()] == ["payout", "payout"]


def test_hidden_payouts_are_in_no_list_and_under_no_id() -> None:
    """For as long as the rule says, and are paid all the same."""
    mint = customer()
    mint.add("not_found_window", params={"seconds": "30s"})
    paid = mint.pay()
    assert mint.ask("GET", f"{FIAT}/{paid['id']}")[0] == 404
    assert mint.ask("GET", FIAT)[1]["data"] == []
    mint.wait(MINUTE)
    assert mint.show(paid)["status"] == "complete"


@pytest.mark.parametrize("path", ["one", "list"])
def test_lies_about_a_state_are_told_wherever_it_shows(path: str) -> None:
    """By id and in the list; the truth is another."""
    mint = customer()
    paid = mint.pay()
    mint.wait(MINUTE)
    mint.add("status_lie", op="inquire" if path == "one" else "list", params={"status": "FAIL"})
    target = f"{FIAT}/{paid['id']}" if path == "one" else FIAT
    said = mint.ask("GET", target)[1]["data"]
    shown = said if path == "one" else said[0]
    assert (shown["status"], "errorCode" in shown) == ("failed", True)
    assert len(mint.moved()) == 1


@pytest.mark.parametrize(
    ("field", "differs"),
    [("amount", "amount"), ("payee", "destination"), ("reference", "id")],
)
def test_echoes_can_be_wrong(field: str, differs: str) -> None:
    """Nothing repeats our key: there the payout's own id is wrong."""
    mint = customer()
    mint.add("wrong_echo", op="submit", params={"field": field}, times=1)
    told = mint.pay()
    mint.faults.clear()
    true = mint.pay()
    assert {name for name in true if told[name] != true[name]} == {differs}


def test_a_wrong_sum_of_coins_is_the_payees() -> None:
    """`toAmount`, one cent off."""
    mint = customer()
    mint.add("wrong_echo", op="submit", params={"field": "amount"})
    told = mint.pay(coins(), CRYPTO)
    assert (told["toAmount"]["amount"], told["amount"]["amount"]) == ("123.46", "123.45")


def test_a_lowered_balance_shows_and_fails() -> None:
    """short_balance: in the balance call, and in what becomes of a payout."""
    mint = customer()
    mint.add("short_balance", params={"available_fen": 100})
    said = mint.ask("GET", "/v1/businessAccount/balances")[1]["data"]
    assert said["available"][0]["amount"] == "1.00"
    paid = mint.pay()
    mint.wait(MINUTE)
    assert mint.show(paid)["errorCode"] == "insufficient_funds"


def test_one_seed_has_one_history() -> None:
    """The same requests give the same bytes, notices included."""

    def story(seed: int) -> list[bytes]:
        mint = customer(seed=seed)
        mint.add("settle_fail", probability=0.5)
        said = []
        for number in range(1, 20):
            mint.ask("POST", FIAT, wire(number))
            said.append(mint.last.reply.body if mint.last.reply else b"")
        told = [push.body for push in mint.wait(MINUTE) if b"SigningCertURL" not in push.body]
        return said + told

    assert story(1) == story(1)
    assert story(1) != story(2)


def test_magic_rows_name_actions_there_are() -> None:
    """And none that this protocol cannot express."""
    used = {row.action for row in MAGIC}
    assert used <= set(ACTIONS)
    assert not used & {"bad_signature", "unsigned", "confirm_late", "confirm_never"}
