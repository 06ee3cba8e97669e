"""Who may call the site: method, merchant, time and signature, and how its errors are spoken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from simulators.kernel import Request
from tests.simulators.epay.merchant import (
    MD5_KEY,
    Merchant,
    account,
    is_verified,
    merchant,
    transfer,
)


def said(one: Merchant, request: Request) -> dict[str, Any]:
    """The reply to a raw request."""
    reply = one.simulator.handle(request, one.now).reply
    assert reply is not None
    assert reply.status == 200
    read: dict[str, Any] = json.loads(reply.body)
    return read


def test_a_signed_call_gets_a_signed_answer() -> None:
    """Balance and rate, with time and signature behind them."""
    answer = merchant(transfer_rate_ppm=6000).ask("balance", {})
    assert (answer["code"], answer["available_money"], answer["transfer_rate"]) == (
        0,
        "10000.00",
        "0.6",
    )
    assert (answer["sign_type"], len(answer["timestamp"])) == ("RSA", 10)


def test_the_php_address_behind_the_rewrite_works_as_well() -> None:
    """/api/transfer/balance is /api.php?s=transfer/balance."""
    one = merchant()
    request = one.request("balance", one.fields({}))
    answer = said(one, replace(request, target="/api.php?s=transfer/balance"))
    assert answer["code"] == 0


def test_an_md5_merchant_is_answered_with_rsa() -> None:
    """Replies are signed by the platform's RSA key whatever the request was signed with."""
    one = merchant(account(public_key=None, md5_key=MD5_KEY))
    one.md5_key = MD5_KEY
    answer = one.ask("balance", {})
    assert (answer["code"], answer["sign_type"]) == (0, "RSA")


def test_md5_is_also_the_default_sign_type() -> None:
    """A request without sign_type is an MD5 one."""
    one = merchant(account(md5_key=MD5_KEY))
    one.md5_key = MD5_KEY
    fields = one.fields({})
    del fields["sign_type"]
    assert said(one, one.request("balance", fields))["code"] == 0


def test_an_upper_case_md5_is_refused() -> None:
    """The digest is compared exactly."""
    one = merchant(account(md5_key=MD5_KEY))
    one.md5_key = MD5_KEY
    answer = one.call("balance", {}, sign=one.fields({})["sign"].upper())
    assert answer == {"code": -3, "msg": "MD5签名校验失败"}


def test_an_rsa_only_merchant_may_not_sign_with_md5() -> None:
    """-3, before anything else is looked at."""
    one = merchant(account(md5_key=MD5_KEY, rsa_only=True))
    one.md5_key = MD5_KEY
    assert one.call("balance", {}) == {"code": -3, "msg": "该商户只能使用RSA签名类型"}


@pytest.mark.parametrize(
    ("off_s", "taken"), [(300, True), (-300, True), (301, False), (-301, False)]
)
def test_the_timestamp_may_be_300_seconds_off(off_s: int, taken: bool) -> None:
    """Both ways, to the second."""
    one = merchant()
    stamp = str(int((one.now + timedelta(seconds=off_s)).timestamp()))
    assert (one.call("balance", {}, timestamp=stamp)["code"] == 0) is taken


@pytest.mark.parametrize("stamp", ["", "0", "yesterday"])
def test_a_timestamp_that_is_none_is_refused(stamp: str) -> None:
    """Missing or not a number: -3."""
    assert merchant().call("balance", {}, timestamp=stamp)["code"] == -3


def test_a_wrong_signature_is_refused() -> None:
    """Signed with a key the site does not know."""
    one = merchant()
    one.key = "stranger"
    assert one.call("balance", {}) == {"code": -3, "msg": "RSA签名校验失败"}


def test_a_changed_value_breaks_the_signature() -> None:
    """One fen more than was signed."""
    one = merchant()
    fields = one.fields(transfer()) | {"money": "12.35"}
    assert said(one, one.request("submit", fields))["code"] == -3
    assert one.moved() == []


def test_blank_values_are_not_signed_and_a_zero_is() -> None:
    """Blank fields may be added freely; "0" may not."""
    one = merchant()
    fields = one.fields({})
    assert said(one, one.request("balance", fields | {"bookid": " \t"}))["code"] == 0
    assert said(one, one.request("balance", fields | {"bookid": "0"}))["code"] == -3


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"banned": True}, "商户已被封禁"),
        ({"may_transfer": False}, "商户未开启代付API接口"),
    ],
)
def test_a_merchant_that_may_not_is_told_so(changes: dict[str, object], expected: str) -> None:
    """Thrown: code -1 and no signature."""
    assert merchant(account(**changes)).call("balance", {}) == {"code": -1, "msg": expected}


def test_a_site_without_transfers_says_so() -> None:
    """The administrator's switch."""
    answer = merchant(transfers_on=False).call("balance", {})
    assert answer == {"code": -1, "msg": "管理员未开启代付功能"}


@pytest.mark.parametrize(
    ("pid", "expected"), [("0", "商户ID不能为空"), ("x", "商户ID不能为空"), ("77", "商户不存在！")]
)
def test_an_unknown_merchant_is_refused(pid: str, expected: str) -> None:
    """The number is read as PHP's intval reads it."""
    assert merchant().call("balance", {}, pid=pid) == {"code": -1, "msg": expected}


@pytest.mark.parametrize("target", ["/api/transfer/cancel", "/api/pay/submit", "/api.php?s=x/y"])
def test_an_unknown_method_is_minus_five(target: str) -> None:
    """Whatever is sent."""
    one = merchant()
    request = replace(one.request("balance", one.fields({})), target=target)
    assert said(one, request) == {"code": -5, "msg": "接口方法不存在"}


def test_another_address_is_404() -> None:
    """The site has other pages, but not here."""
    one = merchant()
    reply = one.simulator.handle(Request("GET", "/favicon.ico", {}, b""), one.now).reply
    assert reply is not None
    assert reply.status == 404


def _by_query(one: Merchant, fields: Mapping[str, str]) -> Request:
    return replace(
        one.request("balance", {}), target=f"/api/transfer/balance?{urlencode(fields)}", body=b""
    )


def _by_get(one: Merchant, fields: Mapping[str, str]) -> Request:
    return replace(_by_query(one, fields), method="GET")


def _as_json(one: Merchant, fields: Mapping[str, str]) -> Request:
    body = json.dumps(fields).encode()
    return Request("POST", "/api/transfer/balance", {"content-type": "application/json"}, body)


@pytest.mark.parametrize("made", [_by_query, _by_get, _as_json])
def test_parameters_are_read_from_the_form_only(made: Any) -> None:
    """By query, by GET or as JSON they do not exist: -4, unsigned."""
    one = merchant()
    answer = said(one, made(one, one.fields({})))
    assert answer == {"code": -4, "msg": "未传入任何参数"}
    assert not is_verified(answer)
