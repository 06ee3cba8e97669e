"""How an order reads: in the answer to a submission, to a query, and in a notice.

Source: the interface description of 代付, 代付查询, 代付余额查询 and 代付结果通知. An answer to a
submission repeats `extra` and no number of the merchant's, one to a query the other way round.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote

from simulators.faults import Hits
from simulators.kernel import Reply
from simulators.keyed_md5 import SIGN, another, sign
from simulators.orders import Order, Stage
from simulators.xxpay.settings import Settings

JSON = (("content-type", "application/json;charset=UTF-8"),)
_STATES: Mapping[Stage, str] = {
    Stage.CREATED: "0",
    Stage.PENDING: "1",
    Stage.PAID: "2",
    Stage.FAILED: "3",
    Stage.RETURNED: "6",
}
_WORDS: Mapping[str, str] = {"FAIL": "3", "SUCCESS": "2", "PROCESSING": "1"}
"""What a rule may call a status; anything else is said as it is."""
_CODES: Mapping[str, str] = {"SUCCESS": "0", "FAIL": "9999"}

Fields = dict[str, object]


def submitted(order: Order) -> Fields:
    """AgentPayRes: numbers are numbers here."""
    return {
        "agentpayOrderId": order.number,
        "status": int(_STATES[order.stage]),
        "fee": order.fee_minor,
        "transMsg": _message(order) or None,
        "extra": order.asked.get("extra"),
    }


def described(order: Order) -> Fields:
    """AgentpayQueryRes: everything is text here."""
    return {
        "agentpayOrderId": order.number,
        "mchOrderNo": order.reference,
        "amount": str(order.amount_minor),
        "fee": str(order.fee_minor),
        "status": _STATES[order.stage],
        "transMsg": _message(order),
    }


def told(order: Order, *, names_reference: bool) -> Fields:
    """The fields of a notice."""
    fields: Fields = {
        "transMsg": _message(order),
        "agentpayOrderId": order.number,
        "status": _STATES[order.stage],
        "fee": str(order.fee_minor),
        "extra": order.asked.get("extra", ""),
    }
    return fields | ({"mchOrderNo": order.reference} if names_reference else {})


def status_of(word: str) -> str:
    """A status as a rule names it."""
    return _WORDS.get(word, word)


def success(fields: Fields, secret: str, settings: Settings, hits: Hits) -> Reply:
    """A signed answer, unless the rules want it otherwise."""
    said = {"retCode": _code("SUCCESS", settings), **fields}
    return _json(said, secret, settings, hits)


def refusal(code: str, message: str, secret: str | None, settings: Settings, hits: Hits) -> Reply:
    """A code and a text; signed only by clones that sign everything."""
    said: Fields = {"retCode": _code(code, settings), "retMsg": message}
    return _json(said, secret if settings.signs_refusals else None, settings, hits)


def signed(fields: Fields, secret: str, settings: Settings) -> str:
    """The signature in the server's case."""
    signature = sign(fields, secret)
    return signature.lower() if settings.lower_case else signature


def query_of(fields: Fields) -> str:
    """The fields as a notice's query string."""
    return "&".join(f"{name}={quote(str(value), safe='')}" for name, value in fields.items())


def _json(said: Fields, secret: str | None, settings: Settings, hits: Hits) -> Reply:
    kept = {name: value for name, value in said.items() if value is not None}
    if secret is not None and "unsigned" not in hits:
        signature = signed(kept, secret, settings)
        kept[SIGN] = another(signature) if "bad_signature" in hits else signature
    return Reply(200, JSON, json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode())


def _code(word: str, settings: Settings) -> str:
    return _CODES.get(word, word) if settings.codes == "numbers" else word


def _message(order: Order) -> str:
    return "" if order.failure is None else order.failure.text or order.failure.code
