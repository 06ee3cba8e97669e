"""What gateways of both families would refuse for ever. Pure.

Problems name the field and never quote what is in it.
"""

import re

from channels.contract import Instruction, Problem, Terms
from channels.money import Currency, Money

_REFERENCE = re.compile(r"[A-Za-z0-9]+", re.ASCII)
_POSES_AS_FIELD = re.compile(r"&\w+=")


def of_amount(amount: Money, terms: Terms) -> list[Problem]:
    """They count in fen; the operator's contract says how many."""
    if amount.currency is not Currency.CNY:
        return [Problem("amount.currency", "this channel pays CNY only")]
    least = max(1, terms.amount_min)
    if least <= amount.minor <= terms.amount_max:
        return []
    return [Problem("amount", f"must be {least} to {terms.amount_max} fen")]


def of_text(
    instruction: Instruction, *, reference_max: int, purpose_max: int, url_max: int
) -> list[Problem]:
    """Number, purpose and address, each with the most characters it may have."""
    found = []
    reference = instruction.reference
    if _REFERENCE.fullmatch(reference) is None or len(reference) > reference_max:
        found.append(Problem("reference", f"must be 1 to {reference_max} letters and digits"))
    if not instruction.purpose.strip() or not is_plain(instruction.purpose, purpose_max):
        found.append(Problem("purpose", f"must be 1 to {purpose_max} readable characters"))
    url = instruction.notify_url
    if url is not None and (
        not url.startswith(("https://", "http://"))
        or len(url) > url_max
        or "?" in url
        or not url.isascii()
    ):
        # Their senders append `?` and the fields, whatever the address already has.
        message = f"must be http(s), at most {url_max} ASCII characters, without query"
        found.append(Problem("notify_url", message))
    return found


def is_plain(text: str, chars_max: int) -> bool:
    """Readable, and not to be mistaken for another field of the signed text."""
    plain = text.isprintable() and _POSES_AS_FIELD.search(text) is None
    return plain and len(text) <= chars_max
