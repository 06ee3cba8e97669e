"""Fault rules as this dialect applies them, and what is true behind each lie."""

import base64
import json

import pytest
from cryptography.exceptions import InvalidSignature

from simulators.kernel import Answer, Cut
from simulators.wechat_pay.errors import REFUSALS
from tests.simulators.wechat_pay.merchant import TRANSFERS, World, make_world, verify


@pytest.fixture
def world() -> World:
    return make_world()


def answer(world: World) -> Answer:
    """The whole answer to a submission."""
    body = json.dumps(world.submission()).encode()
    return world.answer(world.request("POST", TRANSFERS, body))


@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_every_refusal_of_the_table_can_be_had(world: World, name: str) -> None:
    """`reject` speaks each documented refusal with its status, signed, nothing executed."""
    world.fault(action="reject", op="submit", params={"code": name})
    heard = world.submit()
    assert (heard.status, heard.said["code"], heard.said["message"]) == REFUSALS[name]
    assert world.query().status == 404


def test_rejection_with_execution_and_own_words(world: World) -> None:
    """`executed` pays first; the rule's message and an undocumented code are spoken as given."""
    params = {"code": "NEW_CODE", "message": "说不清", "executed": True}
    world.fault(action="reject", op="submit", params=params)
    heard = world.submit()
    assert (heard.status, heard.said) == (400, {"code": "NEW_CODE", "message": "说不清"})
    world.pass_time(seconds=1)
    assert len(world.moved()) == 1


def test_reset_before_executes_nothing(world: World) -> None:
    """The connection breaks before anything happened."""
    world.fault(action="reset_before", op="submit")
    assert answer(world).cut is Cut.BEFORE
    assert world.query().status == 404


@pytest.mark.parametrize(("action", "cut"), [("reset_after", Cut.AFTER), ("reset_mid", Cut.MID)])
def test_reset_after_has_executed(world: World, action: str, cut: Cut) -> None:
    """The connection breaks, yet the transfer exists."""
    world.fault(action=action, op="submit")
    assert answer(world).cut is cut
    assert world.query().status == 200


def test_slow_reply(world: World) -> None:
    """`slow` asks the shell to wait."""
    world.fault(action="slow", params={"fixed": "2s"})
    assert answer(world).delay_s == 2.0


@pytest.mark.parametrize("is_executed", [True, False])
def test_proxy_error(world: World, is_executed: bool) -> None:
    """`http_error` is an unsigned page; whether it was executed is the rule's."""
    world.fault(action="http_error", op="submit", params={"executed": is_executed})
    reply = answer(world).reply
    assert reply is not None
    assert reply.status == 502
    assert world.query().status == (200 if is_executed else 404)


def test_bad_signature(world: World) -> None:
    """The reply is true, complete, of the right shape, and does not verify."""
    world.fault(action="bad_signature", op="submit")
    reply = answer(world).reply
    assert reply is not None
    headers = dict(reply.headers)
    assert len(base64.b64decode(headers["Wechatpay-Signature"], validate=True)) == 256
    with pytest.raises(InvalidSignature):
        verify(headers, reply.body)
    assert world.query().status == 200


def test_unsigned_reply(world: World) -> None:
    """The reply lacks every signature header."""
    world.fault(action="unsigned", op="submit")
    reply = answer(world).reply
    assert reply is not None
    assert reply.status == 200
    assert not any(name.startswith("Wechatpay-") for name, _ in reply.headers)


def test_unknown_code_hides_an_executed_transfer(world: World) -> None:
    """An undocumented error code is answered although the transfer is paid."""
    world.fault(action="unknown_code", op="submit")
    assert (world.submit().status, world.submit().said["code"]) == (400, "NEW_UNDOCUMENTED_CODE")
    world.pass_time(seconds=1)
    assert len(world.moved()) == 1


def test_unknown_status(world: World) -> None:
    """A state nobody documented stands in a well-signed reply."""
    world.fault(action="unknown_status", params={"status": "ARCHIVED"})
    heard = world.submit()
    assert heard.said["state"] == "ARCHIVED"
    assert "package_info" not in heard.said


def test_status_lie(world: World) -> None:
    """The reply says FAIL with a reason, and the money leaves all the same."""
    world.fault(action="status_lie", op="inquire", params={"status": "FAIL"})
    world.submit()
    world.pass_time(seconds=1)
    said = world.query().said
    assert (said["state"], said["fail_reason"]) == ("FAIL", "OTHER_FAIL_REASON_TYPE")
    assert len(world.moved()) == 1


