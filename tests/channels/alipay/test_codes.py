"""Every row of Alipay's tables, by class; and that a code no table knows decides nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.alipay import codes
from channels.alipay.codes import Step
from channels.contract import Fault, Reason, UnknownCause

PAYEE_OR_INSTRUCTION = [
    "PAYEE_NOT_EXIST",
    "PAYEE_ACCOUNT_NOT_EXSIT",
    "PAYEE_ACCOUNT_STATUS_ERROR",
    "PAYEE_USERINFO_ERROR",
    "PAYEE_USERINFO_STATUS_ERROR",
    "PAYEE_ACC_OCUPIED",
    "PAYEE_NOT_RELNAME_CERTIFY",
    "PAYEE_USER_TYPE_ERROR",
    "PERMIT_NON_BANK_LIMIT_PAYEE",
    "PERMIT_LIMIT_PAYEE",
    "PERM_AML_NOT_REALNAME_REV",
    "RELEASE_USER_FORBBIDEN_RECIEVE",
    "EXCEED_LIMIT_UNRN_DM_AMOUNT",
    "EXCEED_LIMIT_DC_RECEIVED",
    "PAYEE_TRUSTEESHIP_ACC_OVER_LIMIT",
    "TRUSTEESHIP_RECIEVE_QUOTA_LIMIT",
    "CARD_BIN_ERROR",
    "INVALID_CARDNO",
    "PAYEE_CARD_INFO_ERROR",
    "BANKCODE_OR_BRANCHNAME_INFO_ERROR",
    "PAYER_PAYEE_CANNOT_SAME",
    "EXCEED_LIMIT_SM_MIN_AMOUNT",
    "EXCEED_LIMIT_SM_AMOUNT",
    "EXCEED_LIMIT_PERSONAL_SM_AMOUNT",
    "EXCEED_LIMIT_ENT_SM_AMOUNT",
    "MEMO_REQUIRED_IN_TRANSFER_ERROR",
    "REMARK_HAS_SENSITIVE_WORD",
    "SECURITY_CHECK_FAILED",
    "INVALID_PARAMETER",
    "TRANSFER_SCENE_NAME_BLANK",
    "TRANSFER_SCENE_NAME_ILLEGAL",
    "TRANSFER_SCENE_REPORT_INFO_ILLEGAL",
]
ONLY_IN_A_THIRD_PARTY_LIST = ["PAYEE_USER_INFO_ERROR"]
UNSURE = [
    "SYSTEM_ERROR",
    "REQUEST_PROCESSING",
    "TRANS_ORDER_DEALING",
    "PROMO_TRANS_ORDER_DEALING",
    "BANK_RESPONSE_ERROR",
    "PAYMENT_FAIL",
    "PROCESS_FAIL",
    "BIZ_UNIQUE_EXCEPTION",
    "PAYMENT_INFO_INCONSISTENCY",
    "REP_INCONSISTENT",
    "PAYMENT_TIME_EXPIRE",
    "isp.unknow-error",
    "aop.unknow-error",
]
NOT_TAKEN_IN = ["RESOURCE_LIMIT_EXCEED", "isv.app-call-limited"]
CHANNEL = [
    "PAYER_BALANCE_NOT_ENOUGH",
    "BALANCE_IS_NOT_ENOUGH",
    "BALANCE_NOT_ENOUGH",
    "PAYMENT_MONEY_NOT_ENOUGH",
    "EXCEED_LIMIT_DM_AMOUNT",
    "EXCEED_LIMIT_DM_MAX_AMOUNT",
    "EXCEED_LIMIT_MM_AMOUNT",
    "EXCEED_LIMIT_MM_MAX_AMOUNT",
    "PAYER_STATUS_ERROR",
    "PAYCARD_UNABLE_PAYMENT",
    "MONEY_PAY_CLOSED",
    "PRODUCT_NOT_SIGN",
    "NO_ACCOUNT_PAYMENT_PERMISSION",
    "PERMIT_PAYER_FORBIDDEN",
    "JUDICIAL_FREEZE",
    "TRANSFER_SCENE_INFO_ADMIT_FAIL",
    "INST_PAY_UNABLE",
]
GATEWAY = ["isv.invalid-signature", "isv.insufficient-isv-permissions"]


def test_every_row_stands_in_exactly_one_class() -> None:
    """The classes of this file and the table name the same codes."""
    named = [
        *PAYEE_OR_INSTRUCTION,
        *ONLY_IN_A_THIRD_PARTY_LIST,
        *UNSURE,
        *NOT_TAKEN_IN,
        *CHANNEL,
        *GATEWAY,
    ]
    assert len(named) == len(set(named))
    assert set(named) == set(codes.SUBMIT)


@pytest.mark.parametrize("sub_code", PAYEE_OR_INSTRUCTION)
def test_refusal_of_payee_or_instruction_is_definite(sub_code: str) -> None:
    """Class (a): no money moved, and the channel is not to blame."""
    row = codes.submission_error("40004", sub_code)
    assert isinstance(row.means, Reason)
    assert row.means.fault in {Fault.BENEFICIARY, Fault.INSTRUCTION}
    assert not row.confirm


def test_code_from_a_weak_source_wants_confirmation() -> None:
    """It stands in no official list, so an inquiry has to agree."""
    row = codes.submission_error("40004", "PAYEE_USER_INFO_ERROR")
    assert (row.means, row.confirm) == (Reason.PAYEE_NAME_MISMATCH, True)


@pytest.mark.parametrize("sub_code", UNSURE)
@pytest.mark.parametrize("code", ["40004", "20000"])
def test_doubt_stays_doubt(code: str, sub_code: str) -> None:
    """Class (b): may have moved or may still move."""
    assert codes.submission_error(code, sub_code).means is UnknownCause.CHANNEL_UNSURE


@pytest.mark.parametrize("sub_code", NOT_TAKEN_IN)
@pytest.mark.parametrize("code", ["40004", "40005", "20000"])
def test_throttling_is_not_a_refusal(code: str, sub_code: str) -> None:
    """Class (c): the same bytes may be sent again, but nobody else may pay meanwhile."""
    assert codes.submission_error(code, sub_code).means is UnknownCause.THROTTLED


@pytest.mark.parametrize("sub_code", CHANNEL)
def test_refusal_of_the_channel_counts_once_confirmed(sub_code: str) -> None:
    """Class (d): the channel is at fault, and an inquiry has to agree first."""
    row = codes.submission_error("40004", sub_code)
    assert isinstance(row.means, Reason)
    assert row.means.fault is Fault.CHANNEL
    assert row.confirm


@pytest.mark.parametrize("sub_code", GATEWAY)
@pytest.mark.parametrize("code", ["40002", "40003", "40006"])
def test_refusal_by_the_gateway_counts_once_confirmed(code: str, sub_code: str) -> None:
    """Signature and permission are refused before any business is done."""
    row = codes.submission_error(code, sub_code)
    assert isinstance(row.means, Reason)
    assert row.means.fault is Fault.CHANNEL
    assert row.confirm


@pytest.mark.parametrize("sub_code", ["", "SYSTEM_BUSY", "isp.unknow-error"])
def test_unavailable_gateway_is_unsure(sub_code: str) -> None:
    """Top code 20000: whatever stands below it."""
    assert codes.submission_error("20000", sub_code).means is UnknownCause.CHANNEL_UNSURE


@pytest.mark.parametrize(
    ("code", "sub_code"),
    [
        ("40002", "PAYEE_NOT_EXIST"),
        ("40004", "isv.invalid-signature"),
        ("10000", "PAYEE_NOT_EXIST"),
        ("", "PAYEE_NOT_EXIST"),
        ("40004", ""),
        ("40004", "payee_not_exist"),
        ("40004", " PAYEE_NOT_EXIST"),
    ],
)
def test_known_code_in_the_wrong_place_decides_nothing(code: str, sub_code: str) -> None:
    """A combination no document explains is an unknown code."""
    assert codes.submission_error(code, sub_code).means is UnknownCause.UNKNOWN_CODE


@given(st.text(max_size=8) | st.sampled_from(["40004", "40002", "20000", "10000"]), st.text())
def test_any_other_code_is_unknown(code: str, sub_code: str) -> None:
    """A code that is not in the table never refuses and never pays."""
    if sub_code not in codes.SUBMIT:
        means = codes.submission_error(code, sub_code).means
        assert means in {UnknownCause.UNKNOWN_CODE, UnknownCause.CHANNEL_UNSURE}


def test_every_row_names_its_source() -> None:
    """Somebody must be able to look it up."""
    assert all(row.source.startswith("§1.8") for row in codes.SUBMIT.values())


@pytest.mark.parametrize(
    ("code", "sub_code", "cause"),
    [
        ("40004", "SYSTEM_ERROR", UnknownCause.CHANNEL_UNSURE),
        ("40004", "INVALID_PARAMETER", UnknownCause.CHANNEL_UNSURE),
        ("40004", "NO_ORDER_PERMISSION", UnknownCause.CHANNEL_UNSURE),
        ("20000", "isp.unknow-error", UnknownCause.CHANNEL_UNSURE),
        ("20000", "anything", UnknownCause.CHANNEL_UNSURE),
        ("40004", "RESOURCE_LIMIT_EXCEED", UnknownCause.THROTTLED),
        ("40005", "isv.app-call-limited", UnknownCause.THROTTLED),
        ("40004", "PAYEE_NOT_EXIST", UnknownCause.UNKNOWN_CODE),
        ("40002", "isv.invalid-signature", UnknownCause.UNKNOWN_CODE),
    ],
)
def test_failed_question_says_nothing_about_the_payout(
    code: str, sub_code: str, cause: UnknownCause
) -> None:
    """Whatever goes wrong with a query, the payout's fate stays open."""
    assert codes.inquiry_error(code, sub_code) is cause


def test_states_are_the_documented_ones() -> None:
    """Six states, each with one meaning."""
    assert codes.STATUSES == {
        "SUCCESS": Step.PAID,
        "WAIT_PAY": Step.PENDING,
        "DEALING": Step.PENDING,
        "CLOSED": Step.FAILED,
        "FAIL": Step.FAILED,
        "REFUND": Step.RETURNED,
    }


@pytest.mark.parametrize(
    ("error_code", "reason"),
    [
        ("PAYEE_CARD_INFO_ERROR", Reason.INSTRUMENT_INVALID),
        ("INST_PAY_UNABLE", Reason.RAIL_DOWN),
        ("SYSTEM_ERROR", Reason.UNEXPLAINED),
        ("NEVER_HEARD_OF", Reason.UNEXPLAINED),
        ("", Reason.UNEXPLAINED),
    ],
)
def test_failed_order_without_a_known_reason_goes_nowhere_else(
    error_code: str, reason: Reason
) -> None:
    """The state decides that it failed; an unknown reason decides that a person looks."""
    assert codes.failure_reason(error_code) is reason
