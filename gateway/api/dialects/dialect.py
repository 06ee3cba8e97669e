"""What a dialect is: paths below a prefix, keys of its own kind, and an answer to every request."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from channels.contract import Receipt
from gateway.api.dialects.orders import ANSWER_S, Orders
from gateway.api.dialects.wire import Ask, Said
from gateway.domain.dialect import DialectAccount, KeySet
from gateway.domain.errors import UnavailableError
from gateway.domain.payout import Payout
from gateway.engine import receipts
from gateway.engine.gateway import Gateway
from gateway.ports import Entropy

RECEIPTS_MAX = 256


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
    told: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)
    """Which unknown fields of which account were told."""

    def note_unknown(self, account: DialectAccount, names: tuple[str, ...]) -> None:
        """Log the names of fields that a proven request has and nobody knows; never a value."""
        found = (account.id, names)
        if names and found not in self.told and len(self.told) < 10_000:
            self.told.add(found)
            shown = " ".join(name[:40] for name in names[:20])
            self.gateway.observer.alarm(
                "dialect.unknown_fields", merchant_id=account.merchant_id, problem=ascii(shown)
            )


@dataclass(frozen=True, slots=True)
class Minted:
    """Fresh keys: what is stored, and what the caller is given, this once."""

    keys: KeySet
    shown: Mapping[str, str] = field(repr=False)


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

    async def answer(self, counter: Counter, ask: Ask) -> Said:
        """Answer a request. Raises nothing for what a caller can do wrong."""
