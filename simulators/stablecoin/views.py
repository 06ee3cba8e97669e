"""How payouts, balances and rates look on the wire. Amounts are decimal strings."""

from __future__ import annotations

from datetime import UTC, datetime

from simulators.stablecoin.payouts import DENIED, Payout

Said = dict[str, object]


def moment(at: datetime) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def money(minor: int, currency: str) -> Said:
    """Whole units with two decimals."""
    return {"amount": f"{minor // 100}.{minor % 100:02d}", "currency": currency}


def payout(one: Payout, wallet_id: str) -> Said:
    """A payout as created, fetched, listed or told about."""
    asked = one.asked
    source = asked.source_currency
    said: Said = {
        "id": one.id,
        "sourceWalletId": wallet_id,
        "destination": {"type": asked.destination_type, "id": asked.payee},
        "amount": money(one.debit_minor, source),
        "fees": money(one.fee_minor, source),
        "status": one.status,
        "createDate": moment(one.created_at),
        "updateDate": moment(one.updated_at or one.created_at),
    }
    if asked.is_crypto:
        said["toAmount"] = money(asked.amount_minor, asked.currency)
        said["networkFees"] = money(one.network_fee_minor, source)
    else:
        said["trackingRef"] = one.tracking_ref
    if one.error_code:
        said["errorCode"] = one.error_code
    if one.error_code == DENIED:
        said["riskEvaluation"] = {"decision": "denied", "reason": "3000"}
    elif one.in_review:
        said["riskEvaluation"] = {"decision": "review", "reason": "3001"}
    if one.back is not None:
        said["return"] = {
            "id": one.back.id,
            "payoutId": one.id,
            "amount": money(one.debit_minor, source),
            "fees": money(0, source),
            "reason": "Returned by the beneficiary bank",
            "status": one.back.status,
            "createDate": moment(one.back.at),
            "updateDate": moment(one.back.updated_at or one.back.at),
        }
    return said
