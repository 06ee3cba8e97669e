"""Epay's transfer messages: what is asked, and what a reply means for a payout.

Pure. Fields follow wire-protocols.md §6 and dialects.md §2.1. An answer counts only if it names our
number, and a final one only if it names our amount: the very reply in which a status changes often
leaves the amount out, and then the next one, read from the site's own row, shows it.
"""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from channels.contract import (
    Absent,
    AlipayAccount,
    BankCard,
    ChannelError,
    Evidence,
    Inquiry,
    Instruction,
    Outcome,
    Paid,
    PayeeAction,
    Pending,
    Rail,
    Reason,
    Rejected,
    Returned,
    Unknown,
    UnknownCause,
    WechatWallet,
)
from channels.epay import codes
from channels.epay.codes import Step
from channels.epay.envelope import Answer
from channels.money import Currency, Money, MoneyError

SUBMIT, QUERY, BALANCE, PROOF = "submit", "query", "balance", "proof"

TYPES: Mapping[Rail, str] = {Rail.ALIPAY: "alipay", Rail.WECHAT: "wxpay", Rail.BANK_CARD: "bank"}
"""§6 `type`, by the rail it carries."""
CONFIRMATION = timedelta(hours=24)
"""How long a payee may take to confirm at WeChat, whose page `jumpurl` is (§2.2). What the site
adds to that is UNVERIFIED; nothing but the payee's own reminder depends on it."""
BEIJING = ZoneInfo("Asia/Shanghai")
UNREADABLE = Money(-1, Currency.CNY)

_PLAIN_ADDRESS = re.compile(r"[!-\[\]-~]+")
_STORED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_PERCENT = re.compile(r"(\d{1,3})(?:\.(\d{1,4}))?", re.ASCII)


# --- Asking ----------------------------------------------------------------------------------


def submission(instruction: Instruction) -> Mapping[str, str]:
    """Ask to pay; the same instruction always makes the same fields."""
    match instruction.instrument:
        case AlipayAccount(identity=account, name=name):
            pass
        case WechatWallet(openid=account, name=name):
            pass
        case BankCard(number=account, name=name):
            pass
        case other:
            raise ValueError(f"an Epay site does not reach {other.rail}")
    fields = {
        "type": TYPES[instruction.instrument.rail],
        "account": account,
        "money": str(instruction.amount),
        "out_biz_no": instruction.reference,
    }
    if name:
        fields["name"] = name
    if instruction.purpose:
        fields["remark"] = instruction.purpose
    return fields


def query(asked: Inquiry) -> Mapping[str, str]:
    """Ask what became of an order.

    A stock site looks our number up among its own (§6, hazard 3), where only the 19 digits stand;
    the site's own number, where it differs, is always right.
    """
    if asked.channel_ref is not None and asked.channel_ref != asked.reference:
        return {"biz_no": asked.channel_ref}
    return {"out_biz_no": asked.reference}


# --- Understanding ---------------------------------------------------------------------------


def read_submission(
    answer: Answer, asked: Inquiry, seen: Evidence, refusals: Mapping[str, Reason]
) -> Outcome:
    """What the reply to a submission means.

    It leaves the amount out; a repeated number is refused, so that a yes is about this very
    request. A refusal that names an order was spoken after the site's own channel had been asked:
    whatever its words, money may have moved (§6.6).
    """
    if answer.signed_at is None:
        return Unknown(UnknownCause.BAD_SIGNATURE, seen)
    if answer.code != codes.OK:
        named = any(answer.get(name) for name in ("biz_no", "out_biz_no", "orderid"))
        if answer.code == codes.REFUSED and named:
            return Unknown(UnknownCause.CHANNEL_UNSURE, seen)
        row = codes.submission_refusal(answer.code, answer.message, refusals)
        if isinstance(row.means, UnknownCause):
            return Unknown(row.means, seen)
        return Rejected(row.means, answer.code, answer.message, confirm=row.confirm)
    if not _is_about(answer, asked):
        return Unknown(UnknownCause.MISMATCH, seen)
    ref = answer.get("biz_no") or asked.reference
    status = answer.get("status") or ""
    match codes.STATUSES.get(status):
        case None:
            return Unknown(UnknownCause.UNKNOWN_STATE, replace(seen, code=status))
        case Step.PENDING:
            return Pending(ref, status, _action(answer, answer.signed_at))
        case Step.PAID:
            return Paid(ref, _paid_at(answer, answer.signed_at), _fee(answer, asked))
        case Step.FAILED:
            # No document speaks of a submission that succeeds into failure: the order must say so.
            reason, code = codes.failure_reason(answer.message)
            return Rejected(reason, code or status, answer.message, confirm=True, channel_ref=ref)


def read_inquiry(
    answer: Answer, asked: Inquiry, seen: Evidence, not_found: frozenset[str]
) -> Outcome | Absent:
    """What the reply to a query means; a failed query says nothing about the payout.

    "No such order" is thrown and therefore unsigned. It counts as absence all the same, because
    absence proves nothing here; every other unsigned word is no answer.
    """
    if answer.code == codes.REFUSED and answer.message.strip() in not_found:
        named = answer.get("out_biz_no") in {None, asked.reference}
        return Absent(seen) if named else Unknown(UnknownCause.MISMATCH, seen)
    if answer.signed_at is None:
        return Unknown(UnknownCause.BAD_SIGNATURE, seen)
    if answer.code not in {codes.OK, codes.REFUSED}:
        return Unknown(UnknownCause.UNKNOWN_CODE, seen)
    if not _is_about(answer, asked):
        return Unknown(UnknownCause.MISMATCH, seen)
    ref = answer.get("biz_no") or asked.reference
    if answer.code == codes.REFUSED:
        if answer.message.strip() in codes.ALIVE:
            return Pending(ref, codes.QUEUED)
        return Unknown(UnknownCause.CHANNEL_UNSURE, seen)
    status = answer.get("status") or ""
    step = codes.STATUSES.get(status)
    if step is None:
        return Unknown(UnknownCause.UNKNOWN_STATE, replace(seen, code=status))
    if step is Step.PENDING or answer.get("amount") is None:
        return Pending(ref, status)
    if step is Step.PAID:
        return Paid(ref, _paid_at(answer, answer.signed_at), _fee(answer, asked))
    return _read_failed(answer, asked, ref, answer.signed_at)


