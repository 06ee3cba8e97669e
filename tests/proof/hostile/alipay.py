"""Alipay's replies and notices, spoilt; judged from the text alone, not by our code."""

import asyncio
import base64
import io
import json
import re
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from decimal import Decimal, InvalidOperation
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from msgspec.structs import replace

from channels.alipay import statement
from channels.alipay.settings import AlipaySettings
from channels.contract import (
    Absent,
    Balance,
    ChannelError,
    Notice,
    NoticeRefused,
    NotSent,
    Paid,
    Pending,
    Rejected,
    Returned,
    StatementBrokenError,
    StatementLine,
    Unknown,
)
from channels.transport import Reply
from tests.channels.alipay import platform
from tests.proof.hostile.aims import Input, done
from tests.proof.hostile.mutate import Spoiler
from tests.proof.hostile.stamp import Stamp
from tests.proof.hostile.tables import (
    ALIPAY_DEAD,
    ALIPAY_DEAD_IF_CONFIRMED,
    ALIPAY_FAILED,
    ALIPAY_GATEWAY_CODES,
)

OURS = Stamp(b"the platform's")
OTHER = Stamp(b"somebody else's")
_SECTION = re.compile(r"=== reply\n(.*)\n\n=== meaning", re.DOTALL)
DAY = date(2026, 11, 2)

WORDS: Sequence[str] = (
    *sorted(ALIPAY_DEAD),
    *sorted(ALIPAY_DEAD_IF_CONFIRMED),
    *("SUCCESS", "FAIL", "CLOSED", "DEALING", "WAIT_PAY", "REFUND", "INIT"),
    *("10000", "20000", "20001", "40001", "40002", "40003", "40004", "40006", "40005", "1000"),
    *("SYSTEM_ERROR", "REQUEST_PROCESSING", "TRANS_ORDER_DEALING", "PAYMENT_INFO_INCONSISTENCY"),
    *("ORDER_NOT_EXIST", "ORDER_NOT_EXISTS", "RESOURCE_LIMIT_EXCEED", "isp.unknow-error"),
    *("code", "sub_code", "status", "out_biz_no", "trans_amount", "amount", "order_id", "sign"),
    *(platform.REFERENCE, platform.REFERENCE.lower(), platform.ORDER, "123.45", "123.4", "1.00"),
    *("2026-11-02 09:30:01", "available_amount", "bill_download_url", "error_code", "order_fee"),
)


def _settings(key: object) -> AlipaySettings:
    made = platform.settings()
    made._keys = replace(made.keys, private=OURS, platform={"": key})
    return made


class _Wire:
    """Stands for the transport: whatever is asked, this is the reply."""

    def __init__(self) -> None:
        self.reply = Reply(200, {}, b"")
        self.file = Reply(200, {}, _zip(_file().encode("gb18030")))

    async def post(self, *_: object) -> Reply:
        """The reply."""
        return self.reply

    async def get(self, *_: object, **__: object) -> Reply:
        """The file, whatever address was named."""
        return self.file


def _file() -> str:
    return (platform.WIRE / "statement.csv.txt").read_text(encoding="utf-8")


