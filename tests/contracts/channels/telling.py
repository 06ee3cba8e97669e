"""Cases of notices: they name a payout, prove nothing by themselves, and may be lies."""

from datetime import timedelta

from channels.contract import Instruction, NoticeRefused, Paid, Returned
from tests.contracts.channels.cases import case
from tests.contracts.channels.rig import Expect
from tests.contracts.channels.scene import Scene

PAID = Expect(Paid)


async def _told(scene: Scene) -> Instruction:
    """Pay somebody whose payout is told about, and wait for the notices."""
    rig = scene.rig
    order = scene.order(payee=rig.notice_payee or rig.slow)
    await scene.pay(order)
    await scene.place.advance(rig.notices_within)
    return order


@case("notices", "a notice names the payout and is acknowledged", look=PAID)
async def notice(scene: Scene) -> None:
    """Verified, told once (the acknowledgement is theirs to the byte), and about our reference."""
    order = await _told(scene)
    told = scene.ear.notices
    assert told
    assert {one.reference for one in told} == {order.reference}
    assert len({one.notice_id for one in told}) == len(told)
    scene.answers("look", await scene.ask(order))


@case("notices", "a notice that comes twice has one id", "notice_duplicate", look=PAID)
async def notice_twice(scene: Scene) -> None:
    """Duplicates can be told from news."""
    await scene.fault("notice_duplicate", "notice", copies=2)
    order = await _told(scene)
    ids = [one.notice_id for one in scene.ear.notices]
    assert len(ids) >= len(set(ids)) + 2
    scene.answers("look", await scene.ask(order))
    scene.paid_once(order)


@case("notices", "a forged notice is refused beside the true one", "notice_forged", look=PAID)
async def notice_forged(scene: Scene) -> None:
    """A lie about a failure changes nothing."""
    await scene.fault("notice_forged", "notice")
    order = await _told(scene)
    assert scene.ear.refused
    assert {one.reference for one in scene.ear.notices} == {order.reference}
    scene.answers("look", await scene.ask(order))
    scene.paid_once(order)


@case("notices", "one changed character in a true notice is refused")
async def notice_tampered(scene: Scene) -> None:
    """At a quarter, the middle and three quarters of its bytes."""
    await _told(scene)
    proven = [one for one in scene.ear.heard if not isinstance(one.read, NoticeRefused)]
    assert proven
    body, headers = proven[0].body, proven[0].headers
    for at in (len(body) // 4, len(body) // 2, 3 * len(body) // 4):
        other = b"7" if body[at : at + 1] != b"7" else b"4"
        changed = body[:at] + other + body[at + 1 :]
        read = scene.channel.read_notice(headers, changed, scene.place.now())
        assert isinstance(read, NoticeRefused), (at, read)
    assert isinstance(scene.channel.read_notice({}, b"", scene.place.now()), NoticeRefused)


@case("notices", "a lost notice is missed by nobody", "notice_lost", look=PAID)
async def notice_lost(scene: Scene) -> None:
    """Inquiries find what notices would have told."""
    await scene.fault("notice_lost", "notice", None)
    order = await _told(scene)
    assert scene.ear.notices == []
    scene.answers("look", await scene.ask(order))


@case(
    "notices",
    "notices out of order lead to the same state",
    "notice_out_of_order",
    "return_late",
    look=Expect(Returned),
)
async def notice_out_of_order(scene: Scene) -> None:
    """The first is told after the last; both only lead to an inquiry."""
    rig = scene.rig
    order = scene.order(payee=rig.return_payee or rig.slow)
    await scene.fault("notice_out_of_order", "notice", after="3d")
    await scene.fault("return_late", after="1d")
    await scene.pay(order)
    await scene.settle(order)
    await scene.place.advance(rig.returns)
    await scene.place.advance(timedelta(days=3))
    told = scene.ear.notices
    assert len(told) >= 2
    assert {one.reference for one in told} == {order.reference}
    scene.answers("look", await scene.ask(order))
