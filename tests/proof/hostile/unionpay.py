"""UnionPay's replies, notices and files, spoilt; judged from the text alone, not by our code.

Every input is signed with RSA: the key comes along in a certificate, which is spoilt as well.
"""

import asyncio
import base64
import hashlib
import io
import json
import warnings
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from functools import cache
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from channels.contract import (
    Absent,
    ChannelError,
    LineKind,
    Notice,
    NoticeRefused,
    Paid,
    Pending,
    Rejected,
    StatementLine,
    Unknown,
)
from channels.transport import Reply
from channels.unionpay.channel import build
from tests.channels.unionpay import platform
from tests.channels.unionpay.record import KEYS, SETTINGS
from tests.channels.unionpay.test_statement import PAYOUT, RETURNED, fixed
from tests.proof.hostile.aims import Input, Wire, done
from tests.proof.hostile.mutate import Fields, Spoiler
from tests.proof.hostile.tables import (
    UNIONPAY_DEAD,
    UNIONPAY_DEAD_IF_CONFIRMED,
    UNIONPAY_ZM,
    UNIONPAY_ZM_CELLS,
    UNIONPAY_ZME_CELLS,
)
from tests.simulators.unionpay.merchant import MER_ID

DAY = date(2026, 11, 2)
LATER = platform.NOW + timedelta(days=1)
"""When the day has ended."""
THEIRS = (KEYS / "unionpay_certificate.pem").read_text(encoding="ascii")
A_MERCHANTS = (KEYS / "merchant_certificate.pem").read_text(encoding="ascii")
"""Of the same authority, and not UnionPay's."""
TAKEN: Sequence[Mapping[str, object]] = (
    platform.taken(),
    platform.taken(respCode="05"),
    *(platform.refused(code) for code in ("61", "68", "90", "12", "04", "74", "Z9", "33", "34")),
    platform.taken(orderId="P7K2M9X4Q1A2"),
    platform.taken(respCode="61", orderId=""),
)
FOUND: Sequence[Mapping[str, object]] = (
    platform.found(),
    platform.found(origRespCode="A6"),
    *(platform.found(origRespCode=code) for code in ("05", "03", "62", "60", "12", "Z9", "68")),
    platform.found(accNo="621626*********0019"),
    platform.found(txnAmt="12346"),
    platform.refused("34", txnType="00"),
    platform.refused("37", txnType="00"),
)
FILE: Mapping[str, object] = {
    "txnType": "76",
    "txnSubType": "01",
    "merId": MER_ID,
    "settleDate": "1102",
    "respCode": "00",
}
WORDS: Sequence[str] = (
    *sorted(UNIONPAY_DEAD | UNIONPAY_DEAD_IF_CONFIRMED),
    *("00", "03", "04", "05", "34", "37", "60", "98", "99", "A6", "12", "76", "156", "840"),
    *("txnType", "merId", "orderId", "txnTime", "txnAmt", "accNo", "queryId", "respCode"),
    *("origRespCode", "signature", "signPubKeyCert", "settleDate", "fileContent", "1103"),
    *(MER_ID, platform.REFERENCE, platform.TXN_TIME, platform.QUERY_ID, "12345", "12346"),
    *("20261103093000", "6216261000000000018", "6216****0018", "*", "{a=1&b=2}", "{", "&", "]"),
    *("D000000012345", "C000000012345", "000000012346", "1102100000", "某某", "999999999999999"),
)


@cache
def _key(name: str) -> RSAPrivateKey:
    key = load_pem_private_key((KEYS / f"{name}_test_only.pem").read_bytes(), password=None)
    assert isinstance(key, RSAPrivateKey)
    return key


def signature(content: bytes, name: str = "unionpay") -> str:
    """SHA256withRSA over the hex of the content's SHA-256."""
    digest = hashlib.sha256(content).hexdigest().encode()
    return base64.b64encode(_key(name).sign(digest, PKCS1v15(), hashes.SHA256())).decode()


def _text(fields: Mapping[str, str]) -> bytes:
    return "&".join(f"{k}={v}" for k, v in sorted(fields.items()) if k != "signature").encode()