def _zip(raw: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("20880_20261102_detail.csv", raw)
    return packed.getvalue()


class _Channels:
    """The adapter twice: believing the stamp, and believing RSA."""

    def __init__(self) -> None:
        self.wire = _Wire()
        self.stamped, self.real = platform.channel(), platform.channel()
        self.stamped._settings = _settings(OURS)
        for one in (self.stamped, self.real):
            one._transport = self.wire  # type: ignore[assignment]  # no sockets here

            async def ask(*_: object) -> Reply:
                return self.wire.reply

            one._ask = ask  # type: ignore[method-assign, assignment]  # the question is not what is tried
        self.prepared = self.real.prepare(platform.instruction(), platform.NOW)

    def of(self, given: Input) -> Any:
        """The one that this input is for."""
        self.wire.reply = Reply(given.status, given.headers, given.body)
        return self.real if given.real else self.stamped


CHANNELS = _Channels()


def recorded(start: str) -> tuple[tuple[str, Mapping[str, object]], ...]:
    """Node name and fields of every recorded reply whose file starts so."""
    found = []
    for file in sorted(platform.WIRE.glob(f"{start}*.txt")):
        section = _SECTION.search(file.read_text(encoding="utf-8"))
        if section is None:
            continue
        members = json.loads(section[1])
        found += [(name, node) for name, node in members.items() if isinstance(node, dict)]
    return tuple(found)


def strict(raw: bytes, whole: Callable[[str], str] = str) -> Mapping[str, Any] | None:
    """The object in these bytes, numbers as written; None if it is none or names one twice."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("twice")
        return dict(pairs)

    try:
        parsed = json.loads(raw, parse_int=whole, parse_float=str, object_pairs_hook=unique)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _text(node: Mapping[str, Any], name: str) -> str:
    value = node.get(name)
    return value if isinstance(value, str) else ""


def _fen(text: str) -> Decimal | None:
    try:
        return Decimal(text) * 100
    except InvalidOperation:
        return None


@dataclass(frozen=True, slots=True)
class Replies:
    """Submission, inquiry, balance: signed nodes in an envelope."""

    name: str
    method: str
    nodes: tuple[tuple[str, Mapping[str, object]], ...]
    words: Sequence[str] = WORDS

    def spoil(self, spoiler: Spoiler) -> Input:
        """Fields, JSON, envelope, signature, bytes."""
        chance = spoiler.random
        node_name, given = chance.choice(self.nodes)
        fields = spoiler.fields(given, [one for _, one in self.nodes])
        node = spoiler.json(fields)
        real = chance.random() < 0.05
        if chance.random() < 0.03:
            node = json.dumps(base64.b64encode(node).decode()).encode()
        proven: tuple[bytes, ...] = (node,)
        match chance.random():
            case draw if draw < 0.7:
                sign = signature(node, real=real)
            case draw if draw < 0.8:
                sign = base64.b64encode(OTHER.sign(node)).decode()
                proven = ()
            case draw if draw < 0.9:
                other = json.dumps(chance.choice(self.nodes)[1]).encode()
                sign = signature(other, real=real)
                proven = (other,)
            case _:
                sign, proven = str(spoiler.value("")), ()
        if chance.random() < 0.05:
            node_name = str(spoiler.one_of(("error_response", self.method, *self.words[:3])))
        pairs = [(node_name, node), ("sign", json.dumps(sign).encode())]
        if chance.random() < 0.06:
            extra = chance.choice(self.nodes)
            pairs.append((extra[0], json.dumps(extra[1]).encode()))
        if chance.random() < 0.04:
            pairs.append(pairs[chance.randrange(len(pairs))])
        if chance.random() < 0.04:
            pairs.pop(chance.randrange(len(pairs)))
        if chance.random() < 0.2:
            chance.shuffle(pairs)
        body = (
            b"{" + b",".join(b'"%s":%s' % (n.encode(errors="replace"), v) for n, v in pairs) + b"}"
        )
        if chance.random() < 0.1:
            body = spoiler.bytes(body)
        status = (
            200 if chance.random() < 0.95 else chance.choice((201, 204, 302, 400, 404, 500, 502))
        )
        return Input(body, {}, status, proven, real)

    def genuine(self, fields: Mapping[str, object]) -> Input:
        """These fields, rightly signed."""
        node = json.dumps(fields).encode()
        sign = signature(node, real=False)
        body = b'{"%s":%s,"sign":"%s"}' % (self.method.encode(), node, sign.encode())
        return Input(body, {}, 200, (node,))

    def read(self, given: Input) -> object:
        """As the engine would hear it."""
        channel = CHANNELS.of(given)
        match self.name:
            case "alipay submission":
                return done(channel.send(CHANNELS.prepared))
            case "alipay inquiry":
                return done(channel.inquire(platform.inquiry()))
        try:
            if self.name == "alipay balance":
                return done(channel.balance())
            with mock.patch.object(asyncio, "to_thread", _at_once):
                return done(_all(channel.statement(DAY)))
        except ChannelError as error:
            return error

    def objection(self, given: Input, answer: object) -> str | None:
        """Only a signed, unambiguous, matching, listed answer may prove anything."""
        match answer:
            case Unknown() | ChannelError():
                return None
            case NotSent():
                return "it was sent"
        node = self._node(given)
        if node is None:
            return "nobody has signed this, or it can be read in two ways"
        match answer:
            case list():
                told = (_text(node, "code"), self.name)
                return None if told == ("10000", "alipay bill address") else "no such bill"
            case Balance(available=money):
                said = _fen(_text(node, "available_amount"))
                right = _text(node, "code") == "10000" and said == money.minor
                return None if right else "not the balance that was told"
            case Absent():
                wanted = ("40004", "ORDER_NOT_EXIST")
                is_right = self.name == "alipay inquiry" and wanted == (
                    _text(node, "code"),
                    _text(node, "sub_code"),
                )
                return None if is_right else "not the one answer that means absence"
            case Pending():
                return self._about_us(node, {"DEALING", "WAIT_PAY"})
            case Paid():
                return self._about_us(node, {"SUCCESS"}) or (
                    None if _text(node, "order_id") else "paid without an order"
                )
            case Returned():
                return self._about_us(node, {"REFUND"})
            case Rejected():
                return self._rejected(node, answer)
        return f"an answer of no known kind: {answer!r}"

    def _rejected(self, node: Mapping[str, Any], answer: Rejected) -> str | None:
        code, sub_code = _text(node, "code"), _text(node, "sub_code")
        if code == "10000":
            if self.name == "alipay submission" and not answer.confirm:
                return "a failed state in a submission's answer asks for a look"
            return self._about_us(node, ALIPAY_FAILED)
        if self.name != "alipay submission":
            return "a question that was refused proves nothing"
        if sub_code not in ALIPAY_DEAD | ALIPAY_DEAD_IF_CONFIRMED:
            return f"{sub_code!r} is in no list"
        if not (code in ALIPAY_GATEWAY_CODES if "." in sub_code else code == "40004"):
            return f"{sub_code!r} under {code!r}"
        if sub_code in ALIPAY_DEAD_IF_CONFIRMED and not answer.confirm:
            return f"{sub_code!r} asks for a look"
        if _text(node, "out_biz_no") not in {"", platform.REFERENCE}:
            return "about another number"
        return None

    def _about_us(self, node: Mapping[str, Any], states: set[str] | frozenset[str]) -> str | None:
        if _text(node, "code") != "10000" or _text(node, "status") not in states:
            return "not in this state"
        if _text(node, "out_biz_no") != platform.REFERENCE:
            return "about another number"
        amounts = [_text(node, name) for name in ("amount", "trans_amount") if _text(node, name)]
        if any(_fen(text) != platform.AMOUNT.minor for text in amounts):
            return "about another amount"
        money_moved = states & {"SUCCESS", "REFUND"}
        if self.name == "alipay inquiry" and money_moved and not _text(node, "trans_amount"):
            return "no amount is named"
        return None

    def _node(self, given: Input) -> Mapping[str, Any] | None:
        envelope = strict(given.body)
        if envelope is None or given.status != 200:
            return None
        for raw in given.proven:
            node = strict(raw)
            if raw in given.body and node is not None and node in envelope.values():
                return node
        return None


async def _at_once(work: Callable[..., Any], *arguments: object) -> Any:
    return work(*arguments)


async def _all(lines: AsyncIterator[StatementLine]) -> list[StatementLine]:
    return [line async for line in lines]


def signature(content: bytes, *, real: bool) -> str:
    """As the platform signs, or as its stamp does."""
    raw = (
        platform.PLATFORM.sign(content, PKCS1v15(), hashes.SHA256()) if real else OURS.sign(content)
    )
    return base64.b64encode(raw).decode()


NOTICE: Mapping[str, object] = {
    "charset": "UTF-8",
    "biz_content": json.dumps(
        {
            "out_biz_no": platform.REFERENCE,
            "order_id": platform.ORDER,
            "status": "SUCCESS",
            "trans_amount": "123.45",
        }
    ),
    "app_id": platform.APP_ID,
    "version": "1.1",
    "sign_type": "RSA2",
    "notify_id": "2026110200222093001",
    "msg_method": "alipay.fund.trans.order.changed",
}


@dataclass(frozen=True, slots=True)
class Notices:
    """order.changed: a signed form."""

    name: str = "alipay notice"
    words: Sequence[str] = (*WORDS, "gbk", "utf-16", "gb18030", "AES", "order.changed")

    def spoil(self, spoiler: Spoiler) -> Input:
        """Fields, content, signature, bytes."""
        chance = spoiler.random
        form = dict(NOTICE)
        if chance.random() < 0.6:
            content = spoiler.fields(json.loads(str(form["biz_content"])), [{}])
            form["biz_content"] = spoiler.json(content).decode(errors="replace")
        if chance.random() < 0.6:
            form = spoiler.fields(form, [NOTICE])
        params = {str(name): str(value) for name, value in form.items()}
        real = chance.random() < 0.05
        left_out = {"sign", "sign_type"} if chance.random() < 0.5 else {"sign"}
        text = "&".join(f"{k}={v}" for k, v in sorted(params.items()) if v and k not in left_out)
        raw = text.encode(errors="replace")
        draw = chance.random()
        proven: tuple[bytes, ...] = (raw,)
        if draw < 0.7:
            sign = signature(raw, real=real)
        elif draw < 0.85:
            sign, proven = base64.b64encode(OTHER.sign(raw)).decode(), ()
        else:
            sign, proven = str(spoiler.value("")), ()
        body = urlencode({**params, "sign": sign}, errors="replace").encode()
        if chance.random() < 0.15:
            body = spoiler.bytes(body)
            proven = ()  # what is still proven is decided below, by what can be read
            if sorted(parse_qsl(body.decode("latin-1"))) == sorted(
                {**params, "sign": sign}.items()
            ):
                proven = (raw,)
        return Input(body, {}, 200, proven, real)

    def read(self, given: Input) -> object:
        """As the engine would hear it."""
        return CHANNELS.of(given).read_notice({}, given.body, platform.NOW)

    def objection(self, given: Input, answer: object) -> str | None:
        """A notice may only name what was signed."""
        match answer:
            case NoticeRefused(reply=reply):
                return None if reply.body in {b"success", b"fail"} else "no known reply"
            case Notice(reference=reference):
                if not given.proven and not _still_signed(given):
                    return "nobody has signed this"
                params = dict(parse_qsl(given.body.decode("latin-1"), keep_blank_values=True))
                if params.get("app_id") != platform.APP_ID:
                    return "for another application"
                named = {_named(given.body, encoding) for encoding in ("utf-8", "gb18030")}
                return None if reference in named else "it names another number"
        return f"an answer of no known kind: {answer!r}"


def _named(body: bytes, encoding: str) -> str:
    """The number in a form's content, read in this encoding."""
    pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding=encoding)
    content = strict(dict(pairs).get("biz_content", "").encode(errors="replace"))
    return "" if content is None else _text(content, "out_biz_no")


