"""Merchants, keys, nonces, endpoints, channel switches."""

import asyncio

import pytest
from msgspec.structs import replace

from gateway.domain.errors import ConflictError
from gateway.domain.merchant_fee import MerchantFee
from gateway.domain.payout import MerchantId
from gateway.ports import Funding, Scope
from gateway.store import SqlStore
from policies.fees import Fee
from tests import builders as build

OTHER = MerchantId("m_other")


async def test_merchants_read_back_equal(store: SqlStore) -> None:
    """Every field of a merchant survives."""
    one = build.merchant()
    two = build.merchant(
        "m_b",
        funding=Funding.CREDIT,
        credit_limit_minor=5,
        fee=MerchantFee(Fee(1, 2, 3, 4, 5), "refunded"),
        release_delay_s=60,
        review_above_minor=10,
        active=False,
    )
    await store.add_merchant(two, "ops")
    await store.add_merchant(one, "ops")

    assert await store.merchant(one.id) == one
    assert await store.merchants() == [one, two]
    assert await store.merchant(OTHER) is None


async def test_a_merchant_id_is_taken_once(store: SqlStore) -> None:
    """A second merchant under an id changes nothing of the first."""
    await store.add_merchant(build.merchant(), "ops")

    with pytest.raises(ConflictError):
        await store.add_merchant(build.merchant(name="Impostor"), "ops")

    found = await store.merchant(build.MERCHANT)
    assert found == build.merchant()


async def test_keys_read_back_equal_and_by_owner(store: SqlStore) -> None:
    """Merchants' and operators' keys are told apart; signing secrets come back."""
    mine = build.api_key("key_1", signing_secret=b"\x00secret\xff")
    theirs = build.api_key("key_2", OTHER)
    operators = build.api_key("key_3", None, scopes=frozenset({Scope.ADMIN}))
    for key in (mine, theirs, operators):
        await store.add_key(key, "ops")

    assert await store.key("key_1") == mine
    assert await store.keys(build.MERCHANT) == [mine]
    assert await store.keys(None) == [operators]
    assert await store.key("key_9") is None


async def test_revoking_a_key_works_once(store: SqlStore) -> None:
    """The first revocation counts; the key stays readable as revoked."""
    await store.add_key(build.api_key(), "ops")

    assert await store.revoke_key("key_1", build.after(5), "ops") is True
    assert await store.revoke_key("key_1", build.after(9), "ops") is False
    assert await store.revoke_key("key_9", build.after(9), "ops") is False

    assert await store.key("key_1") == replace(build.api_key(), revoked_at=build.after(5))


async def test_a_nonce_is_spent_once(store: SqlStore) -> None:
    """Of many concurrent uses of one nonce one succeeds; other keys have their own."""
    spent = await asyncio.gather(
        *(store.spend_nonce("key_1", "n", build.NOW, 600) for _ in range(10))
    )

    assert spent.count(True) == 1
    assert await store.spend_nonce("key_2", "n", build.NOW, 600) is True


async def test_a_nonce_is_remembered_for_as_long_as_asked(store: SqlStore) -> None:
    """Within `keep_s` it stays spent; later it may be dropped."""
    await store.spend_nonce("key_1", "n", build.NOW, 600)

    assert await store.spend_nonce("key_1", "n", build.after(600), 600) is False
    assert await store.spend_nonce("key_1", "n", build.after(601), 600) is True


async def test_endpoints_are_replaced_by_id(store: SqlStore) -> None:
    """Putting an endpoint again changes it in place."""
    first = build.endpoint(kinds=("paid",))
    await store.put_endpoint(first, "ops")
    changed = replace(first, url="https://b.example/", secrets=("whsec_b", "whsec_a"), active=False)
    await store.put_endpoint(changed, "ops")

    assert await store.endpoint("we_1") == changed
    assert await store.endpoints(build.MERCHANT) == [changed]
    assert await store.endpoints(OTHER) == []
    assert await store.endpoint("we_9") is None


async def test_an_endpoint_cannot_be_taken_over(store: SqlStore) -> None:
    """Another merchant's endpoint id is refused, and stays what it was."""
    await store.put_endpoint(build.endpoint(), "ops")

    with pytest.raises(ConflictError):
        await store.put_endpoint(build.endpoint(merchant_id=OTHER, url="https://evil/"), "x")

    assert await store.endpoint("we_1") == build.endpoint()


async def test_channel_statuses_keep_the_last_word(store: SqlStore) -> None:
    """Each switch overwrites status and reason."""
    await store.set_channel_status("a", "paused", "outage", "ops")
    await store.set_channel_status("a", "active", "over", "ops")
    await store.set_channel_status("b", "draining", "contract ends", "ops")

    assert await store.channel_statuses() == {
        "a": ("active", "over"),
        "b": ("draining", "contract ends"),
    }


async def test_every_directory_change_leaves_an_audit_row(store: SqlStore) -> None:
    """Who, what, about whom; refused changes leave none."""
    await store.add_merchant(build.merchant(), "ann")
    with pytest.raises(ConflictError):
        await store.add_merchant(build.merchant(), "bob")
    await store.add_key(build.api_key(), "ann")
    await store.revoke_key("key_1", build.NOW, "cid")
    await store.put_endpoint(build.endpoint(), "ann")
    await store.set_channel_status("a", "paused", "outage", "dan")

    rows = await store.audit_trail(10)

    assert [(row.actor, row.action, row.subject) for row in rows] == [
        ("ann", "merchant.added", build.MERCHANT),
        ("ann", "key.added", "key_1"),
        ("cid", "key.revoked", "key_1"),
        ("ann", "endpoint.put", "we_1"),
        ("dan", "channel.paused", "a"),
    ]
    assert rows[0].at == build.NOW
