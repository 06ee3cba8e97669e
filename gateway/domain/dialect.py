"""A merchant's account in somebody else's protocol: who it is there, its keys, how it is treated.

A caller that moves here from such a platform changes a base URL and keys and nothing else. Its
orders are payouts like all others; only how they are asked for and shown is the other protocol's.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from channels.unprinted import Unprinted
from gateway.domain.payout import MerchantId, Payout, PayoutId, PayoutState

NUMBER_CHARS_MAX = 64
SUSPECTED_RETRY = "suspected_retry"
"""Why an order is held: another number asked for the same, a short while ago."""
RETRY_OF = "retry_of"
"""Why an order was cancelled: a person found that it repeats another one."""
WITHOUT_RSA = frozenset({"jeepay", "xxpay"})
"""Protocols that know shared secrets only."""
ACCOUNT_PREFIX = "da_"
"""Ids of accounts begin with it, and so do their orders' references."""
KEY_SETS_MAX = 2
SOFT_DEDUPE_MINUTES_MAX = 1440
_REF_MAX = 64
_PLAIN = re.compile(r"[\x21-\x7d]+", re.ASCII)
"""Visible ASCII without the tilde, which marks a number that was hashed."""


class KeySet(Unprinted, frozen=True):
    """Keys that are exchanged together: whoever asks with one is answered with the same one's."""

    hidden = frozenset({"secret", "theirs", "ours"})

    id: str
    created_at: datetime
    secret: str | None = None
    """Shared; for what is signed with MD5."""
    theirs: str | None = None
    """The caller's public key."""
    ours: str | None = None
    """The private key that replies are signed with."""


class Switches(Struct, frozen=True):
    """How a merchant wants its account treated, where the protocol leaves a choice."""

    replay_duplicates: bool = True
    """The same order again is answered with what became of it; else it is refused, which callers
    of Epay and Jeepay read as "not paid"."""
    soft_dedupe_minutes: int = 10
    """Another number with the same payee and amount within so many minutes is a suspected retry;
    0: never."""
    soft_dedupe_as: Literal["hold", "refuse"] = "hold"
    awaiting_review_as: Literal["processing", "review"] = "processing"
    """How an order that waits for a person is shown where the protocol has a word for that."""
    rsa_only: bool = False
    """Take no MD5 signatures."""
    ip_allow: tuple[str, ...] = ()
    """Networks that may ask; empty: any."""
    returned_as: Literal["returned", "failed"] = "returned"
    """How an order that came back after it was paid is shown where the protocol has a word for
    that which not every caller knows (XxPay: 6, else 3)."""
    soft_dedupe_native: bool = False
    """Whether what the merchant asked for in other ways (its own API, files, splits) counts as an
    earlier order, too."""

    def admits(self, address: str | None) -> bool:
        """Whether a caller at this address may ask."""
        if not self.ip_allow:
            return True
        try:
            found = ip_address(address or "")
        except ValueError:
            return False
        return any(found in network(one) for one in self.ip_allow)


def network(text: str) -> IPv4Network | IPv6Network:
    """One entry of an allow-list; ValueError when it is none."""
    return ip_network(text, strict=False)


class DialectAccount(Struct, frozen=True):
    """Under which public id and keys a merchant asks in one protocol."""

    id: str
    merchant_id: MerchantId
    dialect: str
    public_id: str
    """pid, mchNo, mchId, app_id: what the caller says that it is."""
    keys: tuple[KeySet, ...]
    """Newest first; at most two, so that one can be replaced while the other still works."""
    switches: Switches
    created_at: datetime
    version: int = 1
    removed_at: datetime | None = None
    """Then it asks for nothing new; what it asked for is still told."""

    def rotated(self, fresh: KeySet, *, only: bool) -> "DialectAccount":
        """With fresh keys beside the newest ones before, or with `only` these."""
        kept = () if only else self.keys[: KEY_SETS_MAX - 1]
        return replace(self, keys=(fresh, *kept), version=self.version + 1)

    def ref_of(self, number: str) -> str:
        """The payout's merchant_ref: one for each of their numbers, apart from other accounts'."""
        ref = f"{self.id}:{number}"
        if len(ref) <= _REF_MAX and _PLAIN.fullmatch(number):
            return ref
        return f"{self.id}:~{sha256(number.encode()).hexdigest()[:48]}"


