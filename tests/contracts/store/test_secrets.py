"""Nothing that names a payee or lets anyone act for a merchant lies readable in the database."""

import sqlite3
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from channels.contract import Evidence
from gateway.domain.payout import Payout
from gateway.store import SealError, SqlStore
from gateway.store.codec import payee_of
from tests import builders as build
from tests.contracts.store.conftest import KEK, OTHER_KEK, Backend, Fund

CANARIES = {
    "card number": "6222099988887777666",
    "card holder": "金丝雀甲",
    "channel's words": "金丝雀乙",
    "webhook secret": "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktMDAwMQ==",
    "signing secret": "canary-signing-secret-0002",
    "statement memo": "金丝雀丙",
    "notice header": "canary-notice-header-0003",
    "notice body": "canary-notice-body-0004",
    "evidence body": "canary-evidence-body-0005",
    "package info": "canary-package-info-0006",
}


async def _live_through(store: SqlStore, fund: Fund) -> Payout:
    """A run in which every canary passes through the store."""
    await fund()
    await store.put_endpoint(build.endpoint(secrets=(CANARIES["webhook secret"],)), "ops")
    await store.add_key(build.api_key(signing_secret=CANARIES["signing secret"].encode()), "ops")
    subject = build.payout(
        instruments=(build.bank_card(CANARIES["card number"], CANARIES["card holder"]),)
    )
    await store.accept(build.accepted_change(subject), build.intake(subject), 0)
    armed = build.arm(subject)
    await store.record(armed)
    said = Evidence(200, "X", CANARIES["channel's words"], CANARIES["evidence body"].encode())
    refusal = build.refusal(message=CANARIES["channel's words"])
    doubted = build.change(armed.after, build.doubted(no=refusal), evidence=said)
    await store.record(doubted)
    dead = build.kill(doubted.after, cert=build.certificate(message=CANARIES["channel's words"]))
    await store.record(dead)
    again = build.arm(dead.after)
    await store.record(again)
    action = build.payee_action(package_info=CANARIES["package info"])
    pended = build.change(again.after, build.pended(2, action=action))
    await store.record(pended)
    await store.keep_notice(
        "a", {"x": CANARIES["notice header"]}, CANARIES["notice body"].encode(), build.NOW
    )
    line = build.statement_line(memo=CANARIES["statement memo"])
    await store.keep_statement("a", build.TODAY, [line], build.NOW)
    return pended.after


async def _dump(backend: Backend) -> bytes:
    """Every byte of the database, as a thief would read it."""
    if backend.kind == "sqlite":
        path = Path(urlsplit(backend.url).path)
        return b"".join(
            file.read_bytes() for file in path.parent.iterdir() if file.name.startswith(path.name)
        )
    connection = await asyncpg.connect(backend.url)
    try:
        tables = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        rows = [
            repr(tuple(row)).encode() + b"".join(v for v in row if isinstance(v, bytes))
            for table in tables
            for row in await connection.fetch(f'SELECT * FROM "{table[0]}"')  # noqa: S608 - own names
        ]
        return b"\n".join(rows)
    finally:
        await connection.close()


async def test_a_dump_shows_no_secret(backend: Backend, store: SqlStore, fund: Fund) -> None:
    """After a whole run no canary is in any byte of the database; what may be there is."""
    subject = await _live_through(store, fund)

    dump = await _dump(backend)

    assert subject.merchant_ref.encode() in dump
    found = [
        name
        for name, text in CANARIES.items()
        if text.encode() in dump or repr(text.encode()).strip("b'").encode() in dump
    ]
    assert found == []


async def test_everything_sealed_opens_again(store: SqlStore, fund: Fund) -> None:
    """Sealed columns come back as they went in."""
    subject = await _live_through(store, fund)

    assert await store.payout(subject.id) == subject
    ((_, said),) = await store.evidence(subject.id)
    assert said.body == CANARIES["evidence body"].encode()
    (endpoint,) = await store.endpoints(build.MERCHANT)
    assert endpoint.secrets == (CANARIES["webhook secret"],)


async def test_rotation_re_wraps_and_everything_still_opens(
    backend: Backend, store: SqlStore, fund: Fund
) -> None:
    """Then the new key alone opens what the old one sealed, and look-ups still match."""
    subject = await _live_through(store, fund)
    await store.aclose()
    rotating = await backend.open(OTHER_KEK, previous=KEK)
    assert await rotating.payout(subject.id) == subject

    assert await rotating.rotate_keys() == 2
    assert await rotating.rotate_keys() == 0
    await rotating.aclose()

    store = await backend.open(OTHER_KEK)
    assert await store.payout(subject.id) == subject
    payee = payee_of(subject.instruments[0])
    assert await store.payouts_by_payee(build.MERCHANT, payee, 9) == [subject.id]


async def test_a_wrong_key_opens_nothing(backend: Backend, store: SqlStore, fund: Fund) -> None:
    """The store does not start with a key-encryption key that is not its own, and says so."""
    await _live_through(store, fund)
    await store.aclose()

    with pytest.raises(SealError, match=r"secrets\.kek"):
        await backend.open(OTHER_KEK)


async def test_a_sealed_value_cannot_be_moved_to_another_row(
    backend: Backend, store: SqlStore
) -> None:
    """Swapping two payouts' instruments in the database is noticed when they are read."""
    one, two = build.payout(), build.payout(instruments=(build.bank_card(),))
    for subject in (one, two):
        await store.accept(build.accepted_change(subject), build.intake(subject), None)
    swap = (
        "UPDATE payouts SET instruments = "
        "(SELECT instruments FROM payouts WHERE id = {two}) WHERE id = {one}"
    )
    if backend.kind == "sqlite":
        with sqlite3.connect(urlsplit(backend.url).path) as thief:
            thief.execute(swap.format(one="?1", two="?2"), (one.id, two.id))
        thief.close()
    else:
        connection = await asyncpg.connect(backend.url)
        await connection.execute(swap.format(one="$1", two="$2"), one.id, two.id)
        await connection.close()

    with pytest.raises(SealError, match="was changed"):
        await store.payout(one.id)
    assert await store.payout(two.id) == two


async def test_a_second_process_opens_what_the_first_sealed_later(backend: Backend) -> None:
    """Each process seals with its own data key and fetches the others' when it meets them."""
    if backend.kind == "sqlite":
        first = await backend.open()
        subject = build.payout()
        await first.accept(build.accepted_change(subject), build.intake(subject), None)
        await first.aclose()
        second = await backend.open()
    else:
        first, second = await backend.open(), await backend.open()
        subject = build.payout()
        await first.accept(build.accepted_change(subject), build.intake(subject), None)

    assert await second.payout(subject.id) == subject


async def test_data_keys_are_renewed_daily(backend: Backend, store: SqlStore) -> None:
    """A day later sealing goes on under a fresh key, and the old one still opens."""
    subject, later = build.payout(), build.payout()
    await store.accept(build.accepted_change(subject), build.intake(subject), None)
    backend.clock.advance(days=1)
    await store.accept(build.accepted_change(later), build.intake(later), None)

    assert len(await store._keys(purpose="data")) == 2
    assert await store.payout(subject.id) == subject
    assert await store.payout(later.id) == later
