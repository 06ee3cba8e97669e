"""What this channel promises, and what it would refuse for ever. Pure.

Rules of the fields of `/api/transferOrder` (dialects.md §1), of the channels behind it, and of the
operator's contract. Problems name the field and never quote what is in it.
"""

import re
import string

from msgspec.structs import replace

from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    BankCard,
    Instruction,
    Instrument,
    Problem,
    Rail,
    ReferenceRule,
    Terms,
    Traits,
    WechatWallet,
)
from channels.jeepay import wire
from channels.jeepay.profile import PROFILE
from channels.jeepay.settings import JeepaySettings
from channels.keyed_md5.checks import is_plain, of_amount, of_text

_OPENID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_CARD = re.compile(r"[0-9]{8,32}", re.ASCII)
_USER_ID = re.compile(r"2088[0-9]{12}", re.ASCII)
_REFERENCE_CHARS_MAX = 32
_URL_CHARS_MAX = 256


def traits(settings: JeepaySettings, terms: Terms) -> Traits:
    """What protocol and contract promise. A number is never sent twice: it is refused with a text
    that cannot be told from any other refusal."""
    confirms = Rail.WECHAT in settings.rails and settings.wechat_scene is not None
    return Traits(
        kind="jeepay",
        rails=frozenset(settings.rails),
        terms=terms,
        reference=ReferenceRule(string.digits + string.ascii_letters, 1, _REFERENCE_CHARS_MAX),
        resend=None,
        inquire_first_s=settings.inquire_first_s,
        inquire_max_s=settings.inquire_max_s,
        inquire_horizon_days=None,
        sends_per_s=None,
        name_required_from_minor=None,
        notices=True,
        statement=False,
        statement_ready=None,
        payee_confirms=confirms,
        profile=replace(PROFILE, refusal_lag_s=settings.refusal_lag_s),
    )


def problems(
    instruction: Instruction, settings: JeepaySettings, terms: Terms
) -> tuple[Problem, ...]:
    """Everything at fault, at once; empty if it may be sent."""
    instrument = instruction.instrument
    if instrument.rail not in settings.rails:
        return (Problem("instrument", f"this channel is not configured for {instrument.rail}"),)
    wechat = instrument.rail is Rail.WECHAT
    return (
        *_of_payee(instrument, settings),
        *of_amount(instruction.amount, terms),
        *of_text(
            instruction,
            reference_max=_REFERENCE_CHARS_MAX,
            purpose_max=wire.WECHAT_PURPOSE_CHARS_MAX if wechat else wire.PURPOSE_CHARS_MAX,
            url_max=_URL_CHARS_MAX,
        ),
    )


def _of_payee(instrument: Instrument, settings: JeepaySettings) -> list[Problem]:
    match instrument:
        case AlipayAccount(identity, identity_type):
            found = _alipay(identity, identity_type, settings)
        case WechatWallet(openid, appid):
            found = []
            if _OPENID.fullmatch(openid) is None:
                found.append(Problem("instrument.openid", "1 to 64 letters, digits, - or _"))
            known = settings.wechat_appid
            if known is not None and appid is not None and appid != known:
                found.append(Problem("instrument.appid", f"this channel pays openids of {known}"))
        case BankCard(number, name):
            found = []
            if _CARD.fullmatch(number) is None:
                found.append(Problem("instrument.number", "must be 8 to 32 digits"))
            if not name.strip():
                found.append(Problem("instrument.name", "is mandatory"))
            if not is_plain(instrument.bank_name or "", 64):
                found.append(Problem("instrument.bank_name", "must be readable text"))
        case _:
            return [Problem("instrument", f"Jeepay does not reach {instrument.rail}")]
    if instrument.name is not None and not is_plain(instrument.name, wire.NAME_CHARS_MAX):
        message = f"must be at most {wire.NAME_CHARS_MAX} readable characters"
        found.append(Problem("instrument.name", message))
    return found


def _alipay(
    identity: str, identity_type: AlipayIdentity, settings: JeepaySettings
) -> list[Problem]:
    found = []
    if identity_type not in settings.alipay_identities:
        message = f"this gateway is not configured to be given a {identity_type}"
        found.append(Problem("instrument.identity_type", message))
    if not identity.strip() or not is_plain(identity, 64):
        found.append(Problem("instrument.identity", "is mandatory, at most 64 characters"))
    elif identity_type is AlipayIdentity.USER_ID and _USER_ID.fullmatch(identity) is None:
        found.append(Problem("instrument.identity", "must be 16 digits beginning with 2088"))
    return found
