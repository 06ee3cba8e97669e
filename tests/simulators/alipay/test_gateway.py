"""The gateway's own checks: sender, signature, charset, encryption, certificates."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from cryptography.exceptions import InvalidSignature

from simulators.alipay.signing import certificate_serial, decrypt, encrypt, root_serial
from simulators.kernel import Request
from tests.simulators.alipay.certificates import Authority
from tests.simulators.alipay.customer import (
    BALANCE,
    START,
    TRANSFER,
    account,
    customer,
    parts,
    transfer,
    verified,
)
from tests.simulators.keys import pair

ASK = {"account_type": "ACCTRANS_ACCOUNT", "alipay_user_id": "2088000000000001"}


def test_a_signed_call_is_answered_and_signed() -> None:
    """A true signature gets 10000, under a signature over the node's raw bytes."""
    node = customer().ask(BALANCE, ASK)
    assert node == {
        "code": "10000",
        "msg": "Success",
        "available_amount": "10000.00",
        "freeze_amount": "0.00",
    }


def test_everything_in_the_query_of_a_get_is_accepted() -> None:
    """python-alipay-sdk sends a GET with all parameters in the query."""
    merchant = customer()
    request = merchant.request(merchant.parameters(BALANCE, ASK), by_get=True)
    reply = merchant.simulator.handle(request, START).reply
    assert reply is not None
    assert verified(reply)["code"] == "10000"


def test_everything_in_the_form_is_accepted() -> None:
    """Parameters may come wholly by form."""
    merchant = customer()
    body = urlencode(merchant.parameters(BALANCE, ASK)).encode()
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    reply = merchant.simulator.handle(Request("POST", "/gateway.do", headers, body), START).reply
    assert reply is not None
    assert verified(reply)["code"] == "10000"


def test_a_wrong_signature_moves_nothing() -> None:
    """A signature by another key is 40002 isv.invalid-signature, itself signed."""
    merchant = customer()
    merchant.key = "somebody else"
    node = merchant.ask(TRANSFER, transfer())
    assert (node["code"], node["sub_code"]) == ("40002", "isv.invalid-signature")
    assert merchant.moved() == []


def test_a_parameter_changed_after_signing_is_noticed() -> None:
    """The signature covers biz_content as received, byte for byte."""
    merchant = customer()
    signed = merchant.parameters(TRANSFER, transfer())
    signed["biz_content"] = signed["biz_content"].replace("12.34", "92.34")
    reply = merchant.simulator.handle(merchant.request(signed), START).reply
    assert reply is not None
    assert verified(reply)["sub_code"] == "isv.invalid-signature"


@pytest.mark.parametrize(
    ("changes", "code", "sub_code"),
    [
        ({"sign": ""}, "40001", "isv.missing-signature"),
        ({"sign_type": ""}, "40001", "isv.missing-signature-type"),
        ({"timestamp": ""}, "40001", "isv.missing-timestamp"),
        ({"version": ""}, "40001", "isv.missing-version"),
        ({"method": ""}, "40001", "isv.missing-method"),
        ({"app_id": "2021000000000009"}, "40002", "isv.invalid-app-id"),
        ({"sign_type": "RSA"}, "40002", "isv.invalid-signature-type"),
        ({"method": "alipay.fund.trans.toaccount.transfer"}, "40002", "isv.invalid-method"),
        ({"timestamp": "2026/03/02 10:00"}, "40002", "isv.invalid-timestamp"),
        ({"version": "2.0"}, "40002", "isv.invalid-version"),
        ({"format": "xml"}, "40002", "isv.invalid-format"),
        ({"encrypt_type": "AES"}, "40002", "isv.invalid-encrypt"),
        ({"biz_content": ""}, "40001", "isv.missing-biz-content"),
        ({"biz_content": "{"}, "40002", "isv.invalid-parameter"),
        ({"biz_content": "[]"}, "40002", "isv.invalid-parameter"),
        ({"biz_content": '{"a":"1","a":"2"}'}, "40002", "isv.invalid-parameter"),
    ],
)
def test_what_the_gateway_refuses(changes: dict[str, str], code: str, sub_code: str) -> None:
    """Each broken common parameter has its own refusal, and every refusal is signed."""
    node = customer().ask(BALANCE, ASK, **changes)
    assert (node["code"], node["sub_code"]) == (code, sub_code)


def test_an_unknown_charset_is_refused() -> None:
    """Bytes whose charset is unknown cannot be verified."""
    merchant = customer()
    signed = merchant.parameters(BALANCE, ASK) | {"charset": "utf-7"}
    reply = merchant.simulator.handle(merchant.request(signed), START).reply
    assert reply is not None
    assert parts(reply)[0] == "error_response"
    assert verified(reply)["sub_code"] == "isv.invalid-charset"


