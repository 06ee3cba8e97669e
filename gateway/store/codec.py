"""How values look in a column: times, dates and the JSON of small values.

Times are whole microseconds since 1970 UTC in both databases: they sort, compare and survive
without any session's time zone. Only lossless forms; nothing here knows about rows or queries.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
from msgspec.json import Encoder
from msgspec.structs import asdict

from channels.contract import (
    INSTRUMENTS,
    AlipayAccount,
    AlipayIdentity,
    BankAccount,
    BankCard,
    ChainAddress,
    Evidence,
    Instrument,
    PayeeAction,
    Rail,
    Reason,
    WechatWallet,
    WireAccount,
)
from gateway.domain.merchant_fee import Charge, MerchantFee
from gateway.domain.payout import (
    UNCONSTRAINED,
    Certificate,
    CertificateKind,
    Constraints,
    Leg,
    Refusal,
)
from policies.fees import Fee, MonthUse, Tier

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The bytes that orjson writes, in half of its time: these are dataclasses.
_instruments_to_json = Encoder().encode


def micros(at: datetime) -> int:
    """Microseconds since 1970 UTC, exactly. A naive time is a defect (TypeError)."""
    delta = at - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def micros_or_none(at: datetime | None) -> int | None:
    """Microseconds, or None for None."""
    return None if at is None else micros(at)


def moment(value: int) -> datetime:
    """Aware UTC; the inverse of `micros`."""
    return _EPOCH + timedelta(microseconds=value)


def moment_or_none(value: int | None) -> datetime | None:
    """Aware UTC, or None for None."""
    return None if value is None else _EPOCH + timedelta(microseconds=value)


def day(value: str | None) -> date | None:
    """A date from its ISO text."""
    return None if value is None else date.fromisoformat(value)


def instruments_json(instruments: tuple[Instrument, ...]) -> bytes:
    """All instruments with their rail."""
    return _instruments_to_json(instruments)


def instruments_of(text: bytes) -> tuple[Instrument, ...]:
    """The inverse of `instruments_json`."""
    return tuple(_instrument(item) for item in orjson.loads(text))


def _instrument(item: dict[str, Any]) -> Instrument:
    kind = INSTRUMENTS[Rail(item.pop("rail"))]
    if kind is AlipayAccount:
        item["identity_type"] = AlipayIdentity(item["identity_type"])
    return kind(**item)


def payee_of(instrument: Instrument) -> bytes:
    """What makes two instruments the same payee's account, whatever name was given with it."""
    match instrument:
        case AlipayAccount(identity=identity, identity_type=kind):
            parts = ["alipay", kind, identity.strip().lower()]
        case WechatWallet(openid=openid, appid=appid):
            parts = ["wechat", appid or "", openid]
        case BankCard(number=number) | BankAccount(number=number):
            parts = ["bank", "".join(number.split())]
        case WireAccount(account_id=account_id):
            parts = ["wire", account_id]
        case ChainAddress(address=address, chain=chain):
            # Hexadecimal addresses differ by their checksum's case alone; others are case-bound.
            parts = ["chain", chain, address.lower() if address.startswith("0x") else address]
    return "\x1f".join(parts).encode()


def fee_json(fee: MerchantFee) -> str:
    """What was agreed with a merchant, as JSON text."""
    return orjson.dumps(_fee_parts(fee)).decode()


def fee_of(text: str) -> MerchantFee:
    """The inverse of `fee_json`."""
    return _fee_of(orjson.loads(text))


def charge_json(charge: Charge | None) -> str | None:
    """How a fee was computed; None for None."""
    if charge is None:
        return None
    return orjson.dumps(
        {
            "terms": _fee_parts(charge.terms),
            "month_on": charge.month_on,
            "payouts": charge.month.payouts,
            "minor": charge.month.minor,
        }
    ).decode()


def charge_of(text: str | None) -> Charge | None:
    """The inverse of `charge_json`."""
    if text is None:
        return None
    stored = orjson.loads(text)
    return Charge(
        _fee_of(stored["terms"]),
        date.fromisoformat(stored["month_on"]),
        MonthUse(stored["payouts"], stored["minor"]),
    )


def leg_json(leg: Leg | None) -> str | None:
    """Which part of which split; None for None."""
    return None if leg is None else orjson.dumps(leg, default=asdict).decode()


def leg_of(text: str | None) -> Leg | None:
    """The inverse of `leg_json`."""
    return None if text is None else Leg(**orjson.loads(text))