def _still_signed(given: Input) -> bool:
    """Whether what can be read of spoilt bytes is what was signed after all."""
    params = dict(parse_qsl(given.body.decode("latin-1"), keep_blank_values=True))
    try:
        raw = base64.b64decode(params.pop("sign", ""), validate=True)
    except ValueError:
        return False
    for left_out in ({"sign_type"}, set[str]()):
        text = "&".join(f"{k}={v}" for k, v in sorted(params.items()) if v and k not in left_out)
        if OURS.sign(text.encode(errors="replace")) == raw:
            return True
    return False


_FOOTER = re.compile(r"#(支出|收入)合计：(\d+)笔，共-?([\d.]+)元")


@dataclass(frozen=True, slots=True)
class Statements:
    """The file of a day, in and out of its ZIP."""

    name: str = "alipay statement"
    words: Sequence[str] = WORDS

    def spoil(self, spoiler: Spoiler) -> Input:
        """Cells, lines, footer, bytes, the ZIP around it."""
        chance = spoiler.random
        text = _file()
        lines = text.split("\n")
        for _ in range(chance.choice((0, 1, 1, 2, 4))):
            at = chance.randrange(len(lines))
            match chance.randrange(6):
                case 0:
                    del lines[at]
                    lines = lines or [""]
                case 1:
                    lines.insert(at, chance.choice(lines))
                case 2:
                    other = chance.randrange(len(lines))
                    lines[at], lines[other] = lines[other], lines[at]
                case 3:
                    lines[at] = str(spoiler.value(lines[at]))
                case _:
                    cells = lines[at].split(",")
                    cell = chance.randrange(len(cells))
                    cells[cell] = str(spoiler.value(cells[cell]))
                    lines[at] = ",".join(cells)
        raw = "\n".join(lines).encode("gb18030", errors="replace")
        if chance.random() < 0.2:
            raw = spoiler.bytes(raw)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for number in range(chance.choice((1, 1, 1, 1, 1, 1, 0, 2))):
                way = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
                archive.writestr(zipfile.ZipInfo(f"{number}_detail.csv"), raw, way)
            if chance.random() < 0.3:
                archive.writestr(zipfile.ZipInfo("1_汇总.csv"), b"")
        body = packed.getvalue()
        if chance.random() < 0.1:
            body = spoiler.bytes(body)
        return Input(body, {}, 200, (raw,))

    def read(self, given: Input) -> object:
        """Every line, or that it is broken."""
        try:
            return list(statement.read_zip(io.BytesIO(given.body), DAY, platform.USER_ID))
        except StatementBrokenError as broken:
            return broken

    def objection(self, given: Input, answer: object) -> str | None:
        """Lines count only if they add up to what the file itself says."""
        if isinstance(answer, StatementBrokenError):
            return None
        if not isinstance(answer, list):
            return f"an answer of no known kind: {answer!r}"
        try:
            text = given.proven[0].decode("gb18030")
        except UnicodeDecodeError:
            return "not the announced text"
        return adds_up(answer, text)


