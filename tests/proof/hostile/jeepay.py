"""Jeepay's replies and notices, spoilt; judged from the text alone, not by our code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from channels.contract import (
    Absent,
    Inquiry,
    Notice,
    NoticeRefused,
    Outcome,
    Paid,
    Pending,
    Rejected,
    Unknown,
)
from tests.channels.jeepay import gateway
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
from tests.proof.hostile.tables import (
    JEEPAY_ALIPAY_DEAD,
    JEEPAY_FAILED,
    JEEPAY_NOT_FOUND,
    JEEPAY_REFUSED_IF_CONFIRMED,
)

OURS, OTHER = signer(gateway.SECRET), signer("somebody-elses-secret-0009")
ENVELOPES: Sequence[tuple[object, str]] = (
    (9999, JEEPAY_NOT_FOUND),
    (9999, "商户订单号已存在"),
    (11, "参数有误"),
    ("11", "参数有误"),
    (10, "系统异常"),
    (5000, "新增失败"),
)
NODES: Sequence[Mapping[str, object]] = (
    gateway.order(),
    gateway.order(state=1, successTime=None),
    gateway.order(state=3, errCode="PAYEE_NOT_EXIST", errMsg="收款账号不存在"),
    gateway.order(state=3, errCode="SYSTEM_ERROR", errMsg="系统繁忙"),
    gateway.order(state=0, mchOrderNo="P7K2M9X4Q1A2"),
    gateway.order(state="2", amount="12345", currency="CNY"),
    gateway.taken(),
    gateway.taken(state=1),
    gateway.taken(state=3, errCode="CARD_BIN_ERROR", errMsg="卡号有误"),
    gateway.taken(state=0),
)
WORDS: Sequence[str] = (
    *sorted(JEEPAY_ALIPAY_DEAD),
    *("0", "1", "2", "3", "4", "11", "9999", "FAIL", "NAME_NOT_CORRECT", "SYSTEM_ERROR", "cny"),
    *("state", "amount", "mchOrderNo", "accountNo", "transferId", "sign", "code", "data", "msg"),
    *(gateway.REFERENCE, gateway.TRANSFER, gateway.MCH_NO, gateway.APP_ID, gateway.LOGON.identity),
    *("P7K2M9X4Q1A2", "12345", "CNY", "usd", "wxpay", "x&state=2", JEEPAY_NOT_FOUND, "SUCCESS"),
)


class _Channels:
    """The adapter twice: as it comes, and of an operator who trusts the gateway all it lets him."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.usual = gateway.channel()
        self.trusting = gateway.channel(trust_failures="all", trust_not_found=True)
        for one in (self.usual, self.trusting):
            one._transport = self.wire  # type: ignore[assignment]  # no sockets here
        self.prepared = self.usual.prepare(gateway.instruction(), gateway.NOW)


CHANNELS = _Channels()


