"""What a dialect is: paths below a prefix, keys of its own kind, and an answer to every request."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from channels.contract import PayeeAction, Receipt
from channels.unprinted import Unprinted
from gateway.api.confirm_links import ConfirmLinks, where_to_confirm
from gateway.api.dialects.order import NotifyUrl, Shown
from gateway.api.dialects.orders import ANSWER_S, Orders
from gateway.api.dialects.wire import Ask, Said, plain
from gateway.domain.dialect import DialectAccount, KeySet, Standing, standing_of
from gateway.domain.errors import UnavailableError
from gateway.domain.payout import Payout
from gateway.engine import receipts
from gateway.engine.gateway import Gateway
from gateway.ports import Entropy, Merchant, StoreError

RECEIPTS_MAX = 256
ACCOUNTS_MAX = 10_000
NOTIFY_CHARS_MAX = 1024
"""Some dialects append their fields, and the whole must stay below the guard's bound."""
WHO_S = 0.4
"""Finding out who asks takes so long at most; the answer itself has the rest of three seconds."""
FIRST_S = 2.0
"""For a caller whom this process does not know yet: it could be told nothing at all else."""

Who = tuple[DialectAccount, Merchant]


class Receipts:
    """Receipts fetched behind their callers' backs, who ask again until one is there."""

    def __init__(self, gateway: Gateway) -> None:
        """Nothing was asked for yet."""
        self._gateway = gateway
        self._tasks: dict[str, asyncio.Task[Receipt]] = {}

    async def fetch(self, payout: Payout, actor: str) -> Receipt:
        """The receipt, handed out once per fetch; raises as `engine.receipts.receipt`, and
        `UnavailableError` while the institution takes longer than a caller waits."""
        task = self._tasks.get(payout.id)
        if task is None:
            if len(self._tasks) >= RECEIPTS_MAX:
                self._tasks = {name: one for name, one in self._tasks.items() if not one.done()}
            if len(self._tasks) >= RECEIPTS_MAX:
                raise _later()
            task = asyncio.create_task(receipts.receipt(self._gateway, payout, actor))
            # Looked at even if its caller never asks again.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._tasks[payout.id] = task
        await asyncio.wait({task}, timeout=ANSWER_S)
        if not task.done():
            raise _later()
        self._tasks.pop(payout.id, None)
        return task.result()


def _later() -> UnavailableError:
    return UnavailableError(
        "receipt_not_ready",
        "the receipt is still being fetched; ask again in some seconds",
        zh="回单获取中，请稍后再试",
    )


