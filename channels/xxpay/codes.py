"""What XxPay's return codes and states mean, as literal tables.

Source: dialects.md §3.1 (Response, Status) and §5, 9. Whatever no row names is `Unknown`.

A return code other than success comes unsigned from stock servers, with a free text, and also when
the transfer was carried out and only its bookkeeping failed: it is never a refusal by itself. A
clone that signs it says so verifiably; then it is one that needs looks (`confirm`).
"""

from collections.abc import Mapping
from enum import StrEnum

TAKEN: frozenset[str] = frozenset({"SUCCESS", "0"})
"""§3.1: the word of the documentation, and the number that the code answers with."""
REFUSED: frozenset[str] = frozenset({"FAIL", "9999"})
"""§3.1: their opposites. Other codes are of no known meaning."""

NOT_FOUND = "代付订单不存在"
"""The text by which a query finds nothing, in stock servers."""


class Step(StrEnum):
    """Where a state puts a payout."""

    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"
    RETURNED = "returned"


STATES: Mapping[str, Step] = {
    "0": Step.PENDING,  # §3.1: pending; also an order that nobody carries on with
    "1": Step.PENDING,  # §3.1: processing
    "2": Step.PAID,  # §3.1: success
    "3": Step.FAILED,  # §3.1: failed; §5, 9: also when the answer of the bank was not understood
    "4": Step.PENDING,  # §3.1, clones: in the hands of a person there
    "6": Step.RETURNED,  # §3.1, clones: reversed after success (冲正)
}
