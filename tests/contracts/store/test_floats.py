"""Balances at institutions, their incidents and the audit of receipts, the same on both."""

import asyncio

from msgspec.structs import replace

from channels.money import Currency
from gateway.domain.floats import Extent, KeptBalance
from gateway.domain.incident import Incident, IncidentKind, of_float
from gateway.ports import LogLine
from gateway.store import SqlStore
from tests import builders as build
from tests.builders import CHANNEL, NOW, after
from tests.contracts.store.conftest import Backend, Fund

PATIENCE_S = 20

KEPT = KeptBalance(
    CHANNEL,
    Currency.CNY,
    due_at=after(300),
    available_minor=9_000,
    said_at=NOW,
    extent=Extent(10_000, 12_000),
    off_minor=-1_000,
    off_looks=2,
    told_minor=-7,
    failures=3,
    problem="ThrottledError: 太多请求",
)


async def test_what_was_said_last_outlives_a_restart(backend: Backend) -> None:
    """Every field, and one row a channel."""
    first = await backend.open()
    assert await first.channel_balances() == {}
    await first.keep_channel_balance(replace(KEPT, available_minor=1, problem=""))
    await first.keep_channel_balance(KEPT)
    other = KeptBalance("another", Currency.USDC, due_at=after(1))
    await first.keep_channel_balance(other)
    await first.aclose()
    backend.opened.remove(first)
    second = await backend.open()
    assert await second.channel_balances() == {"another": other, CHANNEL: KEPT}


async def test_a_debt_at_an_institution_is_kept_as_it_is(store: SqlStore) -> None:
    """An overdrawn account is a negative balance, not nothing."""
    await store.keep_channel_balance(replace(KEPT, available_minor=-5))
    assert (await store.channel_balances())[CHANNEL].available_minor == -5


async def test_money_under_way_widens_what_may_lie_there(store: SqlStore, fund: Fund) -> None:
    """Armed: it may have left. Paid: it has, but a quoted fee may not have been charged yet."""
    assert await store.float_extent(CHANNEL, Currency.CNY) == Extent(0, 0)
    await fund(1_000_000)
    assert await store.float_extent(CHANNEL, Currency.CNY) == Extent(1_000_000, 1_000_000)
    assert await store.float_extent(CHANNEL, Currency.USD) == Extent(0, 0)
    subject = build.payout()
    await store.accept(build.accepted_change(subject), build.intake(subject), 0)
    armed = build.arm(subject)
    await store.record(armed)
    fee = armed.after.attempts[0].quoted_fee_minor
    assert fee > 0
    held = subject.amount.minor + fee
    assert await store.float_extent(CHANNEL, Currency.CNY) == Extent(1_000_000 - held, 1_000_000)
    paid = build.confirm(armed.after)
    await store.record(paid)
    charged = paid.after.attempts[0].fee_minor
    charged = fee if charged is None else charged
    left = 1_000_000 - subject.amount.minor - charged
    assert await store.float_extent(CHANNEL, Currency.CNY) == Extent(left, left + charged)


def incident(number: int, channel: str = CHANNEL) -> Incident:
    """A difference that has lasted."""
    return of_float(replace(KEPT, channel=channel), NOW, f"in_{number}")


async def test_a_channel_has_one_open_incident_about_its_float(store: SqlStore) -> None:
    """Of two processes that find it, one opens it; once closed there may be another."""
    opened = await asyncio.gather(*(store.open_float_incident(incident(one)) for one in (1, 2)))
    assert sorted(opened) == [False, True]
    assert await store.open_float_incident(incident(3, "another"))
    assert await store.close_float_incident(CHANNEL, after(60), "gateway", "agrees / 一致")
    assert not await store.close_float_incident(CHANNEL, after(61), "gateway", "again")
    assert await store.open_float_incident(incident(4))
    shown = {one.id: one for one in await store.incidents(open_only=False)}
    closed = [one for one in shown.values() if not one.is_open]
    assert [(one.channel, one.released_by, one.note) for one in closed] == [
        (CHANNEL, "gateway", "agrees / 一致")
    ]
    assert shown["in_3"].is_open


async def test_it_freezes_nothing(store: SqlStore) -> None:
    """Payouts leave the channel as before."""
    assert await store.open_float_incident(incident(1))
    assert await store.frozen() == {}


async def test_a_person_may_release_it(store: SqlStore) -> None:
    """As any other incident; then there is nothing left to close."""
    assert await store.open_float_incident(incident(1))
    assert await store.release_incident("in_1", after(5), "key:1", "a top-up on its way")
    assert not await store.close_float_incident(CHANNEL, after(6), "gateway", "agrees")


async def test_other_kinds_of_incident_are_left_alone(store: SqlStore) -> None:
    """An agreeing balance says nothing about a late success."""
    late = Incident("in_0", IncidentKind("late_success"), CHANNEL, None, None, "event 4", NOW)
    bank = replace(late, id="in_9", kind=IncidentKind("bank_down"), channel="", bank="ICBC")
    assert await store.open_bank_incident(bank)
    assert not await store.close_float_incident("", after(1), "gateway", "agrees")
    assert [one.id for one in await store.incidents(open_only=True)] == ["in_9"]


async def test_whoever_is_given_a_receipt_is_named_in_the_audit_log(store: SqlStore) -> None:
    """With the document's digest, and nothing of its content."""
    await store.note_receipt("po_1", CHANNEL, "ab" * 32, "key:7")
    found: list[LogLine] = []
    async with asyncio.timeout(PATIENCE_S):
        while not found:  # another transaction on the server may keep the row from its place
            await store.sequence(100)
            found = [one for one in await store.log_lines(0, 100) if one.subject == "po_1"]
    (line,) = found
    assert line.deed is not None
    assert "payout.receipt" in repr(line.deed)
    assert "key:7" in repr(line.deed)
