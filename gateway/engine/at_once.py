"""Acceptance and first attempt in one commit: one wait for the disk instead of two.

The order is that of `dispatch`: signed, committed, acknowledged, sent. It is a short cut that is
taken only where nothing has to be waited for and nothing speaks against it; in every other case the
payout is taken in plainly and the worker goes on from there. That is so for nearly all while many
ask at once: their commits are shared anyway, and who waits for an answer must not wait for others'
signatures. And nothing ever stands armed in a queue while its signature grows old.
"""

import asyncio

from channels.contract import Channel, Prepared
from gateway.domain.errors import GatewayError
from gateway.domain.payout import Armed, Payout, PayoutState, Source
from gateway.engine.dispatch import attempt_of, send_within, settle, signed
from gateway.engine.gateway import Gateway, Told
from gateway.engine.instruct import instruction_of
from gateway.engine.rebuild import is_watched
from gateway.engine.record import change_of, moved
from gateway.engine.route import Route, route, segment_of
from gateway.ports import Change, Fence, FloatShortError, Intake, StaleError

OPENINGS_MAX = 8
"""So many are decided on, signed and committed at a time; each makes the others' answers later by
less than a millisecond."""

Taken = tuple[Payout, bool]
"""The payout as stored, and whether an earlier request had stored it."""


async def at_once(
    gateway: Gateway, accepted: Change, intake: Intake, floor_minor: int | None
) -> Taken | None:
    """Store the payout with its first attempt, and have that sent; or return the earlier payout.

    None: nothing was stored, it is to be taken in plainly. Raises what `PayoutStore.accept` does.
    Returns as soon as the commit is acknowledged. All of it is the payout's turn, in a task of the
    worker: a merchant that hangs up ends nothing.
    """
    payout = accepted.after
    if not _may(gateway, payout, intake):
        return None
    aim = _aimed(gateway, payout)
    if aim is None:
        return None
    opening = _Opening(gateway, accepted, intake, floor_minor, *aim)
    gateway.openings += 1
    gateway.hands.begin(Told(payout.id, opening=opening.run))
    return await opening.answer


def _may(gateway: Gateway, payout: Payout, intake: Intake) -> bool:
    """Whether the payout is free to go, is ours, and would be worked on now."""
    return (
        payout.state is PayoutState.ROUTING
        # A batch's rows wait for one another; nobody waits for their answer.
        and intake.row is None
        and payout.worker == gateway.store.worker
        and gateway.stopped() is None
        and not is_watched(gateway, payout)
        and gateway.openings < OPENINGS_MAX
        and gateway.hands.is_free_for(payout.id)
    )


def _aimed(gateway: Gateway, payout: Payout) -> tuple[Channel, Route] | None:
    """The channel to send through, with a turn on it taken; None where that is not plain.

    One that probes whether a channel has recovered is not: no payout takes the probe from others
    before it is stored. A defect shows itself again in the worker's turn, which tells it.
    """
    try:
        chosen = route(gateway, payout, gateway.clock.now())
    except Exception:  # noqa: BLE001 - see above: a payout is taken in whatever routing makes of it
        return None
    candidate = chosen.decision.chosen
    if candidate is None or candidate.probing or not gateway.throttle.take(candidate.channel):
        return None
    return gateway.channels[candidate.channel], chosen


class _Opening:
    """How a payout's turn begins: signed, stored, answered, sent."""

    def __init__(
        self,
        gateway: Gateway,
        accepted: Change,
        intake: Intake,
        floor_minor: int | None,
        channel: Channel,
        chosen: Route,
    ) -> None:
        """Nothing has happened yet but the decision."""
        self.answer: asyncio.Future[Taken | None] = asyncio.get_running_loop().create_future()
        """What the merchant is told: as `at_once` says."""
        self._gateway = gateway
        self._accepted = accepted
        self._intake = intake
        self._floor_minor = floor_minor
        self._channel = channel
        self._chosen = chosen

    async def run(self) -> Payout | None:
        """The payout as the send has left it; None where its turn has nothing more to do."""
        gateway, channel = self._gateway, self._channel
        with gateway.load.sends(channel.name):
            armed = None
            try:
                armed = await self._commit()
            except Exception as error:
                if not self.answer.done():
                    self.answer.set_exception(error)
                elif not (self.answer.cancelled() and isinstance(error, GatewayError)):
                    # No merchant hears of it any more: the worker does, as in any other turn.
                    raise
            except BaseException:
                self.answer.cancel()
                raise
            finally:
                gateway.openings -= 1
            if armed is None:
                gateway.throttle.give_back(channel.name)
                return None
            payout, prepared, fence = armed
            # The merchant's answer goes out before the request to the channel is written.
            await asyncio.sleep(0)
            if gateway.halted is not None:
                return payout
            told = prepared.instruction
            segment = segment_of(told.instrument, told.amount)
            gateway.health.started(channel.name, segment, gateway.clock.now())
            outcome = await send_within(gateway, fence, channel, prepared)
        return await settle(gateway, payout, 1, outcome, Source.SEND)

    async def _commit(self) -> tuple[Payout, Prepared, Fence] | None:
        """Store and answer; None when nothing is to be sent.

        Refused is only the arm: by a kill, by another replica that took the float, by a worker that
        is detached. Then the payout is taken in without it.
        """
        gateway, channel = self._gateway, self._channel
        ready = await self._signed()
        if ready is None:
            self._tell(None)
            return None
        prepared, arming = ready
        fence = gateway.store.fence()
        try:
            stored = await gateway.store.accept(
                self._accepted, self._intake, self._floor_minor, arming
            )
        except FloatShortError:
            gateway.load.float_minor[channel.name] = 0
            self._tell(None)
            return None
        except StaleError:
            self._tell(None)
            return None
        # Not by its id: asked for twice in the same millisecond, it is the same.
        repeated = stored is not arming.after
        self._tell((stored, repeated))
        if repeated:
            return None
        gateway.observer.moved(self._accepted)
        moved(gateway, arming)
        return stored, prepared, fence

    async def _signed(self) -> tuple[Prepared, Change] | None:
        """The request, and the move that arms it; None when it is not to be sent now."""
        gateway, channel, chosen = self._gateway, self._channel, self._chosen
        payout, candidate = self._accepted.after, self._chosen.decision.order[0]
        try:
            told = instruction_of(
                gateway, payout.id, payout, channel=channel.name, instrument=candidate.instrument
            )
            now = gateway.clock.now()
            prepared = await signed(gateway, channel, told, now)
        except Exception:  # noqa: BLE001 - as when aiming: it is told by the worker's turn
            return None
        if gateway.stopped() is not None or gateway.load.is_killed(channel.name):
            return None
        attempt = attempt_of(payout, channel, chosen, prepared, now)
        arming = change_of(
            gateway,
            payout,
            [Armed(attempt)],
            actor="gateway",
            decision=chosen.decision_json,
            due_at=now + gateway.limits.send_grace,
        )
        return prepared, arming

    def _tell(self, taken: Taken | None) -> None:
        """Answer, unless nobody waits any more."""
        if not self.answer.done():
            self.answer.set_result(taken)
