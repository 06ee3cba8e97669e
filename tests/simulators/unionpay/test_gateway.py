"""The front door of the UnionPay simulator: who is let in, and how refusals sound."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from simulators.kernel import Request
from tests.simulators.keys import pair
from tests.simulators.unionpay.merchant import (
    FILES,
    PAYOUT,
    QUERY,
    START,
    Merchant,
    account,
    certified,
    customer_info,
    encrypt_pem,
    merchant,
    merchant_pem,
    serial,
    split,
    verified,
)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", PAYOUT), ("POST", "/gateway/api/batchTrans.do"), ("POST", "/gateway")],
)
def test_other_addresses_are_not_there(method: str, path: str) -> None:
    """A plain 404, unsigned."""
    request = Request(method, path, {"content-type": "application/x-www-form-urlencoded"}, b"a=1")
    answer = merchant().simulator.handle(request, START)
    assert answer.reply is not None
    assert answer.reply.status == 404


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": "5.0.0"}, "10"),
        ({"encoding": "GBK"}, "10"),
        ({"signMethod": "11"}, "11"),
        ({"certId": "1"}, "11"),
        ({"signature": "AAAA"}, "11"),
        ({"signature": "?"}, "11"),
        ({"merId": "777290058110098"}, "31"),
        ({"merId": ""}, "13"),
        ({"certId": ""}, "13"),
        ({"txnType": "00"}, "10"),
    ],
)
def test_who_is_not_proven_is_refused(changes: dict[str, str], code: str) -> None:
    """With a signed reply, and without any effect."""
    one = merchant()
    assert one.pay(**changes)["respCode"] == code
    assert one.simulator.accounts()[0]["frozen_fen"] == 0


def test_another_key_under_our_number_is_refused() -> None:
    """The signature is checked, not the claim."""
    one = merchant()
    one.key = "stranger"
    assert one.pay(certId=serial(merchant_pem()))["respCode"] == "11"


def test_signature_covers_every_field() -> None:
    """One digit more in the amount breaks it."""
    one = merchant()
    fields = one.signed(one.payout())
    answer = one.simulator.handle(one.request(PAYOUT, fields | {"txnAmt": "12345"}), one.now)
    assert answer.reply is not None
    assert verified(answer.reply)["respCode"] == "11"


@pytest.mark.parametrize("kind", ["application/json", ""])
def test_what_is_no_form_is_a_format_error(kind: str) -> None:
    """10, and signed like everything else."""
    one = merchant()
    request = Request("POST", PAYOUT, {"content-type": kind}, urlencode(one.payout()).encode())
    reply = one.simulator.handle(request, one.now).reply
    assert reply is not None
    assert verified(reply)["respCode"] == "10"


@pytest.mark.parametrize("body", [b"\xff", b"a=1&a=2", b"a=%FF"])
def test_ambiguous_form_is_a_format_error(body: bytes) -> None:
    """A field given twice, or bytes that are no UTF-8."""
    one = merchant()
    request = replace(one.request(PAYOUT, {}), body=body)
    reply = one.simulator.handle(request, one.now).reply
    assert reply is not None
    assert verified(reply)["respCode"] == "10"


def test_values_of_replies_are_not_escaped() -> None:
    """`k=v&k=v` with base64 and PEM as they are."""
    one = merchant()
    reply = one.send(PAYOUT, one.payout(reqReserved="a b=c")).reply
    assert reply is not None
    text = reply.body.decode()
    assert "reqReserved=a b=c&" in text
    assert "-----BEGIN CERTIFICATE-----\n" in text


def test_reply_echoes_the_request() -> None:
    """Ids, amount and reserved field; a queryId of 21 digits."""
    one = merchant()
    asked = one.payout(reqReserved="mine")
    said = one.ask(PAYOUT, asked)
    for name in ("merId", "orderId", "txnTime", "txnAmt", "txnType", "reqReserved"):
        assert said[name] == asked[name]
    assert (said["respCode"], said["respMsg"], len(said["queryId"])) == ("00", "成功[0000000]", 21)
    assert "accNo" not in said


NEEDED = ["accType", "accNo", "customerInfo", "txnAmt", "currencyCode", "backUrl", "orderId"]


@pytest.mark.parametrize("name", [*NEEDED, "txnTime", "bizType", "channelType"])
def test_missing_field_is_named_as_such(name: str) -> None:
    """13."""
    assert merchant().pay(**{name: ""})["respCode"] == "13"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"orderId": "SHORT01"}, "10"),
        ({"orderId": "A" * 41}, "10"),
        ({"orderId": "PO-0000001"}, "10"),
        ({"txnAmt": "0"}, "10"),
        ({"txnAmt": "1.00"}, "10"),
        ({"txnAmt": "01"}, "10"),
        ({"txnAmt": "1" * 13}, "10"),
        ({"currencyCode": "840"}, "10"),
        ({"bizType": "000201"}, "10"),
        ({"txnSubType": "01"}, "10"),
        ({"channelType": "09"}, "10"),
        ({"backUrl": "nowhere"}, "10"),
        ({"reqReserved": "x" * 1025}, "10"),
        ({"txnTime": "20261102"}, "10"),
        ({"txnTime": "20261332100000"}, "10"),
        ({"accType": "02"}, "10"),
        ({"accNo": "62"}, "61"),
        ({"accNo": "6216261000000000018", "encryptCertId": "1"}, "10"),
        ({"customerInfo": "?"}, "10"),
        ({"customerInfo": "bm8="}, "10"),
        ({"customerInfo": customer_info(certifTp="01")}, "13"),
        ({"customerInfo": customer_info(customerNm="a", encryptedInfo="AAAA")}, "10"),
    ],
)
def test_malformed_payout_is_refused(changes: dict[str, str], code: str) -> None:
    """And leaves no order."""
    one = merchant()
    assert one.pay(**changes)["respCode"] == code
    assert one.fate(one.payout()) == "34"


@pytest.mark.parametrize("off", [timedelta(hours=2), timedelta(hours=-2)])
def test_time_of_a_payout_must_be_current(off: timedelta) -> None:
    """An hour is put up with, unless nothing is checked."""
    for tolerance_s, code in ((3600, "10"), (None, "00")):
        one = merchant(txn_time_tolerance_s=tolerance_s)
        asked = one.payout()
        one.now += off
        assert one.ask(PAYOUT, asked)["respCode"] == code


def test_sensitive_fields_are_opened() -> None:
    """accNo under encryptCertId, and encryptedInfo within customerInfo."""

    def locked(text: str) -> str:
        key = pair("unionpay-encrypt").key.public_key()
        return base64.b64encode(key.encrypt(text.encode(), PKCS1v15())).decode()

    one = merchant()
    said = one.pay(
        accNo=locked("6216261000000000018"),
        encryptCertId=serial(encrypt_pem()),
        customerInfo=customer_info(customerNm="全渠道", encryptedInfo=locked("phoneNo=1")),
    )
    assert said["respCode"] == "00"
    one.wait(timedelta(seconds=2))
    assert one.simulator.truth()[0].payee == "6216261000000000018"


def test_merchants_are_told_apart() -> None:
    """Each by number and certificate; neither sees the other's orders."""
    other_id = "777290058110098"
    other = certified("unionpay-other", f"041@Z{other_id}@{other_id}@1")
    one = merchant(account(), account(account="unionpay-2", mer_id=other_id, certificate=other))
    paid = one.payout()
    assert one.ask(PAYOUT, paid)["respCode"] == "00"
    second = Merchant(one.simulator, one.faults, key="unionpay-other")
    asked = second.query(paid, merId=other_id, certId=serial(other))
    assert second.ask(QUERY, asked)["respCode"] == "34"
    stolen = second.query(paid, certId=serial(other))
    assert second.ask(QUERY, stolen)["respCode"] == "11"


def test_accounts_show_no_key() -> None:
    """Public facts and balances."""
    (shown,) = merchant().simulator.accounts()
    assert shown == {
        "account": "unionpay-1",
        "mer_id": "777290058110097",
        "currency": "CNY",
        "balance_fen": 1_000_000,
        "frozen_fen": 0,
        "available_fen": 1_000_000,
    }


@pytest.mark.parametrize("changes", [{"txnSubType": ""}, {"settleDate": ""}, {"fileType": ""}])
def test_file_request_needs_its_fields(changes: dict[str, str]) -> None:
    """13."""
    one = merchant()
    assert one.ask(FILES, one.files("1101", **changes))["respCode"] == "13"


def test_split_reads_what_replies_say() -> None:
    """The reader of these tests keeps `=` within values."""
    assert split("a=b==&c=") == {"a": "b==", "c": ""}
