"""What a merchant has, as other platforms' protocols tell it."""

from msgspec import Struct

from channels.money import Currency
from gateway.domain.ledger import Book
from gateway.engine.gateway import Gateway
from gateway.ports import Merchant


class Purse(Struct, frozen=True):
    """In fen."""

    available_minor: int
    """What could be paid out now; a credit line counts."""
    held_minor: int
    """What open payouts have set aside."""


async def purse_of(gateway: Gateway, merchant: Merchant) -> Purse:
    """A merchant's money now."""
    available, held = [
        sum(
            one.minor
            for one in await gateway.store.balances(book, merchant.id)
            if one.account.currency is Currency.CNY
        )
        for book in (Book.AVAILABLE, Book.HELD)
    ]
    return Purse(max(available - (merchant.floor_minor or 0), 0), held)
