"""What this channel promises, and what it would refuse for ever. Pure.

Limits are those of the submit page (wire-protocols.md §2.2) and of the operator's contract.
"""

import re
import string
from datetime import time

from msgspec.structs import replace

from channels.contract import (
    Instruction,
    Problem,
    Rail,
    ReferenceRule,
    Resend,
    Terms,
    Traits,
    WechatWallet,
)
from channels.money import Currency, Money
from channels.wechat_pay import wire
from channels.wechat_pay.profile import PROFILE
from channels.wechat_pay.settings import WechatPaySettings
from channels.wechat_pay.signing import NAME_BYTES_MAX

RESEND_WINDOW_S = 24 * 3600
"""§2.2: after 24 hours the same number is answered 已超出重试期."""
INQUIRE_HORIZON_DAYS = 30
"""§2.2: a payout can be queried for 30 days."""
SUBMITS_PER_S = 100
STATEMENT_READY = time(10, 0)
"""§2.6: ready from 09:00 the next day, to be fetched after 10:00 by the platform's advice."""

_OPENID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_REFERENCE = re.compile(r"[A-Za-z0-9]{1,32}", re.ASCII)
_URL_CHARS_MAX = 256


def traits(settings: WechatPaySettings, terms: Terms) -> Traits:
    """What protocol and contract promise. "Not found" never proves (reliability.md §4.4)."""
    return Traits(
        kind="wechat_pay",
        rails=frozenset({Rail.WECHAT}),
        terms=terms,
        reference=ReferenceRule(string.digits + string.ascii_letters, 1, 32),
        resend=Resend(RESEND_WINDOW_S, settings.resend_quiet_s),
        inquire_first_s=settings.inquire_first_s,
        inquire_max_s=settings.inquire_max_s,
        inquire_horizon_days=INQUIRE_HORIZON_DAYS,
        sends_per_s=SUBMITS_PER_S,
        name_required_from_minor=wire.NAME_REQUIRED_FROM_FEN,
        notices=True,
        statement=True,
        statement_ready=STATEMENT_READY,
        payee_confirms=True,
        profile=replace(PROFILE, refusal_lag_s=settings.refusal_lag_s),
    )


def problems(instruction: Instruction, appid: str, terms: Terms) -> tuple[Problem, ...]:
    """Everything at fault, at once; empty if the platform may take it."""
    wallet = instruction.instrument
    if not isinstance(wallet, WechatWallet):
        return (Problem("instrument", "this channel pays WeChat wallets only"),)
    return (
        *_of_payee(wallet, appid, instruction.amount),
        *_of_amount(instruction.amount, terms),
        *_of_text(instruction),
    )


def _of_payee(wallet: WechatWallet, appid: str, amount: Money) -> list[Problem]:
    found = []
    if _OPENID.fullmatch(wallet.openid) is None:
        found.append(Problem("instrument.openid", "1 to 64 letters, digits, - or _"))
    if wallet.appid is not None and wallet.appid != appid:
        found.append(Problem("instrument.appid", f"this channel pays openids of {appid} only"))
    if wallet.name is None:
        if amount.minor >= wire.NAME_REQUIRED_FROM_FEN:
            found.append(Problem("instrument.name", "mandatory from 2000.00 yuan"))
    elif not wallet.name.strip() or not wallet.name.isprintable():
        found.append(Problem("instrument.name", "must be readable text"))
    elif len(wallet.name.encode()) > NAME_BYTES_MAX:
        found.append(Problem("instrument.name", f"at most {NAME_BYTES_MAX} bytes of UTF-8"))
    return found


def _of_amount(amount: Money, terms: Terms) -> list[Problem]:
    if amount.currency is not Currency.CNY:
        return [Problem("amount", "this channel pays CNY only")]
    least = max(wire.AMOUNT_MIN_FEN, terms.amount_min)
    if amount.minor < least:
        return [Problem("amount", f"at least {Money(least, Currency.CNY)} yuan")]
    if amount.minor > terms.amount_max:
        return [Problem("amount", f"at most {Money(terms.amount_max, Currency.CNY)} yuan")]
    return []


def _of_text(instruction: Instruction) -> list[Problem]:
    found = []
    if _REFERENCE.fullmatch(instruction.reference) is None:
        found.append(Problem("reference", "1 to 32 letters and digits"))
    remark = instruction.purpose
    if len(remark) > wire.REMARK_CHARS_MAX or not remark.strip() or not remark.isprintable():
        found.append(Problem("purpose", f"1 to {wire.REMARK_CHARS_MAX} readable characters"))
    url = instruction.notify_url
    if url is not None and (len(url) > _URL_CHARS_MAX or "?" in url or not url.isascii()):
        found.append(Problem("notify_url", f"at most {_URL_CHARS_MAX} ASCII characters, no query"))
    return found
