"""Accounts in other platforms' protocols, order numbers, and claims on a payee."""

import asyncio
from datetime import date

import pytest
from msgspec.structs import replace

from gateway.domain.dialect import DialectAccount, DialectOrder, KeySet, Switches
from gateway.domain.errors import ConflictError
from gateway.domain.merchant_fee import Charge, MerchantFee
from gateway.domain.payout import MerchantId, PayoutId
from gateway.ports import StaleError
from gateway.store import SqlStore
from policies.fees import Fee
from tests import builders as build
from tests.contracts.store.conftest import Fund


def account(name: str = "da_1", **changes: object) -> DialectAccount:
    """An Epay account with two key sets."""
    keys = (
        KeySet("k2", build.after(5), "newer-secret", "their-public", "our-private"),
        KeySet("k1", build.NOW, "older-secret"),
    )
    made = DialectAccount(
        name, build.MERCHANT, "epay", f"10{name[-1]}", keys, Switches(), build.NOW
    )
    return replace(made, **changes)


async def claim(store: SqlStore, holder: str, seconds: int, **rest: str | None) -> str:
    """Ask to pay 12.30 to one card, with a window of ten minutes."""
    at = build.after(seconds)
    return await store.claim_payee(
        build.MERCHANT,
        build.bank_card(),
        build.cny(1230),
        holder,
        at=at,
        before=build.after(seconds - 600),
        **rest,
    )


async def test_accounts_read_back_equal(store: SqlStore) -> None:
    """Every field survives, keys and switches included."""
    switches = Switches(False, 3, "refuse", "review", True, ("10.0.0.0/8",))
    one, two = account(), account("da_2", switches=switches)
    for each in (two, one):
        await store.add_dialect_account(each, "ops")

    assert await store.dialect_account("epay", "101") == one
    assert await store.dialect_account("jeepay", "101") is None
    assert await store.dialect_accounts(build.MERCHANT) == [one, two]
    assert await store.dialect_accounts(None) == [one, two]


async def test_a_public_id_is_taken_once(store: SqlStore) -> None:
    """Also by an account that was removed: its order numbers are spent."""
    gone = account(removed_at=build.NOW)
    await store.add_dialect_account(gone, "ops")

    with pytest.raises(ConflictError):
        await store.add_dialect_account(account("da_9", public_id="101"), "ops")

    assert await store.dialect_accounts(None) == [gone]


async def test_an_account_changes_from_what_was_seen(store: SqlStore) -> None:
    """Of two changes to the same version the second is refused."""
    await store.add_dialect_account(account(), "ops")
    fresh = KeySet("k3", build.after(9), "newest-secret")
    changed = account().rotated(fresh, only=False)
    await store.change_dialect_account(changed, "rotated", "ops")

    with pytest.raises(StaleError):
        await store.change_dialect_account(
            replace(account(), version=2, removed_at=build.NOW), "removed", "ops"
        )

    found = await store.dialect_account("epay", "101")
    assert found == changed
    assert [one.id for one in changed.keys] == ["k3", "k2"]


async def test_no_audit_row_holds_a_key(store: SqlStore) -> None:
    """Only which key sets there are."""
    await store.add_dialect_account(account(), "ops")

    (row,) = await store.audit_trail(9)
    assert row.action == "dialect.added"
    assert row.detail["keys"] == ["k2", "k1"]
    assert "secret" not in str(row.detail)


async def test_an_order_keeps_the_number_it_was_shown_under(store: SqlStore) -> None:
    """Whatever is offered later; a number that another order has is refused."""
    assert await store.allot_number("da_1", "A-1", "1000") == "1000"
    assert await store.allot_number("da_1", "A-1", "2000") == "1000"
    assert await store.allot_number("da_1", "A-2", "1000") is None
    assert await store.allot_number("da_2", "A-2", "1000") == "1000"


async def test_an_order_is_found_by_either_number(store: SqlStore) -> None:
    """Theirs comes first where one order's number is another's of ours."""
    await store.allot_number("da_1", "A-1", "1000")
    await store.allot_number("da_1", "1000", "3000")

    assert await store.dialect_orders("da_1", "A-1") == [DialectOrder("A-1", "1000")]
    assert await store.dialect_orders("da_1", "3000") == [DialectOrder("1000", "3000")]
    assert await store.dialect_orders("da_1", "1000") == [
        DialectOrder("1000", "3000"),
        DialectOrder("A-1", "1000"),
    ]
    assert await store.dialect_orders("da_2", "1000") == []