def test_status_lie_may_be_friendly(world: World) -> None:
    """A failed transfer may be told as still waiting, its reason kept by mistake."""
    world.fault(action="status_lie", op="inquire", params={"status": "WAIT_USER_CONFIRM"})
    world.submit(openid="magic-frozen")
    world.pass_time(seconds=1)
    assert world.query().said["state"] == "WAIT_USER_CONFIRM"
    assert world.moved() == []


@pytest.mark.parametrize(
    ("field", "name"),
    [("amount", "transfer_amount"), ("payee", "openid"), ("reference", "out_bill_no")],
)
def test_wrong_echo_on_a_query(world: World, field: str, name: str) -> None:
    """One echoed field differs from what was asked; the others stay."""
    world.submit()
    true = world.query().said
    world.fault(action="wrong_echo", params={"field": field})
    told = world.query().said
    assert {key for key in true if true[key] != told[key]} == {name}


def test_wrong_echo_on_a_submission_falls_on_the_reference(world: World) -> None:
    """The submit reply echoes no amount, so its reference is wrong instead."""
    world.fault(action="wrong_echo", params={"field": "amount"})
    assert world.submit().said["out_bill_no"] == "payout0"


def test_throttle(world: World) -> None:
    """More than the rule's rate is refused with 429, unexecuted."""
    world.fault(action="throttle", op="submit", params={"per_s": 1})
    assert [world.submit(f"a{n}").status for n in range(2)] == [200, 429]
    assert world.query("a1").status == 404


def test_short_balance(world: World) -> None:
    """The account seems short for submissions and for the balance call."""
    world.fault(action="short_balance", params={"available_fen": 1233})
    assert world.submit().said["code"] == "NOT_ENOUGH"
    assert world.get("/v3/merchant/fund/balance/BASIC").said["available_amount"] == 1233


def test_maintenance_hours(world: World) -> None:
    """Between two Beijing times everything gets the error."""
    params = {"from_hour": "09:30", "to_hour": "10:30"}
    world.fault(action="maintenance", params=params)
    assert world.submit().said["code"] == "SYSTEM_ERROR"
    world.pass_time(minutes=31)
    assert world.submit().status == 200


def test_garbage(world: World) -> None:
    """A 200 whose body is nothing, after the transfer was taken."""
    world.fault(action="garbage", op="submit")
    reply = answer(world).reply
    assert reply is not None
    assert reply.status == 200
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(reply.body.decode().lstrip("\x1f"))
    assert world.query().status == 200


def test_failure_with_a_reason_of_choice(world: World) -> None:
    """`settle_fail` fails the transfer after acceptance, with its reason or a usual one."""
    world.fault(action="settle_fail", reference="a", params={"reason": "TRANSFER_RISK"})
    world.fault(action="settle_fail", reference="b")
    world.submit("a")
    world.submit("b")
    world.pass_time(seconds=1)
    assert world.query("a").said["fail_reason"] == "TRANSFER_RISK"
    assert world.query("b").said["fail_reason"] == "PAYEE_ACCOUNT_ABNORMAL"
    assert world.moved() == []


def test_rules_select_by_what_the_bill_is_about(world: World) -> None:
    """A query is selected by reference, payee and amount of its bill, by either number."""
    number = world.submit().text("transfer_bill_no")
    world.fault(
        action="reject", op="inquire", min_amount_fen=1234, payee=world.submission()["openid"]
    )
    assert world.query().status == 500
    assert world.get(f"{TRANSFERS}/transfer-bill-no/{number}").status == 500
    assert world.query("other").status == 404


def test_answer_names_itself_for_the_journal(world: World) -> None:
    """Operation, account, reference and struck rules go along with the answer."""
    world.fault(id="mine", action="slow", params={"fixed": "1s"})
    given = answer(world)
    assert (given.op, given.account, given.reference) == ("submit", "wechat-1", "payout1")
    assert given.faults == ("mine",)


def test_magic_table_is_listed(world: World) -> None:
    """The rows for this kind name the payees that the tests above pay."""
    payees = {row["payee"] for row in world.simulator.magic()}
    assert {"magic-never-confirms", "magic-frozen", "magic-wrong-name"} <= payees
    assert (world.simulator.kind, world.simulator.name) == ("wechat_pay", "wechat")
