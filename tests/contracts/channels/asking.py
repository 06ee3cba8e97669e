"""Cases of inquiries: what may be believed of an answer, and what a silence says."""

from collections.abc import Mapping
from datetime import timedelta

from pydantic import JsonValue

from channels.contract import Absent, Paid, Pending, Rejected, Returned, Unknown, UnknownCause
from tests.contracts.channels.cases import UNSEEN, Run, Spoilt, case
from tests.contracts.channels.rig import Expect
from tests.contracts.channels.scene import Scene

PAID = Expect(Paid)
LOST = Expect(Unknown, UnknownCause.CONNECTION_LOST)
UNREADABLE = Expect(Unknown, (UnknownCause.UNREADABLE, UnknownCause.BAD_SIGNATURE))
"""No reply at all: whether it is first missed as one or as a signed one makes no difference."""
UNPROVEN = Expect(Unknown, UnknownCause.BAD_SIGNATURE)
MISMATCH = Expect(Unknown, UnknownCause.MISMATCH)

SPOILT: tuple[Spoilt, ...] = (
    Spoilt("ask_lost", "the answer is lost", "reset_after", {}, LOST),
    Spoilt("ask_cut", "the answer is cut short", "reset_mid", {}, LOST),
    Spoilt("ask_garbage", "200 with bytes that are no answer", "garbage", {}, UNREADABLE),
    Spoilt("ask_502", "502 from a box in front", "http_error", {"status": 502}, UNREADABLE),
    Spoilt("ask_unsigned", "an answer without signature", "unsigned", {}, UNPROVEN),
    Spoilt("ask_bad_signature", "a signature that does not fit", "bad_signature", {}, UNPROVEN),
    Spoilt(
        "ask_unknown_code",
        "a code nobody documented",
        "unknown_code",
        {},
        Expect(Unknown, UnknownCause.UNKNOWN_CODE),
    ),
    Spoilt(
        "ask_unknown_status",
        "a status nobody documented",
        "unknown_status",
        {},
        Expect(Unknown, UnknownCause.UNKNOWN_STATE),
    ),
    Spoilt(
        "ask_throttled",
        "too many questions",
        "throttle",
        {"per_s": 0},
        Expect(Unknown, UnknownCause.THROTTLED),
    ),
    *(
        Spoilt(
            f"ask_echo_{field}",
            f"the answer is about another {field}",
            "wrong_echo",
            {"field": field},
            MISMATCH,
        )
        for field in ("amount", "reference", "payee")
    ),
)
"""Case, what it says, the fault that makes it, the usual answer."""


def _spoilt(action: str, given: Mapping[str, JsonValue]) -> Run:
    async def run(scene: Scene) -> None:
        order = scene.order()
        await scene.pay(order)
        await scene.settle()
        await scene.fault(action, "inquire", None, **given)
        scene.answers("ask", await scene.ask(order))
        await scene.place.clear()
        scene.answers("look", await scene.ask(order))
        scene.paid_once(order)

    return run


for _one in SPOILT:
    case(
        "inquire", f"an inquiry: {_one.says}", _one.action, name=_one.id, ask=_one.answer, look=PAID
    )(_spoilt(_one.action, _one.params))


@case("inquire", "what was never sent is not there", look=UNSEEN)
async def never_sent(scene: Scene) -> None:
    """Nothing was asked for, so nothing is found."""
    scene.answers("look", await scene.ask(scene.order()))
    scene.nothing_moved()


@case(
    "inquire",
    "a fresh payout may be hidden for a while, though it is being paid",
    "not_found_window",
    hidden=UNSEEN,
    look=PAID,
)
async def not_found_window(scene: Scene) -> None:
    """Not found is not failed."""
    order = scene.order()
    await scene.fault("not_found_window", seconds="30s")
    await scene.pay(order)
    scene.answers("hidden", await scene.ask(order))
    await scene.settle()
    await scene.place.advance(scene.rig.settles)
    scene.answers("look", await scene.ask(order))
    scene.paid_once(order)


@case("inquire", "our reference is enough after a restart", look=PAID)
async def restarted(scene: Scene) -> None:
    """A new channel object finds it by what the books hold, with and without their number."""
    order = scene.order()
    await scene.pay(order)
    await scene.settle()
    scene.restart()
    found = await scene.ask(order)
    scene.answers("look", found)
    assert await scene.ask(order, getattr(found, "channel_ref", None)) == found


@case(
    "inquire",
    "an inquiry about another amount or payee under our reference is no answer",
    amount=MISMATCH,
)
async def asked_wrongly(scene: Scene) -> None:
    """The suite asks with a wrong amount: what they truly answer does not fit it."""
    order = scene.order()
    await scene.pay(order)
    await scene.settle()
    wrong = scene.order(amount=order.amount.minor + 1)
    scene.answers("amount", await scene.ask(wrong))


@case(
    "under_way",
    "under way for as long as the bank takes, then paid",
    "settle_late",
    first=Expect(Pending),
    still=Expect(Pending),
    look=PAID,
)
async def settles_late(scene: Scene) -> None:
    """Hours are no reason to doubt it, and no reason to pay again."""
    order = scene.order(payee=scene.rig.slow)
    await scene.fault("settle_late", after="6h")
    await scene.pay(order)
    scene.answers("first", await scene.ask(order))
    await scene.place.advance(timedelta(hours=5))
    scene.answers("still", await scene.ask(order))
    assert scene.movements("return") == []
    await scene.place.advance(timedelta(hours=5))
    scene.answers("look", await scene.ask(order))
    scene.paid_once(order)


@case(
    "under_way",
    "taken at first, then failed with a reason",
    "settle_fail",
    look=Expect(Rejected, confirm=False),
)
async def fails_later(scene: Scene) -> None:
    """Their word about their own order is proof; the books show no loss."""
    order = scene.order(payee=scene.rig.slow)
    await scene.fault("settle_fail", reason=scene.rig.fail_reason)
    await scene.pay(order)
    await scene.settle(order)
    scene.answers("look", await scene.ask(order))
    spent = sum(m.amount_minor for m in scene.movements("payout"))
    back = sum(m.amount_minor for m in scene.movements("return"))
    assert spent == back


@case(
    "returns",
    "paid, and sent back a day later",
    "return_late",
    paid=PAID,
    look=Expect(Returned),
)
async def returned(scene: Scene) -> None:
    """Paid is not for ever: the return is found, with its amount."""
    order = scene.order(payee=scene.rig.return_payee or scene.rig.slow)
    await scene.fault("return_late", after="1d")
    await scene.pay(order)
    await scene.settle(order)
    scene.answers("paid", await scene.ask(order))
    await scene.place.advance(scene.rig.returns)
    outcome = await scene.ask(order)
    scene.answers("look", outcome)
    assert not isinstance(outcome, Returned) or outcome.amount == order.amount
    kinds = [(kind, amount) for kind, _, amount in scene.moved()]
    assert kinds == [("payout", order.amount.minor), ("return", order.amount.minor)]


@case("inquire", "the channel is closed: nothing is sent, nothing is known", look=Expect(Unknown))
async def closed(scene: Scene) -> None:
    """Closing twice is safe; afterwards nothing leaves."""
    order = scene.order()
    prepared = scene.prepared(order)
    await scene.channel.aclose()
    await scene.channel.aclose()
    outcome = await scene.send(prepared)
    assert type(outcome).__name__ == "NotSent", outcome
    answer = await scene.ask(order)
    assert not isinstance(answer, Absent)
    scene.answers("look", answer)
    assert scene.place.journal() == []
