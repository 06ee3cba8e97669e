"""Cases of statements, held against the institution's own books line by line."""

from collections import Counter
from datetime import timedelta

from channels.contract import (
    ChannelError,
    LineKind,
    StatementLine,
    StatementNotReadyError,
)
from tests.contracts.channels.cases import case
from tests.contracts.channels.rig import Expect
from tests.contracts.channels.scene import Scene

READ = Expect(list)
Booked = Counter[tuple[str, int]]


async def _two_payouts(scene: Scene) -> None:
    """A first day with two payouts, and the next morning."""
    for number, amount in ((1, scene.rig.amount), (2, scene.rig.amount + 100)):
        await scene.pay(scene.order(number, amount=amount))
    await scene.settle()


async def _ready(scene: Scene) -> None:
    ready = scene.rig.start + scene.rig.statement_after
    await scene.place.advance(ready - scene.place.now())


def _booked(scene: Scene) -> Booked:
    """What the books say a statement should show."""
    shows = scene.rig.statement_shows
    return Counter((one.kind, one.amount_minor) for one in scene.place.truth() if one.kind in shows)


def _shown(scene: Scene, lines: list[StatementLine]) -> Booked:
    """What a statement shows of that, and whatever fits nothing."""
    del scene
    return Counter((line.kind.value, line.amount.minor) for line in lines)


async def _differences(scene: Scene) -> tuple[Booked, Booked] | None:
    """What the statement shows too much and too little; None when the channel refuses it."""
    read = await scene.statement()
    scene.answers("read", read)
    if isinstance(read, ChannelError):
        return None
    booked, shown = _booked(scene), _shown(scene, read)
    return shown - booked, booked - shown


@case("statement", "every movement of the day is in the statement, once", read=READ)
async def statement(scene: Scene) -> None:
    """References, directions, amounts and currency as in the books; every line has a number."""
    await _two_payouts(scene)
    await _ready(scene)
    read = await scene.statement()
    scene.answers("read", read)
    assert isinstance(read, list)
    assert _shown(scene, read) == _booked(scene)
    paid = [line for line in read if line.kind is LineKind.PAYOUT]
    truth = scene.movements("payout")
    assert sorted((line.reference, line.amount.minor) for line in paid) == sorted(
        (one.reference, one.amount_minor) for one in truth
    )
    assert not any(line.credit for line in paid)
    assert {line.amount.currency for line in read} == {scene.rig.currency}
    assert len({line.line_ref for line in read}) == len(read)


@case("statement", "a return stands in a later statement, under our reference", "return_late")
async def statement_return(scene: Scene) -> None:
    """What came back is booked as a return, to our credit."""
    rig = scene.rig
    order = scene.order(payee=rig.return_payee or rig.slow)
    await scene.fault("return_late", after="1d")
    await scene.pay(order)
    await scene.place.advance(rig.returns + timedelta(days=2) + rig.statement_after)
    found = []
    for day in range(rig.returns.days + 2):
        read = await scene.statement(day)
        assert isinstance(read, list), read
        found += [line for line in read if line.kind is LineKind.RETURN]
    assert [(line.reference, line.amount, line.credit) for line in found] == [
        (order.reference, order.amount, True)
    ]


@case(
    "statement",
    "a late statement is not ready, which is not the same as empty",
    "statement_late",
    early=Expect(ChannelError),
    late=Expect(StatementNotReadyError),
    read=READ,
)
async def statement_late(scene: Scene) -> None:
    """Before its hour and while it is late; then it is whole."""
    await scene.fault("statement_late", "statement", after="12h")
    await _two_payouts(scene)
    scene.answers("early", await scene.statement())
    await _ready(scene)
    scene.answers("late", await scene.statement())
    await scene.place.advance(timedelta(days=1))
    assert await _differences(scene) in (None, (Counter(), Counter()))


@case("statement", "a missing line is missing, not made up", "statement_missing_line", read=READ)
async def statement_missing(scene: Scene) -> None:
    """Exactly one movement is not shown, and nothing else differs."""
    await scene.fault("statement_missing_line", "statement")
    await _two_payouts(scene)
    await _ready(scene)
    if (found := await _differences(scene)) is not None:
        extra, missing = found
        assert (extra.total(), missing.total()) == (0, 1)


@case("statement", "an extra line is shown, not swallowed", "statement_extra_line", read=READ)
async def statement_extra(scene: Scene) -> None:
    """Exactly one line for money that never moved."""
    await scene.fault("statement_extra_line", "statement", amount_fen=777)
    await _two_payouts(scene)
    await _ready(scene)
    if (found := await _differences(scene)) is not None:
        extra, missing = found
        assert missing.total() == 0
        assert [amount for _, amount in extra.elements()] == [777]


@case("statement", "a line that stands twice is shown twice", "statement_duplicate_line", read=READ)
async def statement_twice(scene: Scene) -> None:
    """Reconciliation can only judge what it is shown."""
    await scene.fault("statement_duplicate_line", "statement")
    await _two_payouts(scene)
    await _ready(scene)
    if (found := await _differences(scene)) is not None:
        extra, missing = found
        assert (extra.total(), missing.total()) == (1, 0)
        assert set(extra) <= set(_booked(scene))


@case("statement", "a line one fen off stays one fen off", "statement_wrong_amount", read=READ)
async def statement_one_fen_off(scene: Scene) -> None:
    """No amount is rounded into order."""
    await scene.fault("statement_wrong_amount", "statement", delta_fen=1)
    await _two_payouts(scene)
    await _ready(scene)
    if (found := await _differences(scene)) is not None:
        extra, missing = found
        assert (extra.total(), missing.total()) == (1, 1)
        assert extra.popitem()[0][1] - missing.popitem()[0][1] == 1


@case("statement", "a statement that cannot be read is an error, never a short list", "garbage")
async def statement_unreadable(scene: Scene) -> None:
    """Neither the announcement nor the file may be garbage."""
    await _two_payouts(scene)
    await _ready(scene)
    for op in scene.rig.statement_ops:
        await scene.fault("garbage", op, None)
        assert isinstance(await scene.statement(), ChannelError), op
        await scene.place.clear()
    assert isinstance(await scene.statement(), list)
