"""A stock XxPay caller: what it signs, where it puts its fields, what it believes, how it is told.

Facts: dialects.md §3.1 and §5 (9). It knows nothing of the gateway's code. Anything but SUCCESS,
ten seconds of silence or a reply whose signature does not fit is "not paid" to it: it unfreezes the
money and asks again under a new number.
"""

import hashlib
import itertools
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import ClientError, ClientSession, ClientTimeout, web

TIMEOUT_S = 10
CHINA = ZoneInfo("Asia/Shanghai")
Way = Literal["form", "params", "query", "get"]


def sign(fields: Mapping[str, Any], key: str) -> str:
    """As its `PayDigestUtil.getSign` does: whole strings sorted whatever their case."""
    parts = [f"{k}={v}&" for k, v in fields.items() if k != "sign" and v is not None and v != ""]
    text = "".join(sorted(parts, key=str.lower)) + "key=" + key
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


@dataclass(frozen=True, slots=True)
class Told:
    """What a submission looks like to the caller."""

    number: str
    ok: bool
    status: int | None
    reply: Mapping[str, Any]
    seconds: float


@dataclass(slots=True)
class XxPayer:
    """One configured caller: base URL, mchId, key."""

    http: ClientSession
    base_url: str
    """Ends with a slash."""
    mch_id: str
    key: str = field(repr=False)
    now: Callable[[], float]
    way: Way = "form"
    lower_case: bool = False
    apply_path: str = "api/agentpay/apply"
    query_path: str = "api/agentpay/query_order"
    balance_path: str = "api/agentpay/query_balance"
    numbers: "itertools.count[int]" = field(
        default_factory=lambda: itertools.count(20260302100000001)
    )

    def new_number(self) -> str:
        """The moment and a count."""
        return f"P{next(self.numbers)}"

    def signed(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """With mchId, reqTime and signature."""
        at = datetime.fromtimestamp(self.now(), CHINA).strftime("%Y%m%d%H%M%S")
        asked = {"mchId": self.mch_id, "reqTime": at, **fields}
        made = sign(asked, self.key)
        return {**asked, "sign": made.lower() if self.lower_case else made}

    async def send(self, path: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Raw: what came back as JSON."""
        url, data = self.base_url + path, None
        texts = urlencode({name: value for name, value in fields.items() if value is not None})
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        match self.way:
            case "form":
                data = texts
            case "params":
                data = urlencode({"params": json.dumps(fields, ensure_ascii=False)})
            case "query" | "get":
                url += "?" + texts
        async with self.http.request(
            "GET" if self.way == "get" else "POST",
            url,
            data=data,
            headers=headers,
            timeout=ClientTimeout(total=TIMEOUT_S),
        ) as response:
            if response.status != 200:
                raise ValueError(f"HTTP {response.status}")
            read = await response.json(content_type=None)
            assert isinstance(read, dict)
            return read

    async def ask(self, path: str, **fields: Any) -> Mapping[str, Any]:
        """One signed call."""
        return await self.send(path, self.signed(fields))

    def believes(self, reply: Mapping[str, Any]) -> bool:
        """Whether the reply's signature fits; clones compare it in their own case."""
        made = sign(reply, self.key)
        return bool(reply.get("sign") == (made.lower() if self.lower_case else made))

    async def apply(self, number: str, **fields: Any) -> Told:
        """Ask for a payout: its status, or "not paid" for whatever else happened."""
        started = time.perf_counter()
        asked = {
            "mchOrderNo": number,
            "amount": "1230",
            "accountAttr": "0",
            "accountName": "王小五",
            "accountNo": "6222021234567890123",
            "remark": "提现",
            "extra": f"x-{number}",
            "subAmountFrom": "2",
            **fields,
        }
        reply: Mapping[str, Any] = {}
        try:
            reply = await self.ask(self.apply_path, **asked)
            ok = reply.get("retCode") == "SUCCESS" and self.believes(reply)
        except (ClientError, TimeoutError, ValueError):
            ok = False
        status = int(reply["status"]) if ok else None
        return Told(number, ok, status, reply, time.perf_counter() - started)

    async def query(self, number: str, **fields: Any) -> Mapping[str, Any]:
        """Ask what became of it."""
        reply = await self.ask(self.query_path, mchOrderNo=number, **fields)
        assert self.believes(reply)
        return reply


@dataclass(slots=True)
class XxPayEars:
    """The stock receiver of notices: it reads parameters, checks the signature, then the order."""

    key: str = field(repr=False)
    is_deaf: bool = False
    """Whether it answers with an error page."""
    told: list[dict[str, str]] = field(default_factory=list)
    """What it has believed."""
    raw: list[tuple[str, str, bytes]] = field(default_factory=list)
    """Method, query string and body of whatever came."""

    async def hear(self, request: web.Request) -> web.Response:
        """`success` once it has taken the notice in; `fail` for one that is not signed."""
        self.raw.append((request.method, request.rel_url.raw_query_string, await request.read()))
        if self.is_deaf:
            return web.Response(status=502, text="<html>Bad Gateway</html>")
        posted = {name: str(value) for name, value in (await request.post()).items()}
        fields = {**request.query, **posted}
        if fields.get("sign") != sign(fields, self.key):
            return web.Response(text="fail")
        self.told.append(fields)
        return web.Response(text="success")
