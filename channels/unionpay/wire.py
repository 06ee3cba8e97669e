"""UnionPay's payout messages: what is asked, and what a verified answer means for a payout.

Pure. Fields follow wire-protocols.md §3.2 (payout, txnType 12), §3.3 (query) and §3.7 (settlement
file). An answer counts only if it names our merchant, our number and our txnTime and, where it
names them, our amount and payee; otherwise it is about something else and proves nothing.
"""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from channels.contract import (
    Absent,
    BankAccount,
    BankCard,
    Evidence,
    Inquiry,
    Instruction,
    Instrument,
    Outcome,
    Paid,
    Pending,
    Rejected,
    Unknown,
    UnknownCause,
)
from channels.money import Money
from channels.unionpay import codes, signing
from channels.unionpay.envelope import Message
from channels.unionpay.settings import UnionpaySettings

BEIJING = ZoneInfo("Asia/Shanghai")
PAYOUT_PATH = "/gateway/api/backTransReq.do"
QUERY_PATH = "/gateway/api/queryTrans.do"

PAYOUT = "12"
QUERY = "00"
FILE = "76"
CNY = "156"
"""ISO 4217 numeric."""
AMOUNT_MAX_FEN = 999_999_999_999
"""§3.7: the settlement file has twelve digits for an amount."""
ENCRYPTED_CHARS_MIN = 172
"""Base64 of the shortest RSA block there may be, 1024 bits: an account number is never so long."""

_SHORT_STAMP = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)", re.ASCII)
_AMOUNT = re.compile(r"\d{1,12}", re.ASCII)


# --- Asking ----------------------------------------------------------------------------------


def stamp(at: datetime) -> str:
    """A moment as txnTime carries it: Beijing time to the second."""
    return at.astimezone(BEIJING).strftime("%Y%m%d%H%M%S")


def payout(
    instruction: Instruction, settings: UnionpaySettings, now: datetime
) -> Mapping[str, str]:
    """Ask to pay. Number and txnTime together name the order for ever after (§3.5)."""
    match instruction.instrument:
        case BankCard(number, name):
            account_type = "01"
        case BankAccount(number, name):
            account_type = "04"
        case other:
            raise ValueError(f"UnionPay does not reach {other.rail}")
    sensitive = settings.keys.encryption
    return {
        "txnType": PAYOUT,
        "txnSubType": "00",
        "bizType": "000401",
        "channelType": "07",
        "accessType": "0",
        "merId": settings.mer_id,
        "orderId": instruction.reference,
        "txnTime": stamp(now),
        "accType": account_type,
        "accNo": number if sensitive is None else signing.encrypt(sensitive, number),
        "encryptCertId": "" if sensitive is None else signing.serial(sensitive),
        "customerInfo": customer_info(name),
        "txnAmt": str(instruction.amount.minor),
        "currencyCode": CNY,
        "backUrl": instruction.notify_url or settings.back_url or "",
    }


def customer_info(name: str) -> str:
    """Whom the account must belong to. Phone, CVN2 and expiry, which alone go encrypted into
    `encryptedInfo`, are of no use to a payout and are not sent."""
    return base64.b64encode(f"{{customerNm={name}}}".encode()).decode()


def query(asked: Inquiry, settings: UnionpaySettings) -> Mapping[str, str]:
    """Ask what became of an order; the txnTime is the payout's own, not the question's."""
    return {
        "txnType": QUERY,
        "txnSubType": "00",
        "bizType": "000401",
        "accessType": "0",
        "merId": settings.mer_id,
        "orderId": asked.reference,
        "txnTime": stamp(asked.sent_at),
    }


def settlement_file(day: date, settings: UnionpaySettings, now: datetime) -> Mapping[str, str]:
    """Ask for the files of a settlement day."""
    return {
        "txnType": FILE,
        "txnSubType": "01",
        "bizType": "000000",
        "accessType": "0",
        "fileType": "00",
        "merId": settings.mer_id,
        "settleDate": day.strftime("%m%d"),
        "txnTime": stamp(now),
    }


# --- Understanding ---------------------------------------------------------------------------


