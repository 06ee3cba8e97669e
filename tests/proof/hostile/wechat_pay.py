"""WeChat Pay's replies and notices, spoilt; judged from the text alone, not by our code."""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

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
from channels.wechat_pay import channel, statement
from channels.wechat_pay.answers import Reader
from channels.wechat_pay.settings import WechatPaySettings
from channels.wechat_pay.signing import PlatformKey, PlatformKeys
from tests.channels.wechat_pay import platform
from tests.channels.wechat_pay.recordings import Recording
from tests.proof.hostile.aims import Input, done
from tests.proof.hostile.mutate import Spoiler
from tests.proof.hostile.stamp import Stamp
from tests.proof.hostile.tables import (
    WECHAT_DEAD_IF_CONFIRMED,
    WECHAT_DOUBT,
    WECHAT_FAILED,
    WECHAT_LEGACY_FAILED,
)

OURS = Stamp(b"the platform's")
OTHER = Stamp(b"somebody else's")
LEGACY = "B202412/D0001"

WORDS: Sequence[str] = (
    *sorted({code for _, code, _ in WECHAT_DEAD_IF_CONFIRMED}),
    *sorted({fragment for _, _, fragment in WECHAT_DEAD_IF_CONFIRMED if fragment}),
    *WECHAT_DOUBT,
    *(
        "SYSTEM_ERROR",
        "FREQUENCY_LIMITED",
        "NOT_FOUND",
        "NOT_FOUND ",
        "BRAND_NEW",
        "INVALID_REQUEST",
    ),
    *("ACCEPTED", "PROCESSING", "WAIT_USER_CONFIRM", "TRANSFERING", "SUCCESS", "FAIL", "CANCELLED"),
    *("CANCELING", "CANCELED", "INIT", "WAIT_PAY", "OVERDUE_CLOSE", "NAME_NOT_CORRECT"),
    *("state", "detail_status", "out_bill_no", "transfer_amount", "openid", "mch_id", "appid"),
    *("code", "message", "available_amount", "hash_value", "download_url", "update_time"),
    *(platform.REFERENCE, platform.REFERENCE.lower(), platform.BILL_NO, platform.MCHID),
    *(platform.APPID, platform.OPENID, "1234", "2026-03-02T10:05:00+08:00", "BANK_CARD_X"),
)
STATUSES = (200, 200, 200, 400, 400, 401, 403, 404, 429, 500, 502, 302, 204, 201)


def _settings(key: object) -> WechatPaySettings:
    made = platform.settings()
    stamped = PlatformKey(platform.PUBLIC_KEY_ID, key)  # type: ignore[arg-type]  # a stamp
    made._platform_keys = PlatformKeys([stamped])
    return made


class _Channels:
    """The adapter twice: believing the stamp, and believing RSA."""

    def __init__(self) -> None:
        self.reply = Reply(200, {}, b"")
        self.prepared = _channel(platform.settings()).prepare(platform.instruction(), platform.NOW)
        self.stamped, self.real = _channel(_settings(OURS)), _channel(platform.settings())
        for one in (self.stamped, self.real):

            async def post(*_: object) -> Reply:
                return self.reply

            async def get(*_: object, **__: object) -> Reply:
                return self.reply

            one._transport.post = post  # type: ignore[method-assign, assignment]  # no sockets here
            one._get = get  # type: ignore[method-assign]  # the question is not what is tried

    def of(self, given: Input) -> channel.WechatPayChannel:
        """The one that this input is for."""
        self.reply = Reply(given.status, given.headers, given.body)
        return self.real if given.real else self.stamped


def _channel(settings: WechatPaySettings) -> channel.WechatPayChannel:
    made = channel.build("wechat-test", settings, platform.terms(), lambda: platform.NOW)
    made._reader = Reader(settings)
    return made


CHANNELS = _Channels()


def recorded(*starts: str) -> tuple[Mapping[str, object], ...]:
    """The JSON bodies of every recorded reply whose file starts so."""
    found: list[Mapping[str, object]] = []
    for start in starts:
        for file in sorted(platform.RECORDINGS.glob(f"{start}*.txt")):
            for reply in Recording.read(file).replies:
                if reply.body.startswith(b"{"):
                    found.append(json.loads(reply.body))
    return tuple(found)


