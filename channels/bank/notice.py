"""A pain.002 or camt.054 that the bank pushes: verified by its HMAC, then read.

Pure. How a bank signs what it pushes is its profile's (UNVERIFIED for every bank); a push that only
its connection could vouch for is refused, for here the connection ends in front of us. A notice
only names a payout; its fate is asked for.
"""

from collections.abc import Mapping
from datetime import datetime

from channels.bank import signing
from channels.bank.documents import DocumentError
from channels.bank.facts import Told
from channels.bank.reading import told
from channels.bank.settings import BankSettings
from channels.contract import Notice, NoticeRefused, NoticeReply

TAKEN = NoticeReply(200, "application/json", b'{"received":true}')
NOT_TAKEN = NoticeReply(401, "application/json", b'{"received":false}')


def read_notice(
    headers: Mapping[str, str], body: bytes, settings: BankSettings, now: datetime
) -> Notice | NoticeRefused:
    """Verify, then read; whatever is not provably about one of our payouts is refused."""
    signed = settings.bank.notices
    if signed is None or not settings.notice_secrets:
        return NoticeRefused("this bank's messages cannot be verified here", NOT_TAKEN)
    secrets = tuple(one.get_secret_value() for one in settings.notice_secrets)
    timestamp = headers.get(signed.timestamp_header, "")
    signature = headers.get(signed.signature_header, "")
    if not signing.verifies(secrets, timestamp, signature, body, now, signed.tolerance_s):
        return NoticeRefused("the signature does not fit, or is too old", NOT_TAKEN)
    try:
        said = told(body, settings.bank)
    except DocumentError as error:
        return NoticeRefused(f"genuine, but {error}", TAKEN)
    named = _named(said, settings.account_number)
    if len(named) != 1:
        # An inquiry finds each of them in the files; a notice can point at one only.
        return NoticeRefused(f"genuine, but names {len(named)} payouts", TAKEN)
    (reference, (message_id, channel_ref, event)), *_ = named.items()
    return Notice(message_id, reference, channel_ref, event, TAKEN)


def _named(said: Told, account: str) -> dict[str, tuple[str, str | None, str]]:
    """Message id, the bank's number and the event, by reference."""
    named: dict[str, tuple[str, str | None, str]] = {}
    for status in said.statuses:
        reference = status.end_to_end_id or status.original_message_id
        named[reference] = (status.message_id, status.service_ref, status.code)
    for report in said.reports:
        if report.account != account:
            continue
        for booked in report.booked:
            for entry in booked.entries:
                if entry.end_to_end_id:
                    event = f"{'CRDT' if entry.credit else 'DBIT'} {entry.status}"
                    named[entry.end_to_end_id] = (report.message_id, entry.service_ref, event)
    return named
