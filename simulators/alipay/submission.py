"""The field rules of alipay.fund.trans.uni.transfer: biz_content in, Submission or refusal out.

Source: the method's page on the open platform (request parameters, error codes). Keys the page does
not name are ignored, as the platform does. Nothing here looks at balances or earlier orders.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from simulators.alipay.errors import RefusedError
from simulators.alipay.settings import Account

ACCOUNT_PRODUCT = "TRANS_ACCOUNT_NO_PWD"
CARD_PRODUCT = "TRANS_BANKCARD_NO_PWD"

SCENES = frozenset(
    {"佣金报酬", "企业退款", "业务结算", "现金营销", "二手回收", "公益补助"}
    | {"行政补贴和退款", "保险理赔"}
)
"""The scenes named on the method's page."""

_REFERENCE = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_AMOUNT = re.compile(r"(0|[1-9]\d{0,8})(?:\.(\d{1,2}))?", re.ASCII)
_USER_ID = re.compile(r"2088\d{12}", re.ASCII)
_CARD = re.compile(r"\d{8,30}", re.ASCII)
_ACCOUNT_IDENTITIES = frozenset({"ALIPAY_USER_ID", "ALIPAY_LOGON_ID", "ALIPAY_OPEN_ID"})


@dataclass(frozen=True, slots=True)
class Submission:
    """One well-formed transfer."""

    reference: str
    amount_minor: int
    product: str
    scene: str
    payee: str
    name: str
    same_as: str
    """Canonical text of everything asked; equal texts are the same request."""

    @property
    def is_card(self) -> bool:
        """Whether a bank pays it out, later."""
        return self.product == CARD_PRODUCT


def read_amount(value: object) -> int | None:
    """Fen of a yuan string with at most two decimals; None for anything else.

    Worked example: "1.5" is 150, "0.10" is 10; "01.00", "1.005", "1e3" and 1.5 are refused.
    """
    matched = _AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        return None
    yuan, fen = matched.groups()
    return int(yuan) * 100 + int((fen or "0").ljust(2, "0"))


def read_submission(
    biz: Mapping[str, object], account: Account, remark_from_fen: int
) -> Submission:
    """Check every field. Raises RefusedError."""
    reference = _text(biz, "out_biz_no", 64, is_needed=True)
    if not _REFERENCE.fullmatch(reference):
        raise _bad("out_biz_no")
    amount = read_amount(biz.get("trans_amount"))
    if amount is None:
        raise _bad("trans_amount")
    product = _text(biz, "product_code", 64, is_needed=True)
    if product not in (ACCOUNT_PRODUCT, CARD_PRODUCT):
        raise _bad("product_code")
    if product not in account.products:
        raise RefusedError("PRODUCT_NOT_SIGN")
    scene = _text(biz, "biz_scene", 64, is_needed=True)
    if scene != "DIRECT_TRANSFER":
        raise _bad("biz_scene")
    _text(biz, "order_title", 128)
    remark = _text(biz, "remark", 200)
    for name, limit in (("passback_params", 512), ("original_order_id", 64)):
        _text(biz, name, limit)
    _check_business_params(_text(biz, "business_params", 2048))
    payee, payee_name = _read_payee(biz, product)
    if payee == account.user_id:
        raise RefusedError("PAYER_PAYEE_CANNOT_SAME")
    _check_scene(biz, account)
    if amount < account.min_fen:
        raise RefusedError("EXCEED_LIMIT_SM_MIN_AMOUNT")
    if amount > account.max_fen:
        raise RefusedError("EXCEED_LIMIT_SM_AMOUNT")
    if amount >= remark_from_fen and not remark:
        raise RefusedError("MEMO_REQUIRED_IN_TRANSFER_ERROR")
    same_as = json.dumps({**biz, "trans_amount": amount}, sort_keys=True, ensure_ascii=True)
    return Submission(reference, amount, product, scene, payee, payee_name, same_as)


def _read_payee(biz: Mapping[str, object], product: str) -> tuple[str, str]:
    info = biz.get("payee_info")
    if not isinstance(info, dict):
        raise _bad("payee_info")
    identity = _text(info, "identity", 128, is_needed=True)
    kind = _text(info, "identity_type", 64, is_needed=True)
    name = _text(info, "name", 128)
    for field, limit in (("cert_type", 64), ("cert_no", 64)):
        _text(info, field, limit)
    if product == CARD_PRODUCT:
        if kind != "BANKCARD_ACCOUNT":
            raise _bad("payee_info.identity_type")
        if not _CARD.fullmatch(identity):
            raise RefusedError("INVALID_CARDNO")
        if not name:
            raise _bad("payee_info.name")
        _check_card(info)
        return identity, name
    if kind not in _ACCOUNT_IDENTITIES:
        raise _bad("payee_info.identity_type")
    if kind == "ALIPAY_USER_ID" and not _USER_ID.fullmatch(identity):
        raise _bad("payee_info.identity")
    if kind == "ALIPAY_LOGON_ID" and not name:
        raise _bad("payee_info.name")
    return identity, name


def _check_card(info: Mapping[str, object]) -> None:
    card = info.get("bankcard_ext_info", {})
    if not isinstance(card, dict):
        raise _bad("payee_info.bankcard_ext_info")
    kind = _text(card, "account_type", 1)
    if kind not in ("", "1", "2"):
        raise _bad("payee_info.bankcard_ext_info.account_type")
    code = _text(card, "bank_code", 32)
    named = _text(card, "inst_name", 128)
    for field in ("inst_province", "inst_city", "inst_branch_name"):
        _text(card, field, 128)
    if code and not re.fullmatch(r"[0-9]{12}", code):
        raise RefusedError("BANKCODE_OR_BRANCHNAME_INFO_ERROR")
    # A corporate account is found by its bank line number or by its institution's name.
    if kind == "1" and not (code or named):
        raise RefusedError("BANKCODE_OR_BRANCHNAME_INFO_ERROR")


def _check_scene(biz: Mapping[str, object], account: Account) -> None:
    scene = _text(biz, "transfer_scene_name", 64)
    if not scene:
        if account.scene_required:
            raise RefusedError("TRANSFER_SCENE_NAME_BLANK")
        return
    if scene not in SCENES:
        raise RefusedError("TRANSFER_SCENE_NAME_ILLEGAL")
    reports = biz.get("transfer_scene_report_infos", [])
    if not isinstance(reports, list):
        raise RefusedError("TRANSFER_SCENE_REPORT_INFO_ILLEGAL")
    for report in reports:
        if not isinstance(report, dict) or not all(
            isinstance(report.get(name), str) and report.get(name)
            for name in ("info_type", "info_content")
        ):
            raise RefusedError("TRANSFER_SCENE_REPORT_INFO_ILLEGAL")


def _check_business_params(text: str) -> None:
    if not text:
        return
    try:
        is_object = isinstance(json.loads(text), dict)
    except ValueError:
        is_object = False
    if not is_object:
        raise _bad("business_params")


def _text(holder: Mapping[str, object], name: str, limit: int, *, is_needed: bool = False) -> str:
    value = holder.get(name, "")
    if not isinstance(value, str) or len(value) > limit or (is_needed and not value):
        raise _bad(name)
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in value):
        raise _bad(name)
    return value


def _bad(name: str) -> RefusedError:
    return RefusedError("INVALID_PARAMETER", f"参数有误：{name}")