def signed(spoiler: Spoiler, body: bytes, *, real: bool) -> tuple[dict[str, str], bool]:
    """Five headers over a body, mostly right; whether they prove it."""
    chance = spoiler.random
    timestamp, nonce = str(int(platform.NOW.timestamp())), "c5ac7061fccab6bf3e254dcf98995b8c"
    draw = chance.random()
    if 0.72 <= draw < 0.76:
        timestamp = str(int(timestamp) + chance.choice((301, -301, 10**9, -(10**9))))
    text = f"{timestamp}\n{nonce}\n".encode() + (b"x" if 0.8 <= draw < 0.84 else b"") + body + b"\n"
    if real:
        raw = platform.PLATFORM.sign(text, PKCS1v15(), hashes.SHA256())
    else:
        raw = (OTHER if 0.76 <= draw < 0.8 else OURS).sign(text)
    headers = {
        "wechatpay-timestamp": timestamp,
        "wechatpay-nonce": nonce,
        "wechatpay-serial": platform.PUBLIC_KEY_ID,
        "wechatpay-signature": base64.b64encode(raw).decode(),
        "wechatpay-signature-type": platform.SCHEME,
    }
    proven = not (0.72 <= draw < 0.84) or (real and 0.76 <= draw < 0.8)
    if draw >= 0.84 and draw < 0.92:
        name = chance.choice(list(headers))
        changed = str(spoiler.value(headers[name]))
        # Serials are compared without case and leading zeros; a timestamp is a number of seconds.
        proven = proven and changed == headers[name]
        headers[name] = changed
        if name == "wechatpay-serial":
            proven = changed.upper().lstrip("0") == platform.PUBLIC_KEY_ID
    elif draw >= 0.92 and draw < 0.96:
        del headers[chance.choice(list(headers))]
        proven = False
    return headers, proven


def _headers(body: bytes, sign: Callable[[bytes], bytes]) -> dict[str, str]:
    timestamp, nonce = str(int(platform.NOW.timestamp())), "c5ac7061fccab6bf3e254dcf98995b8c"
    raw = sign(f"{timestamp}\n{nonce}\n".encode() + body + b"\n")
    return {
        "wechatpay-timestamp": timestamp,
        "wechatpay-nonce": nonce,
        "wechatpay-serial": platform.PUBLIC_KEY_ID,
        "wechatpay-signature": base64.b64encode(raw).decode(),
        "wechatpay-signature-type": platform.SCHEME,
    }


def loose(raw: bytes) -> Mapping[str, Any] | None:
    """The object in these bytes; of a name that stands twice the last counts, as everywhere."""
    try:
        parsed = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