def _read_failed(answer: Answer, asked: Inquiry, ref: str, now: datetime) -> Outcome:
    """Failed, or failed after it had been paid.

    A row that was paid once keeps its time of payment, also when the payment is reversed later: to
    call that a failure would pay twice. A channel behind the site may name a time for its failures
    as well, but only in the reply in which the status changes; that one still shows the full cost,
    while a failed row shows the bare amount (§6, hazard 5), so asking once more tells them apart.
    """
    paid_at = answer.get("paydate")
    if paid_at is not None and _stored(paid_at) is None:
        return Pending(ref, "2")
    if paid_at is not None:
        if _amount(answer, "cost_money") not in {None, asked.amount}:
            return Pending(ref, "2")
        return Returned(ref, now, asked.amount)
    text = answer.get("errmsg") or answer.message
    reason, code = codes.failure_reason(text)
    return Rejected(reason, code or "2", text, channel_ref=ref)


def read_balance(answer: Answer) -> tuple[Money, int | None] | None:
    """What is available, and the site's rate in ppm if it names one; None without an amount."""
    available = _amount(answer, "available_money")
    if answer.signed_at is None or answer.code != codes.OK:
        return None
    if available is None or available == UNREADABLE:
        return None
    percent = _PERCENT.fullmatch(answer.get("transfer_rate") or "")
    rate = None if percent is None else int(percent[1] + (percent[2] or "").ljust(4, "0"))
    return available, rate


def receipt_address(answer: Answer, base_url: str, receipt_hosts: Collection[str]) -> str:
    """Where the receipt lies: on the site itself, or at a host that the operator trusts.

    ChannelError for any other: whoever runs the site could have us ask for what only we can reach.
    """
    given = answer.get("download_url")
    if given is None:
        raise ChannelError("receipt: no address to fetch it from")
    try:
        url = urljoin(base_url + "/", given)
        parts, own = urlsplit(url), urlsplit(base_url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ChannelError("receipt: the site names no readable address") from error
    # Parsers differ over what is blank, and over what stands before an @ or behind a backslash.
    if not host or _PLAIN_ADDRESS.fullmatch(url) is None or "@" in parts.netloc:
        raise ChannelError("receipt: the site names no readable address")
    if (parts.scheme, parts.netloc) == (own.scheme, own.netloc):
        return url
    named = host if port in {None, 443} else f"{host}:{port}"
    if parts.scheme != "https":
        raise ChannelError(f"receipt: {named} is not reached by https · 回单地址不是 https")
    if named not in receipt_hosts:
        raise ChannelError(
            f"receipt: it lies at {named}, which is not the site: add it to receipt_hosts if the "
            f"site's operator vouches for it · 回单不在本站，若 {named} 可信请加入 receipt_hosts"
        )
    return url


def receipt_name(url: str, reference: str) -> str:
    """Name the file after our number, with the ending it has there."""
    ending = re.search(r"\.[A-Za-z0-9]{1,5}$", urlsplit(url).path)
    return reference + (ending[0].lower() if ending else "")


def _is_about(answer: Answer, asked: Inquiry) -> bool:
    """Whether the reply names our order, and no other amount; the cost is never below it."""
    cost = _amount(answer, "cost_money")
    return (
        answer.get("out_biz_no") == asked.reference
        and (asked.channel_ref is None or answer.get("biz_no") in {None, asked.channel_ref})
        and _amount(answer, "amount") in {None, asked.amount}
        and (cost is None or cost.minor >= asked.amount.minor)
    )


def _amount(answer: Answer, name: str) -> Money | None:
    """Read an amount; one that cannot be read equals no other."""
    text = answer.get(name)
    if text is None:
        return None
    try:
        return Money.parse(text, Currency.CNY)
    except MoneyError:
        return UNREADABLE


def _fee(answer: Answer, asked: Inquiry) -> Money | None:
    """What was charged beside the amount."""
    cost = _amount(answer, "cost_money")
    return None if cost is None else cost - asked.amount


def _paid_at(answer: Answer, signed_at: datetime) -> datetime:
    """When it was paid; a site that does not say says it by its reply, at most minutes later."""
    return _moment(answer.get("paydate") or "") or signed_at.astimezone(UTC)


def _action(answer: Answer, signed_at: datetime) -> PayeeAction | None:
    """The page on which the payee confirms, if it is an address at all."""
    link = answer.get("jumpurl")
    if link is None:
        return None
    try:
        parts = urlsplit(link)
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    return PayeeAction("open_link", link, signed_at.astimezone(UTC) + CONFIRMATION)


def _stored(text: str) -> datetime | None:
    """Read `yyyy-MM-dd HH:mm:ss`, as the site's database writes it, as Beijing time."""
    if _STORED.fullmatch(text) is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING).astimezone(UTC)
    except ValueError:
        return None


def _moment(text: str) -> datetime | None:
    """Read the site's own times, and those with an offset that WeChat's come with."""
    if (stored := _stored(text)) is not None:
        return stored
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if read.tzinfo is None else read.astimezone(UTC)
