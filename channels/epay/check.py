"""What an Epay site would refuse for ever, or change on the way, found before anything is signed.

Pure. Rules of transfer/submit (wire-protocols.md §6, dialects.md §2.1) and the operator's terms.
Problems name the field and never quote what is in it.
"""

import html
import re

from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    BankCard,
    Instruction,
    Problem,
    Traits,
    WechatWallet,
)
from channels.epay.settings import EpaySettings
from channels.epay.signing import BLANKS
from channels.money import Currency

REMARK_CHARS_MAX = 32
"""§6 `remark`; counted by the site after it has escaped the text for HTML."""
ESCAPED = frozenset("&<>\"'")
"""The site escapes these in account and name and then pays somebody of that other name."""

_REFERENCE = re.compile(r"[0-9]{19}", re.ASCII)
_USER_ID = re.compile(r"2088\d{12}", re.ASCII)
_OPENID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_CARD = re.compile(r"\d{8,32}", re.ASCII)


def problems(
    instruction: Instruction, settings: EpaySettings, traits: Traits
) -> tuple[Problem, ...]:
    """Everything at fault, in the order of the request's fields; empty if it may be sent."""
    return (
        *_reference(instruction.reference),
        *_amount(instruction, traits),
        *_purpose(instruction.purpose),
        *_instrument(instruction, settings),
    )


def _reference(reference: str) -> list[Problem]:
    if _REFERENCE.fullmatch(reference):
        return []
    # Anything else, and the site pays under a number of its own, another one for each attempt.
    return [Problem("reference", "must be exactly 19 digits")]


def _amount(instruction: Instruction, traits: Traits) -> list[Problem]:
    if instruction.amount.currency is not Currency.CNY:
        return [Problem("amount.currency", "Epay sites pay out CNY only")]
    least, most = max(1, traits.terms.amount_min), traits.terms.amount_max
    if least <= instruction.amount.minor <= most:
        return []
    return [Problem("amount", f"must be {least} to {most} fen")]


def _purpose(purpose: str) -> list[Problem]:
    if len(html.escape(purpose)) <= REMARK_CHARS_MAX:
        return []
    return [Problem("purpose", f"must be at most {REMARK_CHARS_MAX} characters, & < > \" ' more")]


def _instrument(instruction: Instruction, settings: EpaySettings) -> list[Problem]:
    instrument = instruction.instrument
    if instrument.rail not in settings.rails:
        return [Problem("instrument", f"this merchant is not configured for {instrument.rail}")]
    match instrument:
        case AlipayAccount():
            found, name = _account(instrument), instrument.name
        case WechatWallet():
            found, name = _wallet(instrument, settings.wechat_appid), instrument.name
        case BankCard():
            found, name = [], instrument.name
            if _CARD.fullmatch(instrument.number) is None:
                found.append(Problem("instrument.number", "must be 8 to 32 digits"))
        case _:
            return [Problem("instrument", f"an Epay site does not reach {instrument.rail}")]
    needed = settings.name_required or isinstance(instrument, BankCard)
    return [*found, *_text("instrument.name", name or "", is_needed=needed)]


def _account(account: AlipayAccount) -> list[Problem]:
    match account.identity_type:
        case AlipayIdentity.USER_ID if _USER_ID.fullmatch(account.identity) is None:
            return [Problem("instrument.identity", "must be 16 digits beginning with 2088")]
        case AlipayIdentity.OPEN_ID:
            # The request does not say which kind it is; the site guesses by the look of it.
            return [Problem("instrument.identity_type", "must be user_id or logon_id")]
        case _:
            return _text("instrument.identity", account.identity, is_needed=True)


def _wallet(wallet: WechatWallet, appid: str | None) -> list[Problem]:
    found = []
    if _OPENID.fullmatch(wallet.openid) is None:
        found.append(Problem("instrument.openid", "1 to 64 letters, digits, - or _"))
    if appid is not None and wallet.appid not in {None, appid}:
        found.append(Problem("instrument.appid", f"this channel pays openids of {appid} only"))
    return found


def _text(field: str, text: str, *, is_needed: bool) -> list[Problem]:
    """What the site neither trims nor escapes."""
    if is_needed and not text.strip():
        return [Problem(field, "is mandatory")]
    if text != text.strip(BLANKS) or ESCAPED & set(text):
        return [Problem(field, "must not hold & < > \" ' nor begin or end with a space")]
    return []
