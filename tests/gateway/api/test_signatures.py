"""Signed requests: the example a client can be built from, and everything that is not it."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

import orjson
import pytest

from gateway.api import auth
from tests.builders import NOW
from tests.gateway.api.desk import ACME, MERCHANT_SCOPES, Answer, Desk, payout_body

STAMP = int(NOW.timestamp())
NONCE = "n-0123456789abcdef"


def signed(
    secret: str,
    method: str,
    target: str,
    body: bytes,
    *,
    stamp: int | str = STAMP,
    nonce: str = NONCE,
) -> dict[str, str]:
    """The headers, made from the description alone and not by the gateway's code."""
    digest = hashlib.sha256(body).hexdigest()
    text = f"{method}\n{target}\n{stamp}\n{nonce}\n{digest}"
    mac = hmac.new(base64.b64decode(secret), text.encode(), hashlib.sha256).hexdigest()
    return {
        "Hangdao-Timestamp": str(stamp),
        "Hangdao-Nonce": nonce,
        "Hangdao-Signature": f"v1={mac}",
    }


@dataclass(slots=True)
class Signer:
    """A desk with a key that demands signatures."""

    desk: Desk
    secret: str

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Ask for a payout with these headers."""
        return await self.desk.post("/v1/payouts", body, key="signed", headers=headers)

    async def refused(self, body: bytes, headers: Mapping[str, str], code: str) -> None:
        """The same, and it must be refused without a trace."""
        before = self.desk.rows()
        answer = await self.post(body, headers)
        assert (answer.status, answer.code) == (401, code), answer.raw
        assert self.desk.rows() == before


@pytest.fixture
async def signer(desk: Desk) -> Signer:
    """Acme asked for a key that signs."""
    await desk.add_key("signed", ACME, MERCHANT_SCOPES, signed=True)
    return Signer(desk, desk.signing["signed"])


BODY = orjson.dumps(payout_body())


def test_the_example_in_the_documentation_is_right() -> None:
    """The module that checks signatures shows one; whoever computes it gets the same."""
    shown = dict(
        line.strip().split(": ", 1) for line in (auth.__doc__ or "").splitlines() if ": " in line
    )
    method, target = shown["request"].split(" ")
    headers = signed(
        shown["signing secret"],
        method,
        target,
        shown["body"].encode(),
        stamp=shown["Hangdao-Timestamp"],
        nonce=shown["Hangdao-Nonce"],
    )
    assert headers["Hangdao-Signature"] == shown["Hangdao-Signature"]


async def test_a_signed_request_is_served(signer: Signer) -> None:
    """Over method, path, time, nonce and body."""
    made = await signer.post(BODY, signed(signer.secret, "POST", "/v1/payouts", BODY))
    assert made.status == 201


async def test_the_query_is_part_of_what_is_signed(signer: Signer) -> None:
    """As it is on the wire; a filter cannot be changed on the way."""
    target = "/v1/payouts?merchant_ref=a%2Fb&limit=5"
    headers = signed(signer.secret, "GET", target, b"")
    answer = await signer.desk.get(target, key="signed", headers=headers)
    assert answer.status == 200
    headers = signed(signer.secret, "GET", target, b"", nonce="n-another-of-sixteen")
    changed = target.replace("limit=5", "limit=6")
    answer = await signer.desk.get(changed, key="signed", headers=headers)
    assert (answer.status, answer.code) == (401, "signature_invalid")


@pytest.mark.parametrize("off", [-300, 300])
async def test_five_minutes_off_is_near_enough(signer: Signer, off: int) -> None:
    """Clocks differ."""
    headers = signed(signer.secret, "POST", "/v1/payouts", BODY, stamp=STAMP + off)
    assert (await signer.post(BODY, headers)).status == 201


@pytest.mark.parametrize("off", [-301, 301, -86_400, 10**9])
async def test_a_stale_or_future_request_is_refused(signer: Signer, off: int) -> None:
    """However well it is signed."""
    headers = signed(signer.secret, "POST", "/v1/payouts", BODY, stamp=STAMP + off)
    await signer.refused(BODY, headers, "signature_invalid")


async def test_a_replayed_request_is_refused(signer: Signer) -> None:
    """Each nonce is good for one request, also for a different one."""
    headers = signed(signer.secret, "POST", "/v1/payouts", BODY)
    assert (await signer.post(BODY, headers)).status == 201
    await signer.refused(BODY, headers, "nonce_replayed")
    other = orjson.dumps(payout_body(merchant_ref="order-2"))
    headers = signed(signer.secret, "POST", "/v1/payouts", other)
    await signer.refused(other, headers, "nonce_replayed")


async def test_a_nonce_is_remembered_for_as_long_as_its_request_is_fresh(signer: Signer) -> None:
    """A request stamped ahead of our clock stays fresh for twice the window, to the second."""
    headers = signed(signer.secret, "POST", "/v1/payouts", BODY, stamp=STAMP + 300)
    assert (await signer.post(BODY, headers)).status == 201
    signer.desk.clock.advance(seconds=600, milliseconds=999)
    assert (await signer.post(BODY, headers)).code == "nonce_replayed"
    signer.desk.clock.advance(milliseconds=1)
    assert (await signer.post(BODY, headers)).code == "signature_invalid"


async def test_another_keys_nonce_is_its_own(signer: Signer) -> None:
    """Nonces are remembered per key."""
    await signer.desk.add_key("signed-too", ACME, MERCHANT_SCOPES, signed=True)
    await signer.post(BODY, signed(signer.secret, "POST", "/v1/payouts", BODY))
    headers = signed(signer.desk.signing["signed-too"], "POST", "/v1/payouts", BODY)
    answer = await signer.desk.post("/v1/payouts", BODY, key="signed-too", headers=headers)
    assert (answer.status, answer.headers["Idempotency-Replayed"]) == (201, "true")


async def test_a_changed_body_is_refused(signer: Signer) -> None:
    """One more fen, the same signature."""
    headers = signed(signer.secret, "POST", "/v1/payouts", BODY)
    await signer.refused(BODY.replace(b"12345", b"12346"), headers, "signature_invalid")


@pytest.mark.parametrize(
    "changes",
    [
        {"Hangdao-Signature": ""},
        {"Hangdao-Signature": "v1=" + "0" * 64},
        {"Hangdao-Signature": "v1=\xff"},
        {"Hangdao-Timestamp": ""},
        {"Hangdao-Timestamp": "now"},
        {"Hangdao-Timestamp": "9" * 4000},
        {"Hangdao-Timestamp": f"-{STAMP}"},
        {"Hangdao-Timestamp": f"{STAMP}.0"},
        {"Hangdao-Nonce": ""},
        {"Hangdao-Nonce": "short"},
        {"Hangdao-Nonce": "n" * 65},
        {"Hangdao-Nonce": "n-with blanks in it"},
    ],
)
async def test_a_signature_header_that_cannot_be_used_is_refused(
    signer: Signer, changes: dict[str, str]
) -> None:
    """Absent, malformed, too long, not ASCII."""
    headers = signed(signer.secret, "POST", "/v1/payouts", BODY) | changes
    await signer.refused(BODY, headers, "signature_invalid")


async def test_a_key_that_signs_never_serves_unsigned(signer: Signer) -> None:
    """Else a thief of the key alone could leave the headers out."""
    await signer.refused(BODY, {}, "signature_invalid")


async def test_a_wrong_signature_does_not_use_a_nonce_up(signer: Signer) -> None:
    """Nobody without the secret can spend another's nonces."""
    headers = signed(signer.secret, "POST", "/v1/payouts", BODY)
    forged = headers | {"Hangdao-Signature": "v1=" + "0" * 64}
    await signer.refused(BODY, forged, "signature_invalid")
    assert (await signer.post(BODY, headers)).status == 201


async def test_an_oversized_body_is_refused_before_it_is_signed_for(signer: Signer) -> None:
    """413, and the nonce is not spent."""
    large = BODY + b" " * 70_000
    answer = await signer.post(large, signed(signer.secret, "POST", "/v1/payouts", large))
    assert (answer.status, answer.code) == (413, "body_too_large")
    assert signer.desk.rows()["nonces"] == 0
