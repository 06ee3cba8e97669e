"""Result notices: envelope, signature, ladder, probes, and everything that goes wrong with them."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.exceptions import InvalidSignature

from simulators.kernel import Push
from tests.simulators.wechat_pay.merchant import (
    CERTIFICATE_SERIAL,
    NOTIFY_URL,
    PUBLIC_KEY_ID,
    START,
    World,
    account,
    make_world,
    open_resource,
    verify,
)


@pytest.fixture
def world() -> World:
    return make_world()


def plain(push: Push) -> dict[str, object]:
    """The decrypted content of a notice."""
    opened = json.loads(open_resource(json.loads(push.body)["resource"]))
    assert isinstance(opened, dict)
    return opened


def test_success_is_told_once(world: World) -> None:
    """One notice goes to the address when the bill is paid, signed and encrypted as documented."""
    number = world.submit().text("transfer_bill_no")
    (push,) = world.pass_time(seconds=1)
    assert push.url == NOTIFY_URL
    assert verify(dict(push.headers), push.body) == PUBLIC_KEY_ID
    envelope = json.loads(push.body)
    assert envelope["event_type"] == "MCHTRANSFER.BILL.FINISHED"
    assert envelope["resource_type"] == "encrypt-resource"
    assert envelope["resource"]["algorithm"] == "AEAD_AES_256_GCM"
    assert envelope["resource"]["original_type"] == "mch_payment"
    assert plain(push) == {
        "out_bill_no": "payout1",
        "transfer_bill_no": number,
        "state": "SUCCESS",
        "mch_id": "1900000101",
        "transfer_amount": 1234,
        "openid": "o-MYE42l80oelYMDE34nYD456Xoy",
        "create_time": "2026-05-20T10:00:00+08:00",
        "update_time": "2026-05-20T10:00:01+08:00",
    }
    assert world.pass_time(days=1) == ()


def test_failure_and_cancellation_are_told_too(world: World) -> None:
    """Every final state has its notice; FAIL names its reason."""
    world.submit("a", openid="magic-frozen")
    world.submit("b", openid="magic-never-confirms")
    world.cancel("b")
    told = [plain(push) for push in world.pass_time(seconds=1)]
    assert {(t["out_bill_no"], t["state"], t.get("fail_reason")) for t in told} == {
        ("a", "FAIL", "ACCOUNT_FROZEN"),
        ("b", "CANCELLED", None),
    }


def test_address_of_the_submission_comes_first() -> None:
    """notify_url of the request is used before the account's; with neither nothing is sent."""
    world = make_world(account(notify_url=None))
    world.submit("a")
    world.submit("b", notify_url="http://127.0.0.1:9/mine")
    assert [push.url for push in world.pass_time(seconds=1)] == ["http://127.0.0.1:9/mine"]
    with pytest.raises(LookupError):
        world.simulator.trigger("notice.probe", "a", world.now)


def test_notice_is_signed_with_the_merchants_kind_of_key(world: World) -> None:
    """A merchant in certificate mode gets notices signed by the certificate."""
    world.serial = None
    world.submit()
    (push,) = world.pass_time(seconds=1)
    assert verify(dict(push.headers), push.body) == CERTIFICATE_SERIAL


@pytest.mark.parametrize("status", [None, 500, 404, 301, 201])
def test_untaken_notice_climbs_the_ladder(world: World, status: int | None) -> None:
    """The same body comes again after 15 s, freshly signed, until the ladder ends."""
    world.submit()
    (first,) = world.pass_time(seconds=1)
    push, waits = first, []
    while True:
        world.simulator.on_push_result(push, status, world.now)
        due_at = world.simulator.next_tick_at()
        if due_at is None:
            break
        waits.append(int((due_at - world.now).total_seconds()))
        (push,) = world.pass_time(seconds=waits[-1])
        assert push.body == first.body
        assert push.attempt == len(waits) + 1
        verify(dict(push.headers), push.body)
        assert dict(push.headers)["Wechatpay-Timestamp"] == str(int(world.now.timestamp()))
    assert waits == [
        *(15, 15, 30, 180, 600, 1200, 1800, 1800, 1800),
        *(3600, 10800, 10800, 10800, 21600, 21600),
    ]


@pytest.mark.parametrize("status", [200, 204])
def test_taken_notice_is_done(world: World, status: int) -> None:
    """200 and 204 end it."""
    world.submit()
    (push,) = world.pass_time(seconds=1)
    world.simulator.on_push_result(push, status, world.now)
    assert world.simulator.next_tick_at() is None


