"""XxPay's replies and notices, spoilt; judged from the text alone, not by our code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from channels.contract import (
    NOTICE_QUERY,
    Absent,
    Inquiry,
    Notice,
    NoticeRefused,
    Outcome,
    Paid,
    Rejected,
    Returned,
    Unknown,
)
from tests.channels.xxpay import gateway
from tests.proof.hostile.aims import Input, Wire, done
from tests.proof.hostile.keyed_md5 import (
    form_in,
    number_in,
    object_in,
    seal,
    sign_somehow,
    signed_text,
    signer,
    text_of,
)
from tests.proof.hostile.mutate import Spoiler
from tests.proof.hostile.tables import XXPAY_NOT_FOUND, XXPAY_REFUSED, XXPAY_STATES, XXPAY_TAKEN

OURS, OTHER = signer(gateway.SECRET), signer("SOMEBODY-ELSES-SECRET-0009")
NODES: Sequence[Mapping[str, object]] = (
    gateway.taken(),
    gateway.taken(status=2),
    gateway.taken(status=3, transMsg="账户已冻结"),
    gateway.taken(extra="P7K2M9X4Q1A2"),
    gateway.taken(retCode=0, status="0"),
    gateway.found(),
    gateway.found(status=3, transMsg="账户不存在"),
    gateway.found(status=6),
    gateway.found(status="1", fee=0),
    gateway.found(amount=12345, extra=gateway.REFERENCE),
    gateway.found(mchOrderNo="P7K2M9X4Q1A2"),
    {"retCode": "FAIL", "retMsg": XXPAY_NOT_FOUND},
    {"retCode": 9999, "retMsg": "可用余额不足"},
)
NOTICES = (
    gateway.told(),
    gateway.told(mchOrderNo=gateway.REFERENCE),
    gateway.told(status="3", transMsg="账户不存在", extra=""),
    gateway.told(status="6", extra="P7K2M9X4Q1A2"),
)
WORDS: Sequence[str] = (
    *(
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "SUCCESS",
        "FAIL",
        "9999",
        "12345",
        "100",
        XXPAY_NOT_FOUND,
    ),
    *("retCode", "retMsg", "status", "amount", "fee", "extra", "mchOrderNo", "agentpayOrderId"),
    *("sign", "transMsg", gateway.REFERENCE, gateway.NUMBER, "P7K2M9X4Q1A2", "x&status=2"),
)


class _Channels:
    """The adapter twice: as it comes, and of an operator who trusts the gateway all it lets him."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.usual = gateway.channel()
        self.trusting = gateway.channel(trust_failures="all", trust_refusals=True)
        for one in (self.usual, self.trusting):
            one._transport = self.wire  # type: ignore[assignment]  # no sockets here
        self.prepared = self.usual.prepare(gateway.instruction(), gateway.NOW)


CHANNELS = _Channels()


