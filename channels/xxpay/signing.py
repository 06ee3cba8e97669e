"""What XxPay signs: every field of a request, a reply or a notice but the signature itself. Pure.

Source: dialects.md §3.1 (Sign): Jeepay's algorithm over one flat set of fields. Replies of stock
servers are signed only when the call went well.
"""

from collections.abc import Mapping

from channels.keyed_md5 import SIGN, Secrets


def signed(fields: Mapping[str, str], secrets: Secrets, *, lower_case: bool) -> dict[str, str]:
    """The request with its signature; a few clones compare it with lower-case hex."""
    signature = secrets.sign(fields)
    return {**fields, SIGN: signature.lower() if lower_case else signature}


def is_proven(fields: Mapping[str, object], secrets: Secrets) -> bool:
    """Whether the signature in these fields fits them."""
    return secrets.proves(fields, fields.get(SIGN))
