"""Who is let in, and which key answers: Authorization, Wechatpay-Serial, signatures of replies."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from simulators.wechat_pay.settings import Settings
from simulators.wechat_pay.signing import pem_of, self_signed
from tests.simulators.wechat_pay.merchant import (
    CERTIFICATE_SERIAL,
    PUBLIC_KEY_ID,
    TRANSFERS,
    World,
    account,
    certificate_pem,
    config,
    key,
    make_world,
    open_resource,
    private_pem,
    public_pem,
    verify,
)

_CURVE = ec.generate_private_key(ec.SECP256R1())
ELLIPTIC_PRIVATE = _CURVE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
ELLIPTIC = (
    _CURVE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
)
BALANCE = "/v3/merchant/fund/balance/BASIC"


@pytest.fixture
def world() -> World:
    return make_world()


def test_signed_request_is_answered_signed(world: World) -> None:
    """A correct request gets a 200 whose signature covers the exact bytes of the body."""
    heard = world.get(BALANCE)
    assert heard.status == 200
    assert heard.headers["Content-Type"] == "application/json; charset=utf-8"
    assert heard.headers["Request-ID"]


@pytest.mark.parametrize("serial", [PUBLIC_KEY_ID, CERTIFICATE_SERIAL])
def test_the_named_key_answers(world: World, serial: str) -> None:
    """The reply is signed with the key that the request's Wechatpay-Serial names."""
    world.serial = serial
    heard = world.get(BALANCE)
    assert verify(heard.headers, heard.reply.body) == serial


def test_certificate_answers_when_no_key_is_named(world: World) -> None:
    """A request without Wechatpay-Serial comes from a merchant in certificate mode."""
    world.serial = None
    assert world.get(BALANCE).headers["Wechatpay-Serial"] == CERTIFICATE_SERIAL


def test_unknown_platform_serial_is_refused(world: World) -> None:
    """Naming a key the platform does not have is a parameter error."""
    world.serial = "PUB_KEY_ID_9999999999"
    assert (world.get(BALANCE).status, world.get(BALANCE).said["code"]) == (400, "PARAM_ERROR")


@pytest.mark.parametrize(
    "changes",
    [
        {"mchid": "1999999999"},
        {"serial_no": "ABCDEF0123456789"},
        {"timestamp": "soon"},
        {"signature": "AAAA"},
        {"signature": "not base64"},
        {"extra": "1"},
    ],
    ids=lambda changes: next(iter(changes.items()))[0] + "=" + next(iter(changes.values())),
)
def test_wrong_attribute_is_a_sign_error(world: World, changes: dict[str, Any]) -> None:
    """Every attribute of Authorization has to be right."""
    heard = world.ask(world.request("GET", BALANCE, **changes))
    assert (heard.status, heard.said["code"]) == (401, "SIGN_ERROR")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer abc",
        'WECHATPAY2-SHA256-RSA2048 mchid="1900000101"',
        'WECHATPAY2-SHA256-RSA2048 mchid="1",mchid="1",nonce_str="a",signature="b",timestamp="1"',
        "WECHATPAY2-SHA256-RSA2048 mchid=1900000101",
    ],
)
def test_malformed_authorization_is_a_sign_error(world: World, header: str | None) -> None:
    """A missing, foreign or incomplete Authorization header is refused, and the refusal is
    signed."""
    request = world.request("GET", BALANCE, without=["authorization"])
    headers = dict(request.headers) | ({} if header is None else {"authorization": header})
    heard = world.ask(replace(request, headers=headers))
    assert (heard.status, heard.said["code"]) == (401, "SIGN_ERROR")


def test_attribute_order_is_free(world: World) -> None:
    """The five attributes may come in any order."""
    request = world.request("GET", BALANCE)
    scheme, _, rest = request.headers["authorization"].partition(" ")
    turned = ",".join(reversed(rest.split(",")))
    headers = dict(request.headers) | {"authorization": f"{scheme} {turned}"}
    assert world.ask(replace(request, headers=headers)).status == 200


@pytest.mark.parametrize(
    ("skew_s", "status"), [(299, 200), (300, 200), (301, 401), (-300, 200), (-301, 401)]
)
def test_clock_may_be_five_minutes_off(world: World, skew_s: int, status: int) -> None:
    """A timestamp more than 300 s away from the platform's clock is refused."""
    request = world.request("GET", BALANCE, at=world.now + timedelta(seconds=skew_s))
    assert world.ask(request).status == status


def test_platforms_own_clock_may_be_off() -> None:
    """With a skew the signed timestamp differs from the time, and the signature still holds."""
    world = make_world(timestamp_skew_s=-301)
    timestamp = int(world.get(BALANCE).headers["Wechatpay-Timestamp"])
    assert timestamp == int(world.now.timestamp()) - 301


@pytest.mark.parametrize("part", ["method", "target", "body"])
def test_signature_covers_the_whole_request(world: World, part: str) -> None:
    """A request changed after signing is refused, and nothing of it is executed."""
    body = json.dumps(world.submission()).encode()
    request = world.request("POST", TRANSFERS, body)
    changed = {
        "method": replace(request, method="PUT"),
        "target": replace(request, target=TRANSFERS + "?a=b"),
        "body": replace(request, body=body.replace(b"1234", b"9234")),
    }[part]
    assert world.ask(changed).status == 401
    assert world.query().status == 404


def test_merchants_key_opens_no_other_account(world: World) -> None:
    """A signature by another merchant's key under my number is refused."""
    other = account(2)
    request = world.request("GET", BALANCE, mchid=str(other["mchid"]))
    assert world.ask(request).said["code"] == "SIGN_ERROR"


