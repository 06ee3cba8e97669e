"""Where nothing can be looked up by our key: the same request again is the question, and pays once.

A whole gateway against the Circle Mint simulator. Its books compare with ours after every test.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from channels.contract import Tariff, Terms, WireAccount
from channels.money import Currency, Money
from channels.stablecoin.channel import build
from channels.stablecoin.signing import idempotency_key
from gateway.domain.ledger import Book, funded, topped_up
from gateway.domain.payout import Payout, PayoutState
from gateway.engine.accept import Request, accept
from gateway.engine.gateway import Gateway, Limits
from gateway.engine.load import Load
from gateway.engine.notices import receive
from gateway.engine.worker import refresh
from gateway.store import Vault, open_store
from policies.health import Health
from policies.policy import Parameters, Policy
from simulators.scenario import Plan
from simulators.world import World
from tests import builders
from tests.channels.stablecoin import platform
from tests.gateway.engine.rig import (
    ATTEMPTING,
    BALANCE_FEN,
    KEK,
    PAID,
    START,
    FixedEntropy,
    Rig,
    Seat,
    Witness,
    _numbers,
)
from tests.simulators.stablecoin.customer import API_KEY, TOPIC, WIRE_ID, account, config

MINT = Seat("mint-a", "stablecoin", 100)
BANK = WireAccount(WIRE_ID, "Lagos Trading Ltd")
TERMS = Terms(Currency.USD, 1, 2_000_000, (Tariff(flat_minor=MINT.flat_fen),))
CENTS = 12_345


@dataclass
class MintRig(Rig):
    """Pays dollars."""

    async def pays(self, cents: int = CENTS, payee: WireAccount = BANK) -> Payout:
        """Take a payout in and let everything happen that can happen now."""
        number = next(_numbers)
        asked = Request(
            merchant_ref=f"ref-{number}",
            amount=Money(cents, Currency.USD),
            instruments=(payee,),
            purpose="October fees",
        )
        intake = builders.intake(key=f"key-{number:012d}", body=str(number))
        taken = await accept(self.gateway, self.merchant, asked, intake, "test")
        await self.quiet()
        return await self.look(taken.payout)

    def asked(self) -> list[str]:
        """The keys of all payout requests, each as often as it was sent."""
        return self.submitted(MINT)


@asynccontextmanager
async def minting(url: str) -> AsyncIterator[MintRig]:
    """One Mint account behind a working gateway; a passed test ends with a look at the books."""
    app, rigs, witness = web.Application(), list[MintRig](), Witness()

    async def hear(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        reply = await receive(rigs[0].gateway, MINT.name, headers, await request.read())
        return web.Response(status=reply.status, body=reply.body)

    app.router.add_post("/notices", hear)
    async with TestServer(app) as server:
        section = config(
            account(
                account=MINT.name,
                balance_fen=BALANCE_FEN,
                fee={"flat_fen": MINT.flat_fen},
                notify_url=str(server.make_url("/notices")),
            )
        )
        section["sns_private_key"] = (platform.KEYS / "sns_test_only.pem").read_text()
        clock = {"mode": "virtual", "start": START}
        plan = Plan.model_validate({"seed": 1, "clock": clock, "simulators": [section]})
        async with World(plan) as world:
            made = await _gateway(url, world, witness)
            rig = MintRig(world, made, witness, (MINT,), url, builders.merchant())
            rigs.append(rig)
            try:
                await _fund(rig)
                await rig.start()
                yield rig
                await rig.stop()
                await rig.check()
            finally:
                if rig._running is not None:
                    rig._running.cancel()
                    await asyncio.gather(rig._running, return_exceptions=True)
                await rig.gateway.channels[MINT.name].aclose()
                await rig.gateway.store.aclose()


async def _gateway(url: str, world: World, witness: Witness) -> Gateway:
    store = await open_store(url, Vault(KEK), world.clock, migrate=True)
    there = world.shells["stablecoin"].url_of(MINT.name)
    settings = platform.settings(
        base_url=there, api_key=API_KEY, sns_topic_arns=[TOPIC], sns_origins=[there]
    )
    return Gateway(
        store=store,
        installation=(await store.position()).installation,
        quarantine=await store.quarantine(),
        clock=world.clock,
        entropy=FixedEntropy(),
        channels={MINT.name: build(MINT.name, settings, TERMS, world.clock.now)},
        policy=Policy("test", "test", Parameters(explore_ppm=0)),
        health=Health(),
        observer=witness,
        load=Load(),
        notify_base=None,
        limits=Limits(),
    )


async def _fund(rig: MintRig) -> None:
    store, held = rig.store, rig.held_there(MINT)
    await store.add_merchant(rig.merchant, "test")
    await store.post(funded(rig.merchant.id, Currency.USD, BALANCE_FEN), "deposit", "d", "test")
    await store.post(topped_up(MINT.name, Currency.USD, held), "float", MINT.name, "test")
    await refresh(rig.gateway)


@pytest.fixture
async def mint(url: str) -> AsyncIterator[MintRig]:
    """It works."""
    async with minting(url) as made:
        yield made


def key_of(payout: Payout) -> str:
    """What stands for the attempt's reference on the wire."""
    return idempotency_key(payout.attempts[0].reference)