@dataclass(slots=True)
class Counter:
    """What dialects answer with."""

    gateway: Gateway
    orders: Orders
    receipts: Receipts
    check_url: Callable[[str], str | None]
    """A sentence on why nothing may be sent to a URL, or None."""
    confirm_links: ConfirmLinks | None = None
    """Pages on which payees confirm, where there are any."""
    told: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)
    """Which unknown fields, and which addresses' problems, of which account were told."""
    known: dict[tuple[str, str], Who] = field(default_factory=dict, repr=False)
    """Accounts as last read."""

    async def who(self, dialect: str, public_id: str) -> Who | None:
        """Whose public id this is, and the merchant behind it.

        While the store does not answer, as last read: a caller who asks again for what it has asked
        for must hear "processing" and not that there is no such account.
        """
        store, name = self.gateway.store, (dialect, public_id)
        try:
            async with asyncio.timeout(WHO_S if name in self.known else FIRST_S):
                account = await store.dialect_account(dialect, public_id)
                merchant = None
                if account is not None:
                    merchant = await store.merchant(account.merchant_id)
        except (StoreError, TimeoutError):
            if name in self.known:
                return self.known[name]
            raise
        if account is None or merchant is None:
            self.known.pop(name, None)
            return None
        if len(self.known) >= ACCOUNTS_MAX:
            self.known.clear()
        self.known[name] = (account, merchant)
        return account, merchant

    def note_unknown(self, account: DialectAccount, names: tuple[str, ...]) -> None:
        """Log the names of fields that a proven request has and nobody knows; never a value."""
        found = (account.id, names)
        if names and found not in self.told and len(self.told) < 10_000:
            self.told.add(found)
            shown = " ".join(name[:40] for name in names[:20])
            self.gateway.observer.alarm(
                "dialect.unknown_fields", merchant_id=account.merchant_id, problem=ascii(shown)
            )

    def notify_url(self, account: DialectAccount, given: str) -> NotifyUrl | None:
        """Where a caller wants to be told; a bad address is logged and never refused.

        To its caller a refused order would be "not paid"; one that hears nothing asks.
        """
        if not given:
            return None
        url = plain(given)
        if url is None:
            found = NotifyUrl("", "the URL has characters that must be percent-encoded")
        elif len(url) > NOTIFY_CHARS_MAX:
            found = NotifyUrl("", f"the URL is longer than {NOTIFY_CHARS_MAX} characters")
        else:
            found = NotifyUrl(url, self.check_url(url))
        told = (account.id, (found.problem or "",))
        if found.problem is not None and told not in self.told and len(self.told) < 10_000:
            self.told.add(told)
            self.gateway.observer.alarm(
                "dialect.notify_refused", merchant_id=account.merchant_id, problem=found.problem
            )
        return found

    def action_of(self, payout: Payout) -> PayeeAction | None:
        """What the payee must do for the money to move, while there is time."""
        action = None if payout.live is None else payout.live.action
        if action is None or standing_of(payout) is not Standing.CONFIRMING:
            return None
        return action if self.gateway.clock.now() < action.expires_at else None

    def confirm_page(self, payout: Payout) -> str | None:
        """What the payee opens to confirm, if anything.

        Stock callers read it from the first answer only, before any channel was asked: our page is
        given then where channels will want a confirmation, and waits for it.
        """
        action = self.action_of(payout)
        if action is not None:
            return where_to_confirm(self.confirm_links, payout.id, action)
        if self.confirm_links is None or standing_of(payout) is not Standing.OPEN:
            return None
        return self.confirm_links.early(self.gateway, payout)


class Asked(Struct, frozen=True):
    """A request whose signature is proven."""

    counter: Counter
    account: DialectAccount
    merchant: Merchant


class Minted(Unprinted, frozen=True):
    """Fresh keys: what is stored, and what the caller is given, this once."""

    hidden = frozenset({"shown"})

    keys: KeySet
    shown: Mapping[str, str]


class Dialect(Protocol):
    """One protocol; has no state."""

    @property
    def name(self) -> str:
        """As in its prefix `/d/<name>/` and in an account."""

    @property
    def public_id(self) -> re.Pattern[str]:
        """What its public ids look like."""

    def new_public_id(self, entropy: Entropy) -> str:
        """A public id as its own platform would hand out."""

    def check_public_key(self, text: str) -> str | None:
        """What is wrong with a caller's public key; None when it can be used."""

    def mint(self, entropy: Entropy, keys: KeySet) -> Minted:
        """Fill a key set, whose `theirs` the caller may have brought; may take a second."""

    def public_parts(self, keys: KeySet) -> Mapping[str, str]:
        """What of a key set may be shown again: public keys, under the names callers know."""

    def takes_in(self, ask: Ask) -> bool:
        """Whether a payout is asked for, as far as that shows before anything is read."""

    async def answer(self, counter: Counter, ask: Ask) -> Said:
        """Answer a request. Raises nothing for what a caller can do wrong."""


class Post(Unprinted, frozen=True):
    """A notice as it goes on the wire."""

    hidden = frozenset({"body"})

    url: str
    body: bytes = b""
    content_type: str = "application/x-www-form-urlencoded"


class Notifying(Protocol):
    """A dialect whose callers are told how their orders ended."""

    @property
    def name(self) -> str:
        """As in an account."""

    @property
    def notify_word(self) -> str:
        """What a receiver answers that has heard."""

    @property
    def notify_ladder_s(self) -> Sequence[int]:
        """Seconds before each try after a failed one; the first is none."""

    def notice(self, account: DialectAccount, shown: Shown, url: str, at: datetime) -> Post:
        """What is said about an order that is final, signed with the newest keys as of `at`."""