def test_ladder_is_a_knob() -> None:
    """The intervals come from the configuration."""
    world = make_world(notice_ladder_s=[5])
    world.submit()
    (push,) = world.pass_time(seconds=1)
    world.simulator.on_push_result(push, None, world.now)
    assert world.simulator.next_tick_at() == world.now + timedelta(seconds=5)


def test_lost_notice_never_comes(world: World) -> None:
    """`notice_lost` sends nothing, ever; only a query tells."""
    world.fault(action="notice_lost")
    world.submit()
    assert world.pass_time(days=2) == ()
    assert world.state() == "SUCCESS"


def test_duplicate_notice_has_one_id(world: World) -> None:
    """`notice_duplicate` repeats the very body, so that its id is the same."""
    world.fault(action="notice_duplicate", params={"copies": 2})
    world.submit()
    sent = world.pass_time(seconds=1)
    assert len(sent) == 3
    assert len({json.loads(push.body)["id"] for push in sent}) == 1


@pytest.mark.parametrize("action", ["notice_delay", "notice_out_of_order"])
def test_held_notice_is_overtaken(world: World, action: str) -> None:
    """A held notice comes after those of later transfers, signed when it is really sent."""
    world.fault(action=action, reference="a", params={"after": "10m"})
    world.submit("a")
    world.submit("b")
    world.pass_time(seconds=1)
    world.pass_time(minutes=10)
    assert [push.reference for push in world.pushes] == ["b", "a"]
    headers = dict(world.pushes[1].headers)
    assert headers["Wechatpay-Timestamp"] == str(int(world.now.timestamp()))
    assert world.pushes[1].op in {"notice", "notice:out-of-order"}
    world.simulator.on_push_result(world.pushes[1], 500, world.now)
    assert world.simulator.next_tick_at() is not None


def test_forged_notice_has_a_wrong_signature(world: World) -> None:
    """Beside the true notice comes one that lies; only its signature gives it away."""
    world.fault(action="notice_forged", params={"status": "FAIL"})
    world.submit()
    forged, true = world.pass_time(seconds=1)
    assert plain(forged)["state"] == "FAIL"
    assert plain(true)["state"] == "SUCCESS"
    with pytest.raises(InvalidSignature):
        verify(dict(forged.headers), forged.body)
    verify(dict(true.headers), true.body)
    world.simulator.on_push_result(forged, 401, world.now)
    assert world.simulator.next_tick_at() is None


def test_probe_is_sent_and_judged() -> None:
    """A SIGNTEST probe has to be turned down; taking it, or no answer, does not pass."""
    world = make_world(probe_every=1)
    world.submit()
    notice, probe = world.pass_time(seconds=1)
    assert (notice.op, probe.op) == ("notice", "probe")
    headers = dict(probe.headers)
    assert headers["Wechatpay-Signature"].startswith("WECHATPAY/SIGNTEST/")
    for status in (401, 500, 200, None):
        world.simulator.on_push_result(probe, status, world.now)
    assert [result.passed for result in world.simulator.probes] == [True, True, False, False]
    assert world.simulator.probes[0].at == world.now
    row, other = world.simulator.accounts()
    assert (row["probes_passed"], row["probes_failed"], other["probes_passed"]) == (2, 2, 0)
    assert world.simulator.next_tick_at() is None


def test_probe_and_repetition_on_demand(world: World) -> None:
    """An operator can have a probe sent at any time, and a notice of a finished bill again."""
    world.submit()
    assert [p.op for p in world.simulator.trigger("notice.probe", "payout1", world.now)] == [
        "probe"
    ]
    with pytest.raises(LookupError):
        world.simulator.trigger("notice.resend", "payout1", world.now)
    world.pass_time(seconds=1)
    (again,) = world.simulator.trigger("notice.resend", "payout1", world.now)
    assert plain(again)["state"] == "SUCCESS"


def test_resigning_keeps_what_the_shell_needs(world: World) -> None:
    """Reference, account and address of a push survive signing and retrying."""
    world.submit()
    (push,) = world.pass_time(seconds=1)
    world.simulator.on_push_result(push, 500, world.now)
    (again,) = world.pass_time(seconds=15)
    assert replace(again, headers=(), due_at=START, attempt=1) == replace(
        push, headers=(), due_at=START
    )
