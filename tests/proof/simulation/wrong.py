"""Wrong rules, to show that the simulation has teeth: each is found within a few hundred seeds.

They replace one rule of the engine for as long as the context lasts, and never touch its files.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any
from unittest import mock

from msgspec.structs import replace

from channels.contract import Absent, Instruction, Reason, Rejected, Unknown
from gateway.domain import certify, silence
from gateway.domain.payout import Armed, Source
from gateway.engine import at_once, deliver, dispatch, inquire, operate, propose, quarantine
from gateway.engine.instruct import instruction_of
from gateway.engine.record import move as real_move
from gateway.store.queries import Queries, Query
from tests.proof.simulation import server
from tests.proof.simulation.plan import Plan, plan_of
from tests.proof.simulation.run import run_plan

Patch = tuple[object, str, Any]


def _timeout_is_rejected() -> list[Patch]:
    def judged(payout: Any, attempt: Any, outcome: Any, source: Any, *more: Any) -> Any:
        if isinstance(outcome, Unknown) and source is Source.SEND:
            outcome = Rejected(Reason.RAIL_DOWN, "timeout")
        return certify.events_of(payout, attempt, outcome, source, *more)

    return [(dispatch, "events_of", judged)]


def _absence_is_death() -> list[Patch]:
    def judged(payout: Any, attempt: Any, outcome: Any, source: Any, *more: Any) -> Any:
        if isinstance(outcome, Absent):
            outcome = Rejected(Reason.RAIL_DOWN, "absent")
        return certify.events_of(payout, attempt, outcome, source, *more)

    return [(dispatch, "events_of", judged)]


def _resend_rejected_is_death() -> list[Patch]:
    def judged(payout: Any, attempt: Any, outcome: Any, source: Any, *more: Any) -> Any:
        return certify.events_of(payout, replace(attempt, sends=1), outcome, source, *more)

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


def _send_before_acceptance() -> list[Patch]:
    real, real_send = at_once._Opening._signed, dispatch.send
    early: dict[str, Any] = {}

    async def signed(opening: Any) -> Any:
        ready = await real(opening)
        if ready is not None:
            prepared = ready[0]
            early[prepared.digest] = await real_send(opening._gateway, opening._channel, prepared)
        return ready

    async def send(gateway: Any, channel: Any, prepared: Any) -> Any:
        if prepared.digest in early:
            return early.pop(prepared.digest)
        return await real_send(gateway, channel, prepared)

    return [(at_once._Opening, "_signed", signed), (dispatch, "send", send)]


def _post_is_retried() -> list[Patch]:
    real = dispatch.send

    async def send(gateway: Any, channel: Any, prepared: Any) -> Any:
        outcome = await real(gateway, channel, prepared)
        return await real(gateway, channel, prepared) if isinstance(outcome, Unknown) else outcome

    return [(dispatch, "send", send), (inquire, "resend", dispatch.resend)]


def _new_reference_on_resend() -> list[Patch]:
    def renamed(value: Any, /, **changes: Any) -> Any:
        changed = replace(value, **changes)
        if not isinstance(value, Instruction):
            return changed
        return replace(changed, reference=changed.reference[:-1] + "Z")

    return [(dispatch, "replace", renamed)]


def _no_version_guard() -> list[Patch]:
    queries = Queries("sqlite")
    query: Query = queries["update_payout"]
    text = query.text.replace("AND version = :before_version", "AND :before_version > 0")
    if text == query.text:
        raise AssertionError("the version guard is no longer where it was")
    queries._queries["update_payout"] = dataclasses.replace(query, text=text, _variants={})
    # A store without the guard would not have the unique event numbers that come from it either.
    event = queries["insert_event"]
    ignoring = event.text.replace("INSERT INTO events", "INSERT OR IGNORE INTO events")
    queries._queries["insert_event"] = dataclasses.replace(event, text=ignoring, _variants={})
    return [(server, "QUERIES", queries)]


def _freeze_is_ignored() -> list[Patch]:
    async def nothing(_gateway: Any, _payout: Any) -> None:
        return None

    async def as_said(_gateway: Any, _payout: Any, _attempt: Any, events: Any) -> Any:
        return events

    return [(dispatch, "held_back_by", nothing), (dispatch, "_unfrozen", as_said)]


def _silence_counts_at_once() -> list[Patch]:
    def wait_of(profile: Any) -> timedelta | None:
        return None if profile.acceptance_window_s is None else timedelta(seconds=3)

    return [(silence, "wait_of", wait_of)]


def _delivered_before_it_is() -> list[Patch]:
    real = deliver.Courier._ask

    async def ask(courier: Any, endpoint: Any, delivery: Any) -> Any:
        answer = await real(courier, endpoint, delivery)
        return deliver.Answer(204) if answer.status is None else answer

    return [(deliver.Courier, "_ask", ask)]


def _restore_goes_unnoticed() -> list[Patch]:
    async def check(gateway: Any, _mark: Any) -> Any:
        return await gateway.store.position()

    return [(quarantine, "check_position", check)]


def _one_person_is_two() -> list[Patch]:
    def different(_one: str, _other: str) -> bool:
        return False

    return [(propose, "same_person", different), (operate, "same_person", different)]


WRONG: Mapping[str, Callable[[], list[Patch]]] = {
    "a timeout is taken for a refusal": _timeout_is_rejected,
    "not found is taken for dead": _absence_is_death,
    "a refused resend is taken for the fate of the first send": _resend_rejected_is_death,
    "sent before the commit": _send_before_commit,
    "sent before the acceptance that arms it": _send_before_acceptance,
    "the POST is retried": _post_is_retried,
    "a resend gets a new reference": _new_reference_on_resend,
    "no version guard": _no_version_guard,
    "a frozen channel's word still counts": _freeze_is_ignored,
    "a webhook without an answer counts as delivered": _delivered_before_it_is,
    "silence counts at once": _silence_counts_at_once,
    "a restored database goes on as if nothing were": _restore_goes_unnoticed,
    "one person may be two": _one_person_is_two,
}


FOCUS: Mapping[str, Mapping[str, float]] = {
    "a refused resend is taken for the fate of the first send": {
        "request_late": 0.5,
        "request_lost": 0.1,
        "refused_definite": 0.35,
    },
    "a frozen channel's word still counts": {"lie_rejected": 0.3, "refused_definite": 0.3},
    "a webhook without an answer counts as delivered": {"hook_lost": 0.3},
    "silence counts at once": {"request_late": 0.5, "settle_late": 0.4, "notice_lost": 0.8},
    "a restored database goes on as if nothing were": {"restore": 1, "refused_definite": 0.3},
    "one person may be two": {
        "certify": 12,
        "certify_alone": 0.9,
        "settle_fail": 0.6,
        "settle_late": 0.2,
        "notice_lost": 0.8,
        "not_found": 0.4,
    },
}
"""Faults for rules that only a rare meeting of faults shows: then these, and no others, are on."""


LONG_S = 5400.0
"""Such a meeting may take its time."""


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
    if name not in FOCUS:
        return plan
    stretch = LONG_S / plan.disturbed_s
    return dataclasses.replace(
        plan,
        faults=FOCUS[name],
        disturbed_s=LONG_S,
        seats=tuple(dataclasses.replace(seat, is_strict="silence" in name) for seat in plan.seats),
        wishes=tuple(dataclasses.replace(wish, at=wish.at * stretch) for wish in plan.wishes),
    )


def found_by(name: str, seeds: Iterable[int]) -> tuple[int, str] | None:
    """The first seed that finds a wrong rule, and what it broke; None when none of them does.

    A defect is no finding: a replacement that no longer fits the engine fails, too.
    """
    with in_force(name):
        for seed in seeds:
            for broken in run_plan(plan_for(name, seed)).violations:
                if broken.rule != "defect":
                    return seed, str(broken)
    return None