@dataclass(frozen=True, slots=True)
class Replies:
    """Submission, inquiry, the closed batch product, balance, announcement of a bill."""

    name: str
    seeds: tuple[Mapping[str, object], ...]
    words: Sequence[str] = WORDS

    def spoil(self, spoiler: Spoiler) -> Input:
        """Fields, JSON, status, signature, bytes."""
        chance = spoiler.random
        body = spoiler.json(spoiler.fields(chance.choice(self.seeds), self.seeds))
        real = chance.random() < 0.05
        headers, is_proven = signed(spoiler, body, real=real)
        status = chance.choice(STATUSES)
        if chance.random() < 0.05:
            body, is_proven = spoiler.bytes(body), False
        return Input(body, headers, status, (body,) if is_proven else (), real)

    def genuine(self, said: Mapping[str, object], status: int) -> Input:
        """This body, rightly signed."""
        body = json.dumps(said).encode()
        return Input(body, _headers(body, OURS.sign), status, (body,))

    def read(self, given: Input) -> object:
        """As the engine would hear it."""
        made = CHANNELS.of(given)
        try:
            match self.name:
                case "wechat_pay submission":
                    return done(made.send(CHANNELS.prepared))
                case "wechat_pay inquiry":
                    return done(made.inquire(platform.inquiry()))
                case "wechat_pay batch inquiry":
                    return done(made.inquire(platform.inquiry(reference=LEGACY)))
                case "wechat_pay balance":
                    return done(made.balance())
                case _:
                    return done(made._announced("/v3/bill/fundflowbill", platform.NOW.date()))
        except ChannelError as error:
            return error

    def objection(self, given: Input, answer: object) -> str | None:
        """Only a signed, matching, listed answer may prove anything."""
        match answer:
            case Unknown() | ChannelError():
                return None
            case NotSent() | Returned():
                return "never said by this platform"
        if given.body not in given.proven:
            # Spoilt bytes may be the signed ones again; then the signature fits after all.
            return None if _fits(given) else "nobody has signed this"
        said = loose(given.body)
        if said is None:
            return "not JSON"
        if isinstance(answer, Balance):
            right = given.status == 200 and answer.available.minor == said.get("available_amount")
            return None if right else "not the balance that was told"
        if isinstance(answer, Absent):
            right = (given.status, said.get("code")) == (404, "NOT_FOUND")
            right = right and "inquiry" in self.name
            return None if right else "not the one answer that means absence"
        if isinstance(answer, Paid | Pending | Rejected):
            return self._outcome(given.status, said, answer)
        if self.name == "wechat_pay bill address" and given.status == 200:
            return None
        return f"an answer of no known kind: {answer!r}"

    def _outcome(
        self, status: int, said: Mapping[str, Any], answer: Paid | Pending | Rejected
    ) -> str | None:
        if status != 200:
            return self._refused(status, said, answer)
        number: object
        if self.name == "wechat_pay batch inquiry":
            number = f"{said.get('out_batch_no')}/{said.get('out_detail_no')}"
            state, failed, mchid = (
                said.get("detail_status"),
                WECHAT_LEGACY_FAILED,
                said.get("mchid"),
            )
            reference = LEGACY
        else:
            number, state, failed = said.get("out_bill_no"), said.get("state"), WECHAT_FAILED
            mchid, reference = said.get("mch_id"), platform.REFERENCE
        if number != reference:
            return "about another number"
        if "inquiry" in self.name:
            ours = (platform.MCHID, platform.APPID, 12_34)
            if (mchid, said.get("appid"), said.get("transfer_amount")) != ours:
                return "about another merchant, application or amount"
            if isinstance(said.get("transfer_amount"), float | bool):
                return "an amount that is no whole number"
            if said.get("openid") not in {None, platform.OPENID}:
                return "about another payee"
        match answer:
            case Paid():
                right = state == "SUCCESS" and "inquiry" in self.name
            case Rejected():
                right = state in failed
            case _:
                right = state not in failed and isinstance(state, str)
        return None if right else f"{type(answer).__name__} of state {state!r}"

    def _refused(
        self, status: int, said: Mapping[str, Any], answer: Paid | Pending | Rejected
    ) -> str | None:
        if not isinstance(answer, Rejected) or self.name != "wechat_pay submission":
            return "a refused question proves nothing"
        if not answer.confirm:
            return "every refusal asks for a look"
        code, message = said.get("code"), str(said.get("message", ""))
        if code == "INVALID_REQUEST" and any(word in message for word in WECHAT_DOUBT):
            return "the number exists, whatever else it says"
        listed = any(
            (status, code) == (one[0], one[1]) and one[2] in message
            for one in WECHAT_DEAD_IF_CONFIRMED
        )
        return None if listed else f"{status} {code!r} is in no list"


def _fits(given: Input) -> bool:
    headers = given.headers
    text = (
        f"{headers.get('wechatpay-timestamp')}\n{headers.get('wechatpay-nonce')}\n".encode(
            errors="replace"
        )
        + given.body
        + b"\n"
    )
    try:
        raw = base64.b64decode(headers.get("wechatpay-signature", ""), validate=True)
    except ValueError:
        return False
    return OURS.sign(text) == raw


