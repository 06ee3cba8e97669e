"""Electronic receipts: applied for, made after a while, downloaded once, each account its own."""

from datetime import timedelta
from typing import Any

import pytest

from simulators.kernel import Reply, Request
from tests.simulators.alipay.customer import (
    TRANSFER,
    Customer,
    account,
    customer,
    to_card,
    transfer,
)
from tests.simulators.alipay.test_bills import fetch

APPLY = "alipay.data.bill.ereceipt.apply"
QUERY = "alipay.data.bill.ereceipt.query"


def fund_order(merchant: Customer, biz: dict[str, object] | None = None) -> str:
    """Pay, and give the number of the movement."""
    node = merchant.ask(TRANSFER, biz or transfer())
    assert node["code"] == "10000", node
    return str(node["pay_fund_order_id"])


def apply(merchant: Customer, number: str, **changes: object) -> dict[str, Any]:
    """Ask for the receipt of a movement."""
    return merchant.ask(APPLY, {"type": "FUND_DETAIL", "key": number, **changes})


def test_a_receipt_is_made_after_a_while_and_names_the_movement() -> None:
    """INIT, PROCESS, SUCCESS with an address; behind it a PDF."""
    merchant = customer()
    number = fund_order(merchant)
    file_id = apply(merchant, number)["file_id"]
    seen = []
    for _ in range(3):
        seen.append(merchant.ask(QUERY, {"file_id": file_id})["status"])
        merchant.wait(timedelta(seconds=1, milliseconds=500))
    assert seen == ["INIT", "PROCESS", "SUCCESS"]
    reply = fetch(merchant, merchant.ask(QUERY, {"file_id": file_id})["download_url"])
    assert reply.status == 200
    assert reply.body.startswith(b"%PDF-1.4")
    assert number.encode() in reply.body
    assert b"12.34" in reply.body


def test_an_address_lives_half_a_minute() -> None:
    """Then it must be asked for again; the file is the same."""
    merchant = customer()
    file_id = apply(merchant, fund_order(merchant))["file_id"]
    merchant.wait(timedelta(seconds=5))
    url = merchant.ask(QUERY, {"file_id": file_id})["download_url"]
    content = fetch(merchant, url).body
    merchant.wait(timedelta(seconds=30))
    assert fetch(merchant, url).status == 403
    again = merchant.ask(QUERY, {"file_id": file_id})["download_url"]
    assert again != url
    assert fetch(merchant, again).body == content


def test_only_money_that_moved_has_a_receipt() -> None:
    """A card order under way has none, and once it is paid it has."""
    merchant = customer()
    number = fund_order(merchant, to_card())
    assert apply(merchant, number)["sub_code"] == "ORDER_NOT_EXIST"
    merchant.wait(timedelta(minutes=5))
    assert apply(merchant, number)["code"] == "10000"


def test_another_accounts_receipt_is_not_there() -> None:
    """Neither its movement nor its application."""
    merchant = customer(
        account(),
        account(account="b", app_id="2021000000000002", user_id="2088000000000022"),
    )
    number = fund_order(merchant)
    file_id = apply(merchant, number)["file_id"]
    other = Customer(
        merchant.simulator, merchant.faults, merchant.now, "2021000000000002", merchant.key
    )
    assert apply(other, number)["sub_code"] == "ORDER_NOT_EXIST"
    assert other.ask(QUERY, {"file_id": file_id})["sub_code"] == "INVALID_PARAMETER"


def test_an_application_is_kept_for_two_days() -> None:
    """A file_id is good that long."""
    merchant = customer()
    file_id = apply(merchant, fund_order(merchant))["file_id"]
    merchant.wait(timedelta(days=2) - timedelta(seconds=1))
    assert merchant.ask(QUERY, {"file_id": file_id})["status"] == "SUCCESS"
    merchant.wait(timedelta(seconds=1))
    assert merchant.ask(QUERY, {"file_id": file_id})["sub_code"] == "INVALID_PARAMETER"


@pytest.mark.parametrize(
    "changes", [{"type": "FUND"}, {"key": ""}, {"key": 7}, {"bill_user_id": "2088000000000099"}]
)
def test_a_malformed_application_is_refused(changes: dict[str, object]) -> None:
    """The platform's own error, naming the parameters."""
    merchant = customer()
    node = apply(merchant, fund_order(merchant), **changes)
    assert node["sub_code"] == "INVALID_PARAMETER"


def test_faults_reach_receipts_by_operation_and_reference() -> None:
    """A lie about the status, an error, and a download that is cut."""
    merchant = customer()
    number = fund_order(merchant)
    file_id = apply(merchant, number)["file_id"]
    merchant.wait(timedelta(seconds=5))
    merchant.add("status_lie", op="receipt", params={"status": "FAIL"}, times=1)
    assert merchant.ask(QUERY, {"file_id": file_id})["status"] == "FAIL"
    merchant.add("reject", op="receipt", reference="po-1", times=1)
    assert apply(merchant, number)["sub_code"] == "SYSTEM_ERROR"
    url = merchant.ask(QUERY, {"file_id": file_id})["download_url"]
    merchant.add("http_error", op="download", times=1)
    assert fetch(merchant, url).status == 502
    assert fetch(merchant, url).status == 200


def test_an_address_that_was_never_given_is_refused() -> None:
    """403, without a word about accounts."""
    merchant = customer()
    asked = Request("GET", "/ereceipt/download?token=x", {"host": "sim.test"}, b"")
    reply = merchant.simulator.handle(asked, merchant.now).reply
    assert isinstance(reply, Reply)
    assert reply.status == 403
