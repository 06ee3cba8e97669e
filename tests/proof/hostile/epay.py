"""Epay's replies, signed and thrown, spoilt; judged from the text alone, not by our code."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from msgspec.structs import replace

from channels.contract import (
    Absent,
    Balance,
    ChannelError,
    Paid,
    Pending,
    Rejected,
    Returned,
    Unknown,
)
from channels.transport import Reply
from tests.channels.epay import platform
from tests.proof.hostile.aims import Input, Wire, done
from tests.proof.hostile.alipay import strict
from tests.proof.hostile.mutate import Spoiler
from tests.proof.hostile.stamp import Stamp
from tests.proof.hostile.tables import (
    EPAY_ALIVE,
    EPAY_DEAD,
    EPAY_DEAD_IF_CONFIRMED,
    EPAY_NOT_FOUND,
)

OURS, OTHER = Stamp(b"the site's"), Stamp(b"somebody else's")
BLANKS = " \t\n\r\0\x0b"
FRESH_S = 300
NODES: Sequence[Mapping[str, object]] = (
    platform.taken(),
    platform.taken(status=0, jumpurl="https://pay.example.com/w"),
    platform.taken(status=3),
    platform.taken(status=2, msg="转账失败：[PAYEE_NOT_EXIST]"),
    platform.taken(out_biz_no="4815162342108000002"),
    platform.found(),
    platform.found(status="0", paydate=None),
    platform.failed(),
    platform.failed(paydate="2026-11-02 09:30:01"),
    platform.found(amount=None),
    platform.found(amount=123.45, cost_money=123.45),
    *(platform.refused(text) for text in sorted(EPAY_ALIVE | EPAY_NOT_FOUND)),
    platform.refused("支付通道不存在", out_biz_no=platform.REFERENCE, biz_no=platform.REFERENCE),
    *(platform.refused(text.replace("{n}", "5000.00")) for text in sorted(EPAY_DEAD)),
    *(platform.refused(text) for text in sorted(EPAY_DEAD_IF_CONFIRMED)),
    platform.refused("该交易号已存在，请更换交易号"),
    platform.refused("需支付金额大于可转账余额", out_biz_no=platform.REFERENCE),
    {"code": 0, "available_money": "5000.00", "transfer_rate": "0.6"},
)
WORDS: Sequence[str] = (
    *sorted(EPAY_DEAD | EPAY_DEAD_IF_CONFIRMED | EPAY_NOT_FOUND | EPAY_ALIVE),
    *("0", "1", "2", "3", "4", "-1", "-2", "123.45", "123.46", "124.19", "0.01", "RSA", "MD5"),
    *(
        "code",
        "msg",
        "status",
        "amount",
        "cost_money",
        "out_biz_no",
        "biz_no",
        "orderid",
        "paydate",
    ),
    *("errmsg", "sign", "sign_type", "timestamp", platform.REFERENCE, platform.STAMP, "1793583301"),
    *("4815162342108000002", "2026-11-02 09:30:01", "[PAYEE_NOT_EXIST]", "available_money", "\0"),
)


class _Channels:
    """The adapter twice: believing the stamp, and believing RSA."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.stamped, self.real = platform.channel(), platform.channel()
        keys = replace(self.stamped._settings.keys, platform=(OURS,))
        self.stamped._settings._keys = keys
        for one in (self.stamped, self.real):
            one._transport = self.wire  # type: ignore[assignment]  # no sockets here

            async def ask(*_: object) -> Reply:
                return self.wire.reply

            one._ask = ask  # type: ignore[method-assign, assignment]  # the question is not what is tried
        self.prepared = self.real.prepare(platform.instruction(), platform.NOW)

    def of(self, given: Input) -> Any:
        """The one that this input is for."""
        self.wire.put(given)
        return self.real if given.real else self.stamped


CHANNELS = _Channels()


def texts(node: Mapping[str, Any]) -> Mapping[str, str]:
    """The members as PHP writes them; what it does not write falls away."""
    return {
        name: "1" if value is True else value
        for name, value in node.items()
        if value is True or isinstance(value, str)
    }


def signed_text(fields: Mapping[str, str]) -> bytes:
    """`k=v` of all that is not blank, sorted."""
    kept = {k: v for k, v in fields.items() if v.strip(BLANKS) and k not in {"sign", "sign_type"}}
    return "&".join(f"{k}={v}" for k, v in sorted(kept.items())).encode(errors="surrogatepass")


def seal(content: bytes, signature: str) -> bytes:
    """The two together: only both say that somebody signed this."""
    try:
        raw = base64.b64decode("".join(signature.split()), validate=True)
    except ValueError:
        raw = b"none"
    return content + b"\n" + raw


def sign(content: bytes, *, real: bool = False) -> str:
    """As the site signs, or as its stamp does."""
    raw = (
        platform.PLATFORM.sign(content, PKCS1v15(), hashes.SHA256()) if real else OURS.sign(content)
    )
    return base64.b64encode(raw).decode()