class DialectOrder(Struct, frozen=True):
    """An order's two numbers: theirs, and the one that we show."""

    number: str
    own_number: str


class NotifyTo(Struct, frozen=True):
    """Where the caller of an order wants to hear how it ended."""

    account_id: str
    number: str
    own_number: str
    url: str
    problem: str | None = None
    """Why nothing could be sent there when the order came; the order was taken all the same."""


def suspected_of(payout: Payout) -> str | None:
    """The merchant_ref of the order that this one may repeat, while it is held for that."""
    name, _, ref = (payout.reason or "").partition(": ")
    held = payout.state is PayoutState.HELD and name == SUSPECTED_RETRY
    return ref if held and ref and not payout.attempts else None


def original_of(payout: Payout) -> PayoutId | None:
    """The payout that a person found this cancelled one to repeat."""
    name, _, original = (payout.reason or "").partition(": ")
    is_retry = payout.state is PayoutState.CANCELLED and name == RETRY_OF
    return PayoutId(original) if is_retry and original else None


class Standing(StrEnum):
    """What a caller has to know of a payout: one word for all protocols."""

    OPEN = "open"
    """On its way, or nobody knows."""
    REVIEW = "review"
    """A person must let it go; nothing was sent."""
    CONFIRMING = "confirming"
    """The payee must act before the money moves."""
    PAID = "paid"
    FAILED = "failed"
    """Every attempt is proven dead."""
    REJECTED = "rejected"
    """Stopped by a person before anything was sent."""
    RETURNED = "returned"
    """Paid, and come back."""


ENDED_UNPAID = frozenset({Standing.FAILED, Standing.REJECTED, Standing.RETURNED})
"""The money is not, or no longer, with the payee: only now an error may be named."""
FINAL = frozenset({Standing.PAID, Standing.FAILED, Standing.REJECTED, Standing.RETURNED})
"""What callers are told by themselves."""

_STANDINGS: Mapping[PayoutState, Standing] = {
    PayoutState.HELD: Standing.REVIEW,
    PayoutState.SCHEDULED: Standing.OPEN,
    PayoutState.ROUTING: Standing.OPEN,
    PayoutState.ATTEMPTING: Standing.OPEN,
    PayoutState.PARKED: Standing.OPEN,
    PayoutState.PAID: Standing.PAID,
    PayoutState.SETTLED: Standing.PAID,
    PayoutState.RETURNED: Standing.RETURNED,
    PayoutState.FAILED: Standing.FAILED,
    PayoutState.CANCELLED: Standing.REJECTED,
}


def standing_of(payout: Payout) -> Standing:
    """How a payout stands for its caller.

    Where a channel contradicts the proof that no money moved, it is open again for the caller: it
    must not pay by another way what may have been paid.
    """
    standing = _STANDINGS[payout.state]
    match standing:
        case Standing.FAILED | Standing.REJECTED if any(
            attempt.contradictions for attempt in payout.attempts
        ):
            return Standing.OPEN
        case Standing.REVIEW if payout.attempts:
            return Standing.OPEN
        case Standing.OPEN if payout.live is not None and payout.live.action is not None:
            return Standing.CONFIRMING
    return standing


def ends_as(before: Payout | None, after: Payout) -> Standing | None:
    """The final standing that a change has brought, which its caller is told; else None.

    A payment that comes back ends a second time.
    """
    standing = standing_of(after)
    if standing not in FINAL or (before is not None and standing_of(before) is standing):
        return None
    return standing


def derived_digits(account: DialectAccount, number: str, salt: int, length: int) -> str:
    """Our number for an order: the same for the same order, decimal digits, no leading zero."""
    named = "\x1f".join((account.dialect, account.public_id, number, str(salt)))
    least = 10 ** (length - 1)
    return str(least + int.from_bytes(sha256(named.encode()).digest()) % (9 * least))
