"""The small set of scenes whose every boundary is a place to die."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from tests.proof.crash.town import START, Town

FEN = 12_345
ZHANG = {
    "rail": "alipay",
    "identity": "zhang@example.test",
    "identity_type": "logon_id",
    "name": "张三丰",
}
CARD = {"rail": "bank_card", "number": "6222020200112233445", "name": "张三丰", "bank_code": "ICBC"}
LI = {"rail": "wechat", "openid": "oLiSi0000000000000000000001", "name": "李四"}


@dataclass(frozen=True, slots=True)
class Scene:
    """What happens, and how it must end whoever died on the way."""

    says: str
    play: Callable[[Town], Awaitable[None]]
    ends: tuple[str, ...]
    """States of its payouts, in the order in which they were asked for."""
    or_else: tuple[str, ...] = ()
    """Ends that only a death can bring about, and that are right then."""
    kinds: Mapping[str, int] | None = None
    """Events that must have happened so often in all."""
    empty: bool = False
    """Begins without a database."""


async def _paid(town: Town) -> None:
    town.fault("notice_duplicate", op="notice", copies=1)
    await town.ask(FEN, ZHANG)
    await town.until_over()


async def _failover(town: Town) -> None:
    town.fault("reject", code="SECURITY_CHECK_FAILED")
    await town.ask(FEN, ZHANG)
    await town.until_over()


async def _confirmed_refusal(town: Town) -> None:
    town.fault("reject", code="PAYER_BALANCE_NOT_ENOUGH")
    await town.ask(FEN, ZHANG)
    await town.until_over()


async def _doubt(town: Town) -> None:
    town.fault("notice_lost", op="notice")
    town.fault("reset_after")
    await town.ask(FEN, ZHANG)
    await town.until_over()


async def _resend(town: Town) -> None:
    town.fault("reset_before")
    town.fault("notice_lost", op="notice")
    await town.ask(FEN, ZHANG)
    await town.until_over()


async def _refused(town: Town) -> None:
    town.fault("reject", "alipay-1", code="SECURITY_CHECK_FAILED", times=3)
    town.fault("reject", "alipay-2", code="SECURITY_CHECK_FAILED", times=3)
    await town.ask(FEN, ZHANG)
    await town.until_over()


async def _returned(town: Town) -> None:
    town.fault("return_late", after="1d")
    await town.ask(FEN, CARD)
    await town.until_over()
    # The notice is all that tells of it, and comes again for a day when nobody took it.
    await town.later(days=2, hours=2)
    await town.until_over()


async def _cancelled(town: Town) -> None:
    release = (START + timedelta(hours=2)).isoformat()
    ref = await town.ask(FEN, ZHANG, release_after=release)
    await town.cancel(ref)
    await town.later(hours=3)
    await town.until_over()


async def _scheduled(town: Town) -> None:
    release = (START + timedelta(hours=2)).isoformat()
    await town.ask(FEN, ZHANG, release_after=release)
    await town.later(hours=3)
    await town.until_over()


async def _noticed(town: Town) -> None:
    await town.ask(FEN, LI)
    await town.until_over()


async def _settled(town: Town) -> None:
    await town.ask(FEN, ZHANG)
    await town.until_over()
    await town.statements()
    await town.until_over()


async def _lied(town: Town) -> None:
    town.fault("reject", code="PAYEE_ACCOUNT_STATUS_ERROR", executed=True)
    town.fault("notice_delay", op="notice", after="1h")
    await town.ask(FEN, ZHANG)
    await town.until_over()
    await town.later(days=1, hours=3)
    await town.until_over()


async def _three_at_once(town: Town) -> None:
    town.fault("reset_after")
    for _ in range(3):
        await town.ask(FEN, ZHANG)
    await town.until_over()


async def _nothing(town: Town) -> None:
    await town.rest()


SCENES: Mapping[str, Scene] = {
    "paid": Scene("paid at once, told twice by notice", _paid, ("paid",)),
    "failover": Scene("refused for good, paid by the next channel", _failover, ("paid",)),
    "refusal confirmed": Scene(
        "refused, looked up, not there, paid by the next channel", _confirmed_refusal, ("paid",)
    ),
    # A refused second send proves nothing: after a death it is sent again until it is taken.
    "refused everywhere": Scene(
        "refused by all, the money is given back", _refused, ("failed",), ("paid",)
    ),
    "doubt": Scene("paid, the answer lost, found by inquiry", _doubt, ("paid",)),
    "resend": Scene("never arrived, sent again under the same number", _resend, ("paid",)),
    "returned": Scene("paid, and returned by the bank a day later", _returned, ("returned",)),
    "cancelled": Scene("scheduled, cancelled in time", _cancelled, ("cancelled",)),
    "scheduled": Scene("scheduled, released by its time", _scheduled, ("paid",)),
    "noticed": Scene("a wallet whose owner confirms; a notice tells", _noticed, ("paid",)),
    "settled": Scene("paid, and found on the statement", _settled, ("settled",)),
    "lied": Scene(
        "refused and paid all the same; found out by notice",
        _lied,
        ("failed",),
        ("paid",),
        {"contradicted": 1},
    ),
    "three at once": Scene("three payouts to one payee", _three_at_once, ("paid",) * 3),
    "first start": Scene("no database yet", _nothing, (), empty=True),
}
