"""Two stock callers of Jeepay: the Epay plugin `jeepay`, and a merchant with the Java SDK.

Facts: dialects.md §1 and §2.3. They know nothing of the gateway's code. To the plugin a state of 2
is paid, 1 is under way and everything else failed, any `errMsg` in a submission's answer is a
failure whatever the state, and so are another code, an answer that it cannot read and ten seconds
of silence; it then keeps no row, gives the money back and asks again under a new number. It asks by
`transferId` alone, never checks the signature of an answer, and takes notices by POST and GET.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aiohttp import ClientError, ClientSession, ClientTimeout

TIMEOUT_S = 10
CARD = "6222021234567890123"


@dataclass(slots=True)
class Row:
    """What an Epay site keeps of a transfer that was not refused."""

    number: str
    orderid: str
    status: int
    """0 under way, 1 paid, 2 failed and given back."""
    refunds: int = 0


@dataclass(slots=True)
class EpayPlugin:
    """An Epay site whose plugin is configured: appurl, appmchid, appid, appkey."""

    http: ClientSession
    appurl: str
    """Ends with a slash."""
    appmchid: str
    appid: str
    appkey: str
    now: Callable[[], float]
    site: str = "http://127.0.0.1:9"
    form: bool = False
    """Some releases send forms."""
    rows: dict[str, Row] = field(default_factory=dict)
    numbers: "itertools.count[int]" = field(
        default_factory=lambda: itertools.count(2026030210000000001)
    )

    def make_sign(self, fields: Mapping[str, Any]) -> str:
        """ksort, no empty ones, the key behind."""
        text = "".join(
            f"{name}={fields[name]}&"
            for name in sorted(fields)
            if name != "sign" and fields[name] is not None and fields[name] != ""
        )
        made = hashlib.md5(f"{text}key={self.appkey}".encode(), usedforsecurity=False)
        return made.hexdigest().upper()

    async def call(self, path: str, fields: Mapping[str, Any]) -> Any:
        """`sendRequest`: the data of code 0, or an exception for all else."""
        asked = {
            "mchNo": self.appmchid,
            "appId": self.appid,
            **fields,
            "reqTime": f"{int(self.now())}000",
            "version": "1.0",
            "signType": "MD5",
        }
        asked["sign"] = self.make_sign(asked)
        if self.form:
            body, kind = urlencode(asked).encode(), "application/x-www-form-urlencoded"
        else:
            # json_encode escapes slashes and everything that is not ASCII.
            text = json.dumps(asked, separators=(",", ":")).replace("/", "\\/")
            body, kind = text.encode(), "application/json; charset=utf-8"
        async with self.http.post(
            self.appurl + path,
            data=body,
            headers={"Content-Type": kind},
            timeout=ClientTimeout(total=TIMEOUT_S),
        ) as response:
            said = json.loads(await response.read())
        if "code" in said and said["code"] == 0:
            return said["data"]
        raise ValueError(said.get("msg") or "返回数据解析失败")

    async def withdraw(self, number: str | None = None, *, lost: bool = False, **given: Any) -> str:
        """`transfer()`, and what the site does with it; `lost`: the answer does not arrive."""
        number = number or str(next(self.numbers))
        fields = {
            "mchOrderNo": number,
            "ifCode": "bank",
            "entryType": "BANK_CARD",
            "amount": 1230,
            "currency": "cny",
            "accountNo": CARD,
            "accountName": "王小五",
            "clientIp": "203.0.113.9",
            "transferDesc": "提现",
            "notifyUrl": f"{self.site}/pay/transfernotify/7/",
            **given,
        }
        try:
            data = await self.call("api/transferOrder", fields)
        except (ClientError, TimeoutError, ValueError, KeyError):
            return "not paid"
        if lost:
            return "lost"
        if data.get("errMsg"):
            return "not paid"
        status = {2: 1, 1: 0}.get(data["state"], 2)
        if status == 2:
            return "not paid"
        self.rows[number] = Row(number, data["transferId"], status)
        return "paid" if status == 1 else "processing"

    async def refresh(self, number: str) -> int:
        """`transfer_query()`: by their number; what failed is given back."""
        row = self.rows[number]
        try:
            data = await self.call("api/transfer/query", {"transferId": row.orderid})
        except (ClientError, TimeoutError, ValueError):
            return row.status
        self._move(row, data["state"])
        return row.status

    def notified(self, query: str, body: bytes) -> str:
        """`transfernotify`: by POST or GET, whatever the row's state was."""
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True)) or dict(parse_qsl(query))
        if fields.get("sign") != self.make_sign(fields):
            return "fail"
        row = self.rows.get(fields["mchOrderNo"])
        if row is not None:
            self._move(row, int(fields["state"]))
        return "success"

    def _move(self, row: Row, state: int) -> None:
        status = {2: 1, 1: 0}.get(state, 2)
        if status == 2 and row.status != 2:
            row.refunds += 1
        row.status = status


@dataclass(slots=True)
class SdkMerchant:
    """`JeepayClient` of the Java SDK: JSON both ways, and `checkSign` on every answer of code 0."""

    http: ClientSession
    base: str
    mch_no: str
    app_id: str
    key: str
    now: Callable[[], float]

    def get_sign(self, fields: Mapping[str, Any]) -> str:
        """`JeepayKit.getSign`: whole strings sorted case-insensitively."""
        parts = [f"{k}={_java(v)}&" for k, v in fields.items() if v is not None and v != ""]
        text = "".join(sorted(parts, key=str.lower)) + f"key={self.key}"
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()

    def signed(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """With what every request has."""
        asked = {
            "mchNo": self.mch_no,
            "appId": self.app_id,
            "version": "1.0",
            "signType": "MD5",
            "reqTime": f"{int(self.now())}123",
            **fields,
        }
        return {**asked, "sign": self.get_sign(asked)}

    async def post(self, path: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """What came back; its signature must fit where there is one to be."""
        body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
        async with self.http.post(
            self.base + path,
            data=body,
            headers={"Content-Type": "application/json; charset=utf-8"},
            timeout=ClientTimeout(total=TIMEOUT_S),
        ) as response:
            assert response.status == 200
            said: dict[str, Any] = json.loads(await response.read())
        if said["code"] == 0:
            assert said["sign"] == self.get_sign(said["data"])
        else:
            assert "data" not in said
            assert "sign" not in said
        return said

    async def transfer(self, number: str = "M-1", /, **given: Any) -> dict[str, Any]:
        """TransferOrderCreateRequest."""
        return await self.post("api/transferOrder", self.signed({**order(number), **given}))

    async def query(self, **by: str) -> dict[str, Any]:
        """TransferOrderQueryRequest."""
        return await self.post("api/transfer/query", self.signed(by))


def order(number: str = "M-1") -> dict[str, Any]:
    """The fields of a submission."""
    return {
        "mchOrderNo": number,
        "ifCode": "bank",
        "entryType": "BANK_CARD",
        "amount": 1230,
        "currency": "cny",
        "accountNo": CARD,
        "accountName": "王小五",
        "bankName": "中国工商银行",
        "transferDesc": "十月佣金",
    }


def _java(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
