"""What is told, how it is signed, and how it comes again."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from simulators.kernel import Push
from tests.simulators.stablecoin.customer import (
    NOTICES,
    Customer,
    account,
    customer,
    key,
    sns_message,
    wire,
)

SOON = timedelta(seconds=10)


def certificate(mint: Customer, push: Push) -> str:
    """What lies at the address that a message names."""
    url = json.loads(push.body)["SigningCertURL"]
    assert url.startswith("http://sim.test/SimpleNotificationService-")
    mint.api_key = "nobody"
    mint.ask("GET", url.removeprefix("http://sim.test"))
    assert mint.last.reply is not None
    return mint.last.reply.body.decode()


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_complete_payout_is_told_by_sns(version: str) -> None:
    """Signed, verifiable with the certificate it names, our key nowhere in it."""
    mint = customer(sns_signature_version=version)
    paid = mint.pay()
    (push,) = mint.wait(SOON)
    message = sns_message(push, certificate(mint, push))
    assert (push.url, dict(push.headers)["x-amz-sns-message-type"]) == (NOTICES, "Notification")
    told = json.loads(message["Message"])
    assert (told["notificationType"], told["version"]) == ("payouts", 1)
    assert (told["payout"]["id"], told["payout"]["status"]) == (paid["id"], "complete")
    assert key().encode() not in push.body


def test_a_message_that_was_changed_does_not_verify() -> None:
    """The test's own verifier can tell."""
    mint = customer()
    mint.pay()
    (push,) = mint.wait(SOON)
    known = certificate(mint, push)
    changed = replace(push, body=push.body.replace(b"complete", b"failed"))
    with pytest.raises(InvalidSignature):
        sns_message(changed, known)


def test_v2_notices_are_signed_over_the_raw_body() -> None:
    """Under the key that the API shows for its id."""
    mint = customer(account(notices="ecdsa"))
    paid = mint.pay()
    (push,) = mint.wait(SOON)
    headers = dict(push.headers)
    number = headers["X-Circle-Key-Id"]
    shown = mint.ask("GET", f"/v2/notifications/publicKey/{number}")[1]["data"]
    public = serialization.load_der_public_key(base64.b64decode(shown["publicKey"]))
    assert isinstance(public, ec.EllipticCurvePublicKey)
    signature = base64.b64decode(headers["X-Circle-Signature"])
    public.verify(signature, push.body, ec.ECDSA(hashes.SHA256()))
    assert json.loads(push.body)["notification"]["id"] == paid["id"]
    assert mint.ask("GET", f"/v2/notifications/publicKey/{key(4)}")[0] == 404


def test_every_change_is_told() -> None:
    """Complete, and a day later returned."""
    mint = customer()
    target = {"type": "wire", "id": "00000000-0000-4000-8000-000000000003"}
    mint.pay(wire(destination=target))
    pushes = mint.wait(timedelta(days=2))
    states = [json.loads(json.loads(p.body)["Message"])["payout"]["status"] for p in pushes]
    assert states == ["complete", "failed"]


@pytest.mark.parametrize("status", [None, 403, 503])
def test_a_message_that_is_not_taken_comes_three_times_more(status: int | None) -> None:
    """Twenty seconds apart, the same each time; then SNS gives up."""
    mint = customer()
    mint.pay()
    (push,) = mint.wait(SOON)
    bodies = {push.body}
    for attempt in range(2, 5):
        mint.simulator.on_push_result(push, status, mint.now)
        (push,) = mint.wait(timedelta(seconds=20))
        bodies.add(push.body)
        assert push.attempt == attempt
    mint.simulator.on_push_result(push, status, mint.now)
    assert mint.wait(timedelta(days=1)) == ()
    assert len(bodies) == 1


def test_a_message_that_is_taken_does_not_come_again() -> None:
    """Any 2xx."""
    mint = customer()
    mint.pay()
    (push,) = mint.wait(SOON)
    mint.simulator.on_push_result(push, 204, mint.now)
    assert mint.wait(timedelta(days=1)) == ()


def test_a_subscription_is_told_nothing_before_it_is_confirmed() -> None:
    """The address it names confirms it, with its token alone; then it can be dropped."""
    mint = customer(account(notify_url=None))
    path = "/v1/notifications/subscriptions"
    made = mint.ask("POST", path, {"endpoint": NOTICES})[1]["data"]
    (asks,) = mint.last.pushes
    message = sns_message(asks, certificate(mint, asks))
    assert message["Type"] == "SubscriptionConfirmation"
    mint.api_key = "SAND_API_KEY:1111:2222"
    mint.pay()
    assert mint.wait(SOON) == ()
    target = message["SubscribeURL"].removeprefix("http://sim.test")
    assert mint.ask("GET", target.replace(message["Token"], "0" * 64))[0] == 400
    assert mint.ask("GET", target)[0] == 200
    (listed,) = mint.ask("GET", path)[1]["data"]
    assert listed["subscriptionDetails"][0]["status"] == "confirmed"
    mint.pay(wire(2))
    assert len(mint.wait(SOON)) == 1
    assert mint.ask("DELETE", f"{path}/{made['id']}")[0] == 200
    mint.pay(wire(3))
    assert mint.wait(SOON) == ()
    assert mint.ask("DELETE", f"{path}/{made['id']}")[0] == 404


@pytest.mark.parametrize("endpoint", [None, 7, "ftp://x", "file:///etc/passwd"])
def test_only_web_addresses_can_subscribe(endpoint: object) -> None:
    """400."""
    said = customer().ask("POST", "/v1/notifications/subscriptions", {"endpoint": endpoint})
    assert said[0] == 400


@pytest.mark.parametrize("scheme", ["sns", "ecdsa"])
def test_a_forgery_claims_another_state_and_does_not_verify(scheme: str) -> None:
    """Beside the true one."""
    mint = customer(account(notices=scheme))
    mint.add("notice_forged", op="notice")
    mint.pay()
    forged, true = mint.wait(SOON)
    assert (forged.op, true.op) == ("forgery", "notice")
    assert b"failed" in forged.body
    assert b"failed" not in true.body
    if scheme == "sns":
        with pytest.raises(InvalidSignature):
            sns_message(forged, certificate(mint, forged))
    else:
        assert dict(forged.headers)["X-Circle-Signature"]


def test_lost_doubled_and_delayed_notices() -> None:
    """As the rules say."""
    mint = customer()
    mint.add("notice_lost", op="notice", times=1)
    mint.pay(wire(1))
    assert mint.wait(SOON) == ()
    mint.add("notice_duplicate", op="notice", times=1, params={"copies": 2})
    mint.pay(wire(2))
    assert len(mint.wait(SOON)) == 3
    mint.add("notice_delay", op="notice", times=1, params={"after": "1h"})
    mint.pay(wire(3))
    assert mint.wait(SOON) == ()
    assert len(mint.wait(timedelta(hours=1))) == 1


def test_a_notice_can_be_had_again() -> None:
    """On demand."""
    mint = customer()
    mint.pay()
    mint.wait(SOON)
    assert len(mint.simulator.trigger("notice.resend", key(), mint.now)) == 1
