"""What callers are owed once an order is final: written when it is sent, in their protocol's words.

The commit that ends an order owes the notice (`store.units`); here it is written as things stand
when its turn comes, so it says nothing that has ceased to be so. Where a channel contradicts a
failure meanwhile, nothing is said: what comes of it is owed by a later commit.
"""

from typing import Protocol

from gateway.api.dialects.order import Shown
from gateway.api.dialects.registry import NOTIFYING
from gateway.domain.dialect import FINAL, DialectAccount, standing_of
from gateway.engine.deliver import Answer, Notice, Unsaid
from gateway.engine.gateway import Gateway
from gateway.engine.retries import counted
from gateway.ports import Delivery, StoreError

LOOKS = 3
"""How often a confirmed retry's first notice looks whether the original has ended."""


class Poster(Protocol):
    """Puts a notice on the wire, past the guard."""

    async def post(self, url: str, body: bytes, content_type: str) -> Answer:
        """Try once; never raises for what the receiver does."""


class DialectNotices:
    """Writes notices for the courier (`engine.deliver.Notices`)."""

    def __init__(self, gateway: Gateway, poster: Poster) -> None:
        """Nothing is opened before the first notice."""
        self._gateway = gateway
        self._poster = poster

    async def make(self, delivery: Delivery) -> Notice | Unsaid:
        """Write it as things stand now. Raises what the store raises, and nothing else."""
        try:
            return await self._make(delivery)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - one order's defect must not end the others'
            self._gateway.observer.defect("dialect.notify_defect", error)
            return Unsaid("a bug of ours kept it from being written", again=True)

    async def send(self, notice: Notice) -> Answer:
        """Try once; never raises for what the receiver does."""
        return await self._poster.post(notice.url, notice.body, notice.content_type)

    async def _make(self, delivery: Delivery) -> Notice | Unsaid:
        store = self._gateway.store
        wanted = await store.notify_of(delivery.merchant_id, delivery.payout_id)
        account = await self._account(delivery)
        stored = await store.payout(delivery.payout_id, delivery.merchant_id)
        payout = None if stored is None else await counted(self._gateway, stored)
        dialect = None if account is None else NOTIFYING.get(account.dialect)
        if wanted is None or account is None or payout is None:
            return Unsaid("there is no such order")
        if dialect is None:
            return Unsaid(f"{account.dialect} tells its callers nothing")
        if standing_of(payout) not in FINAL:
            # The commit that ends the original may have begun before this retry was found, and
            # then it owes nothing for it: look a few times more.
            again = payout.id != delivery.payout_id and delivery.tries < LOOKS
            return Unsaid("the order is open again; another notice follows once it is final", again)
        to = wanted.to
        shown = Shown(to.number, to.own_number, payout, stored)
        post = dialect.notice(account, shown, to.url, self._gateway.clock.now())
        return Notice(
            receiver=f"{account.id} {to.url.partition('://')[2].partition('/')[0]}",
            url=post.url,
            content_type=post.content_type,
            body=post.body,
            word=dialect.notify_word,
            ladder_s=dialect.notify_ladder_s,
        )

    async def _account(self, delivery: Delivery) -> DialectAccount | None:
        accounts = await self._gateway.store.dialect_accounts(delivery.merchant_id)
        return next((one for one in accounts if one.id == delivery.endpoint_id), None)
