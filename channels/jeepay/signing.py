"""What Jeepay signs: every field of a request, and of a reply `data` alone. Pure.

Source: dialects.md §1 (Signing, Envelope). The server signs only the fields it knows, so a request
must hold no other; of a reply neither `code` nor `msg` is covered.
"""

from collections.abc import Mapping

from channels.keyed_md5 import SIGN, Secrets


def signed(fields: Mapping[str, str | int], secrets: Secrets) -> dict[str, str | int]:
    """The request with its signature."""
    return {**fields, SIGN: secrets.sign(fields)}


def proven(envelope: Mapping[str, object], secrets: Secrets) -> Mapping[str, object] | None:
    """The `data` of a reply if its signature fits, else None."""
    data = envelope.get("data")
    if not isinstance(data, dict) or not secrets.proves(data, envelope.get(SIGN)):
        return None
    return data
