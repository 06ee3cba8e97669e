"""The envelope around files over HTTPS: addresses, headers, the receipt, the list of files.

Pure. Nothing of it is standardised: names and paths are the bank profile's, UNVERIFIED for every
bank (wire-protocols.md §4.1). A receipt counts only if it repeats our MsgId: HTTP 202 alone could
come from any box in between.
"""

import re
from collections.abc import Mapping
from datetime import date

import orjson

from channels.bank.mailbox import Listed
from channels.bank.profile import Https
from channels.bank.settings import BankSettings
from channels.contract import Unknown, UnknownCause
from channels.transport import Headers, Reply

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
"""What a file of the bank may be called; anything else could lead elsewhere."""
LISTING_BYTES_MAX = 16 << 20


class EnvelopeError(ValueError):
    """The bank's answer around files cannot be read; the text never quotes it."""


def upload_url(settings: BankSettings, envelope: Https) -> str:
    """Where files are posted."""
    return f"{settings.base_url}{envelope.upload}"


def listing_url(settings: BankSettings, envelope: Https, since: date) -> str:
    """Where the files made from that day on are listed."""
    return f"{settings.base_url}{envelope.listing.replace('{since}', since.isoformat())}"


def download_url(settings: BankSettings, envelope: Https, name: str) -> str:
    """Where a file is fetched."""
    return f"{settings.base_url}{envelope.download.replace('{name}', name)}"


def headers(settings: BankSettings, envelope: Https) -> Headers:
    """What every request says about us."""
    if envelope.customer_header is None or settings.customer_id is None:
        return ()
    return ((envelope.customer_header.lower(), settings.customer_id),)


def upload_headers(settings: BankSettings, envelope: Https, reference: str) -> Headers:
    """What an upload says besides."""
    named = (
        ()
        if envelope.file_name_header is None
        else ((envelope.file_name_header.lower(), f"{reference}.xml"),)
    )
    return (("content-type", envelope.content_type), *headers(settings, envelope), *named)


def is_message(reply: Reply) -> bool:
    """Whether the bank answers with a message at once instead of a receipt."""
    return "xml" in reply.headers.get("content-type", "").lower()


def not_received(reply: Reply, envelope: Https, reference: str) -> Unknown | None:
    """None if the reply is a receipt of this very file; else why nothing is known."""
    if reply.status == 429:
        return Unknown(UnknownCause.THROTTLED, reply.evidence())
    if reply.status not in {200, 201, 202}:
        return Unknown(UnknownCause.UNREADABLE, reply.evidence())
    try:
        said = _object(reply.body).get(envelope.receipt_key)
    except EnvelopeError:
        return Unknown(UnknownCause.UNREADABLE, reply.evidence())
    if said != reference:
        return Unknown(UnknownCause.MISMATCH, reply.evidence())
    return None


def listed(body: bytes, envelope: Https) -> list[Listed]:
    """The files of a listing. EnvelopeError if any of them may be missing."""
    told = _object(body)
    items = told.get(envelope.items_key)
    more = None if envelope.more_key is None else told.get(envelope.more_key)
    if more not in (None, False):
        raise EnvelopeError("the list goes on, and no profile says how to turn the page")
    if not isinstance(items, list):
        raise EnvelopeError("no list of files")
    found = []
    for item in items:
        name = item.get(envelope.name_key) if isinstance(item, dict) else None
        if not isinstance(name, str) or NAME.fullmatch(name) is None:
            raise EnvelopeError("a file without a plain name")
        found.append(Listed(name))
    return found


def _object(body: bytes) -> Mapping[str, object]:
    try:
        told = orjson.loads(body)
    except ValueError as error:
        raise EnvelopeError("not JSON") from error
    if not isinstance(told, dict):
        raise EnvelopeError("not a JSON object")
    return told
