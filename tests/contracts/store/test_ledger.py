"""Operator postings and the ledger's self-check."""

import asyncio

from channels.money import Currency
from gateway.domain import ledger
from gateway.domain.ledger import Account, Book
from gateway.domain.payout import MerchantId
from gateway.ports import AccountBalance
from gateway.store import SqlStore
from gateway.store.database import Unit
from tests import builders as build
from tests.contracts.store.conftest import Fund


async def test_an_operators_posting_is_booked_once_per_key(store: SqlStore) -> None:
    """Repeating a posting, also concurrently, moves money once."""
    posting = ledger.funded(build.MERCHANT, Currency.CNY, 700)

    booked = await asyncio.gather(
        *(store.post(posting, "deposit", "bank-slip-1", "ops") for _ in range(8))
    )

    assert sorted(booked) == [False] * 7 + [True]
    assert await store.balances(Book.AVAILABLE) == [
        AccountBalance(Account(Book.AVAILABLE, build.MERCHANT, Currency.CNY), 700)
    ]


async def test_balances_are_kept_per_currency(store: SqlStore) -> None:
    """One merchant, two currencies, two accounts."""
    for currency in (Currency.CNY, Currency.USD):
        await store.post(ledger.funded(build.MERCHANT, currency, 5), "", str(currency), "ops")

    found = await store.balances(Book.AVAILABLE, build.MERCHANT)

    assert {(b.account.currency, b.minor) for b in found} == {
        (Currency.CNY, 5),
        (Currency.USD, 5),
    }


async def test_balances_filter_by_book_and_owner(store: SqlStore, fund: Fund) -> None:
    """Either filter narrows the list."""
    await fund(9)
    await fund(8, merchant="m_other", channel=None)

    assert [b.minor for b in await store.balances(owner="m_other")] == [8]
    assert [b.minor for b in await store.balances(Book.FLOAT)] == [9]
    assert len(await store.balances()) == 4


async def test_audit_names_an_account_whose_balance_was_tampered_with(
    store: SqlStore, fund: Fund
) -> None:
    """A balance that its entries do not explain is reported with both figures."""
    await fund(100, channel=None)
    unit = Unit()
    unit.moves["available", build.MERCHANT, "CNY"] += 1
    await store._database.write(unit)

    (problem,) = await store.audit()

    assert problem == "available:m_acme:CNY is kept as 101, its entries say 100"


async def test_audit_names_a_tally_that_is_off(store: SqlStore) -> None:
    """Counts kept beside the rows are checked against the rows."""
    unit = Unit()
    unit.tallies["payout", "routing", 0] += 3
    await store._database.write(unit)

    assert await store.audit() == ["the tally of payout routing is 3, there are 0"]


async def test_audit_names_a_posting_that_does_not_balance(store: SqlStore) -> None:
    """A leg without its counterpart is found, whoever wrote it."""
    unit = Unit()
    unit.add(
        store._queries["insert_entry"],
        {
            "merchant_id": MerchantId(""),
            "posting": "op/forged",
            "leg": 1,
            "book": "float",
            "owner": "c",
            "currency": "CNY",
            "side": "debit",
            "amount_minor": 7,
            "at": 0,
        },
    )
    unit.moves["float", "c", "CNY"] += 7
    await store._database.write(unit)

    assert await store.audit() == ["posting op/forged is off: CNY debit 7, credit 0"]
