"""Batches on both databases: accepted whole or not at all, one payout a row, also after a crash."""

import dataclasses
import hashlib
import io
from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from channels.money import Currency, Money
from gateway.api.payouts import requested
from gateway.api.schemas import PayoutIn
from gateway.clock import SystemEntropy
from gateway.domain.batch import Batch, BatchMode, BatchRow, BatchState, RowState
from gateway.domain.errors import ConflictError
from gateway.domain.ledger import Book, funded
from gateway.domain.merchant_fee import MerchantFee
from gateway.domain.payout import MerchantId, PayoutState
from gateway.engine import accept, batches, operate
from gateway.engine.batch_body import body_of, request_of
from gateway.engine.batches import Batches, Order, create
from gateway.engine.gateway import Gateway
from gateway.engine.load import Load
from gateway.observe import Metrics, Observe, make_log
from gateway.ports import Change, Intake, Merchant, Search
from gateway.store import SqlStore
from policies import document
from policies.fees import Fee, Tier
from policies.health import Health
from tests.builders import MERCHANT, merchant
from tests.contracts.store.conftest import Backend, Fund, SettableClock
from tests.gateway.api.till import Till

FEE = 30
FLOOR = 10_000_000


def body(number: int, minor: int = 1_000, **changes: object) -> bytes:
    """A row as it is stored."""
    asked = {
        "merchant_ref": f"row-{number}",
        "amount_minor": minor,
        "currency": "CNY",
        "beneficiary": {
            "instruments": [
                {"rail": "bank_card", "number": "6222021234567890123", "name": "王小五"}
            ]
        },
        "purpose": "货款",
        **changes,
    }
    return body_of(requested(PayoutIn.model_validate(asked), str(asked["merchant_ref"])), {})


def rows_of(bodies: Sequence[bytes]) -> list[BatchRow]:
    """Rows in order, waiting."""
    made = []
    for number, one in enumerate(bodies, 1):
        asked = request_of(one)
        ref, minor = asked.merchant_ref, asked.amount.minor
        made.append(BatchRow(number, number + 1, ref, minor, 0, one))
    return made


def order(
    count: int = 5,
    *,
    mode: BatchMode = "all_or_nothing",
    key: str = "key-1",
    bodies: Sequence[bytes] = (),
    repeat: bool = False,
) -> Order:
    """A batch of some rows of 10.00."""
    rows = rows_of(bodies or [body(number) for number in range(1, count + 1)])
    digest = hashlib.sha256(b"".join(row.body for row in rows)).hexdigest()
    total = Money(sum(row.amount_minor for row in rows), Currency.CNY)
    return Order(key, mode, "native", rows, total, digest, digest.encode()[:32], repeat)


class World:
    """A gateway over one store, and the batches it goes on with."""

    def __init__(self, store: SqlStore, clock: SettableClock) -> None:
        """One channel that pays cards."""
        observe = Observe(make_log(clock, io.StringIO()), Metrics("1"))
        self.store = store
        self.gateway = Gateway(
            store=store,
            clock=clock,
            entropy=SystemEntropy(),
            channels={"till": Till()},
            policy=document.load(document.example(), "built-in policy"),
            health=Health(),
            observer=observe,
            load=Load(),
        )
        self.merchant: Merchant = merchant()
        self.batches = Batches(self.gateway)

    async def create(self, wanted: Order) -> Batch:
        """Upload it."""
        return (await create(self.gateway, self.merchant, wanted, "key:test")).batch

    async def settle(self, batch: Batch) -> Batch:
        """Go on until nothing is under way."""
        while await self.batches.tick():
            pass
        found = await self.store.batch(batch.id)
        assert found is not None
        return found

    async def states(self, batch: Batch) -> list[RowState]:
        """Of every row."""
        return [row.state for row in await self.store.batch_rows(batch, 0, 10_000)]

    async def money(self) -> tuple[int, int]:
        """Available and held."""
        kept = {one.account.book: one.minor for one in await self.store.balances(owner=MERCHANT)}
        return kept.get(Book.AVAILABLE, 0), kept.get(Book.HELD, 0)