class _Channel:
    """The adapter with a wire that says whatever it is to say."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.channel = build("unionpay-hostile", SETTINGS, platform.TERMS, lambda: LATER)
        self.channel._transport = self.wire  # type: ignore[assignment]  # no sockets here
        missing = {**FILE, "respCode": "98"}
        del missing["settleDate"]
        no_file = Reply(200, {}, _row(_signed({k: str(v) for k, v in missing.items()})))

        async def ask(_url: str, fields: Mapping[str, str], *_: object) -> Reply:
            """Of other days there is no file."""
            return no_file if fields.get("settleDate") not in {None, "1102"} else self.wire.reply

        self.channel._ask = ask  # type: ignore[method-assign, assignment]  # the question is not what is tried
        self.prepared = self.channel.prepare(platform.instruction(), platform.NOW)


def _signed(fields: Mapping[str, str]) -> dict[str, str]:
    complete = {"version": "5.1.0", "encoding": "UTF-8", **fields, "signPubKeyCert": THEIRS}
    return {**complete, "signature": signature(_text(complete))}


def _row(fields: Mapping[str, str]) -> bytes:
    return "&".join(f"{name}={value}" for name, value in fields.items()).encode(errors="replace")


CHANNEL = _Channel()


def _spoilt_certificate(spoiler: Spoiler) -> str:
    """Bytes of it changed, or an extension made to stand twice."""
    der = base64.b64decode(THEIRS.partition("-----\n")[2].partition("-----END")[0])
    if spoiler.random.random() < 0.2:
        der = der.replace(b"\x55\x1d\x13", b"\x55\x1d\x0f")
    else:
        der = spoiler.bytes(der)[:4096]
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"


def spoilt(spoiler: Spoiler, fields: Mapping[str, object]) -> tuple[dict[str, str], bool]:
    """These fields with certificate and signature, one or the other wrong; and whether UnionPay
    has signed exactly them."""
    chance = spoiler.random
    plain = {
        str(name).encode(errors="replace").decode(): str(value).encode(errors="replace").decode()
        for name, value in {"version": "5.1.0", "encoding": "UTF-8", **fields}.items()
    }
    plain.pop("signature", None)
    plain["signPubKeyCert"] = THEIRS
    kept = {k: v for k, v in plain.items() if v} if chance.random() < 0.5 else plain
    match chance.random():
        case draw if draw < 0.75:
            return {**plain, "signature": signature(_text(kept))}, True
        case draw if draw < 0.81:
            plain["signPubKeyCert"] = A_MERCHANTS
            return {**plain, "signature": signature(_text(plain), "merchant")}, False
        case draw if draw < 0.87:
            return {**plain, "signature": signature(_text(plain), "merchant")}, False
        case draw if draw < 0.93:
            plain["signPubKeyCert"] = _spoilt_certificate(spoiler)
            is_theirs = plain["signPubKeyCert"].split() == THEIRS.split()
            return {**plain, "signature": signature(_text(plain))}, is_theirs
        case draw if draw < 0.97:
            was = {**plain, "signature": signature(_text(plain))}
            name = chance.choice(sorted(set(was) - {"signature"}))
            changed = {**was, name: str(spoiler.value(was[name])).encode(errors="replace").decode()}
            return changed, changed == was
        case _:
            said = str(spoiler.value("")).encode(errors="replace").decode()
            return {**plain, "signature": said}, False


def _proven(given: Input) -> Mapping[str, str] | None:
    """What UnionPay has signed, if the message is that and nothing else."""
    if not given.proven or given.status != 200:
        return None
    fields: dict[str, str] = json.loads(given.proven[0])
    body = given.body.strip(b"\r\n")
    is_whole = len(body) == len(_row(fields)) and all(
        f"{name}={value}".encode() in body for name, value in fields.items()
    )
    return fields if is_whole else None


@dataclass(frozen=True, slots=True)
class Replies:
    """A row of signed fields."""

    name: str
    nodes: Sequence[Mapping[str, object]]
    words: Sequence[str] = WORDS

    @property
    def is_submission(self) -> bool:
        """Whether a payout is answered, not a question."""
        return self.name == "unionpay submission"

    def spoil(self, spoiler: Spoiler) -> Input:
        """Fields, certificate, signature, row, bytes."""
        chance = spoiler.random
        fields = spoiler.fields(chance.choice(self.nodes), self.nodes)
        complete, is_signed = spoilt(spoiler, fields)
        pairs = list(complete.items())
        if chance.random() < 0.2:
            chance.shuffle(pairs)
        body = _row(dict(pairs))
        if chance.random() < 0.04:
            body += b"&" + chance.choice(body.split(b"&"))
        if chance.random() < 0.1:
            body = spoiler.bytes(body)
        proven = (json.dumps(complete).encode(),) if is_signed else ()
        return Input(body, {}, spoiler.status(), proven, real=True)

    def read(self, given: Input) -> object:
        """As the engine would hear it."""
        CHANNEL.wire.put(given)
        if self.is_submission:
            return done(CHANNEL.channel.send(CHANNEL.prepared))
        return done(CHANNEL.channel.inquire(platform.inquiry()))

    def objection(self, given: Input, answer: object) -> str | None:
        """Only signed, matching, listed answers may prove anything."""
        if isinstance(answer, Unknown):
            return None
        fields = _proven(given)
        if fields is None:
            return "UnionPay has not signed this"
        return self._about_us(fields, answer) or (
            self._submitted(fields, answer) if self.is_submission else self._found(fields, answer)
        )

    def _about_us(self, fields: Mapping[str, str], answer: object) -> str | None:
        expected = {
            "txnType": "12" if self.is_submission else "00",
            "merId": MER_ID,
            "orderId": platform.REFERENCE,
            "txnTime": platform.TXN_TIME,
            "currencyCode": "156",
        }
        for name, value in expected.items():
            if fields.get(name, "") not in {"", value}:
                return f"{name} is another's"
        amount, payee = fields.get("txnAmt", ""), fields.get("accNo", "")
        if amount and (not amount.isdigit() or int(amount) != platform.AMOUNT.minor):
            return "about another amount"
        head, star, tail = payee.partition("*")
        number, tail = platform.CARD.number, tail.rpartition("*")[2] if "*" in tail else tail
        if star and not (number.startswith(head) and number.endswith(tail)):
            return "about another payee"
        if payee.isdigit() and payee != number:
            return "about another payee"
        is_named = bool(fields.get("orderId") and fields.get("txnTime"))
        is_kept_open = self.is_submission and isinstance(answer, Rejected) and answer.confirm
        return None if is_named or is_kept_open else "it names no order"

    def _submitted(self, fields: Mapping[str, str], answer: object) -> str | None:
        code = fields.get("respCode", "")
        match answer:
            case Pending(channel_ref=ref):
                right = code in {"00", "05"} and ref == (fields.get("queryId") or None)
                return None if right else "not taken in"
            case Rejected(confirm=False):
                return None if code in UNIONPAY_DEAD else f"{code!r} is in no list"
            case Rejected():
                return None if code in UNIONPAY_DEAD_IF_CONFIRMED else f"{code!r} is in no list"
        return "a submission's answer proves no more than that"

    def _found(self, fields: Mapping[str, str], answer: object) -> str | None:
        code, fate = fields.get("respCode", ""), fields.get("origRespCode", "")
        if isinstance(answer, Absent):
            return None if code == "34" else "not the one answer that means absence"
        if code != "00":
            return "a refused question proves nothing"
        match answer:
            case Paid(channel_ref=ref, fee=None):
                named = fields.get("txnAmt") and ref and ref == fields.get("queryId")
                return None if fate in {"00", "A6"} and named else "not paid, or not named"
            case Pending():
                return None if fate in {"03", "04", "05"} else "not under way"
            case Rejected():
                listed = fate in UNIONPAY_DEAD | UNIONPAY_DEAD_IF_CONFIRMED
                return None if listed else f"{fate!r} is in no list"
        return f"an answer of no known kind: {answer!r}"


@dataclass(frozen=True, slots=True)
class Notices:
    """The same fields as a form."""

    name: str = "unionpay notice"
    words: Sequence[str] = WORDS

    def spoil(self, spoiler: Spoiler) -> Input:
        """Fields, certificate, signature, bytes."""
        fields = spoiler.fields(spoiler.random.choice(TAKEN), (*TAKEN, *FOUND))
        complete, is_signed = spoilt(spoiler, fields)
        body = urlencode(complete).encode()
        if spoiler.random.random() < 0.15:
            body = spoiler.bytes(body)
        proven = (json.dumps(complete).encode(),) if is_signed else ()
        return Input(body, {}, 200, proven, real=True)

    def read(self, given: Input) -> object:
        """As the engine would hear it."""
        return CHANNEL.channel.read_notice({}, given.body, platform.NOW)

    def objection(self, given: Input, answer: object) -> str | None:
        """A notice may only name what was signed."""
        match answer:
            case NoticeRefused(reply=reply):
                return None if reply.body in {b"ok", b"fail"} else "no known reply"
            case Notice(reference=reference, channel_ref=ref):
                told = dict(parse_qsl(given.body.decode("latin-1"), keep_blank_values=True))
                signed = json.loads(given.proven[0]) if given.proven else {}
                if {k: v for k, v in told.items() if v} != {k: v for k, v in signed.items() if v}:
                    return "UnionPay has not signed this"
                if (told.get("merId"), told.get("txnType")) != (MER_ID, "12"):
                    return "for another merchant, or about no payout"
                named = (told.get("orderId"), told.get("queryId") or None)
                return None if named == (reference, ref) and reference else "it names another"
        return f"an answer of no known kind: {answer!r}"


async def _at_once(work: Callable[..., Any], *arguments: object) -> Any:
    return work(*arguments)


async def _all(lines: AsyncIterator[StatementLine]) -> list[StatementLine]:
    return [line async for line in lines]


def _members(spoiler: Spoiler) -> tuple[bytes, bytes]:
    """ZM and ZME of the day, cells and lines of them spoilt."""
    chance = spoiler.random
    tables: list[list[Fields]] = [
        [{str(k): v for k, v in PAYOUT.items()}, {**{str(k): v for k, v in PAYOUT.items()}}],
        [{**{str(k): v for k, v in RETURNED.items()}, "5": "1102180000"}],
    ]
    tables[0][1] |= {"10": "202611021000000000002", "12": "PAYOUT0002", "4": "000124"}
    for _ in range(chance.choice((0, 1, 1, 2, 4))):
        rows = chance.choice(tables)
        if not rows:
            continue
        row = chance.choice(rows)
        match chance.randrange(8):
            case 0:
                rows.remove(row)
            case 1:
                rows.append(dict(row))
            case 2:
                rows.append(dict(chance.choice(tables[0] or [{}])))
            case _:
                name = chance.choice((*row, "31"))
                row[name] = spoiler.value(row.get(name, ""))
    letters = chance.random() < 0.2
    made = []
    for rows, widths in zip(tables, (UNIONPAY_ZM_CELLS, UNIONPAY_ZME_CELLS), strict=True):
        cells = [
            {
                int(number): str(value)[: widths[int(number) - 1]]
                .encode("gbk", "replace")
                .decode("gbk")
                for number, value in row.items()
                if int(number) <= len(widths)
            }
            for row in rows
        ]
        lines = [fixed(one, widths, letters=letters) for one in cells]
        raw = chance.choice((b"\r\n", b"\n")).join([*lines, b""])
        made.append(spoiler.bytes(raw) if chance.random() < 0.06 else raw)
    return made[0], made[1]


@dataclass(frozen=True, slots=True)
class Statements:
    """The settlement files of a day, from the signed reply on."""

    name: str = "unionpay statement"
    words: Sequence[str] = WORDS

    def spoil(self, spoiler: Spoiler) -> Input:
        """Cells, lines, bytes, the ZIP, the packing, the signed reply around it."""
        chance = spoiler.random
        payouts, adjustments = _members(spoiler)
        packed = io.BytesIO()
        way = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
        with zipfile.ZipFile(packed, "w", way) as archive:
            names = ["ZM", "ZME"]
            if chance.random() < 0.05:
                names[chance.randrange(2)] = str(chance.choice(("ZM", "ZME", "ZX", "")))
            merchant = MER_ID if chance.random() < 0.97 else "777290058110098"
            for name, content in zip(names, (payouts, adjustments), strict=True):
                info = zipfile.ZipInfo(f"INN26110288{name}_{merchant}")
                info.compress_type = way
                with warnings.catch_warnings(action="ignore"):  # of a name that stands twice
                    archive.writestr(info, content)
        raw = packed.getvalue()
        if chance.random() < 0.15:
            raw = spoiler.bytes(raw)
        squeezed = zlib.compress(raw, 1)
        if chance.random() < 0.05:
            squeezed = spoiler.bytes(squeezed)
        fields: Fields = {**FILE, "fileContent": base64.b64encode(squeezed).decode()}
        if chance.random() < 0.3:
            fields = spoiler.fields(fields, [FILE, platform.found()])
        complete, is_signed = spoilt(spoiler, fields)
        proven = (json.dumps(complete).encode(), payouts, adjustments) if is_signed else ()
        body = _row(complete)
        return Input(
            spoiler.bytes(body) if chance.random() < 0.05 else body, {}, 200, proven, real=True
        )

    def read(self, given: Input) -> object:
        """Every line, or why there are none."""
        CHANNEL.wire.put(given)
        try:
            with mock.patch.object(asyncio, "to_thread", _at_once):
                return done(_all(CHANNEL.channel.statement(DAY)))
        except ChannelError as error:
            return error

    def objection(self, given: Input, answer: object) -> str | None:
        """Each line of the signed files once, in order, with the figures that stand in it."""
        if isinstance(answer, ChannelError):
            return None
        if not isinstance(answer, list):
            return f"an answer of no known kind: {answer!r}"
        fields = _proven(given)
        if fields is None:
            return "UnionPay has not signed this"
        told = [fields.get(name) for name in ("merId", "settleDate", "respCode")]
        if told != [MER_ID, "1102", "00"] or fields.get("txnType", "76") not in {"", "76"}:
            return "the answer is about another file"
        payouts, adjustments = (_lines(raw) for raw in given.proven[1:])
        return _movements(answer, payouts) or _adjusted(answer, adjustments, payouts)


def _lines(raw: bytes) -> list[bytes]:
    return [line for line in raw.replace(b"\r\n", b"\n").split(b"\n") if line]


def _movements(answer: Sequence[StatementLine], lines: Sequence[bytes]) -> str | None:
    moved = [one for one in answer if one.memo.startswith("ZM ") and one.kind != LineKind.FEE]
    if len(moved) != len(lines):
        return f"{len(lines)} payouts are told, {len(moved)} are read"
    if any(one.amount.minor <= 0 or one.booked_at.tzinfo is not UTC for one in answer):
        return "a line without amount or time"
    for one, line in zip(moved, lines, strict=True):
        if not any(_says(one, cells) for cells in _readings(line)):
            return "a payout that no line tells"
    return None


def _readings(line: bytes) -> Iterator[Mapping[str, str]]:
    """The cells that count, whether positions are bytes or letters."""
    text = line.decode("gb18030", "replace")
    for by_bytes in (True, False):
        yield {
            name: (
                line[start:end].decode("gb18030", "replace") if by_bytes else text[start:end]
            ).strip()
            for name, (start, end) in UNIONPAY_ZM.items()
        }


def _says(one: StatementLine, cell: Mapping[str, str]) -> bool:
    is_payout = cell["type"] == "12"
    return (
        cell["amount"] == f"{one.amount.minor:012d}"
        and (cell["order"] or None, cell["query"]) == (one.reference, one.channel_ref)
        and cell["merchant"] == MER_ID
        and (one.kind is LineKind.PAYOUT) == is_payout
        and not (is_payout and one.credit)
    )


def _adjusted(
    answer: Sequence[StatementLine], lines: Sequence[bytes], payouts: Sequence[bytes]
) -> str | None:
    found = [one for one in answer if one.memo.startswith("ZME ")]
    if len(found) != len(lines):
        return f"{len(lines)} adjustments are told, {len(found)} are read"
    for one, line in zip(found, lines, strict=True):
        amount = f"{one.amount.minor:012d}".encode()
        if amount not in line:
            return "an adjustment that no line tells"
        own = [
            old
            for old in payouts
            if (one.reference or "?").encode("gb18030") in old and amount in old
        ]
        if one.kind is LineKind.RETURN and not (own and one.credit):
            return "something came back that was never paid"
        if one.kind is not LineKind.RETURN and one.reference is not None:
            return "an adjustment takes a number that it does not name"
    return None


SUBMISSION = Replies("unionpay submission", TAKEN)
INQUIRY = Replies("unionpay inquiry", FOUND)
AIMS = (SUBMISSION, INQUIRY, Notices(), Statements())