async def test_of_many_claims_at_once_one_is_granted(store: SqlStore) -> None:
    """Twenty orders for one payee and amount learn of the same holder."""
    told = await asyncio.gather(*(claim(store, f"da_1:{n}", 0) for n in range(20)))

    assert len(set(told)) == 1


async def test_a_claim_ends_with_quiet_and_not_with_time(store: SqlStore) -> None:
    """Each suspected retry is measured from the one before."""
    assert await claim(store, "da_1:A", 0) == "da_1:A"
    assert await claim(store, "da_1:B", 599) == "da_1:A"
    assert await claim(store, "da_1:C", 601) == "da_1:A"
    assert await claim(store, "da_1:C", 1201) == "da_1:C"


async def test_a_claim_passes_on_from_an_order_that_pays_nothing(store: SqlStore) -> None:
    """To one that names it, and freely once it was dropped."""
    await claim(store, "da_1:A", 0)

    assert await claim(store, "da_1:B", 1, instead_of="da_1:X") == "da_1:A"
    assert await claim(store, "da_1:B", 2, instead_of="da_1:A") == "da_1:B"
    await store.drop_claim(build.MERCHANT, build.bank_card(), build.cny(1230), "da_1:A")
    assert await claim(store, "da_1:C", 3) == "da_1:B"
    await store.drop_claim(build.MERCHANT, build.bank_card(), build.cny(1230), "da_1:B")
    assert await claim(store, "da_1:C", 4) == "da_1:C"


async def test_claims_are_for_one_payee_and_one_amount(store: SqlStore) -> None:
    """Another amount or another card is another matter."""
    await claim(store, "da_1:A", 0)
    card, other = build.bank_card(), build.bank_card("6222021234567890131")

    for payee, minor in ((card, 1231), (other, 1230)):
        told = await store.claim_payee(
            build.MERCHANT,
            payee,
            build.cny(minor),
            "da_1:B",
            at=build.NOW,
            before=build.after(-600),
        )
        assert told == "da_1:B"


async def test_only_claims_that_bind_nobody_are_forgotten(store: SqlStore) -> None:
    """By age, the oldest first, a bounded number at a time."""

    async def asked(minor: int, holder: str, seconds: int) -> str:
        return await store.claim_payee(
            build.MERCHANT,
            build.bank_card(),
            build.cny(minor),
            holder,
            at=build.after(seconds),
            before=build.after(-600),
        )

    for second, holder in enumerate("ABC"):
        await asked(second + 1, holder, second)

    await store.prune_claims(build.after(2), 1)
    assert await asked(2, "new", 1) == "B"
    assert await asked(1, "A2", 5) == "A2"
    await store.prune_claims(build.after(2), 9)

    assert [await asked(minor, "new", 9) for minor in (1, 2, 3)] == ["A2", "new", "new"]


async def test_payouts_to_a_payee_are_found_by_what_was_asked_for(
    store: SqlStore, fund: Fund
) -> None:
    """The same merchant, payee, amount and window; the newest first, without one's own."""
    await fund()
    charge = Charge(MerchantFee(Fee(flat_minor=30, mode="deducted")), date(2026, 3, 1))
    deducted: dict[str, object] = {
        "amount": build.cny(9_970),
        "fee": build.cny(30),
        "charge": charge,
    }
    wanted: dict[str, dict[str, object]] = {
        "old": {"accepted_at": build.after(-601)},
        "first": {"accepted_at": build.after(-600)},
        "other amount": {"amount": build.cny(9_970), "fee": build.cny(30)},
        "other card": {"instruments": (build.bank_card("6222021234567890131"),)},
        "deducted": deducted,
        "mine": {},
    }
    made = {}
    for ref, fields in wanted.items():
        same: dict[str, object] = {"instruments": (build.bank_card(),), "merchant_ref": ref}
        made[ref] = build.payout(**{**same, **fields})  # type: ignore[arg-type] # fields by name
        change = build.accepted_change(made[ref])
        await store.accept(change, build.intake(made[ref]), None)

    async def found(merchant: str, limit: int = 9) -> list[PayoutId]:
        return await store.payouts_to_payee(
            MerchantId(merchant),
            build.bank_card(name="another name"),
            build.cny(10_000),
            since=build.after(-600),
            besides="mine",
            limit=limit,
        )

    assert await found(build.MERCHANT) == [made["deducted"].id, made["first"].id]
    assert await found(build.MERCHANT, 1) == [made["deducted"].id]
    assert await found("m_other") == []