def _fee_parts(fee: MerchantFee) -> dict[str, Any]:
    """Beside its parts only what differs from a fee of one rate on top."""
    terms = fee.fee
    said: dict[str, Any] = {
        "flat_minor": terms.flat_minor,
        "rate_ppm": terms.rate_ppm,
        "min_minor": terms.min_minor,
        "max_minor": terms.max_minor,
        "surcharge_ppm": terms.surcharge_ppm,
        "mode": terms.mode,
        "on_return": fee.on_return,
    }
    if terms.tiers:
        said["tiers"] = [[tier.floor, tier.flat_minor, tier.rate_ppm] for tier in terms.tiers]
        said["basis"], said["scheme"] = terms.basis, terms.scheme
    return said


def _fee_of(stored: dict[str, Any]) -> MerchantFee:
    """Agreements from before there were modes, tiers and returned fees say nothing of them."""
    on_return = stored.pop("on_return", "kept")
    tiers = tuple(Tier(*tier) for tier in stored.pop("tiers", ()))
    return MerchantFee(Fee(**stored, tiers=tiers), on_return)


def metadata_json(metadata: Mapping[str, str]) -> str:
    """A merchant's key-value pairs, in its order."""
    return orjson.dumps(dict(metadata)).decode() if metadata else "{}"


def constraints_json(constraints: Constraints) -> str | None:
    """What a request says about channels; None when it says nothing."""
    if constraints is UNCONSTRAINED or constraints == UNCONSTRAINED:
        return None
    return orjson.dumps(constraints, default=asdict, option=orjson.OPT_SORT_KEYS).decode()


def constraints_of(text: str | None) -> Constraints:
    """What `constraints_json` was given."""
    if text is None:
        return UNCONSTRAINED
    stored = orjson.loads(text)
    names = {part: tuple(stored[part]) for part in ("only", "deny", "prefer")}
    return Constraints(**names, max_attempts=stored["max_attempts"])


def evidence_json(evidence: Evidence) -> bytes:
    """Evidence as JSON; the body may be any bytes, so it goes as Latin-1 text."""
    return orjson.dumps(
        {
            "http_status": evidence.http_status,
            "code": evidence.code,
            "message": evidence.message,
            "body": evidence.body.decode("latin-1"),
        }
    )


def evidence_of(text: bytes) -> Evidence:
    """The inverse of `evidence_json`."""
    item = orjson.loads(text)
    return Evidence(
        item["http_status"], item["code"], item["message"], item["body"].encode("latin-1")
    )


def certificate_json(certificate: Certificate) -> str:
    """A certificate without the channel's message, which is kept sealed beside it."""
    return orjson.dumps(
        {
            "kind": certificate.kind,
            "reason": certificate.reason,
            "code": certificate.code,
            "at": micros(certificate.at),
            "by": certificate.by,
            "checked_by": certificate.checked_by,
        }
    ).decode()


def certificate_of(text: str, message: str) -> Certificate:
    """The inverse of `certificate_json`."""
    item = orjson.loads(text)
    return Certificate(
        kind=CertificateKind(item["kind"]),
        reason=Reason(item["reason"]),
        code=item["code"],
        message=message,
        at=moment(item["at"]),
        by=item["by"],
        checked_by=item["checked_by"],
    )


def refusal_json(refusal: Refusal | None) -> bytes | None:
    """A refusal with the channel's words."""
    return None if refusal is None else orjson.dumps(refusal, default=asdict)


def refusal_of(text: bytes) -> Refusal:
    """The inverse of `refusal_json`."""
    item = orjson.loads(text)
    return Refusal(Reason(item["reason"]), item["code"], item["message"])


def action_json(action: PayeeAction | None) -> bytes | None:
    """What the beneficiary must do."""
    if action is None:
        return None
    opener = {"app_id": action.app_id, "mch_id": action.mch_id}
    return orjson.dumps(
        {
            "kind": action.kind,
            "package_info": action.package_info,
            "expires_at": micros(action.expires_at),
            # Left out where there is none: the audit log has digests of actions without them.
            **{name: value for name, value in opener.items() if value is not None},
        }
    )


def action_of(text: bytes) -> PayeeAction:
    """The inverse of `action_json`."""
    item = orjson.loads(text)
    return PayeeAction(
        item["kind"],
        item["package_info"],
        moment(item["expires_at"]),
        app_id=item.get("app_id"),
        mch_id=item.get("mch_id"),
    )