@dataclass(frozen=True, slots=True)
class Replies:
    """Signed `data` in an envelope that nobody signs."""

    name: str
    is_submission: bool
    trusting: bool = False
    words: Sequence[str] = WORDS

    def spoil(self, spoiler: Spoiler) -> Input:
        """Fields, JSON, envelope, signature, bytes."""
        chance = spoiler.random
        node = spoiler.json(spoiler.fields(chance.choice(NODES), NODES))
        fields = object_in(node) or {}
        sign, proven = sign_somehow(spoiler, signed_text(fields), chance.choice(NODES), OURS, OTHER)
        code, message = (0, "SUCCESS") if chance.random() < 0.8 else chance.choice(ENVELOPES)
        envelope = {"code": code, "msg": message, "data": "", "sign": sign}
        if chance.random() < 0.1:
            envelope = spoiler.fields(envelope, [{"code": "0"}, {"code": 0}, {"code": 11}])
        if chance.random() < 0.1:
            envelope.pop("data", None)
        body = spoiler.json(envelope).replace(b'""', node, 1)
        if chance.random() < 0.1:
            body = spoiler.bytes(body)
        return Input(body, {}, spoiler.status(), proven)

    def genuine(self, fields: Mapping[str, object]) -> Input:
        """These fields, rightly signed."""
        body = gateway.envelope(fields, sign=OURS(signed_text(fields)))
        sent = object_in(body)
        data = {} if sent is None else sent["data"]
        return Input(body, {}, 200, (seal(signed_text(data), OURS(signed_text(fields))),))

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
        """Only signed data about our order may prove anything."""
        if isinstance(answer, Unknown):
            return None
        envelope = object_in(given.body)
        if envelope is None or given.status != 200:
            return "it can be read in two ways or in none"
        code = text_of(envelope, "code")
        if isinstance(answer, Absent):
            told = (code, text_of(envelope, "msg")) == ("9999", JEEPAY_NOT_FOUND)
            is_ours = self.trusting and not self.is_submission
            return None if told and is_ours else "not the one answer that means absence"
        if code != "0":
            is_refused = code in JEEPAY_REFUSED_IF_CONFIRMED and isinstance(answer, Rejected)
            is_kept_open = isinstance(answer, Rejected) and answer.confirm
            return None if self.is_submission and is_refused and is_kept_open else "nobody signed"
        data = envelope.get("data")
        if not isinstance(data, dict):
            return "it holds no order"
        if seal(signed_text(data), envelope.get("sign")) not in given.proven:
            return "nobody has signed this"
        return self._about_us(data) or self._meaning(data, answer)

    def _about_us(self, data: Mapping[str, Any]) -> str | None:
        if text_of(data, "mchOrderNo") != gateway.REFERENCE:
            return "about another number"
        if number_in(data, "amount") != gateway.AMOUNT.minor:
            return "about another amount"
        if text_of(data, "accountNo") != gateway.LOGON.identity:
            return "about another payee"
        free = {
            "mchNo": gateway.MCH_NO,
            "appId": gateway.APP_ID,
            "ifCode": "alipay",
            "entryType": "ALIPAY_CASH",
        }
        if any(text_of(data, name) not in {"", value} for name, value in free.items()):
            return "about another merchant, application or way"
        return None if text_of(data, "currency").lower() in {"", "cny"} else "in another currency"

    def _meaning(self, data: Mapping[str, Any], answer: object) -> str | None:
        state, number = text_of(data, "state"), text_of(data, "transferId")
        match answer:
            case Pending(channel_ref=ref):
                return None if (state, number) == ("1", ref) else "not under way"
            case Paid(channel_ref=ref, at=at, fee=None):
                since = number_in(data, "successTime")
                when = gateway.NOW if since is None else datetime.fromtimestamp(since / 1000, UTC)
                right = (state, number) == ("2", ref) and abs((at - when).total_seconds()) < 1
                return None if right else "not paid, or not then"
            case Rejected(channel_ref=ref, confirm=confirm):
                if state not in JEEPAY_FAILED or ref != number:
                    return "not failed"
                if self.is_submission and not confirm:
                    return "a failed state in a submission's answer asks for a look"
                is_listed = text_of(data, "errCode") in JEEPAY_ALIPAY_DEAD
                return None if is_listed or self.trusting else "failed for an unlisted cause"
        return f"an answer of no known kind: {answer!r}"


@dataclass(frozen=True, slots=True)
class Notices:
    """A signed form."""

    name: str = "jeepay notice"
    words: Sequence[str] = WORDS

    def spoil(self, spoiler: Spoiler) -> Input:
        """Fields, signature, bytes."""
        chance = spoiler.random
        fields = spoiler.fields(chance.choice(NODES), NODES)
        form = {
            name.encode(errors="replace").decode(): str(value).encode(errors="replace").decode()
            for name, value in {**fields, "reqTime": "1793583001000"}.items()
        }
        form.pop("sign", None)
        sign, proven = sign_somehow(spoiler, signed_text(form), chance.choice(NODES), OURS, OTHER)
        body = urlencode({**form, "sign": sign}, errors="replace").encode()
        return Input(spoiler.bytes(body) if chance.random() < 0.15 else body, {}, 200, proven)

    def read(self, given: Input) -> object:
        """As the engine would hear it."""
        return CHANNELS.usual.read_notice({}, given.body, gateway.NOW)

    def objection(self, given: Input, answer: object) -> str | None:
        """A notice may only name what was signed."""
        match answer:
            case NoticeRefused(reply=reply):
                return None if reply.body == b"FAIL" else "it is taken and lost"
            case Notice(reference=reference, channel_ref=ref):
                form = form_in(given.body.decode("latin-1"))
                if form is None or seal(signed_text(form), form.get("sign")) not in given.proven:
                    return "nobody has signed this"
                if (form.get("mchNo"), form.get("appId")) != (gateway.MCH_NO, gateway.APP_ID):
                    return "for another merchant or application"
                named = (form.get("mchOrderNo"), form.get("transferId"))
                return None if named == (reference, ref) and reference else "it names another"
        return f"an answer of no known kind: {answer!r}"


SUBMISSION = Replies("jeepay submission", is_submission=True)
INQUIRY = Replies("jeepay inquiry", is_submission=False)
AIMS = (
    SUBMISSION,
    INQUIRY,
    Replies("jeepay submission, trusted", is_submission=True, trusting=True),
    Replies("jeepay inquiry, trusted", is_submission=False, trusting=True),
    Notices(),
)
