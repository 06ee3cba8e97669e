"""Merchants and operators: they ask, repeat themselves, cancel, release, pause, certify, top up.

A merchant that got no answer asks again with the same key until it has one. What it was told is
kept here, because what was acknowledged must exist for ever.
"""

import asyncio
from datetime import timedelta
from typing import Any

from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    BankCard,
    Instrument,
    Reason,
    WechatWallet,
)
from channels.money import Currency, Money
from gateway.domain.errors import ConflictError, GatewayError
from gateway.domain.incident import FROZEN
from gateway.domain.merchant_fee import MerchantFee
from gateway.domain.payout import TAIL, MerchantId
from gateway.engine import incidents, operate, propose, quarantine
from gateway.engine.accept import Acceptance, Request, accept
from gateway.ports import Endpoint, Funding, Intake, Merchant
from gateway.store.codec import micros
from policies.fees import Fee
from tests.proof.simulation.plan import Wish
from tests.proof.simulation.world import CALL_PATIENCE_S, World

MERCHANT_ID = MerchantId("m_sim")
REVIEW_ABOVE_FEN = 190_000
DEAD_WORDS = frozenset({"FAIL", "CANCELLED"})
REJECTS = 0.2
"""How often a checker says no."""
LOOKED_INTO = timedelta(minutes=20)
"""How long an incident is open before somebody has looked into it."""
DEPOSIT_FEN = 100_000_000
TOPUP_FEN = 30_000_000


def merchant_of(world: World) -> Merchant:
    """The one merchant."""
    return Merchant(
        id=MERCHANT_ID,
        name="Simulated",
        funding=Funding.PREFUNDED,
        credit_limit_minor=0,
        fee=MerchantFee(Fee(flat_minor=30)),
        release_delay_s=0,
        review_above_minor=REVIEW_ABOVE_FEN,
        created_at=world.now(),
    )