def adds_up(lines: list[StatementLine], text: str) -> str | None:
    """Compare with the footer, as text."""
    for word, credit in (("支出", False), ("收入", True)):
        ours = [one for one in lines if one.credit is credit]
        minor = sum(one.amount.minor for one in ours)
        stated = {(int(c), _fen(y)) for w, c, y in _FOOTER.findall(text) if w == word}
        if (len(ours), Decimal(minor)) not in stated:
            return f"{word} does not add up"
    if any(one.amount.minor <= 0 or one.booked_at.tzinfo is not UTC for one in lines):
        return "a line without amount or time"
    return None


SUBMISSION = Replies(
    "alipay submission",
    "alipay_fund_trans_uni_transfer_response",
    (*recorded("transfer"), *recorded("query")),
)
INQUIRY = Replies(
    "alipay inquiry",
    "alipay_fund_trans_common_query_response",
    (*recorded("query"), *recorded("transfer-account")),
)
BALANCE = Replies("alipay balance", "alipay_fund_account_query_response", recorded("balance"))
ADDRESS = Replies(
    "alipay bill address",
    "alipay_data_dataservice_bill_downloadurl_query_response",
    (*recorded("bill-address"), *recorded("balance")),
)
AIMS = (SUBMISSION, INQUIRY, BALANCE, ADDRESS, Notices(), Statements())
