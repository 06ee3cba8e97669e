"""An application on Alipay's open platform as a caller, written from the platform's documents.

Facts: wire-protocols.md §1. It knows nothing of the gateway's code. It cuts the node out of a reply
as the official Python client does, believes nothing that is not signed, and acts as the documents
say: 10000 with a status, 20000 and silence mean "ask about the same number", a query that finds no
order means "send the same again", and any other refusal means "not paid".
"""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, quote_plus

from aiohttp import ClientError, ClientSession, ClientTimeout
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

TRANSFER = "alipay.fund.trans.uni.transfer"
QUERY = "alipay.fund.trans.common.query"
BALANCE = "alipay.fund.account.query"
BEIJING = timezone(timedelta(hours=8))
ASK = {"SYSTEM_ERROR", "REQUEST_PROCESSING", "TRANS_ORDER_DEALING", "BANK_RESPONSE_ERROR"} | {
    *("PAYMENT_FAIL", "PROCESS_FAIL", "BIZ_UNIQUE_EXCEPTION", "PAYMENT_INFO_INCONSISTENCY")
}
"""Business refusals that tell to ask, by the documents."""
_BEGIN = re.compile(r'("[a-zA-z_]+_response"[ \t\n]*:[ \t\n]*\{)')
_SIGN = re.compile(r'(\}[ \t\n]*,[ \t\n]*"sign"[ \t\n]*:[ \t\n]*")')


class UnbelievableError(Exception):
    """A reply that is not provably the platform's."""


