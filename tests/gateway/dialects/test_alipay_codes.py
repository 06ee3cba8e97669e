"""Alipay's words for our facts, held against what our own adapter reads in them."""

import pytest
from msgspec.structs import replace

from channels.alipay import codes
from channels.contract import Fault, Reason, UnknownCause
from gateway.api.dialects import alipay_codes, alipay_envelope
from gateway.api.dialects.alipay_codes import RefusedError, error_code
from gateway.domain.lifecycle import apply
from gateway.domain.payout import PayoutState
from tests import builders as build

VAGUER = {Reason.RAIL_DOWN, Reason.UNEXPLAINED}
"""Reasons after which a reader may try what it could try anyway, or asks a person."""


@pytest.mark.parametrize("reason", Reason)
def test_a_failure_is_read_as_what_it_was_or_as_less(reason: Reason) -> None:
    """Nobody learns of a fault of the payee's that was none, nor the other way round."""
    told = build.payout(state=PayoutState.ROUTING)
    for event in (
        build.armed(),
        build.died(cert=replace(build.certificate(), reason=reason)),
        build.failed(),
    ):
        told = apply(told, event, build.NOW)

    read = codes.failure_reason(error_code(told))

    assert read is reason or read in VAGUER
    assert read is not Reason.RAIL_DOWN or reason.fault is not Fault.BENEFICIARY


@pytest.mark.parametrize("sub_code", sorted(alipay_codes.ASK_AGAIN | {alipay_codes.UNSURE}))
def test_what_may_be_paid_is_read_as_open(sub_code: str) -> None:
    """By the table of the other side."""
    node = RefusedError(sub_code).node
    row = codes.submission_error(node["code"], node["sub_code"])

    assert isinstance(row.means, UnknownCause)


@pytest.mark.parametrize(
    "sub_code",
    [
        *("PAYER_BALANCE_NOT_ENOUGH", "PAYER_STATUS_ERROR", "PRODUCT_NOT_SIGN"),
        *("INVALID_PARAMETER", "INVALID_CARDNO", "BANKCODE_OR_BRANCHNAME_INFO_ERROR"),
        *("EXCEED_LIMIT_SM_AMOUNT", "EXCEED_LIMIT_SM_MIN_AMOUNT", "isv.invalid-signature"),
    ],
)
def test_what_was_never_stored_is_read_as_refused(sub_code: str) -> None:
    """Under the top code it belongs to."""
    node = RefusedError(sub_code).node
    row = codes.submission_error(node["code"], node["sub_code"])

    assert isinstance(row.means, Reason)


def test_the_string_to_sign_is_the_documented_one() -> None:
    """Empty values out, sorted by name, not encoded."""
    given = {
        "method": "m",
        "app_id": "2021000000000001",
        "notify_url": "",
        "sign": "x",
        "charset": "utf-8",
        "sign_type": "RSA2",
    }

    text = alipay_envelope.string_to_sign(given)

    assert text == b"app_id=2021000000000001&charset=utf-8&method=m&sign_type=RSA2"
    assert text.decode() in (alipay_envelope.__doc__ or "")