def test_a_parameter_given_twice_is_refused() -> None:
    """Query and form may not both carry a parameter: which one was signed would be a guess."""
    merchant = customer()
    request = merchant.request(merchant.parameters(BALANCE, ASK))
    twice = Request(request.method, request.target, request.headers, request.body + b"&version=1.0")
    reply = merchant.simulator.handle(twice, START).reply
    assert reply is not None
    assert verified(reply)["sub_code"] == "isv.invalid-parameter"


def test_gbk_is_read_and_answered_in_gbk() -> None:
    """A caller in GBK signs GBK bytes and gets GBK bytes, signed as sent."""
    merchant = customer()
    biz = transfer(payee_info={"identity": "x", "identity_type": "ALIPAY_OPEN_ID", "name": "李雷"})
    biz["trans_amount"] = "12.345"
    request = merchant.request(merchant.parameters(TRANSFER, biz, charset="gbk"))
    reply = merchant.simulator.handle(request, START).reply
    assert reply is not None
    assert "参数有误".encode("gbk") in reply.body
    _, raw, _, signature = parts(reply)
    with pytest.raises(InvalidSignature):
        verified(type(reply)(200, (), reply.body.decode("gbk").encode()))
    assert raw.decode("gbk")
    assert signature


def test_the_time_is_checked_only_when_asked_for() -> None:
    """The real window is not published, so it is a knob."""
    late = START + timedelta(hours=3)
    for tolerance, code in ((None, "10000"), (600, "40002")):
        merchant = customer(timestamp_tolerance_s=tolerance)
        request = merchant.request(merchant.parameters(BALANCE, ASK))
        reply = merchant.simulator.handle(request, late).reply
        assert reply is not None
        assert verified(reply)["code"] == code


def test_encrypted_content_is_opened_and_answered_encrypted() -> None:
    """AES: the signature covers the ciphertext with its surrounding quotes."""
    key = base64.b64encode(bytes(range(16))).decode()
    merchant = customer(account(aes_key=key))
    sealed = encrypt(key, json.dumps(transfer()), "utf-8")
    request = merchant.request(merchant.parameters(TRANSFER, sealed, encrypt_type="AES"))
    reply = merchant.simulator.handle(request, START).reply
    assert reply is not None
    _, raw, _, _ = parts(reply)
    sealed_node = verified(reply)
    assert raw == f'"{sealed_node}"'.encode()
    node = json.loads(decrypt(key, str(sealed_node), "utf-8"))
    assert node["status"] == "SUCCESS"


def test_content_that_does_not_decrypt_is_refused() -> None:
    """Ciphertext under another key is isv.invalid-encrypt."""
    key, other = (base64.b64encode(bytes([b]) * 16).decode() for b in (1, 2))
    merchant = customer(account(aes_key=key))
    sealed = encrypt(other, json.dumps(transfer()), "utf-8")
    node = merchant.ask(TRANSFER, sealed, encrypt_type="AES")
    assert node["sub_code"] == "isv.invalid-encrypt"


def test_certificate_mode_checks_serials_and_names_its_own() -> None:
    """Both serials are demanded, and the reply names the platform's certificate."""
    authority = Authority()
    app, platform = authority.issue("app"), authority.issue("platform")
    merchant = customer(
        account(public_key=None, app_certificate=app.pem),
        platform_certificate=platform.pem,
        root_certificates=authority.bundle,
    )
    serials = {"app_cert_sn": app.serial, "alipay_root_cert_sn": authority.serial}
    assert merchant.ask(BALANCE, ASK, **serials)["code"] == "10000"
    assert merchant.last.reply is not None
    assert parts(merchant.last.reply)[2] == platform.serial
    for name in serials:
        node = merchant.ask(BALANCE, ASK, **{**serials, name: "0" * 32})
        assert node["sub_code"] == f"isv.invalid-{name.replace('_', '-')}"


def test_serials_are_md5_of_issuer_and_number() -> None:
    """Issuer most specific first, then the decimal number; the root joins RSA-signed ones only."""
    authority = Authority()
    assert certificate_serial(authority.certificate) == authority.serial
    assert root_serial(authority.bundle) == authority.serial


def test_another_address_is_not_found() -> None:
    """Only the gateway and the bill address exist."""
    reply = customer().simulator.handle(Request("GET", "/other", {}, b""), START).reply
    assert reply is not None
    assert reply.status == 404


def test_a_platform_key_that_is_no_key_is_refused_at_the_start() -> None:
    """A simulator never starts with a broken configuration."""
    with pytest.raises(ValueError, match="public_key"):
        customer(account(public_key=None))
    with pytest.raises(ValueError, match="share"):
        customer(account(), account(account="other"))
    assert pair("app").public_pem.startswith("-----BEGIN")
