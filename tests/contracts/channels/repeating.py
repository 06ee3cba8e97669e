"""Cases of one reference submitted more than once."""

import asyncio

from msgspec.structs import replace

from channels.contract import Paid, Pending, Rejected, Unknown, UnknownCause
from channels.money import Money
from tests.contracts.channels.cases import TAKEN, case
from tests.contracts.channels.rig import Expect
from tests.contracts.channels.scene import Scene

PAID = Expect(Paid)
INCONSISTENT = Expect(Unknown, UnknownCause.CHANNEL_UNSURE)
MISMATCH = Expect(Unknown, UnknownCause.MISMATCH)


@case("repeat", "the same payout again is not paid again", send=TAKEN, again=TAKEN, look=PAID)
async def resend(scene: Scene) -> None:
    """Prepared and sent twice at once; paid once."""
    order = scene.order()
    outcomes = [await scene.pay(order) for _ in range(2)]
    for step, outcome in zip(("send", "again"), outcomes, strict=True):
        scene.answers(step, outcome)
    named = {getattr(one, "channel_ref", None) for one in outcomes} - {None}
    assert len(named) <= 1, "two numbers of theirs for one payout"
    await scene.settle()
    scene.answers("look", await scene.ask(order))
    scene.paid_once(order)


@case(
    "repeat",
    "the same payout again after it was paid is not paid again",
    again=Expect((Paid, Pending)),
    look=PAID,
)
async def resend_when_paid(scene: Scene) -> None:
    """Late repetitions change nothing."""
    order = scene.order()
    await scene.pay(order)
    await scene.settle()
    scene.answers("again", await scene.pay(order))
    await scene.settle()
    scene.answers("look", await scene.ask(order))
    scene.paid_once(order)


@case("repeat", "the very same bytes twice are not paid twice", again=TAKEN, look=PAID)
async def same_bytes(scene: Scene) -> None:
    """Whoever replays a recorded request gains nothing."""
    order = scene.order()
    prepared = scene.prepared(order)
    await scene.send(prepared)
    scene.answers("again", await scene.send(prepared))
    await scene.settle()
    scene.answers("look", await scene.ask(order))
    scene.paid_once(order)


@case("repeat", "two submissions of one reference at the same moment are paid once", look=PAID)
async def at_once(scene: Scene) -> None:
    """Neither is believed to have failed while the other pays."""
    order = scene.order()
    outcomes = await asyncio.gather(*(scene.pay(order) for _ in range(2)))
    assert len(scene.requests()) == 2
    firm = [one for one in outcomes if isinstance(one, Rejected) and not one.confirm]
    assert not firm, firm
    await scene.settle()
    scene.answers("look", await scene.ask(order))
    scene.paid_once(order)


@case(
    "repeat",
    "the same reference with another amount pays nothing and refuses nothing",
    again=INCONSISTENT,
    look=MISMATCH,
)
async def other_amount(scene: Scene) -> None:
    """An order with this number exists: that is no refusal of the one asked about."""
    order = scene.order()
    await scene.pay(order)
    other = scene.order(amount=order.amount.minor + 100)
    assert other.reference == order.reference
    scene.answers("again", await scene.pay(other))
    await scene.settle()
    scene.answers("look", await scene.ask(other))
    scene.paid_once(order)


@case(
    "repeat",
    "the same reference for another payee pays nothing and refuses nothing",
    again=INCONSISTENT,
)
async def other_payee(scene: Scene) -> None:
    """The first payee is the only one paid."""
    order = scene.order()
    await scene.pay(order)
    scene.answers("again", await scene.pay(scene.order(payee=scene.rig.other_payee)))
    await scene.settle()
    scene.paid_once(order)


@case("repeat", "references keep payouts apart", send=TAKEN, look=PAID)
async def two_payouts(scene: Scene) -> None:
    """The same payee and amount under two numbers are two payouts."""
    first, second = scene.order(1), scene.order(2)
    assert first.amount == second.amount == Money(scene.rig.amount, scene.rig.currency)
    assert replace(first, attempt_id="", reference="") == replace(
        second, attempt_id="", reference=""
    )
    for order in (first, second):
        scene.answers("send", await scene.pay(order))
    await scene.settle()
    for order in (first, second):
        scene.answers("look", await scene.ask(order))
    assert sorted(scene.moved()) == sorted(
        ("payout", order.reference, order.amount.minor) for order in (first, second)
    )