@dataclass(frozen=True, slots=True)
class Notices:
    """A sealed resource in a signed envelope."""

    name: str = "wechat_pay notice"
    words: Sequence[str] = (*WORDS, "AEAD_AES_256_GCM", "fdasfjihihih", "mch_payment")

    def spoil(self, spoiler: Spoiler) -> Input:
        """Content, seal, envelope, signature, bytes."""
        chance = spoiler.random
        plain = spoiler.json(spoiler.fields(platform.bill(), [platform.detail(), platform.bill()]))
        key = platform.APIV3_KEY if chance.random() < 0.9 else platform.APIV3_KEY[::-1]
        sealed = AESGCM(key.encode()).encrypt(b"fdasfjihihih", plain, b"mch_payment")
        envelope = json.loads(platform.notice_body({}))
        envelope["resource"]["ciphertext"] = base64.b64encode(sealed).decode()
        if chance.random() < 0.3:
            envelope["resource"] = spoiler.fields(envelope["resource"], [envelope])
        if chance.random() < 0.3:
            envelope = spoiler.fields(envelope, [envelope["resource"] or {}])
        body = spoiler.json(envelope)
        real = chance.random() < 0.05
        headers, is_proven = signed(spoiler, body, real=real)
        if chance.random() < 0.05:
            body, is_proven = spoiler.bytes(body), False
        return Input(body, headers, 200, (body, plain) if is_proven else (), real)

    def read(self, given: Input) -> object:
        """As the engine would hear it."""
        return CHANNELS.of(given).read_notice(given.headers, given.body, platform.NOW)

    def objection(self, given: Input, answer: object) -> str | None:
        """A notice may only name what was signed and sealed."""
        match answer:
            case NoticeRefused(reply=reply):
                return None if reply.status in {400, 401, 500} else "no known reply"
            case Notice(reference=reference):
                if given.body not in given.proven:
                    return None if _fits(given) else "nobody has signed this"
                content = loose(given.proven[1]) or {}
                named = content.get("out_bill_no") or content.get("out_batch_no") or ""
                return None if reference == named else "it names another number"
        return f"an answer of no known kind: {answer!r}"


_SUMMARY = re.compile(r"`(\d+),`(\d+),`([\d.]+),`(\d+),`([\d.]+)")


@dataclass(frozen=True, slots=True)
class Bills:
    """The fund-flow bill of a day."""

    name: str = "wechat_pay statement"
    words: Sequence[str] = (*WORDS, "收入", "支出", "充值", "12.34", "手续费")

    def spoil(self, spoiler: Spoiler) -> Input:
        """Cells, lines, summary, bytes."""
        chance = spoiler.random
        lines = _BILL.split("\n")
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
                    cells[chance.randrange(len(cells))] = "`" + str(spoiler.value("`12.34"))
                    lines[at] = ",".join(cells)
        raw = "\n".join(lines).encode(errors="replace")
        return Input(spoiler.bytes(raw) if chance.random() < 0.2 else raw)

    def read(self, given: Input) -> object:
        """Every line, or that it is broken."""
        try:
            return list(statement.lines(given.body))
        except StatementBrokenError as broken:
            return broken

    def objection(self, given: Input, answer: object) -> str | None:
        """Lines count only if they add up to what the bill itself says."""
        if isinstance(answer, StatementBrokenError):
            return None
        if not isinstance(answer, list):
            return f"an answer of no known kind: {answer!r}"
        lines: list[StatementLine] = answer
        sums = _SUMMARY.findall(given.body.decode(errors="replace"))
        income = [one.amount.minor for one in lines if one.credit]
        outgo = [one.amount.minor for one in lines if not one.credit]
        ours = (len(lines), len(income), Decimal(sum(income)), len(outgo), Decimal(sum(outgo)))
        stated = {
            (int(n), int(i), Decimal(im) * 100, int(o), Decimal(om) * 100)
            for n, i, im, o, om in sums
            if im.count(".") < 2 and om.count(".") < 2 and im != "." and om != "."
        }
        if ours not in stated:
            return "it does not add up"
        if any(one.amount.minor < 0 or one.booked_at.tzinfo is not UTC for one in lines):
            return "a line without amount or time"
        return None


_BILL = "\n".join(
    [
        platform.HEADER,
        platform.payout_row(1),
        platform.payout_row(2, "0.10", "备注,有逗号"),
        platform.row(
            *("2026-03-02 11:00:00", "C9", "F3", "充值", "充值", "收入"),
            *("500.00", "1487.56", "", "", ""),
        ),
        platform.SUMMARY,
        platform.row("3", "1", "500.00", "2", "12.44"),
        "",
    ]
)

SUBMISSION = Replies("wechat_pay submission", recorded("submit", "inquire-fail", "inquire-success"))
INQUIRY = Replies("wechat_pay inquiry", recorded("inquire", "submit-param", "submit-wait"))
BATCH = Replies("wechat_pay batch inquiry", recorded("inquire"))
BALANCE = Replies("wechat_pay balance", recorded("balance"))
ADDRESS = Replies("wechat_pay bill address", recorded("statement"))
AIMS = (SUBMISSION, INQUIRY, BATCH, BALANCE, ADDRESS, Notices(), Bills())