async def test_a_wire_is_pending_then_paid(mint: MintRig) -> None:
    """The notice names their id alone; it is enough to ask at once."""
    payout = await mint.pays()
    assert await mint.states(payout) == [(MINT.name, "pending")]
    await mint.later(seconds=3)
    paid = await mint.look(payout)
    assert (paid.state, paid.attempts[0].fee_minor) == (PAID, 100)
    assert mint.moved() == [(MINT.name, CENTS)]
    assert mint.witness.alarmed("notice.unknown_reference") == 0


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("reset_after", {}),
        ("reset_mid", {}),
        ("garbage", {}),
        ("http_error", {"status": 502, "executed": True}),
        ("reject", {"code": "-1", "executed": True}),
        ("unknown_status", {}),
        ("reset_before", {}),
        ("reject", {"code": "-1"}),
        ("http_error", {"status": 503}),
        ("throttle", {"per_s": 0}),
    ],
)
async def test_a_lost_reply_is_asked_for_by_the_same_request_and_paid_once(
    mint: MintRig, action: str, params: dict[str, object]
) -> None:
    """Carried out or not, one key asks twice, and the money moves once."""
    mint.fault(action, MINT, params=params)
    payout = await mint.pays()
    assert await mint.states(payout) == [(MINT.name, "in_doubt")]
    await mint.pass_time(minutes=5)
    assert (await mint.look(payout)).state is PAID
    assert mint.moved() == [(MINT.name, CENTS)]
    assert mint.asked() == [key_of(payout)] * 2
    assert "resent" in await mint.kinds(payout)


async def test_payouts_alike_are_not_taken_for_each_other(mint: MintRig) -> None:
    """Same payee, same amount, one reply lost: two payouts, two payments, no third."""
    first = await mint.pays()
    mint.fault("reset_after", MINT)
    second = await mint.pays()
    mint.fault("reset_before", MINT)
    third = await mint.pays()
    await mint.pass_time(minutes=10)
    for payout in (first, second, third):
        assert (await mint.look(payout)).state is PAID
    assert mint.moved() == [(MINT.name, CENTS)] * 3
    assert sorted(set(mint.references())) == sorted(map(key_of, (first, second, third)))


async def test_a_first_reply_lost_and_a_failure_found(mint: MintRig) -> None:
    """The repetition names the id; the failed payout that it leads to is proof."""
    mint.fault("settle_fail", MINT, reason="invalid_wire_rtn")
    mint.fault("reset_after", MINT)
    payout = await mint.pays()
    await mint.pass_time(minutes=5)
    assert (await mint.look(payout)).attempts[0].certificate is not None
    assert (await mint.look(payout)).state is PayoutState.FAILED
    assert mint.moved() == []


