"""Balances, operator postings and the ledger's self-check (`ports.LedgerStore`)."""

from channels.money import Currency
from gateway.domain.errors import ConflictError
from gateway.domain.ledger import Account, Book, Entry, Posting
from gateway.ports import AccountBalance
from gateway.store.codec import micros
from gateway.store.database import Unit
from gateway.store.part import Part

_MERCHANTS = {Book.AVAILABLE, Book.HELD}


class BookedError(Exception):
    """The key of an operator's posting was booked before."""


class Ledger(Part):
    """Everything about balances."""

    async def post(self, posting: Posting, memo: str, key: str, actor: str) -> bool:
        """Book an operator's posting once per `key`; False when that key was booked before.

        Raises `ConflictError` when it was booked with another amount or another account.
        """
        at = micros(self._clock.now())
        unit = Unit()
        unit.add(
            self._queries["insert_operator_posting"],
            {"key": key, "memo": memo, "actor": actor, "at": at},
            BookedError,
        )
        merchant = next(
            (entry.account.owner for entry in posting if entry.account.book in _MERCHANTS), ""
        )
        self._units.posted(unit, posting, merchant, f"op/{key}", at)
        try:
            await self._database.write(unit)
        except BookedError:
            await self._beat()
            params = {"merchant_id": merchant, "posting": f"op/{key}"}
            known = [tuple(row) for row in await self._read("legs", params)]
            if known != [_leg(entry) for entry in posting]:
                raise ConflictError(
                    "idempotency_key_reused",
                    f"the key {key.rpartition(':')[2][:40]!r} was booked with another amount",
                    zh="该幂等键已用于另一笔不同金额的记账",
                    param="key",
                ) from None
            return False
        return True

    async def balances(
        self, book: Book | None = None, owner: str | None = None
    ) -> list[AccountBalance]:
        """Balances as kept."""
        return [
            AccountBalance(Account(Book(row[0]), row[1], Currency(row[2])), row[3])
            for row in await self._read("balances", {"book": book, "owner": owner})
        ]

    async def audit(self) -> list[str]:
        """Recompute every balance and tally; a sentence per account or count that disagrees.

        Meaningful on a quiet store: between its reads, payouts may move on.
        """
        wrong = [
            f"posting {name} is off: {currency} debit {debit}, credit {credit}"
            for name, currency, debit, credit in await self._read("unbalanced_postings", {})
        ]
        kept = {
            (row[0], row[1], row[2]): row[3]
            for row in await self._read("balances", {"book": None, "owner": None})
        }
        recomputed = {
            (book, owner, currency): debit if Book(book).is_debit_normal else -debit
            for book, owner, currency, debit in await self._read("entry_sums", {})
        }
        wrong.extend(
            f"{book}:{owner}:{currency} is kept as {kept.get((book, owner, currency), 0)}, "
            f"its entries say {recomputed.get((book, owner, currency), 0)}"
            for book, owner, currency in sorted(kept.keys() | recomputed.keys())
            if kept.get((book, owner, currency), 0) != recomputed.get((book, owner, currency), 0)
        )
        tallied = {(row[0], row[1]): row[2] for row in await self._read("all_tallies", {})}
        counted = {(row[0], row[1]): row[2] for row in await self._read("recounted", {})}
        wrong.extend(
            f"the tally of {kind} {owner} is {tallied.get((kind, owner), 0)}, "
            f"there are {counted.get((kind, owner), 0)}"
            for kind, owner in sorted(tallied.keys() | counted.keys())
            if tallied.get((kind, owner), 0) != counted.get((kind, owner), 0)
        )
        wrong.extend(
            f"split {split} counts other legs than it has"
            for (split,) in await self._read("split_faults", {})
        )
        return wrong


def _leg(entry: Entry) -> tuple[str, str, str, str, int]:
    account = entry.account
    return (account.book, account.owner, account.currency, entry.side, entry.amount_minor)