@pytest.fixture
async def world(store: SqlStore, clock: SettableClock, fund: Fund) -> World:
    """A funded merchant."""
    made = World(store, clock)
    await store.add_merchant(made.merchant, "test")
    await fund(FLOOR)
    return made


@pytest.mark.parametrize("mode", ["all_or_nothing", "per_row"])
async def test_every_row_becomes_one_payout(world: World, mode: BatchMode) -> None:
    """Both modes end with a due payout a row, its hold taken once, and clean books."""
    batch = await world.settle(await world.create(order(700, mode=mode)))
    assert batch.state is BatchState.DONE
    assert await world.states(batch) == [RowState.ACCEPTED] * 700
    counts = await world.store.counts()
    assert counts[PayoutState.ROUTING] == 700
    assert len(await world.store.due(world.gateway.clock.now(), 1_000)) == 700
    held = 700 * (1_000 + FEE)
    assert await world.money() == (FLOOR - held, held)
    assert await world.store.audit() == []


async def test_the_same_upload_again_is_the_same_batch(world: World) -> None:
    """The same key and content give the earlier batch, whatever has become of it."""
    first = await world.settle(await world.create(order()))
    again = await create(world.gateway, world.merchant, order(), "key:test")
    assert again.repeated
    assert again.batch.id == first.id
    assert (await world.store.counts())[PayoutState.ROUTING] == 5


async def test_the_same_key_for_another_content_is_refused(world: World) -> None:
    """A key names one batch for ever."""
    await world.create(order())
    with pytest.raises(ConflictError, match="used before"):
        await world.create(order(6))


async def test_the_same_content_under_another_key_is_refused(world: World) -> None:
    """A file uploaded twice by mistake is not paid twice, unless somebody says that it is meant."""
    await world.create(order())
    with pytest.raises(ConflictError) as caught:
        await world.create(order(key="key-2"))
    assert caught.value.code == "batch_repeated"
    meant = await world.create(order(key="key-3", repeat=True))
    assert meant.state is BatchState.CHECKING


async def test_a_refused_batch_may_come_again(world: World) -> None:
    """Its content is free under a new key once nothing of it is paid."""
    bodies = [body(1, minor=FLOOR)]
    refused = await world.settle(await world.create(order(bodies=bodies)))
    assert refused.state is BatchState.REFUSED
    again = await world.create(order(bodies=bodies, key="key-2"))
    assert again.id != refused.id


async def test_all_or_nothing_without_money_takes_nothing(world: World) -> None:
    """The whole sum with its fees must be there; else no row is accepted and nothing is held."""
    bodies = [body(1), body(2, minor=FLOOR - 1_000)]
    batch = await world.settle(await world.create(order(bodies=bodies)))
    assert batch.state is BatchState.REFUSED
    assert batch.refused is not None
    assert batch.refused.code == "insufficient_funds"
    assert await world.money() == (FLOOR, 0)
    assert sum((await world.store.counts()).values()) == 0


async def test_per_row_accepts_what_the_money_covers(world: World) -> None:
    """A row that is not covered is refused with its reason, the others are paid."""
    bodies = [body(1), body(2, minor=FLOOR), body(3)]
    batch = await world.settle(await world.create(order(mode="per_row", bodies=bodies)))
    assert batch.state is BatchState.DONE
    assert await world.states(batch) == [RowState.ACCEPTED, RowState.REFUSED, RowState.ACCEPTED]
    (refused,) = await world.store.batch_rows(batch, 0, 9, state=RowState.REFUSED)
    assert refused.refused is not None
    assert refused.refused.code == "insufficient_funds"


