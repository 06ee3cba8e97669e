"""Wrong rules, to show that the simulation has teeth: each is found within a few hundred seeds.

They replace one rule of the engine for as long as the context lasts, and never touch its files.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from channels.contract import Absent, Reason, Rejected, Unknown
from channels.contract import Instruction as _Instruction
from gateway.domain import certify
from gateway.domain.payout import Armed, Source
from gateway.engine import dispatch, inquire
from gateway.engine.accept import instruction_of
from gateway.engine.record import move as real_move
from gateway.store.queries import Queries, Query
from tests.proof.simulation import server
from tests.proof.simulation.plan import Plan, plan_of
from tests.proof.simulation.run import run_plan

Patch = tuple[object, str, Any]


def _timeout_is_rejected() -> list[Patch]:
    def judged(payout: Any, attempt: Any, outcome: Any, source: Any, *rest: Any) -> Any:
        if isinstance(outcome, Unknown) and source is Source.SEND:
            outcome = Rejected(Reason.RAIL_DOWN, "timeout")
        return certify.events_of(payout, attempt, outcome, source, *rest)

    return [(dispatch, "events_of", judged)]


def _absence_is_death() -> list[Patch]:
    def judged(payout: Any, attempt: Any, outcome: Any, source: Any, *rest: Any) -> Any:
        if isinstance(outcome, Absent):
            outcome = Rejected(Reason.RAIL_DOWN, "absent")
        return certify.events_of(payout, attempt, outcome, source, *rest)

    return [(dispatch, "events_of", judged)]


def _resend_rejected_is_death() -> list[Patch]:
    def judged(payout: Any, attempt: Any, outcome: Any, source: Any, *rest: Any) -> Any:
        return certify.events_of(payout, replace(attempt, sends=1), outcome, source, *rest)

    return [(dispatch, "events_of", judged)]


def _send_before_commit() -> list[Patch]:
    real_send = dispatch.send
    early: dict[str, Any] = {}

    async def move(gateway: Any, payout: Any, events: Any, **more: Any) -> Any:
        for event in events:
            if isinstance(event, Armed):
                channel = gateway.channels[event.attempt.channel]
                told = instruction_of(
                    gateway,
                    payout.id,
                    payout,
                    channel=channel.name,
                    instrument=event.attempt.instrument,
                    number=event.attempt.number,
                )
                prepared = channel.prepare(told, event.attempt.signed_at)
                early[prepared.digest] = await real_send(gateway, channel, prepared)
        return await real_move(gateway, payout, events, **more)

    async def send(gateway: Any, channel: Any, prepared: Any) -> Any:
        if prepared.digest in early:
            return early.pop(prepared.digest)
        return await real_send(gateway, channel, prepared)

    return [(dispatch, "move", move), (dispatch, "send", send)]


def _post_is_retried() -> list[Patch]:
    real = dispatch.send

    async def send(gateway: Any, channel: Any, prepared: Any) -> Any:
        outcome = await real(gateway, channel, prepared)
        return await real(gateway, channel, prepared) if isinstance(outcome, Unknown) else outcome

    return [(dispatch, "send", send), (inquire, "resend", dispatch.resend)]


def _new_reference_on_resend() -> list[Patch]:
    real = instruction_of

    def told(*given: Any, number: int = 1, **more: Any) -> _Instruction:
        return real(*given, number=number, **more)

    async def resend(gateway: Any, payout: Any, attempt: Any) -> Any:
        def renamed(*given: Any, number: int = 1, **more: Any) -> _Instruction:
            return told(*given, number=number + 1000 * attempt.sends, **more)

        with mock.patch.object(dispatch, "instruction_of", renamed):
            # Only until the request is built; another payout built meanwhile errs just as much.
            return await dispatch.resend(gateway, payout, attempt)

    return [(inquire, "resend", resend)]


def _no_version_guard() -> list[Patch]:
    queries = Queries("sqlite")
    query: Query = queries["update_payout"]
    text = query.text.replace("AND version = :before_version", "AND :before_version > 0")
    if text == query.text:
        raise AssertionError("the version guard is no longer where it was")
    queries._queries["update_payout"] = replace(query, text=text, _variants={})
    # A store without the guard would not have the unique event numbers that come from it either.
    event = queries["insert_event"]
    ignoring = event.text.replace("INSERT INTO events", "INSERT OR IGNORE INTO events")
    queries._queries["insert_event"] = replace(event, text=ignoring, _variants={})
    return [(server, "QUERIES", queries)]


WRONG: Mapping[str, Callable[[], list[Patch]]] = {
    "a timeout is taken for a refusal": _timeout_is_rejected,
    "not found is taken for dead": _absence_is_death,
    "a refused resend is taken for the fate of the first send": _resend_rejected_is_death,
    "sent before the commit": _send_before_commit,
    "the POST is retried": _post_is_retried,
    "a resend gets a new reference": _new_reference_on_resend,
    "no version guard": _no_version_guard,
}


FOCUS: Mapping[str, Mapping[str, float]] = {
    "a refused resend is taken for the fate of the first send": {
        "request_late": 0.5,
        "request_lost": 0.1,
        "refused_definite": 0.35,
    },
}
"""Faults for rules that only a rare meeting of faults shows: then these, and no others, are on."""


@contextmanager
def in_force(name: str) -> Iterator[None]:
    """Let a wrong rule hold for a while."""
    with ExitStack() as stack:
        for holder, attribute, value in WRONG[name]():
            stack.enter_context(mock.patch.object(holder, attribute, value))
        yield


def plan_for(name: str, seed: int) -> Plan:
    """What a seed means when it looks for this wrong rule."""
    plan = plan_of(seed)
    return replace(plan, faults=FOCUS[name]) if name in FOCUS else plan


def found_by(name: str, seeds: Iterable[int]) -> tuple[int, str] | None:
    """The first seed that finds a wrong rule, and what it broke; None when none of them does."""
    with in_force(name):
        for seed in seeds:
            first = run_plan(plan_for(name, seed)).first
            if first is not None:
                return seed, str(first)
    return None