@pytest.mark.parametrize("header", ["accept", "user-agent"])
def test_headers_every_client_sends_are_demanded(world: World, header: str) -> None:
    """Accept and User-Agent must be there."""
    heard = world.ask(world.request("GET", BALANCE, without=[header]))
    assert (heard.status, heard.said["code"]) == (400, "PARAM_ERROR")


def test_body_must_be_declared_as_json(world: World) -> None:
    """A body of another content type is refused."""
    body = json.dumps(world.submission()).encode()
    heard = world.ask(world.request("POST", TRANSFERS, body, without=["content-type"]))
    assert (heard.status, heard.said["code"]) == (400, "PARAM_ERROR")


@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", "/v3/unknown"), ("DELETE", TRANSFERS), ("GET", TRANSFERS), ("GET", "/")],
)
def test_unknown_call_is_a_signed_404(world: World, method: str, target: str) -> None:
    """A path or method the platform does not have is refused, signed like everything."""
    assert world.ask(world.request(method, target)).status == 404


def test_certificate_list_yields_the_platform_certificate(world: World) -> None:
    """The listed certificate opens with the APIv3 key and is the one that signs."""
    world.serial = None
    data = world.get("/v3/certificates").said["data"]
    assert isinstance(data, list)
    entry = data[0]
    assert entry["serial_no"] == CERTIFICATE_SERIAL
    assert open_resource(entry["encrypt_certificate"]).decode() == certificate_pem()


def test_certificate_is_made_when_none_is_configured() -> None:
    """Without a configured certificate the platform makes one from its key, the same for a seed."""
    sections = [
        make_world(certificate=None, certificate_private_key=None, seed=seed).simulator
        for seed in (3, 3, 4)
    ]
    serials = []
    for simulator in sections:
        world = World(simulator, make_world().faults, serial=None)
        reply = world.answer(world.request("GET", BALANCE)).reply
        assert reply is not None
        serials.append(dict(reply.headers)["Wechatpay-Serial"])
    assert serials[0] == serials[1] != serials[2]
    assert len(serials[0]) == 40


def test_async_sdks_null_body_is_a_sign_error_unless_allowed() -> None:
    """A body `null` signed as empty is refused; the knob for that SDK fault lets it pass."""
    for is_allowed, status in ((False, 401), (True, 200)):
        world = make_world(bodyless_null=is_allowed)
        world.submit()
        request = world.request("POST", f"{TRANSFERS}/out-bill-no/payout1/cancel")
        headers = dict(request.headers) | {"content-type": "application/json"}
        assert world.ask(replace(request, body=b"null", headers=headers)).status == status


def test_same_seed_gives_the_same_bytes() -> None:
    """Nonces and ids come from the seed alone: two runs answer byte for byte alike."""
    runs = [make_world(seed=5) for _ in range(2)]
    first, second = (world.submit().reply for world in runs)
    assert first == second


@pytest.mark.parametrize(
    "wrong",
    [
        {"unknown_key": 1},
        {"public_key_id": "5157F09EFDC0"},
        {"accounts": []},
        {"certificate": None},
        {"platform_private_key": None},
        {"accounts": [account(1), account(1)]},
        {"accounts": [account(1, apiv3_key="short")]},
        {"accounts": [account(1, public_key="no key")]},
        {"accounts": [account(1, public_key=ELLIPTIC)]},
        {"accounts": ["no section"]},
        {"platform_private_key": ELLIPTIC_PRIVATE},
        {"certificate": "no certificate"},
        {"accounts": [account(1, fee={"rate": 1})]},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_bad_configuration_is_refused(wrong: dict[str, object]) -> None:
    """Unknown keys, clashing merchants and bad secrets stop the start with a ValueError."""
    with pytest.raises(ValueError, match="validation error"):
        Settings.model_validate(config() | wrong)


def test_keys_may_stand_in_files(tmp_path: Path) -> None:
    """`<name>_file` is read in place of `<name>`; both at once are refused."""
    for name, text in (
        ("platform", private_pem("platform")),
        ("merchant", public_pem("merchant-1")),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    mine = account(1) | {"public_key_file": str(tmp_path / "merchant")}
    del mine["public_key"]
    section = config(mine) | {"platform_private_key_file": str(tmp_path / "platform")}
    with pytest.raises(ValueError, match="platform_private_key_file"):
        Settings.model_validate(section)
    del section["platform_private_key"]
    assert Settings.model_validate(section) == Settings.model_validate(config(account(1)))


def test_complaint_about_a_key_does_not_show_it() -> None:
    """A refused configuration names the key and keeps its value to itself."""
    with pytest.raises(ValueError, match="apiv3_key") as refusal:
        Settings.model_validate(config(account(1, apiv3_key="half-a-secret")))
    assert "half-a-secret" not in str(refusal.value)


def test_merchant_may_be_known_by_its_certificate() -> None:
    """The merchant's API certificate serves as its public key."""
    certificate = pem_of(self_signed(key("merchant-1"), 77, "merchant"))
    world = make_world(account(1, public_key=certificate))
    assert world.get(BALANCE).status == 200


def test_keys_do_not_show() -> None:
    """Secrets of the settings are masked in their representation."""
    shown = repr(Settings.model_validate(config()))
    assert "PRIVATE KEY" not in shown
    assert base64.b64encode(b"0123").decode() not in shown
    assert str(account()["apiv3_key"]) not in shown
