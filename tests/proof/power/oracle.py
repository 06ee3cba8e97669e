"""Reads every fact out of a store, and checks what must hold of any database whatever happened."""

from gateway.domain.payout import Payout, PayoutId
from gateway.ports import Search
from gateway.store import SqlStore
from tests.proof.power.facts import Facts
from tests.proof.power.stepped import SteppedDatabase

_ALL = 100_000


async def facts_of(store: SqlStore, database: SteppedDatabase) -> Facts:
    """All that the journal speaks of, through the store where it can be asked, else by rows."""
    facts: Facts = {}
    for payout in reversed(await store.search(Search(None, limit=_ALL))):
        facts["payout", payout.id] = payout
    for event in await store.feed(None, 0, _ALL):
        facts["event", event.payout_id, event.seq] = (
            event.kind,
            event.state,
            event.at,
            event.actor,
            event.detail,
        )
    for balance in await store.balances():
        if balance.minor:
            account = balance.account
            facts["balance", account.book, account.owner, account.currency] = balance.minor
    for merchant in await store.merchants():
        facts["merchant", merchant.id] = merchant
        for endpoint in await store.endpoints(merchant.id):
            facts["endpoint", endpoint.id] = endpoint
        for delivery in await store.deliveries(merchant.id, None, _ALL):
            facts["delivery", delivery.id] = (
                delivery.endpoint_id,
                delivery.payout_id,
                delivery.seq,
                delivery.payload,
                delivery.state,
                delivery.tries,
                delivery.due_at,
                delivery.last_status,
                delivery.last_error,
            )
    for notice in await store.notices(_ALL):
        facts["notice", notice.id] = (notice.channel, dict(notice.headers), notice.body)
    for channel, status in (await store.channel_statuses()).items():
        facts["status", channel] = status
    for found in await store.breaks():
        facts["break", found.channel, found.reference or ""] = found
    await _rows(facts, store, database)
    return facts


async def _rows(facts: Facts, store: SqlStore, database: SteppedDatabase) -> None:
    for posting, leg, *entry in database.rows(
        "SELECT posting, leg, book, owner, currency, side, amount_minor FROM entries"
    ):
        facts["entry", str(posting), _int(leg)] = tuple(entry)
    for payout_id, key, fingerprint in database.rows(
        "SELECT id, idempotency_key, fingerprint FROM payouts"
    ):
        facts["intake", str(payout_id)] = (key, fingerprint)
    for payout_id, decision in database.rows(
        "SELECT payout_id, decision FROM decisions ORDER BY id"
    ):
        earlier = facts.get(("decisions", str(payout_id)), ())
        facts["decisions", str(payout_id)] = (*_tuple(earlier), decision)
    for (payout_id,) in database.rows("SELECT DISTINCT payout_id FROM evidence"):
        for seq, evidence in await store.evidence(PayoutId(str(payout_id))):
            facts["evidence", str(payout_id), seq] = evidence
    for notice, verdict in database.rows(
        "SELECT id, verdict FROM notices WHERE verdict IS NOT NULL"
    ):
        facts["notice", _int(notice)] = verdict
    for key, nonce in database.rows("SELECT key_id, nonce FROM nonces"):
        facts["nonce", str(key), str(nonce)] = True
    for key, memo, actor in database.rows("SELECT key, memo, actor FROM operator_postings"):
        facts["posting", str(key)] = (memo, actor)
    for channel, day in database.rows("SELECT channel, day_on FROM statement_days"):
        facts["day", str(channel), str(day)] = True
    for channel, line_ref, *line in database.rows(
        "SELECT channel, line_ref, day_on, reference, amount_minor FROM statement_lines"
    ):
        facts["line", str(channel), str(line_ref)] = tuple(line)
    ((audited,),) = database.rows("SELECT COUNT(*) FROM audit")
    if audited:
        facts["audited",] = audited


async def wrongs_of(store: SqlStore, database: SteppedDatabase, facts: Facts) -> list[str]:
    """What no crash may ever leave, said in sentences; empty when all is well."""
    wrong = [str(row[0]) for row in database.rows("PRAGMA integrity_check") if row[0] != "ok"]
    wrong += [f"foreign key: {row}" for row in database.rows("PRAGMA foreign_key_check")]
    wrong += await store.audit()
    events: dict[str, int] = {}
    for key in facts:
        if key[0] == "event":
            events[str(key[1])] = events.get(str(key[1]), 0) + 1
    for value in facts.values():
        if isinstance(value, Payout) and events.pop(value.id, 0) != value.version:
            wrong.append(f"{value.id} is at version {value.version}, its events are not")
    wrong += [f"{payout} has events and no row" for payout in events]
    return wrong


def references(facts: Facts) -> set[tuple[str, str]]:
    """Channel and reference of every attempt in the image."""
    return {
        (attempt.channel, attempt.reference)
        for value in facts.values()
        if isinstance(value, Payout)
        for attempt in value.attempts
    }


def difference(expected: Facts, found: Facts, limit: int = 6) -> list[str]:
    """The first facts that differ, in words."""
    lines = []
    for key in sorted({*expected, *found}, key=str):
        if expected.get(key) == found.get(key):
            continue
        name = " ".join(map(str, key))
        if key not in found:
            lines.append(f"{name}: missing")
        elif key not in expected:
            lines.append(f"{name}: should not be there")
        else:
            lines.append(f"{name}: {_short(found[key])}, not {_short(expected[key])}")
    more = len(lines) - limit
    return lines[:limit] + ([f"and {more} more"] if more > 0 else [])


def _short(value: object) -> str:
    if isinstance(value, Payout):
        states = ", ".join(attempt.state for attempt in value.attempts)
        return f"{value.state} at version {value.version} [{states}]"
    return repr(value)[:120]


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is not a number")
    return value


def _tuple(value: object) -> tuple[object, ...]:
    if not isinstance(value, tuple):
        raise TypeError(f"{value!r} is not a tuple")
    return value