@dataclass(frozen=True, slots=True)
class Replies:
    """One flat, signed object."""

    name: str
    is_submission: bool
    trusting: bool = False
    words: Sequence[str] = WORDS

    def spoil(self, spoiler: Spoiler) -> Input:
        """Fields, JSON, signature, bytes."""
        chance = spoiler.random
        fields = spoiler.fields(chance.choice(NODES), NODES)
        fields.pop("sign", None)
        raw = spoiler.json(fields)
        sign, proven = sign_somehow(
            spoiler, signed_text(object_in(raw) or {}), chance.choice(NODES), OURS, OTHER
        )
        if chance.random() < 0.97 and raw.endswith(b"}"):
            raw = raw[:-1] + b"," + spoiler.json({"sign": sign})[1:]
        return Input(
            spoiler.bytes(raw) if chance.random() < 0.1 else raw, {}, spoiler.status(), proven
        )

    def genuine(self, fields: Mapping[str, object]) -> Input:
        """These fields, rightly signed."""
        given = {name: value for name, value in fields.items() if name != "sign"}
        sign = OURS(signed_text(given))
        body = gateway.compact({**given, "sign": sign})
        return Input(body, {}, 200, (seal(signed_text(object_in(body) or {}), sign),))

    def read(self, given: Input) -> object:
        """As the engine would hear it."""
        CHANNELS.wire.put(given)
        channel = CHANNELS.trusting if self.trusting else CHANNELS.usual
        asked: Inquiry = gateway.inquiry()
        answer: Outcome | Absent = done(
            channel.send(CHANNELS.prepared) if self.is_submission else channel.inquire(asked)
        )
        return answer

    def objection(self, given: Input, answer: object) -> str | None:
        """Only signed fields about our order may prove anything."""
        if isinstance(answer, Unknown):
            return None
        fields = object_in(given.body)
        if fields is None or given.status != 200:
            return "it can be read in two ways or in none"
        if seal(signed_text(fields), fields.get("sign")) not in given.proven:
            return "nobody has signed this"
        code = text_of(fields, "retCode")
        if code not in XXPAY_TAKEN:
            return self._refused(fields, code, answer)
        return self._about_us(fields, answer) or self._meaning(fields, answer)

    def _refused(self, fields: Mapping[str, Any], code: str, answer: object) -> str | None:
        match answer:
            case Absent():
                told = text_of(fields, "retMsg") == XXPAY_NOT_FOUND and not self.is_submission
                return None if told else "not the one answer that means absence"
            case Rejected(confirm=True):
                is_right = self.trusting and self.is_submission and code in XXPAY_REFUSED
                return None if is_right else "a refusal that proves nothing"
        return "a refused call says nothing about the payout"

    def _about_us(self, fields: Mapping[str, Any], answer: object) -> str | None:
        named = {text_of(fields, "mchOrderNo"), text_of(fields, "extra")} - {""}
        if named != {gateway.REFERENCE}:
            return "about another number, or none"
        is_money = isinstance(answer, Paid | Returned) or not self.is_submission
        amount = number_in(fields, "amount")
        if is_money and amount != gateway.AMOUNT.minor:
            return "about another amount, or none"
        return None

    def _meaning(self, fields: Mapping[str, Any], answer: object) -> str | None:
        status, number = text_of(fields, "status"), text_of(fields, "agentpayOrderId")
        if isinstance(answer, Absent) or getattr(answer, "channel_ref", None) != number:
            return "not the order that it names"
        if XXPAY_STATES.get((self.is_submission, status)) != type(answer).__name__:
            return f"not what state {status!r} means"
        match answer:
            case Paid(fee=fee):
                said = number_in(fields, "fee")
                return None if (None if fee is None else fee.minor) == said else "another fee"
            case Returned(amount=amount):
                return None if amount == gateway.AMOUNT else "another amount came back"
            case Rejected(confirm=confirm):
                if not self.trusting:
                    return "a state 3 that is not trusted"
                is_named = number_in(fields, "amount") is not None
                return None if confirm or is_named else "failed, without its amount"
        return None


@dataclass(frozen=True, slots=True)
class Notices:
    """A signed query string, or the same as a form."""

    name: str = "xxpay notice"
    words: Sequence[str] = WORDS

    def spoil(self, spoiler: Spoiler) -> Input:
        """Fields, signature, bytes."""
        chance = spoiler.random
        form = {
            name.encode(errors="replace").decode(): str(value).encode(errors="replace").decode()
            for name, value in spoiler.fields(chance.choice(NOTICES), NOTICES).items()
        }
        form.pop("sign", None)
        sign, proven = sign_somehow(spoiler, signed_text(form), chance.choice(NOTICES), OURS, OTHER)
        raw = urlencode({**form, "sign": sign}, errors="replace").encode()
        if chance.random() < 0.15:
            raw = spoiler.bytes(raw)
        if chance.random() < 0.3:
            return Input(raw, {}, 200, proven)
        return Input(b"", {NOTICE_QUERY: raw.decode("latin-1")}, 200, proven)

    def read(self, given: Input) -> object:
        """As the engine would hear it."""
        return CHANNELS.usual.read_notice(given.headers, given.body, gateway.NOW)

    def objection(self, given: Input, answer: object) -> str | None:
        """A notice may only name what was signed."""
        match answer:
            case NoticeRefused(reply=reply):
                return None if reply.body == b"fail" else "it is taken and lost"
            case Notice(reference=reference, channel_ref=ref):
                told = given.headers.get(NOTICE_QUERY) or given.body.decode(errors="replace")
                form = form_in(told)
                if form is None or seal(signed_text(form), form.get("sign")) not in given.proven:
                    return "nobody has signed this"
                named = {form.get("mchOrderNo") or "", form.get("extra") or ""} - {""}
                is_right = named <= {reference} and (reference == "" or reference in named)
                return None if is_right and form.get("agentpayOrderId") == ref else "another order"
        return f"an answer of no known kind: {answer!r}"


SUBMISSION = Replies("xxpay submission", is_submission=True)
INQUIRY = Replies("xxpay inquiry", is_submission=False)
AIMS = (
    SUBMISSION,
    INQUIRY,
    Replies("xxpay submission, trusted", is_submission=True, trusting=True),
    Replies("xxpay inquiry, trusted", is_submission=False, trusting=True),
    Notices(),
)