async def test_all_or_nothing_names_every_row_that_cannot_go(world: World) -> None:
    """A card no channel takes and a number that is used: both rows are told, nothing is taken."""
    await one_payout(world, "row-3")
    short = {"instruments": [{"rail": "bank_card", "number": "622202123456", "name": "王"}]}
    bodies = [body(1), body(2, beneficiary=short), body(3)]
    batch = await world.settle(await world.create(order(bodies=bodies)))
    assert batch.state is BatchState.REFUSED
    told = await world.store.batch_rows(batch, 0, 9, state=RowState.REFUSED)
    found = [(row.number, row.refused.code) for row in told if row.refused]
    assert found == [(2, "no_channel"), (3, "merchant_ref_reused")]


async def one_payout(world: World, ref: str) -> None:
    """A payout of its own, outside any batch."""
    request = request_of(body(9, merchant_ref=ref))
    intake = Intake(f"key:{ref}", hashlib.sha256(ref.encode()).digest())
    await accept.accept(world.gateway, world.merchant, request, intake, "test")


async def test_nothing_is_due_before_every_row_is_accepted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the first row and the last, no worker finds any of them to send."""
    monkeypatch.setattr(batches, "READ_AT_ONCE", 2)
    batch = await world.create(order())
    await world.batches.tick()
    await world.batches.tick()
    assert (await world.states(batch)).count(RowState.ACCEPTED) == 2
    later = world.gateway.clock.now() + timedelta(days=400)
    assert await world.store.due(later, 100) == []
    assert world.gateway.queue.empty()
    await world.settle(batch)
    assert len(await world.store.due(later, 100)) == 5


async def test_a_row_that_fails_in_the_middle_undoes_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number was taken after the check: what was accepted is cancelled, the reserve is back."""
    monkeypatch.setattr(batches, "READ_AT_ONCE", 2)
    batch = await world.create(order())
    await world.batches.tick()
    await world.batches.tick()
    await one_payout(world, "row-4")
    batch = await world.settle(batch)
    assert batch.state is BatchState.REFUSED
    assert batch.refused is not None
    assert batch.refused.code == "row_refused"
    states = await world.states(batch)
    assert states.count(RowState.UNDONE) == 3
    assert states.count(RowState.REFUSED) == 1
    assert (await world.store.counts())[PayoutState.CANCELLED] == 3
    assert await world.money() == (FLOOR - 1_000 - FEE, 1_000 + FEE)
    assert await world.store.audit() == []


async def test_a_payout_somebody_let_go_is_not_undone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is cancelled already when the batch is undone does not stand in its way."""
    monkeypatch.setattr(batches, "READ_AT_ONCE", 2)
    batch = await world.create(order())
    await world.batches.tick()
    await world.batches.tick()
    (first, *_) = await world.store.batch_rows(batch, 0, 1)
    assert first.payout_id is not None
    await operate.cancel(world.gateway, first.payout_id, world.merchant.id, "merchant")
    await one_payout(world, "row-5")
    batch = await world.settle(batch)
    assert batch.state is BatchState.REFUSED
    assert await world.money() == (FLOOR - 1_000 - FEE, 1_000 + FEE)
    assert await world.store.audit() == []


class CrashError(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("mode", ["all_or_nothing", "per_row"])
@pytest.mark.parametrize("at", [1, 2, 4, 7])
async def test_a_crash_in_the_middle_pays_every_row_once(
    world: World, backend: Backend, monkeypatch: pytest.MonkeyPatch, mode: BatchMode, at: int
) -> None:
    """Whoever opens the database next goes on; no row is lost and none has two payouts."""
    monkeypatch.setattr(batches, "IN_FLIGHT", 3)
    batch = await world.create(order(10, mode=mode))
    accepted = SqlStore.accept
    calls = 0

    async def crashing(
        store: SqlStore, change: Change, intake: Intake, floor_minor: int | None
    ) -> object:
        nonlocal calls
        calls += 1
        mine = calls
        stored = await accepted(store, change, intake, floor_minor)
        if mine == at:
            raise CrashError
        return stored

    monkeypatch.setattr(SqlStore, "accept", crashing)
    with pytest.raises(CrashError):
        await world.settle(batch)
    monkeypatch.setattr(SqlStore, "accept", accepted)
    await world.store.aclose()

    other = World(await backend.open(), backend.clock)
    batch = await other.settle(batch)
    assert batch.state is BatchState.DONE
    assert (await other.store.counts())[PayoutState.ROUTING] == 10
    rows = await other.store.batch_rows(batch, 0, 100)
    assert len({row.payout_id for row in rows}) == 10
    assert await other.money() == (FLOOR - 10 * 1_030, 10 * 1_030)
    assert await other.store.audit() == []


async def test_an_upload_that_was_cut_off_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows stored by the first try stay, the second brings the rest; before that nothing moves."""
    monkeypatch.setattr(batches, "STORED_AT_ONCE", 2)
    put = SqlStore.put_rows
    calls = 0

    async def failing(store: SqlStore, batch: Batch, rows: Sequence[BatchRow]) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise CrashError
        await put(store, batch, rows)

    monkeypatch.setattr(SqlStore, "put_rows", failing)
    with pytest.raises(CrashError):
        await world.create(order())
    assert not await world.batches.tick()
    batch = await world.settle(await world.create(order()))
    assert batch.state is BatchState.DONE
    assert (await world.store.counts())[PayoutState.ROUTING] == 5


