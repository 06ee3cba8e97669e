"""Cases of what only some channels offer: balance, receipt, recall."""

import pytest

from channels.contract import (
    ChannelError,
    Funded,
    Paid,
    Pending,
    Reason,
    Recallable,
    Receipt,
    Receipted,
    ReceiptNotReadyError,
    Rejected,
)
from channels.money import Money
from tests.contracts.channels.cases import UNSEEN, case
from tests.contracts.channels.rig import Expect
from tests.contracts.channels.scene import Scene

RECEIPT_ASKED = 3


async def _balance(scene: Scene) -> Money:
    assert isinstance(scene.channel, Funded)
    found = await scene.channel.balance()
    assert found.available.currency is scene.rig.currency
    return found.available


@case("balance", "the balance goes down by what was paid")
async def balance(scene: Scene) -> None:
    """Amount and fee, to the fen."""
    before = await _balance(scene)
    await scene.pay(scene.order())
    await scene.settle()
    spent = sum(one.amount_minor for one in scene.movements("payout", "fee"))
    assert spent >= scene.rig.amount
    assert (await _balance(scene)).minor == before.minor - spent


@case("balance", "a balance that cannot be read is an error, never a figure", "garbage")
async def balance_unreadable(scene: Scene) -> None:
    """Garbage raises `ChannelError`."""
    assert isinstance(scene.channel, Funded)
    await scene.fault("garbage", "balance", None)
    with pytest.raises(ChannelError):
        await scene.channel.balance()


@case("receipt", "a paid payout has a receipt", read=Expect(Receipt))
async def receipt(scene: Scene) -> None:
    """A file with a type and a name."""
    assert isinstance(scene.channel, Receipted)
    order = scene.order()
    await scene.pay(order)
    await scene.settle()
    got: object = None
    for _ in range(RECEIPT_ASKED):
        await scene.place.advance(scene.rig.receipt_after)
        try:
            got = await scene.channel.receipt(scene.inquiry(order))
        except ReceiptNotReadyError as error:
            got = error  # the first question makes some institutions begin
            continue
        except ChannelError as error:
            got = error
        break
    scene.answers("read", got)
    if isinstance(got, Receipt):
        assert got.body
        assert got.content_type
        assert got.filename


@case("receipt", "what was not paid has no receipt", read=Expect(ChannelError))
async def receipt_of_nothing(scene: Scene) -> None:
    """An error, not an empty file."""
    assert isinstance(scene.channel, Receipted)
    try:
        got: object = await scene.channel.receipt(scene.inquiry(scene.order()))
    except ChannelError as error:
        got = error
    scene.answers("read", got)


@case(
    "recall",
    "what is under way can be recalled, and is then not paid",
    "settle_late",
    recall=Expect((Pending, Rejected)),
    look=Expect(Rejected, Reason.RECALLED, confirm=False),
)
async def recall(scene: Scene) -> None:
    """The answer is the payout's state; in the end it is recalled and no money is gone."""
    assert isinstance(scene.channel, Recallable)
    order = scene.order(payee=scene.rig.recall_payee or scene.rig.slow)
    await scene.fault("settle_late", after="3d")
    await scene.pay(order)
    scene.answers("recall", await scene.channel.recall(scene.inquiry(order)))
    await scene.place.advance(scene.rig.settles)
    scene.answers("look", await scene.ask(order))
    assert sum(m.amount_minor for m in scene.movements("payout")) == sum(
        m.amount_minor for m in scene.movements("return")
    )


@case("recall", "what is paid stays paid", recall=Expect(Paid))
async def recall_too_late(scene: Scene) -> None:
    """A recall never unmakes a payout."""
    assert isinstance(scene.channel, Recallable)
    order = scene.order()
    await scene.pay(order)
    await scene.settle()
    scene.answers("recall", await scene.channel.recall(scene.inquiry(order)))
    scene.paid_once(order)


@case("recall", "what is not there cannot be recalled", recall=UNSEEN)
async def recall_of_nothing(scene: Scene) -> None:
    """As an inquiry about it would say."""
    assert isinstance(scene.channel, Recallable)
    scene.answers("recall", await scene.channel.recall(scene.inquiry(scene.order())))