def read_submission(message: Message, asked: Inquiry, mer_id: str, seen: Evidence) -> Outcome:
    """What a verified reply to a payout means. `00` is "taken in", never "paid" (§3.5)."""
    if message.get("txnType") not in {None, PAYOUT} or not _fits(message, asked, mer_id):
        return Unknown(UnknownCause.MISMATCH, seen)
    is_named = _is_named(message, asked)
    if message.code in {codes.ACCEPTED, codes.UNDER_WAY}:
        if not is_named:
            return Unknown(UnknownCause.MISMATCH, seen)
        return Pending(message.get("queryId"), message.code)
    row = codes.meaning(message.code)
    if isinstance(row.means, UnknownCause):
        return Unknown(row.means, seen)
    if not (is_named or row.confirm):
        # A refusal that names no order is somebody's; only one that is looked up may be ours.
        return Unknown(UnknownCause.MISMATCH, seen)
    return Rejected(
        row.means,
        message.code,
        message.text,
        confirm=row.confirm,
        channel_ref=message.get("queryId"),
    )


def read_inquiry(message: Message, asked: Inquiry, mer_id: str, seen: Evidence) -> Outcome | Absent:
    """What a verified reply to a query means; a refused question says nothing about the payout.

    The payout's fate is `origRespCode`. Paid it is only if order and amount are named and ours.
    """
    if message.get("txnType") not in {None, QUERY} or not _fits(message, asked, mer_id):
        return Unknown(UnknownCause.MISMATCH, seen)
    if message.code not in {codes.ACCEPTED, codes.NOT_FOUND}:
        return Unknown(codes.inquiry_error(message.code), seen)
    if not _is_named(message, asked):
        return Unknown(UnknownCause.MISMATCH, seen)
    if message.code == codes.NOT_FOUND:
        return Absent(seen)
    fate, query_id = message.get("origRespCode") or "", message.get("queryId")
    if fate in codes.PAID:
        if message.get("txnAmt") is None or query_id is None:
            return Unknown(UnknownCause.MISMATCH, seen)
        return Paid(query_id, _paid_at(message, asked))
    if fate in codes.PENDING:
        return Pending(query_id, fate)
    if fate not in codes.RESP_CODES:
        return Unknown(UnknownCause.UNKNOWN_STATE, replace(seen, code=fate))
    row = codes.meaning(fate)
    if isinstance(row.means, UnknownCause):
        return Unknown(row.means, seen)
    return Rejected(row.means, fate, message.get("origRespMsg") or "", channel_ref=query_id)


def _fits(message: Message, asked: Inquiry, mer_id: str) -> bool:
    """Whether nothing that the message names is another's."""
    expected = {
        "merId": mer_id,
        "orderId": asked.reference,
        "txnTime": stamp(asked.sent_at),
        "currencyCode": CNY,
    }
    if any(message.get(name) not in {None, value} for name, value in expected.items()):
        return False
    if asked.channel_ref is not None and message.get("queryId") not in {None, asked.channel_ref}:
        return False
    amount, payee = message.get("txnAmt"), message.get("accNo")
    return (amount is None or _is_amount(amount, asked.amount)) and (
        payee is None or _may_be(payee, asked.instrument)
    )


def _is_named(message: Message, asked: Inquiry) -> bool:
    """Whether the message names the order itself; that it does not name another's is known."""
    return message.get("orderId") == asked.reference and message.get("txnTime") is not None


def _is_amount(text: str, amount: Money) -> bool:
    return _AMOUNT.fullmatch(text) is not None and int(text) == amount.minor


def _may_be(said: str, instrument: Instrument) -> bool:
    """Whether an account number, starred out or encrypted as it may be, can be our payee's."""
    number = instrument.number if isinstance(instrument, BankCard | BankAccount) else ""
    if said.isascii() and said.isdigit():
        return said == number
    if "*" not in said:
        return len(said) >= ENCRYPTED_CHARS_MIN  # nothing to compare
    head, tail = said.partition("*")[0], said.rpartition("*")[2]
    return (
        number.startswith(head) and number.endswith(tail) and len(head) + len(tail) <= len(number)
    )


def _paid_at(message: Message, asked: Inquiry) -> datetime:
    """When it was paid: traceTime, which has no year; without it the order's own time."""
    return short_moment(message.get("traceTime") or "", asked.sent_at) or asked.sent_at


def short_moment(text: str, near: datetime) -> datetime | None:
    """Read `MMDDhhmmss` (Beijing) in the year that brings it closest; None if it is no time within
    a month of `near`."""
    match = _SHORT_STAMP.fullmatch(text)
    if match is None:
        return None
    month, day, hour, minute, second = map(int, match.groups())
    year = near.astimezone(BEIJING).year
    found = []
    for one in (year - 1, year, year + 1):
        try:
            at = datetime(one, month, day, hour, minute, second, tzinfo=BEIJING)
        except ValueError:
            continue
        found.append(at.astimezone(UTC))
    best = min(found, key=lambda at: abs(at - near), default=None)
    return best if best is not None and abs(best - near) <= timedelta(days=31) else None
