"""The field rules of a transfer, one refusal each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.alipay.statement import yuan
from simulators.alipay.submission import read_amount
from tests.simulators.alipay.customer import TRANSFER, account, customer, to_card, transfer

LOGON = {"identity": "li@example.test", "identity_type": "ALIPAY_LOGON_ID", "name": "李雷"}
CARD = {"identity": "6217000000000009", "identity_type": "BANKCARD_ACCOUNT", "name": "李雷"}


@pytest.mark.parametrize(
    ("biz", "sub_code"),
    [
        (transfer(""), "INVALID_PARAMETER"),
        (transfer("a" * 65), "INVALID_PARAMETER"),
        (transfer("has space"), "INVALID_PARAMETER"),
        (transfer(yuan="1.234"), "INVALID_PARAMETER"),
        (transfer(yuan="1e3"), "INVALID_PARAMETER"),
        (transfer(yuan="-1"), "INVALID_PARAMETER"),
        (transfer(trans_amount=1.5), "INVALID_PARAMETER"),
        (transfer(yuan="0.09"), "EXCEED_LIMIT_SM_MIN_AMOUNT"),
        (transfer(yuan="100000001"), "EXCEED_LIMIT_SM_AMOUNT"),
        (transfer(yuan="50000"), "MEMO_REQUIRED_IN_TRANSFER_ERROR"),
        (transfer(product_code="STD_RED_PACKET"), "INVALID_PARAMETER"),
        (transfer(biz_scene="PERSONAL_PAY"), "INVALID_PARAMETER"),
        (transfer(order_title="长" * 129), "INVALID_PARAMETER"),
        (transfer(order_title="line\nbreak"), "INVALID_PARAMETER"),
        (transfer(business_params="[]"), "INVALID_PARAMETER"),
        (transfer(business_params="{"), "INVALID_PARAMETER"),
        (transfer(payee_info="x"), "INVALID_PARAMETER"),
        (transfer(payee_info={**LOGON, "name": ""}), "INVALID_PARAMETER"),
        (transfer(payee_info={**LOGON, "identity": ""}), "INVALID_PARAMETER"),
        (transfer(payee_info={**LOGON, "identity_type": "PHONE"}), "INVALID_PARAMETER"),
        (transfer(payee_info={**LOGON, "identity_type": "ALIPAY_USER_ID"}), "INVALID_PARAMETER"),
        (transfer(payee_info=CARD), "INVALID_PARAMETER"),
        (
            transfer(
                payee_info={"identity": "2088000000000001", "identity_type": "ALIPAY_USER_ID"}
            ),
            "PAYER_PAYEE_CANNOT_SAME",
        ),
        (transfer(transfer_scene_name="随便"), "TRANSFER_SCENE_NAME_ILLEGAL"),
        (
            transfer(
                transfer_scene_name="佣金报酬", transfer_scene_report_infos=[{"info_type": "岗位"}]
            ),
            "TRANSFER_SCENE_REPORT_INFO_ILLEGAL",
        ),
        (
            transfer(transfer_scene_name="佣金报酬", transfer_scene_report_infos="岗位"),
            "TRANSFER_SCENE_REPORT_INFO_ILLEGAL",
        ),
        (to_card(card="not a card"), "INVALID_CARDNO"),
        (transfer(product_code="TRANS_BANKCARD_NO_PWD"), "INVALID_PARAMETER"),
        (
            transfer(product_code="TRANS_BANKCARD_NO_PWD", payee_info={**CARD, "name": ""}),
            "INVALID_PARAMETER",
        ),
        (
            transfer(
                product_code="TRANS_BANKCARD_NO_PWD",
                payee_info={**CARD, "bankcard_ext_info": {"account_type": "1"}},
            ),
            "BANKCODE_OR_BRANCHNAME_INFO_ERROR",
        ),
        (
            transfer(
                product_code="TRANS_BANKCARD_NO_PWD",
                payee_info={**CARD, "bankcard_ext_info": {"bank_code": "123"}},
            ),
            "BANKCODE_OR_BRANCHNAME_INFO_ERROR",
        ),
        (
            transfer(
                product_code="TRANS_BANKCARD_NO_PWD",
                payee_info={**CARD, "bankcard_ext_info": {"account_type": "3"}},
            ),
            "INVALID_PARAMETER",
        ),
        (
            transfer(
                product_code="TRANS_BANKCARD_NO_PWD", payee_info={**CARD, "bankcard_ext_info": []}
            ),
            "INVALID_PARAMETER",
        ),
    ],
)
def test_a_broken_field_is_refused(biz: dict[str, object], sub_code: str) -> None:
    """Each rule of the page has its own refusal, and no money moves."""
    merchant = customer()
    node = merchant.ask(TRANSFER, biz)
    assert (node["code"], node["sub_code"]) == ("40004", sub_code)
    assert merchant.moved() == []


@pytest.mark.parametrize(
    "biz",
    [
        transfer(yuan="50000", remark="稿费"),
        transfer(yuan="0.1"),
        transfer(payee_info={"identity": "2088000000000009", "identity_type": "ALIPAY_USER_ID"}),
        transfer(payee_info={"identity": "open-id", "identity_type": "ALIPAY_OPEN_ID"}),
        transfer(business_params='{"payer_show_name":"x"}', nobody_knows="this key"),
        transfer(
            transfer_scene_name="佣金报酬",
            transfer_scene_report_infos=[{"info_type": "岗位类型", "info_content": "外卖员"}],
        ),
        to_card(),
    ],
)
def test_what_the_page_allows_is_taken(biz: dict[str, object]) -> None:
    """Optional fields, unknown keys and every kind of payee pass."""
    assert customer(account(balance_fen=10_000_000)).ask(TRANSFER, biz)["code"] == "10000"


def test_a_product_that_was_not_signed_is_refused() -> None:
    """An account is granted products one by one."""
    merchant = customer(account(products=["TRANS_ACCOUNT_NO_PWD"]))
    assert merchant.ask(TRANSFER, to_card())["sub_code"] == "PRODUCT_NOT_SIGN"


def test_a_scene_can_be_mandatory() -> None:
    """Scene reporting depends on the contract."""
    merchant = customer(account(scene_required=True))
    assert merchant.ask(TRANSFER, transfer())["sub_code"] == "TRANSFER_SCENE_NAME_BLANK"


def test_a_known_payee_must_bear_the_given_name() -> None:
    """If a name is given it is matched."""
    merchant = customer(payees={"li@example.test": "李磊"})
    assert merchant.ask(TRANSFER, transfer())["sub_code"] == "PAYEE_USERINFO_ERROR"


@given(st.integers(min_value=0, max_value=99_999_999_999))
def test_yuan_text_and_fen_are_inverse(fen: int) -> None:
    """Every amount survives the way to text and back."""
    assert read_amount(yuan(fen)) == fen


@pytest.mark.parametrize(
    "text", ["", ".5", "5.", "01", "+1", "1,000", "１", " 1", "1.000", "1.１", None, 1]
)
def test_odd_amounts_are_not_read(text: object) -> None:
    """Only plain digits with at most two decimals."""
    assert read_amount(text) is None