async def test_a_row_is_sealed(world: World, backend: Backend) -> None:
    """What a row asks for can only be opened at its own place."""
    batch = await world.create(order())
    rows = await world.store.batch_rows(batch, 0, 2)
    assert [request_of(row.body).merchant_ref for row in rows] == ["row-1", "row-2"]
    if backend.kind == "sqlite":
        with open(backend.url.removeprefix("sqlite://"), "rb") as file:  # noqa: PTH123, ASYNC230
            assert "王小五".encode() not in file.read()


async def half_stored(world: World, monkeypatch: pytest.MonkeyPatch) -> Batch:
    """An upload that broke after its first rows."""
    monkeypatch.setattr(batches, "STORED_AT_ONCE", 2)
    put = SqlStore.put_rows
    calls = 0

    async def failing(store: SqlStore, batch: Batch, rows: Sequence[BatchRow]) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise CrashError
        await put(store, batch, rows)

    monkeypatch.setattr(SqlStore, "put_rows", failing)
    with pytest.raises(CrashError):
        await world.create(order())
    monkeypatch.setattr(SqlStore, "put_rows", put)
    (found,) = await world.store.batches(MERCHANT, None, 9, state=BatchState.STORING)
    return found


async def test_an_upload_nobody_repeats_is_given_up_after_a_day(
    world: World, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then it waits for the rest; then it is refused, nothing paid, its content free."""
    cut = await half_stored(world, monkeypatch)
    clock.advance(hours=23)
    assert (await world.settle(cut)).state is BatchState.STORING
    clock.advance(hours=2)
    given_up = await world.settle(cut)
    assert given_up.state is BatchState.REFUSED
    assert given_up.refused is not None
    assert given_up.refused.code == "upload_cut_off"
    assert sum((await world.store.counts()).values()) == 0
    assert await world.store.batches(MERCHANT, None, 9, state=BatchState.STORING) == []
    again = await world.settle(await world.create(order(key="key-2")))
    assert again.state is BatchState.DONE


async def test_an_upload_that_comes_after_it_was_given_up_pays_nothing(
    world: World, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the rows, under the same key, finds the batch refused and leaves it so."""
    cut = await half_stored(world, monkeypatch)
    clock.advance(hours=25)
    await world.settle(cut)
    late = await world.settle(await world.create(order()))
    assert (late.id, late.state) == (cut.id, BatchState.REFUSED)
    assert sum((await world.store.counts()).values()) == 0


@pytest.mark.parametrize("mode", ["all_or_nothing", "per_row"])
async def test_what_is_not_accepted_yet_can_be_cancelled(
    world: World, monkeypatch: pytest.MonkeyPatch, mode: BatchMode
) -> None:
    """A cut-off upload, and a whole one that is only checked; a second time changes nothing."""
    cut = await half_stored(world, monkeypatch)
    whole = await world.create(order(key="key-2", bodies=[body(9)], mode=mode))
    for batch in (cut, whole) if mode == "all_or_nothing" else (cut,):
        for _ in range(2):
            gone = await batches.cancel(world.gateway, batch.id, MERCHANT, "key:boss")
            assert gone.state is BatchState.REFUSED
    if mode == "per_row":
        with pytest.raises(ConflictError, match="accepting cannot be cancelled"):
            await batches.cancel(world.gateway, whole.id, MERCHANT, "key:boss")
    assert (await world.settle(cut)).state is BatchState.REFUSED
    assert len(await world.states(whole)) == 1
    paid = 0 if mode == "all_or_nothing" else 1
    assert (await world.store.counts())[PayoutState.ROUTING] == paid
    assert await world.store.audit() == []


async def test_cancelled_while_it_is_checked_it_is_never_accepted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was looking at its rows finds it gone, and nothing is held for it."""
    batch = await world.create(order())
    taken = SqlStore.taken_refs

    async def meanwhile(store: SqlStore, checked: Batch) -> list[int]:
        await batches.cancel(world.gateway, checked.id, MERCHANT, "key:boss")
        return await taken(store, checked)

    monkeypatch.setattr(SqlStore, "taken_refs", meanwhile)
    assert (await world.settle(batch)).state is BatchState.REFUSED
    assert await world.money() == (FLOOR, 0)
    assert await world.store.audit() == []


async def test_batches_are_listed_newest_first(world: World, clock: SettableClock) -> None:
    """Page by page, whatever their ids are."""
    made = []
    for number in range(6):
        clock.advance(seconds=1)
        bodies = [body(number)]
        made.append((await world.create(order(key=f"key-{number}", bodies=bodies))).id)
    seen: list[str] = []
    while page := await world.store.batches(MERCHANT, seen[-1] if seen else None, 4):
        seen += [one.id for one in page]
    assert seen == made[::-1]


async def test_a_held_row_is_not_released_before_its_batch_is_final(
    world: World, fund: Fund, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person's release is refused while the others may still be cancelled, and taken after."""
    monkeypatch.setattr(batches, "READ_AT_ONCE", 2)
    picky = replace(world.merchant, id=MerchantId("picky"), review_above_minor=1_500)
    world.merchant = picky
    await world.store.add_merchant(picky, "test")
    await fund(FLOOR, merchant=picky.id, channel=None)
    batch = await world.create(order(bodies=[body(1, minor=2_000), body(2), body(3)]))
    await world.batches.tick()
    await world.batches.tick()
    (first, *_) = await world.store.batch_rows(batch, 0, 1)
    assert first.payout_id is not None
    with pytest.raises(ConflictError) as caught:
        await operate.release(world.gateway, first.payout_id, picky.id, "merchant")
    assert caught.value.code == "batch_not_final"
    assert caught.value.zh
    assert (await world.settle(batch)).state is BatchState.DONE
    released = await operate.release(world.gateway, first.payout_id, picky.id, "merchant")
    assert released.state is PayoutState.ROUTING
    assert released.due_at is not None


TIERED = MerchantFee(
    Fee(
        tiers=(Tier(0, 0, 30_000), Tier(3_000, 0, 10_000), Tier(6_000, 5, 20_000)),
        basis="amount",
        scheme="incremental",
    )
)
"""3 % until 30.00 of a month, 1 % until 60.00, then 2 % and 0.05: dear, cheap, dearer."""
HUMP = Fee(tiers=(Tier(0, 0, 1_000), Tier(3_000, 7, 50_000), Tier(6_000, 0, 1_000)), basis="amount")
"""Dearest in the middle: what the month costs before the batch and after it says nothing of it."""
OTHERS = (
    MerchantFee(dataclasses.replace(TIERED.fee, mode="deducted")),
    MerchantFee(dataclasses.replace(TIERED.fee, scheme="all_units")),
    MerchantFee(Fee(tiers=(Tier(0, 50, 0), Tier(4, 10, 0)), basis="payouts")),
    MerchantFee(Fee(flat_minor=40, mode="deducted")),
    MerchantFee(HUMP),
    MerchantFee(dataclasses.replace(HUMP, scheme="all_units", mode="deducted")),
)


async def paying(world: World, terms: MerchantFee, minor: int) -> Merchant:
    """A merchant of these terms with just so much money."""
    world.merchant = replace(world.merchant, id=MerchantId("payer"), fee=terms)
    await world.store.add_merchant(world.merchant, "test")
    await world.store.post(funded(world.merchant.id, Currency.CNY, minor), "", "opening", "test")
    return world.merchant


async def of(world: World, merchant: Merchant) -> tuple[int, int]:
    """A merchant's available and held."""
    kept = {one.account.book: one.minor for one in await world.store.balances(owner=merchant.id)}
    return kept.get(Book.AVAILABLE, 0), kept.get(Book.HELD, 0)


@pytest.mark.parametrize("terms", [TIERED, *OTHERS], ids=range(1 + len(OTHERS)))
async def test_tiers_crossed_within_a_batch_take_what_the_fees_are(
    world: World, terms: MerchantFee
) -> None:
    """Each row pays what its place in the month costs; what more was reserved is given back."""
    payer = await paying(world, terms, FLOOR)
    batch = await world.settle(await world.create(order(10)))
    assert batch.state is BatchState.DONE
    payouts = [
        await world.store.payout(row.payout_id)
        for row in await world.store.batch_rows(batch, 0, 100)
        if row.payout_id is not None
    ]
    takes = sum((one.amount + one.fee).minor for one in payouts if one is not None)
    assert len(payouts) == 10
    assert await of(world, payer) == (FLOOR - takes, takes)
    assert len({one.fee.minor for one in payouts if one is not None}) > (terms.fee.tiers != ())
    assert await world.store.audit() == []


@pytest.mark.parametrize("terms", [TIERED, *OTHERS], ids=range(1 + len(OTHERS)))
@pytest.mark.parametrize("short", [0, 1])
async def test_with_exactly_the_reserve_every_row_is_accepted(
    world: World, terms: MerchantFee, short: int
) -> None:
    """The balance must cover the dearest the rows can be: a fen less, and none is taken."""
    await world.store.set_merchant_fee(MERCHANT, terms, "test")
    found = await world.store.merchant(MERCHANT)
    assert found is not None
    world.merchant = found
    tried = await world.create(order(10))
    needed = sum(row.hold_minor for row in await world.store.batch_rows(tried, 0, 100))
    await batches.cancel(world.gateway, tried.id, MERCHANT, "test")

    payer = await paying(world, terms, needed - short)
    batch = await world.settle(await world.create(order(10)))
    assert batch.state is (BatchState.REFUSED if short else BatchState.DONE)
    available, held = await of(world, payer)
    assert available + held == needed - short
    assert available >= 0
    assert (held == 0) == bool(short)
    assert await world.store.audit() == []


async def test_an_undone_batch_gives_its_fees_back_and_leaves_the_month(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tiers crossed on the way count for nothing once the rows are cancelled."""
    monkeypatch.setattr(batches, "READ_AT_ONCE", 4)
    payer = await paying(world, TIERED, FLOOR)
    batch = await world.create(order(10))
    await world.batches.tick()
    await world.batches.tick()
    await one_payout(world, "row-8")
    before = await world.store.payout(
        (await world.store.search(Search(payer.id, merchant_ref="row-8", limit=1)))[0].id
    )
    assert before is not None
    assert (await world.settle(batch)).state is BatchState.REFUSED
    takes = (before.amount + before.fee).minor
    assert await of(world, payer) == (FLOOR - takes, takes)
    now = world.gateway.clock.now()
    assert (await accept.month_for(world.gateway, payer, Currency.CNY, now)).payouts == 1
    assert await world.store.audit() == []
