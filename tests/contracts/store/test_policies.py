"""Policies and the acts on them, the same on both databases."""

import apsw
import asyncpg
import orjson
import pytest
from msgspec.structs import replace

from channels.money import Currency
from gateway.domain.policy_change import Act, ActKind, Plan, ShadowCell, StoredPolicy
from gateway.ports import StaleError
from gateway.store import SqlStore
from tests import builders as build
from tests.builders import after
from tests.contracts.store.conftest import Backend, Fund

HASH = "a" * 64
POLICY = StoredPolicy(
    HASH, "night", 0, "version: 1\nname: night\n# 夜间\n", after(), "key:1", "王", "why"
)
SEEDED = Act(1, after(), ActKind.SEEDED, HASH, "gateway")
PROPOSED = Act(
    seq=2,
    at=after(5),
    kind=ActKind.PROPOSED,
    policy_hash="b" * 64,
    actor="key:1",
    person="王",
    change_id="pc_1",
    base_hash=HASH,
    plan=Plan(True, 50_000, after(60)),
    note="cheaper at night",
)


async def test_acts_and_policies_come_back_as_they_were(store: SqlStore) -> None:
    """Every field; policies are numbered by the store."""
    await store.record_acts([SEEDED], POLICY)
    second = replace(POLICY, policy_hash="b" * 64, name="day")
    await store.record_acts([PROPOSED], second)
    assert await store.policy_acts(1) == [SEEDED, PROPOSED]
    assert await store.policy_acts(2) == [PROPOSED]
    assert await store.stored_policy(HASH) == replace(POLICY, number=1)
    assert await store.stored_policy("c" * 64) is None
    assert await store.stored_policies(10) == [
        replace(second, number=2),
        replace(POLICY, number=1),
    ]


async def test_of_two_who_act_on_the_same_standing_one_is_refused(store: SqlStore) -> None:
    """And leaves nothing: neither the act, nor its policy, nor an audit row."""
    await store.record_acts([SEEDED], POLICY)
    with pytest.raises(StaleError):
        await store.record_acts([SEEDED], replace(POLICY, policy_hash="b" * 64))
    assert await store.policy_acts(1) == [SEEDED]
    assert await store.stored_policy("b" * 64) is None
    assert [row.action for row in await store.audit_trail(10)] == ["policy.seeded"]


async def test_several_acts_are_one_commit(store: SqlStore) -> None:
    """An approval and what it sets going."""
    await store.record_acts([SEEDED], POLICY)
    with pytest.raises(StaleError):
        await store.record_acts([PROPOSED, replace(PROPOSED, seq=1)])
    assert await store.policy_acts(1) == [SEEDED]


async def test_a_policy_is_stored_once(store: SqlStore) -> None:
    """Under its hash, with the text that came first."""
    await store.record_acts([SEEDED], POLICY)
    await store.record_acts([PROPOSED], replace(POLICY, text="# other layout"))
    assert await store.stored_policies(10) == [replace(POLICY, number=1)]


async def test_acts_are_in_the_audit_log(store: SqlStore) -> None:
    """Who, what, and the act's own content."""
    await store.record_acts([SEEDED, PROPOSED], POLICY)
    row = (await store.audit_trail(10))[-1]
    assert (row.actor, row.action, row.subject) == ("key:1", "policy.proposed", "pc_1")
    assert row.detail["policy_hash"] == "b" * 64
    assert row.detail["share_ppm"] == 50_000
    assert row.detail["person"] == "王"


@pytest.mark.parametrize("table", ["policies", "policy_acts"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET note = 'x'"])
async def test_history_is_never_rewritten(
    backend: Backend, store: SqlStore, table: str, statement: str
) -> None:
    """Not even by a person's SQL."""
    await store.record_acts([SEEDED], POLICY)
    sql = statement.format(table)
    if backend.kind == "sqlite":
        connection = apsw.Connection(backend.url.removeprefix("sqlite://"))
        with pytest.raises(apsw.ConstraintError):
            connection.execute(sql)
        connection.close()
    else:
        over = await asyncpg.connect(backend.url)
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await over.execute(sql)
        await over.close()


async def test_shadows_are_added_up_by_channel(store: SqlStore, fund: Fund) -> None:
    """One line a try, the last decision of a try counting; unpriced ones counted apart."""
    await fund()
    subject = build.payout()
    await store.accept(build.accepted_change(subject), build.intake(subject), 0)

    def decided(number: int, came: str | None, would: str | None, saving: int | None) -> bytes:
        shadow = {
            "change": "pc_1",
            "number": number,
            "instead_of": came,
            "channel": would,
            "saving_micro": saving,
        }
        return orjson.dumps({"currency": "CNY", "shadow": shadow})

    for decision in (
        decided(1, None, "b", None),
        decided(1, "a", "b", 70),
        decided(2, "a", "b", None),
        decided(3, "a", "a", 0),
        orjson.dumps({"currency": "CNY"}),
    ):
        await store.postpone(subject, after(60), decision)
    assert await store.shadow_cells("pc_1") == [
        ShadowCell(Currency.CNY, "a", "b", 2, 1, 70),
        ShadowCell(Currency.CNY, "a", "a", 1, 1, 0),
    ]
    assert await store.shadow_cells("pc_2") == []