async def test_a_refused_repetition_ends_nothing(mint: MintRig) -> None:
    """The first was paid; that the second is refused for its payee says nothing about it."""
    mint.fault("reset_after", MINT)
    payout = await mint.pays()
    mint.fault("reject", MINT, code="2", times=1)
    await mint.pass_time(minutes=2)
    assert (await mint.look(payout)).state is ATTEMPTING
    await mint.pass_time(minutes=30)
    assert (await mint.look(payout)).state is PAID
    assert mint.moved() == [(MINT.name, CENTS)]


async def test_what_is_never_taken_in_is_given_to_a_person(mint: MintRig) -> None:
    """Repeated ever more seldom, within the promise, under one key; then parked and looked at."""
    mint.fault("reset_before", MINT, times=None)
    payout = await mint.pays()
    await mint.pass_time(days=2)
    stuck = await mint.look(payout)
    assert (stuck.state, stuck.reason) == (PayoutState.PARKED, "in_doubt_too_long")
    assert set(mint.asked()) == {key_of(payout)}
    assert 5 <= len(mint.asked()) <= 15
    assert mint.moved() == []


async def test_a_conflict_under_our_own_key_is_no_refusal(mint: MintRig) -> None:
    """409: something was sent under it; that is looked into and never paid elsewhere."""
    mint.fault("reject", MINT, code="1083")
    payout = await mint.pays()
    assert await mint.states(payout) == [(MINT.name, "in_doubt")]
    await mint.pass_time(minutes=5)
    assert (await mint.look(payout)).state is PAID
    assert mint.moved() == [(MINT.name, CENTS)]


async def test_a_refused_key_fails_only_after_two_empty_looks(mint: MintRig) -> None:
    """401 is believed once the list, read twice and five minutes apart, holds nothing like it."""
    mint.fault("reject", MINT, code="401")
    payout = await mint.pays()
    assert await mint.states(payout) == [(MINT.name, "in_doubt")]
    await mint.pass_time(minutes=4)
    assert (await mint.look(payout)).attempts[0].certificate is None
    await mint.pass_time(minutes=20)
    dead = (await mint.look(payout)).attempts[0]
    assert dead.certificate is not None
    assert dead.sends == 1


async def test_a_return_is_told_and_booked(mint: MintRig) -> None:
    """A day after it was paid the bank sends it back; SNS tells, we ask, the money is back."""
    mint.fault("return_late", MINT, after="1d")
    payout = await mint.pays()
    await mint.later(seconds=3)
    assert (await mint.look(payout)).state is PAID
    await mint.later(days=1, seconds=5)
    assert (await mint.look(payout)).state is PayoutState.RETURNED
    assert mint.moved("payout", "return") == [(MINT.name, CENTS)] * 2
    assert await mint.balance(Book.IN_TRANSIT, MINT.name) == 0


async def test_other_bytes_are_never_sent_under_an_armed_key(mint: MintRig) -> None:
    """The settings change while a reply is missing: looked for, told, and not sent again."""
    mint.fault("reset_after", MINT)
    payout = await mint.pays()
    there = mint.world.shells["stablecoin"].url_of(MINT.name)
    changed = platform.settings(base_url=there, api_key=API_KEY, wire_type="cbit")
    before = mint.gateway.channels[MINT.name]
    mint.replace_channel(build(MINT.name, changed, TERMS, mint.now))
    await before.aclose()
    await mint.pass_time(hours=14)  # the first look after four hours comes by then
    stuck = await mint.look(payout)
    assert (stuck.state, stuck.attempts[0].sends) == (PayoutState.PARKED, 1)
    assert mint.asked() == [key_of(payout)]
    assert mint.moved() == [(MINT.name, CENTS)]
    assert mint.witness.alarmed("attempt.unrepeatable") >= 1
