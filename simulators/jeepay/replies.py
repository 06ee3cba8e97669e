"""How an order reads: in the answer to a submission, to a query, and in a notice.

Source: the interface description of 转账, 转账查单 and 转账通知. An envelope is signed only with
code 0, and the signature covers `data` alone; fields that are null are left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from simulators.faults import Hits
from simulators.jeepay.settings import Account
from simulators.kernel import Reply
from simulators.keyed_md5 import SIGN, another, sign
from simulators.orders import Order, Stage

JSON = (("content-type", "application/json;charset=UTF-8"),)
WECHAT_ENTRY = "WX_CASH"

_STATES: Mapping[Stage, int] = {
    Stage.CREATED: 0,
    Stage.PENDING: 1,
    Stage.PAID: 2,
    Stage.FAILED: 3,
    Stage.RETURNED: 2,
}
_WORDS: Mapping[str, int] = {"FAIL": 3, "SUCCESS": 2, "PROCESSING": 1, "CLOSED": 4}
"""What a rule may call a state; anything else is said as it is."""

Fields = dict[str, object]


def submitted(order: Order, site_url: str) -> Fields:
    """TransferOrderRS."""
    said: Fields = {
        "transferId": order.number,
        "mchOrderNo": order.reference,
        "amount": order.amount_minor,
        "accountNo": order.payee,
        "accountName": order.asked.get("accountName"),
        "bankName": order.asked.get("bankName"),
        "state": _STATES[order.stage],
        "channelOrderNo": f"U{order.number}" if order.stage is Stage.PAID else None,
        "channelResData": _attached(order, site_url),
        **_failed(order),
    }
    return {name: value for name, value in said.items() if value not in (None, "")}


def described(order: Order, account: Account, site_url: str) -> Fields:
    """QueryTransferOrderRS."""
    said = submitted(order, site_url) | {
        "mchNo": account.mch_no,
        "appId": account.app_id,
        "ifCode": order.asked.get("ifCode"),
        "entryType": order.asked.get("entryType"),
        "currency": order.asked.get("currency"),
        "transferDesc": order.asked.get("transferDesc"),
        "channelExtra": order.asked.get("channelExtra"),
        "extParam": order.asked.get("extParam"),
        "successTime": None if order.said_paid_at is None else millis(order.said_paid_at),
        "createdAt": millis(order.taken_at),
    }
    return {name: value for name, value in said.items() if value not in (None, "")}


def state_of(word: str) -> int | str:
    """A state as a rule names it."""
    return _WORDS.get(word, int(word) if word.isdigit() else word)


def envelope(fields: Fields, secret: str, hits: Hits) -> Reply:
    """Code 0 with signed data, unless the rules want it otherwise."""
    said: Fields = {"code": 0, "msg": "SUCCESS", "data": fields}
    signature = sign(fields, secret)
    if "bad_signature" in hits:
        signature = another(signature)
    if "unsigned" not in hits:
        said[SIGN] = signature
    return _json(said)


def refusal(code: int | str, message: str) -> Reply:
    """Any other code: a text, no signature."""
    number = int(code) if isinstance(code, str) and code.isdigit() else code
    return _json({"code": number, "msg": message})


def distort(said: Fields, hits: Hits) -> None:
    """The faults that change what a true reply says; it is signed afterwards."""
    for action in ("unknown_status", "status_lie"):
        if (lie := hits.get(action)) is not None:
            said["state"] = state_of(lie.text("status"))
    if (wrong := hits.get("wrong_echo")) is not None:
        match wrong.text("field"):
            case "amount":
                said["amount"] = int(str(said["amount"])) + 1
            case "reference":
                said["mchOrderNo"] = f"{said['mchOrderNo']}X"
            case _:
                said["accountNo"] = f"{said['accountNo']}X"


def millis(at: datetime) -> int:
    """Milliseconds since 1970, as Java counts them."""
    return int(at.timestamp()) * 1000 + at.microsecond // 1000


def _json(said: Fields) -> Reply:
    return Reply(200, JSON, json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode())


def _failed(order: Order) -> Fields:
    """errCode and errMsg. Of WeChat's product the first is the state, the second its reason."""
    if order.failure is None:
        return {}
    code, text = order.failure.code, order.failure.text
    if order.stage is not Stage.FAILED or text:
        return {"errCode": code, "errMsg": text}
    if order.asked.get("entryType") == WECHAT_ENTRY:
        return {"errCode": "FAIL", "errMsg": code or "OTHER_FAIL_REASON_TYPE"}
    return {"errCode": code or "PAYEE_ACCOUNT_STATUS_ERROR", "errMsg": "收款方账户异常"}


def _attached(order: Order, site_url: str) -> str | None:
    """channelResData: what the channel behind has answered, or what the payee needs."""
    if order.stage is Stage.CREATED:
        return None
    if order.asked.get("entryType") != WECHAT_ENTRY:
        return json.dumps({"code": "10000", "msg": "Success"}, separators=(",", ":"))
    if not order.asked.get("channelExtra"):
        return None
    page = f"{site_url}/cashier/transfer/{order.number}"
    confirmation = {
        "appId": "wx0000000000000000",
        "mchId": "1900000000",
        "package": f"ABBQO+{order.number}",
        "userH5ConfirmUrl": page,
        "userH5ConfirmQrImgUrl": f"{page}.png",
    }
    return json.dumps(confirmation, separators=(",", ":"))