@dataclass(slots=True)
class App:
    """One configured application: an address and keys, nothing else."""

    http: ClientSession
    url: str
    app_id: str
    alipay_public_key: str
    private_key: str
    now: Callable[[], datetime]
    charset: str = "utf-8"
    by_get: bool = False

    def signed(self, method: str, biz: Any, /, **common: str | None) -> dict[str, str]:
        """The parameters of a call; `biz` is JSON unless it is text."""
        text = biz
        if not isinstance(biz, str):
            text = json.dumps(biz, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        given: dict[str, str | None] = {
            "app_id": self.app_id,
            "method": method,
            "format": "json",
            "charset": self.charset,
            "sign_type": "RSA2",
            "timestamp": self.now().astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S"),
            "version": "1.0",
            "biz_content": text,
            **common,
        }
        kept = {name: value for name, value in given.items() if value is not None}
        content = "&".join(f"{name}={kept[name]}" for name in sorted(kept) if kept[name])
        key = serialization.load_der_private_key(base64.b64decode(self.private_key), None)
        assert isinstance(key, RSAPrivateKey)
        made = key.sign(content.encode(self.charset), PKCS1v15(), hashes.SHA256())
        return {**kept, "sign": base64.b64encode(made).decode()}

    async def post(self, given: Mapping[str, str]) -> bytes:
        """As the official clients: the content by form, all else by query."""
        parts = {name: quote_plus(text, encoding=self.charset) for name, text in given.items()}
        body = f"biz_content={parts.pop('biz_content')}" if "biz_content" in parts else ""
        query = "&".join(f"{name}={text}" for name, text in parts.items())
        method, data = ("GET", None) if self.by_get else ("POST", body)
        if self.by_get:
            query = f"{query}&{body}"
        return await self.send(method, query, data)

    async def send(self, method: str, query: str, data: str | bytes | None) -> bytes:
        """Raw bytes in, raw bytes out."""
        from yarl import URL

        async with self.http.request(
            method,
            URL(f"{self.url}?{query}", encoded=True),
            data=data,
            headers={"Content-Type": f"application/x-www-form-urlencoded;charset={self.charset}"},
            timeout=ClientTimeout(total=15),
        ) as response:
            assert response.status == 200, await response.text()
            return await response.read()

    def open(self, reply: bytes) -> dict[str, Any]:
        """The node, whose signature holds over its exact bytes."""
        text = reply.decode(self.charset)
        begun, ends = _BEGIN.search(text), list(_SIGN.finditer(text))
        if begun is None or not ends:
            raise UnbelievableError(text)
        node = text[begun.end() - 1 : ends[-1].start() + 1]
        sign = text[ends[-1].end() : text.index('"', ends[-1].end())]
        key = serialization.load_der_public_key(base64.b64decode(self.alipay_public_key))
        assert isinstance(key, RSAPublicKey)
        try:
            key.verify(
                base64.b64decode(sign), node.encode(self.charset), PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            raise UnbelievableError(text) from None
        read = json.loads(node)
        assert isinstance(read, dict)
        return read

    async def call(self, method: str, biz: Any, /, **common: str | None) -> dict[str, Any]:
        """One signed call and its believed answer."""
        return self.open(await self.post(self.signed(method, biz, **common)))

    async def pay(self, number: str, **changes: Any) -> dict[str, Any]:
        """A transfer of 12.30 yuan to an account."""
        return await self.call(TRANSFER, transfer(number, **changes))

    async def query(self, number: str) -> dict[str, Any]:
        """Ask about a number of ours."""
        return await self.call(QUERY, about(number))

    def notified(self, body: bytes) -> dict[str, Any]:
        """What a notice says of an order, once its signature holds (`rsaCheckV1`)."""
        form = dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
        kept = {name: form[name] for name in form if name not in ("sign", "sign_type")}
        content = "&".join(f"{name}={kept[name]}" for name in sorted(kept) if kept[name])
        key = serialization.load_der_public_key(base64.b64decode(self.alipay_public_key))
        assert isinstance(key, RSAPublicKey)
        key.verify(base64.b64decode(form["sign"]), content.encode(), PKCS1v15(), hashes.SHA256())
        assert (form["app_id"], form["msg_method"], form["sign_type"], form["version"]) == (
            *(self.app_id, "alipay.fund.trans.order.changed", "RSA2", "1.1"),
        )
        read = json.loads(form["biz_content"])
        assert isinstance(read, dict)
        return {**read, "notify_id": form["notify_id"]}

    async def settle(
        self, number: str, tries: int, *, lose: Callable[[], bool], **changes: Any
    ) -> str:
        """What a patient caller ends up believing: "paid", "not paid", "returned" or "open".

        `lose` says whether the next reply never arrives.
        """
        send = True
        for _ in range(tries):
            try:
                said = await (self.pay(number, **changes) if send else self.query(number))
            except (ClientError, TimeoutError, UnbelievableError):
                send = False
                continue
            if lose():
                send = False
                continue
            code, sub_code = said["code"], said.get("sub_code", "")
            if code == "10000" and said["status"] in ENDS:
                return ENDS[said["status"]]
            if not send and sub_code == "ORDER_NOT_EXIST":
                send = True
                continue
            if code == "40004" and send and sub_code not in ASK:
                return "not paid"
            send = False
        return "open"


ENDS = {"SUCCESS": "paid", "FAIL": "not paid", "REFUND": "returned"}


def transfer(number: str, **changes: Any) -> dict[str, Any]:
    """The content of a transfer; None takes a field away."""
    content = {
        "out_biz_no": number,
        "trans_amount": "12.30",
        "product_code": "TRANS_ACCOUNT_NO_PWD",
        "biz_scene": "DIRECT_TRANSFER",
        "order_title": "提现",
        "payee_info": {
            "identity": "zhang@example.com",
            "identity_type": "ALIPAY_LOGON_ID",
            "name": "张三丰",
        },
        **changes,
    }
    return {name: value for name, value in content.items() if value is not None}


def card(number: str = "6222021234567890123", **bank: str) -> dict[str, Any]:
    """A payee with a bank card."""
    return {
        "identity": number,
        "identity_type": "BANKCARD_ACCOUNT",
        "name": "王小五",
        "bankcard_ext_info": {"account_type": "2", "inst_name": "中国工商银行", **bank},
    }


def about(number: str) -> dict[str, str]:
    """The content of a query by the caller's number."""
    return {
        "out_biz_no": number,
        "product_code": "TRANS_ACCOUNT_NO_PWD",
        "biz_scene": "DIRECT_TRANSFER",
    }