class People:
    """Everybody outside the machines."""

    def __init__(self, world: World) -> None:
        """They know nothing yet."""
        self.world = world
        self.merchant = merchant_of(world)
        self.endpoint = Endpoint(
            "we_sim", MERCHANT_ID, "https://sink.test", ("whsec_c2lt",), (), True, world.now()
        )
        self.told: dict[int, str] = {}
        """Payout's number → the id its merchant was told."""
        self.refused: dict[int, str] = {}
        for wish in world.plan.wishes:
            for payee in payees(wish):
                world.bank.payout_of[payee] = wish.number

    # --- Merchants ---

    async def want(self, wish: Wish) -> None:
        """See one payout through to an answer, as an impatient merchant does."""
        world = self.world
        await asyncio.sleep(wish.at)
        asked = self._request(wish)
        twins = [self._ask(wish, asked)]
        if self._draws("same_key", wish):
            twins += [self._ask(wish, asked), self._later(wish, asked)]
        if self._draws("other_body", wish):
            twins.append(self._ask_differently(wish))
        if self._draws("cancel", wish):
            twins.append(self._cancel(wish))
        if len(twins) == 1:
            await twins[0]
            return
        tasks = [world.loop.create_task(one) for one in twins]
        await asyncio.wait(tasks)
        for task in tasks:
            task.result()

    async def _ask(self, wish: Wish, asked: Request) -> None:
        world, tries = self.world, 0
        intake = Intake(wish.key, b"body" * 8)
        while True:
            tries += 1
            answer = await self._call(lambda gw: accept(gw, self.merchant, asked, intake, "api"))
            if isinstance(answer, Acceptance):
                self._heard(wish, str(answer.payout.id))
                return
            if isinstance(answer, GatewayError):
                world.story.tell("merchant", wish.number, f"refused: {answer.code}")
                self.refused[wish.number] = answer.code
                return
            world.story.tell("merchant", wish.number, f"no answer: {type(answer).__name__}")
            await asyncio.sleep(min(0.5 * 2**tries, 60.0))

    def _heard(self, wish: Wish, payout_id: str) -> None:
        known = self.told.setdefault(wish.number, payout_id)
        self.world.story.tell("merchant", wish.number, f"acknowledged as {payout_id}")
        if self.world.plan.restores and known[-TAIL:] == payout_id[-TAIL:]:
            # What a restore has forgotten comes back under the same references, not the same id.
            known = self.told[wish.number] = payout_id
        if known != payout_id:
            self.world.broken("I5", wish.number, "one key was given two payouts")
        if self.world.number_of(payout_id) != wish.number:
            self.world.broken("lost", wish.number, f"{payout_id} is acknowledged and not there")

    async def _later(self, wish: Wish, asked: Request) -> None:
        await asyncio.sleep(self.world.dice.unit(f"again/{wish.number}") * 7200)
        await self._ask(wish, asked)

    async def _ask_differently(self, wish: Wish) -> None:
        await self._known(wish)
        if wish.number not in self.told:
            return
        asked = self._request(wish, fen=wish.fen + 1)
        intake = Intake(wish.key, b"diff" * 8)
        answer = await self._call(lambda gw: accept(gw, self.merchant, asked, intake, "api"))
        self.world.story.fault("other_body", "merchant", wish.number, type(answer).__name__)
        if isinstance(answer, Acceptance):
            self.world.broken("I5", wish.number, "a key was taken again with another body")

    async def _cancel(self, wish: Wish) -> None:
        dice = self.world.dice
        await self._known(wish)
        payout_id = self.told.get(wish.number)
        if payout_id is None:
            return
        await asyncio.sleep(dice.unit(f"cancel/when/{wish.number}") ** 4 * 600)
        whose = MERCHANT_ID if dice.unit(f"cancel/who/{wish.number}") < 0.7 else None
        answer = await self._call(lambda gw: operate.cancel(gw, payout_id, whose, "somebody"))
        self.world.story.fault("cancel", "merchant", wish.number, _named(answer))

    async def _known(self, wish: Wish) -> None:
        while wish.number not in self.told and wish.number not in self.refused:  # noqa: ASYNC110 - it polls
            await asyncio.sleep(5)

    def _draws(self, kind: str, wish: Wish) -> bool:
        rate = self.world.plan.rate(kind)
        hit = bool(rate) and self.world.dice.unit(f"{kind}/{wish.number}") < rate
        if hit and kind == "same_key":
            self.world.story.fault(kind, "merchant", wish.number)
        return hit

    def _request(self, wish: Wish, fen: int | None = None) -> Request:
        start = self.world.plan.start + timedelta(seconds=wish.at)
        after = (
            None if s is None else start + timedelta(seconds=s)
            for s in (wish.release_after, wish.deadline_after)
        )
        release_at, deadline_at = after
        return Request(
            merchant_ref=f"ref-{wish.number}",
            amount=Money(wish.fen if fen is None else fen, Currency.CNY),
            instruments=instruments(wish),
            purpose="佣金",
            release_at=release_at,
            deadline_at=deadline_at,
        )

    async def _call(self, use: Any) -> Any:
        serving = self.world.serving()
        if not serving:
            return ConnectionRefusedError()
        chosen = serving[int(self.world.dice.next("door") * len(serving))]
        return await self.world.call(chosen, use, CALL_PATIENCE_S)

    # --- Operators ---

    async def watch(self) -> None:
        """Operators look every ten minutes: release what is held, certify what the bank proves."""
        world = self.world
        while True:
            every_s = 600 if world.is_disturbed else 6 * 3600
            await asyncio.sleep(every_s * (0.5 + world.dice.next("watch")))
            await self.release_held()
            await self._look_into_incidents()
            rate = world.plan.rate("certify")
            if world.is_disturbed and world.dice.next("certify") < rate / 6:
                await self._certify()

    async def release_held(self) -> None:
        """Let go what a review held; what a channel contradicts stays with people."""
        rows = self.world.server.ask("SELECT id, reason FROM payouts WHERE state = 'held'")
        for payout_id, reason in rows:
            if not str(reason).startswith(("contradiction", FROZEN)):
                await self._call(lambda gw, one=payout_id: operate.release(gw, one, None, "ops"))

    async def _certify(self) -> None:
        """Two people declare a death, but only one that the institution itself confirms."""
        world = self.world
        rows = world.server.ask(
            "SELECT payout_id, channel, reference FROM attempts "
            "WHERE state IN ('in_doubt', 'pending') ORDER BY reference"
        )
        kinds = {seat.name: seat.kind for seat in world.plan.seats}
        for payout_id, channel, reference in rows:
            word = world.institution(kinds[channel]).status_of(channel, reference)
            if word in DEAD_WORDS:
                await self._two_people(payout_id, world.number_of(payout_id))

    async def _two_people(self, payout_id: str, number: int) -> None:
        """A maker proposes; a checker decides a while later on what was proposed, and no more."""
        world = self.world
        proposed = await self._call(
            lambda gw: propose.propose(
                gw,
                payout_id,
                reason=Reason.RAIL_DOWN,
                evidence="the bank's letter",
                evidence_sha256=None,
                actor="key-of-wang",
                person="Wang",
            )
        )
        world.story.fault("certify", "people", number, f"proposed: {_named(proposed)}")
        alone = world.dice.next("alone") < world.plan.rate("certify_alone")
        who = "ｗａｎｇ " if alone else "Zhao"
        await asyncio.sleep(900 * world.dice.next("checker") ** 3)
        if not alone and world.dice.next("rejects") < REJECTS:
            answer = await self._call(
                lambda gw: propose.reject(gw, payout_id, note="?", actor="key-of-zhao", person=who)
            )
            world.story.tell("people", number, f"rejected: {_named(answer)}")
            return
        answer = await self._call(
            lambda gw: propose.approve(gw, payout_id, actor="another-key", person=who)
        )
        world.story.tell("people", number, f"approved by {who}: {_named(answer)}")
        if alone:
            world.story.fault("certify_alone", "people", number, _named(answer))
            if not isinstance(answer, Exception):
                world.broken("I20", number, "one person certified a death with two keys")

    async def _look_into_incidents(self) -> None:
        """Release what has been open for a while; what it contradicts stays with people."""
        world = self.world
        patience = micros(world.now() - LOOKED_INTO)
        rows = world.server.ask(
            "SELECT id FROM incidents WHERE released_at IS NULL AND opened_at < ? ORDER BY id",
            (patience,),
        )
        for (incident_id,) in rows:
            answer = await self._call(
                lambda gw, one=incident_id: incidents.release(gw, one, "looked into", "ops")
            )
            world.story.tell("people", 0, f"incident {incident_id} released: {_named(answer)}")

    async def pause_channels(self) -> None:
        """Now and then an operator takes a channel out for a while."""
        world = self.world
        rate = world.plan.rate("channel_paused")
        while rate:
            await asyncio.sleep(3600 / rate * (0.2 + world.dice.next("pausing")))
            if not world.is_disturbed:
                return
            seat = world.plan.seats[int(world.dice.next("which") * len(world.plan.seats))]
            world.story.fault("channel_paused", seat.name, 0)
            await self._switch(seat.name, "paused")
            await asyncio.sleep(900 * world.dice.next("paused"))
            await self._switch(seat.name, "active")

    async def ask_again(self) -> None:
        """After a restore merchants miss what they were told, and ask for it again."""
        world = self.world
        known = {str(row[0]) for row in world.server.ask("SELECT id FROM payouts")}
        for wish in world.plan.wishes:
            if wish.number in self.told and self.told[wish.number] not in known:
                world.story.tell("merchant", wish.number, "misses it and asks again")
                await self._ask(wish, self._request(wish))

    async def vouch(self) -> None:
        """Two people vouch for every channel, so that a quarantine need not last until morning."""
        world = self.world
        await asyncio.sleep(900 + 2700 * world.dice.unit("vouch"))
        for seat in world.plan.seats:
            for who in ("Wang", "Zhao"):
                answer = await self._call(
                    lambda gw, name=seat.name, who=who: quarantine.release(gw, name, "asked", who)
                )
                world.story.tell("people", 0, f"{who} vouches for {seat.name}: {_named(answer)}")

    async def make_good(self) -> None:
        """After the disturbances: channels on, floats full, nothing missed."""
        world = self.world
        if world.plan.restores:
            await self.ask_again()
            world.loop.create_task(self.vouch())
        for seat in world.plan.seats:
            await self._until_done(
                lambda gw, name=seat.name: operate.switch_channel(gw, name, "active", "over", "ops")
            )
            world.institution(seat.kind).topup(seat.name, TOPUP_FEN)
            await self._until_done(
                lambda gw, name=seat.name: operate.top_up(
                    gw, name, Currency.CNY, TOPUP_FEN, f"late-{name}", "ops"
                )
            )
        world.rouse()

    async def _switch(self, name: str, status: Any) -> None:
        await self._until_done(
            lambda gw: operate.switch_channel(gw, name, status, "maintenance", "ops")
        )

    async def _until_done(self, use: Any) -> None:
        while isinstance(await self._call(use), Exception):  # noqa: ASYNC110 - no event to wait for
            await asyncio.sleep(2)


def instruments(wish: Wish) -> tuple[Instrument, ...]:
    """Where the money may go; every payee belongs to this payout alone."""
    made: dict[str, Instrument] = {
        "alipay": AlipayAccount(f"p{wish.number}@payee.test", AlipayIdentity.LOGON_ID, "收款人"),
        "card": BankCard(f"62220202{wish.number:011d}", "收款人", "ICBC", "中国工商银行"),
        "wechat": WechatWallet(f"oPayee{wish.number}", None, "收款人"),
    }
    return tuple(made[rail] for rail in wish.rails)


def payees(wish: Wish) -> tuple[str, ...]:
    """The same as the bank names them."""
    return tuple(
        str(
            getattr(one, "identity", None)
            or getattr(one, "number", None)
            or getattr(one, "openid", "")
        )
        for one in instruments(wish)
    )


def _named(answer: object) -> str:
    if isinstance(answer, ConflictError):
        return answer.code
    return type(answer).__name__ if isinstance(answer, Exception) else "done"