def _fen(text: str) -> int | None:
    try:
        return int(Decimal(text.strip(BLANKS)) * 100)
    except (InvalidOperation, ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class Replies:
    """Submission, inquiry, balance: one flat object, signed or thrown."""

    name: str
    words: Sequence[str] = WORDS

    def spoil(self, spoiler: Spoiler) -> Input:
        """Fields, JSON, signature, bytes."""
        chance = spoiler.random
        stamped = {"timestamp": platform.STAMP, "sign_type": "RSA"}
        fields = spoiler.fields({**chance.choice(NODES), **stamped}, NODES)
        fields.pop("sign", None)
        raw = spoiler.json(fields)
        real = chance.random() < 0.05
        signature, proven = spoiler.signature(
            signed_text(texts(strict(raw) or {})),
            signed_text(texts(strict(platform.encoded({**chance.choice(NODES), **stamped})) or {})),
            lambda content: sign(content, real=real),
            lambda content: base64.b64encode(OTHER.sign(content)).decode(),
        )
        if chance.random() < 0.9 and raw.endswith(b"}"):
            raw = raw[:-1] + b"," + spoiler.json({"sign": signature})[1:]
        body = spoiler.bytes(raw) if chance.random() < 0.1 else raw
        seals = tuple(seal(one, signature) for one in proven)
        return Input(body, {}, spoiler.status(), seals, real)

    def genuine(self, fields: Mapping[str, object]) -> Input:
        """These fields, rightly signed just now."""
        stamped = {"timestamp": platform.STAMP, "sign_type": "RSA"}
        given = {**{k: v for k, v in fields.items() if k != "sign"}, **stamped}
        content = signed_text(texts(strict(platform.encoded(given)) or {}))
        body = platform.encoded({**given, "sign": sign(content)})
        return Input(body, {}, 200, (seal(content, sign(content)),))

    def read(self, given: Input) -> object:
        """As the engine would hear it."""
        channel = CHANNELS.of(given)
        match self.name:
            case "epay submission":
                return done(channel.send(CHANNELS.prepared))
            case "epay inquiry":
                return done(channel.inquire(platform.inquiry()))
        try:
            return done(channel.balance())
        except ChannelError as error:
            return error

    def objection(self, given: Input, answer: object) -> str | None:
        """Only signed, fresh, matching, listed answers may prove anything; absence proves none."""
        if isinstance(answer, Unknown | ChannelError):
            return None
        node = strict(given.body)
        if node is None or given.status != 200:
            return "it can be read in two ways or in none"
        fields = texts(node)
        said = {name: value.strip(BLANKS) for name, value in fields.items()}
        if isinstance(answer, Absent):
            return self._absent(said)
        if seal(signed_text(fields), fields.get("sign", "")) not in given.proven:
            return "nobody has signed this"
        stamp = fields.get("timestamp", "")
        if not stamp.isdigit() or abs(int(stamp) - int(platform.STAMP)) > FRESH_S:
            return "not signed just now"
        if fields.get("sign_type", "RSA") != "RSA":
            return "signed in another way"
        if isinstance(answer, Balance):
            right = (said.get("code"), _fen(said.get("available_money", ""))) == (
                "0",
                answer.available.minor,
            )
            return None if right else "not the balance that was told"
        if isinstance(answer, Rejected) and said.get("code") == "-1":
            return self._refused(said, answer)
        return self._about_us(said) or self._meaning(said, answer)

    def _absent(self, said: Mapping[str, str]) -> str | None:
        told = said.get("code") == "-1" and said.get("msg", "").strip() in EPAY_NOT_FOUND
        named = said.get("out_biz_no", "") in {"", platform.REFERENCE}
        right = self.name == "epay inquiry" and told and named
        return None if right else "not the one answer that means absence"

    def _refused(self, said: Mapping[str, str], answer: Rejected) -> str | None:
        if self.name != "epay submission":
            return "a question that was refused proves nothing"
        if any(said.get(name) for name in ("biz_no", "out_biz_no", "orderid")):
            return "a refusal that names an order was spoken after money was asked for"
        shape = re.sub(r"[0-9]+(\.[0-9]+)?", "{n}", said.get("msg", "").strip())
        if shape in EPAY_DEAD:
            return None
        listed = shape in EPAY_DEAD_IF_CONFIRMED and answer.confirm
        return None if listed else f"{shape!r} is in no list, or asks for a look"

    def _about_us(self, said: Mapping[str, str]) -> str | None:
        if said.get("out_biz_no") != platform.REFERENCE:
            return "about another number"
        amount, cost = said.get("amount"), said.get("cost_money")
        if amount and _fen(amount) != platform.AMOUNT.minor:
            return "about another amount"
        if cost and (_fen(cost) is None or (_fen(cost) or 0) < platform.AMOUNT.minor):
            return "it cost less than the amount"
        return None

    def _meaning(self, said: Mapping[str, str], answer: object) -> str | None:
        status, is_inquiry = said.get("status"), self.name == "epay inquiry"
        if isinstance(answer, Pending):
            known = said.get("code") == "0" and status in {"0", "1", "2", "3", "4"}
            alive = said.get("code") == "-1" and said.get("msg", "").strip() in EPAY_ALIVE
            return None if known or alive else "not under way"
        if said.get("code") != "0":
            return "a refused question proves nothing"
        if is_inquiry and not said.get("amount"):
            return "no amount is named"
        cost = said.get("cost_money")
        match answer:
            case Paid(fee=fee, channel_ref=ref):
                extra = None if not cost else (_fen(cost) or 0) - platform.AMOUNT.minor
                right = status == "1" and extra == (None if fee is None else fee.minor)
                named = ref == (said.get("biz_no") or platform.REFERENCE)
                return None if right and named else "not paid, or at another cost"
            case Returned(amount=amount):
                right = status == "2" and is_inquiry and bool(said.get("paydate"))
                return None if right and amount == platform.AMOUNT else "not paid and come back"
            case Rejected(confirm=confirm):
                if status != "2":
                    return "not failed"
                if not is_inquiry:
                    return None if confirm else "a failure at once asks for a look"
                return "it was paid once" if said.get("paydate") else None
        return f"an answer of no known kind: {answer!r}"


SUBMISSION, INQUIRY = Replies("epay submission"), Replies("epay inquiry")
AIMS = (SUBMISSION, INQUIRY, Replies("epay balance"))
