"""Circle Mint's replies, lists and notices, spoilt; judged from the text alone, not by our code.

Replies are not signed: TLS alone says who speaks, so what is tried is content. Notices are, with
SNS's RSA or Circle's ECDSA over the raw bytes.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from functools import partial
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from channels.contract import (
    Absent,
    Notice,
    NoticeRefused,
    Paid,
    Pending,
    Rejected,
    Returned,
    Unknown,
)
from channels.stablecoin.notice import Errands, read_notice
from channels.transport import Reply
from tests.channels.stablecoin import platform
from tests.proof.hostile.aims import Input, Wire, done
from tests.proof.hostile.alipay import strict
from tests.proof.hostile.mutate import Spoiler
from tests.proof.hostile.tables import (
    STABLECOIN_FAILED_FOR_GOOD,
    STABLECOIN_REFUSED,
    STABLECOIN_REFUSED_IF_CONFIRMED,
)
from tests.simulators.keys import pair

OTHER_ID = "0a0a0a0a-0c6f-4b19-9c0e-1f8d9c9f7a10"
FAILURES = (*sorted(STABLECOIN_FAILED_FOR_GOOD), "transaction_failed", "transaction_returned")
PAYOUTS: Sequence[Mapping[str, object]] = (
    platform.fiat(),
    platform.fiat(status="complete"),
    platform.fiat(status="complete", fees=None, networkFees={"amount": "0.3", "currency": "USD"}),
    *(platform.fiat(status="failed", errorCode=word) for word in FAILURES),
    platform.fiat(status="failed"),
    platform.fiat(status="complete", **{"return": platform.returned()}),
    platform.fiat(status="failed", **{"return": platform.returned(status="pending")}),
    platform.fiat(status="complete", **{"return": platform.returned(status="failed")}),
    platform.fiat(amount={"amount": "123.46", "currency": "USD"}),
    platform.fiat(amount={"amount": "123.45", "currency": "EUR"}),
    platform.fiat(toAmount={"amount": "123.45", "currency": "USD"}, amount={"currency": "USD"}),
    platform.fiat(id=OTHER_ID, status="complete"),
    platform.fiat(destination={"type": "wire", "id": OTHER_ID}, status="complete"),
    platform.crypto(status="complete"),
)
ERRORS: Sequence[tuple[int, Mapping[str, object]]] = tuple(
    (status, {"code": code, "message": "API parameter invalid", **more})
    for status, code, more in (
        (400, 2, {}),
        (400, 2, {"errors": [{"error": "min_value", "location": "amount.amount"}]}),
        *((400, code, {}) for code in (-1, 1, 3)),
        *((401, code, {}) for code in (-1, 1, 401)),
        *((403, code, {}) for code in (-1, 3)),
        *((404, code, {}) for code in (-1, 1051)),
        *((409, 1083, {}), (429, 3, {}), (500, -1, {}), (200, 2, {}), (503, 2, {})),
    )
)
WORDS: Sequence[str] = (
    *FAILURES,
    *("pending", "complete", "failed", "wire", "cbit", "address_book", "USD", "EUR", "USDC"),
    *("123.45", "123.450", "123.4500001", "123.46", "0.00", "0.01", "124", "1.00", "-1"),
    *("id", "status", "amount", "toAmount", "fees", "return", "errorCode", "destination", "data"),
    *("code", "message", "payoutId", "updateDate", "2", "404", "2026-11-02T01:31:00.456Z"),
    *(platform.PAYOUT_ID, OTHER_ID, platform.WIRE_ID, "../payouts/1", "payouts", "payout.x"),
)
CENTS = Decimal(platform.AMOUNT.minor)


class _Channels:
    """The adapter, its questions answered by what is tried."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.channel = platform.channel()
        self.channel._transport = self.wire  # type: ignore[assignment]  # no sockets here

        async def ask(*_: object) -> Reply:
            return self.wire.reply

        self.channel._ask = ask  # type: ignore[method-assign, assignment]  # the question is not what is tried
        self.prepared = self.channel.prepare(platform.instruction(), platform.NOW)


CHANNELS = _Channels()


# --- Replies -------------------------------------------------------------------------------------


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _cents(value: object) -> tuple[Decimal, str] | None:
    """A sum as it is told, in hundredths."""
    amount, currency = _object(value).get("amount"), _object(value).get("currency")
    try:
        return Decimal(str(amount)) * 100, str(currency)
    except (InvalidOperation, ValueError):
        return None


def _time(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None


def _fee(payout: Mapping[str, Any]) -> Decimal | None:
    """Both fees together, in whole cents, rounded against us; None if not told in one currency."""
    parts = [payout[name] for name in ("fees", "networkFees") if payout.get(name) is not None]
    told = [_cents(part) for part in parts]
    if not told or None in told or len({one[1] for one in told if one}) != 1:
        return None
    return sum((one[0] for one in told if one), Decimal(0)).to_integral_value(ROUND_CEILING)


def _about_us(payout: Mapping[str, Any]) -> str | None:
    """Whether it names our payee and our amount: what the payee gets, where two are told."""
    target = _object(payout.get("destination"))
    if (target.get("type"), target.get("id")) != ("wire", platform.WIRE_ID):
        return "to another payee"
    told = payout.get("toAmount") if payout.get("toAmount") is not None else payout.get("amount")
    return None if _cents(told) == (CENTS, "USD") else "of another amount"


def _meaning(payout: Mapping[str, Any], answer: object, *, at_once: bool) -> str | None:
    """Whether the state that is told allows this answer."""
    status, back = payout.get("status"), _object(payout.get("return"))
    if getattr(answer, "channel_ref", None) != payout.get("id"):
        return "not the payout that it names"
    is_back = bool(back) and back.get("status") != "failed"
    match answer:
        case Pending():
            alive = status == "pending" or back.get("status") == "pending"
            return None if alive or (at_once and status == "failed") else "not under way"
        case Returned(amount=amount, at=at):
            cents = _cents(back.get("amount"))
            told_at = {_time(back.get("updateDate")), _time(back.get("createDate"))}
            right = back.get("status") == "complete" and cents == (Decimal(amount.minor), "USD")
            fits = 0 < amount.minor <= CENTS and back.get("payoutId") in {None, payout.get("id")}
            return None if right and fits and at in told_at else "not come back, or another sum"
        case Paid(fee=fee, at=at):
            if status != "complete" or is_back:
                return "not paid, or coming back"
            if at != _time(payout.get("updateDate")):
                return "at another time"
            return None if fee is None or fee.minor == _fee(payout) else "at another cost"
        case Rejected(code=code):
            if at_once:
                return "a failure at once asks for a look"
            listed = payout.get("errorCode") in STABLECOIN_FAILED_FOR_GOOD
            right = status == "failed" and not is_back and code == payout.get("errorCode")
            return None if right and listed else "not failed for good"
    return f"an answer of no known kind: {answer!r}"


def _error(given: Input) -> int | None:
    """The code of an error of theirs, read by another parser."""
    told = strict(given.body, whole=_whole) or {}
    code = told.get("code")
    is_error = isinstance(code, int) and isinstance(told.get("message"), str)
    return code if is_error and not isinstance(code, bool) else None


def _whole(text: str) -> Any:
    return int(text) if len(text) < 4000 else text


@dataclass(frozen=True, slots=True)
class Replies:
    """A payout in `data`, or an error."""

    name: str
    is_submission: bool
    words: Sequence[str] = WORDS

    def spoil(self, spoiler: Spoiler) -> Input:
        """Fields of the payout, of its inner objects, of the error; JSON, status, bytes."""
        chance = spoiler.random
        if chance.random() < 0.3:
            status, error = chance.choice(ERRORS)
            fields = spoiler.fields(error, [one for _, one in ERRORS])
            status = status if chance.random() < 0.9 else spoiler.status()
            return Input(spoiler.json(fields), {}, status)
        status = chance.choice((200, 201)) if chance.random() < 0.95 else spoiler.status()
        body = spoiler.json({"data": spoilt_payout(spoiler)})
        return Input(spoiler.bytes(body) if chance.random() < 0.1 else body, {}, status)

    def read(self, given: Input) -> object:
        """As the engine would hear it."""
        CHANNELS.wire.put(given)
        if self.is_submission:
            return done(CHANNELS.channel.send(CHANNELS.prepared))
        return done(CHANNELS.channel._question(platform.inquiry(channel_ref=platform.PAYOUT_ID)))

    def objection(self, given: Input, answer: object) -> str | None:
        """Only matching payouts and listed errors may prove anything."""
        if isinstance(answer, Unknown):
            return None
        if given.status not in {200, 201}:
            return self._refused(given, answer)
        payout = _object((strict(given.body) or {}).get("data"))
        if not payout:
            return "it can be read in two ways or in none"
        if not self.is_submission and payout.get("id") != platform.PAYOUT_ID:
            return "another payout than was asked about"
        return _about_us(payout) or _meaning(payout, answer, at_once=self.is_submission)

    def _refused(self, given: Input, answer: object) -> str | None:
        code = _error(given)
        if code is None:
            return "not an error of theirs"
        match answer:
            case Absent():
                told = given.status == 404 and not self.is_submission
                return None if told else "not the one answer that means absence"
            case Rejected(confirm=confirm) if self.is_submission and code != -1:
                if (given.status, code) in STABLECOIN_REFUSED:
                    return None
                listed = given.status in STABLECOIN_REFUSED_IF_CONFIRMED
                return None if listed and confirm else "in no list, or asks for a look"
        return "a refused call says nothing about the payout"


def spoilt_payout(spoiler: Spoiler) -> object:
    """One payout, and perhaps something inside it."""
    chance = spoiler.random
    payout = spoiler.fields(chance.choice(PAYOUTS), PAYOUTS)
    inner = chance.choice(("amount", "destination", "toAmount", "return", "fees", "data"))
    found = payout.get(inner)
    if isinstance(found, dict) and chance.random() < 0.4:
        payout[inner] = spoiler.fields(found, [found, {"amount": "123.45", "currency": "USD"}])
    return payout


@dataclass(frozen=True, slots=True)
class Lists:
    """What is looked through when a reply was lost."""

    name: str = "stablecoin list"
    words: Sequence[str] = WORDS

    def spoil(self, spoiler: Spoiler) -> Input:
        """Some payouts, mostly to the same payee and of other amounts."""
        chance = spoiler.random
        listed: list[object] = []
        for number in range(chance.choice((0, 0, 1, 1, 2, 3, 50))):
            if number < 2 and chance.random() < 0.4:
                listed.append(spoilt_payout(spoiler))
                continue
            sum_of = {"amount": f"{number + 7}.00", "currency": "USD"}
            listed.append(platform.fiat(id=f"id-{number}", status="complete", amount=sum_of))
        body = spoiler.json({"data": listed})
        return Input(spoiler.bytes(body) if chance.random() < 0.1 else body, {}, spoiler.status())

    def read(self, given: Input) -> object:
        """As the engine would hear it, of a payout whose id is not known."""
        CHANNELS.wire.put(given)
        return done(CHANNELS.channel._question(platform.inquiry()))

    def objection(self, given: Input, answer: object) -> str | None:
        """Absent only from a whole list of our payee's payouts, none of which could be ours."""
        if isinstance(answer, Unknown):
            return None
        listed = (strict(given.body) or {}).get("data")
        if not isinstance(answer, Absent) or given.status != 200 or not isinstance(listed, list):
            return "no such thing can be learnt from this"
        ids = [_object(one).get("id") for one in listed]
        if len(set(map(str, ids))) != len(ids) or not all(isinstance(one, str) for one in ids):
            return "one payout twice, or without its id"
        for one in map(_object, listed):
            if _object(one.get("destination")).get("id") != platform.WIRE_ID:
                return "a list of somebody else's payouts"
            told = one.get("toAmount") if one.get("toAmount") is not None else one.get("amount")
            cents = _cents(told)
            if cents is None or cents == (CENTS, "USD"):
                return "one of them could be ours"
        return None


# --- Notices -------------------------------------------------------------------------------------

SNS, ANYBODY = platform.sns_key(), pair("stranger").key
CIRCLE = platform.notice_key()
STRANGER = ec.derive_private_key(20261102, ec.SECP256R1())


def _sns(key: RSAPrivateKey, version: str, content: bytes) -> str:
    digest = hashes.SHA1() if version == "1" else hashes.SHA256()  # noqa: S303 - SNS version 1
    return base64.b64encode(key.sign(content, PKCS1v15(), digest)).decode()


def _ecdsa(key: ec.EllipticCurvePrivateKey, content: bytes) -> str:
    return base64.b64encode(
        key.sign(content, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    ).decode()


def sns_text(message: Mapping[str, Any]) -> bytes:
    """What SNS signs of a message, as Amazon's page says; not by the adapter's table."""
    of_all = ("Message", "MessageId", "Timestamp", "TopicArn", "Type")
    more = ("Subject",) if message.get("Type") == "Notification" else ("SubscribeURL", "Token")
    kept = {k: v for k, v in message.items() if k in {*of_all, *more} and isinstance(v, str)}
    lines = (f"{name}\n{value}\n" for name, value in sorted(kept.items()))
    return "".join(lines).encode(errors="surrogatepass")


def _payout_of(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """The payout that a v1 message, or a v2 notification, speaks of."""
    content = _object(told.get("payout") or told.get("notification"))
    return _object(content.get("payout")) or content


def _names(told: Mapping[str, Any], notice: Notice) -> bool:
    event = str(told.get("notificationType")).rpartition(".")[2]
    number = _payout_of(told).get("id")
    return (
        event in {"payouts", "payout"}
        and notice.reference == ""
        and (bool(number) and notice.channel_ref == number)
    )


@dataclass(frozen=True, slots=True)
class SnsNotices:
    """SNS's envelope around Mint's message, in both versions of its signature."""

    name: str = "stablecoin notice"
    words: Sequence[str] = (
        *WORDS,
        *("Notification", "SubscriptionConfirmation", "1", "2", platform.TOPIC),
        *(platform.CERTIFICATE_URL, "https://sns.us-east-1.amazonaws.com.evil.test/x.pem"),
    )

    def spoil(self, spoiler: Spoiler) -> Input:
        """The message inside, the envelope, the signature, bytes."""
        chance = spoiler.random
        inside = spoiler.fields(platform.told(chance.choice(PAYOUTS)), [platform.told({})])
        text = spoiler.json(inside).decode(errors="replace")
        version = chance.choice(("1", "2"))
        kind = "Notification" if chance.random() < 0.9 else "SubscriptionConfirmation"
        unsigned = {
            "Type": kind,
            "MessageId": "e5f3a1c2-0000-4000-8000-00000000abcd",
            "TopicArn": platform.TOPIC if chance.random() < 0.95 else f"{platform.TOPIC}2",
            "Message": text,
            "Timestamp": "2026-11-02T01:31:00.500Z",
            "SignatureVersion": version,
            "SigningCertURL": platform.CERTIFICATE_URL,
        }
        given = {k: v for k, v in unsigned.items() if chance.random() < 0.99}
        signature, proven = spoiler.signature(
            sns_text(given),
            sns_text({**given, "Message": "{}"}),
            partial(_sns, SNS, version),
            partial(_sns, ANYBODY, version),
        )
        sealed: dict[str, object] = {**given, "Signature": signature}
        if chance.random() < 0.25:
            # Behind the signer's back: what is spoilt now is signed no more.
            sealed = spoiler.fields(sealed, [sealed, {"Type": "Notification", "Subject": "x"}])
        body = spoiler.json(sealed)
        whole = spoiler.bytes(body) if chance.random() < 0.1 else body
        return Input(whole, {}, 200, tuple(version.encode() + one for one in proven))

    def read(self, given: Input) -> object:
        """With an own memory of errands, so that one input does not change another."""
        return read_notice(platform.SETTINGS, Errands(), given.headers, given.body, platform.NOW)

    def objection(self, given: Input, answer: object) -> str | None:
        """A notice names what was signed, for a topic of ours, and its payout by their id."""
        if isinstance(answer, NoticeRefused):
            return None
        if not isinstance(answer, Notice):
            return f"an answer of no known kind: {answer!r}"
        message = strict(given.body)
        if message is None:
            return "it can be read in two ways or in none"
        version = str(message.get("SignatureVersion"))
        if version.encode() + sns_text(message) not in given.proven:
            return "nobody has signed this"
        if message.get("TopicArn") != platform.TOPIC or message.get("Type") != "Notification":
            return "not of our topic, or no notification"
        told = strict(str(message.get("Message")).encode(errors="surrogatepass")) or {}
        is_right = answer.notice_id == message.get("MessageId") and _names(told, answer)
        return None if is_right else "not the payout that it names"


@dataclass(frozen=True, slots=True)
class EcdsaNotices:
    """A body of the v2 products, signed as it is under a named key."""

    name: str = "stablecoin notice v2"
    words: Sequence[str] = WORDS

    def spoil(self, spoiler: Spoiler) -> Input:
        """Fields, headers, signature, bytes before and after signing."""
        chance = spoiler.random
        payout = spoilt_payout(spoiler)
        told = {
            "subscriptionId": "c60d2d5b",
            "notificationId": "f1f1f1f1-0000-4000-8000-00000000abcd",
            "notificationType": chance.choice(("payouts", "stablecoin.payout", "transfers")),
            "notification": payout if chance.random() < 0.5 else {"payout": payout},
            "version": 2,
        }
        body = spoiler.json(spoiler.fields(told, [told]))
        signature, proven = spoiler.signature(
            body,
            platform.compact(told),
            partial(_ecdsa, CIRCLE),
            partial(_ecdsa, STRANGER),
        )
        named = chance.random() < 0.95
        headers = {
            "x-circle-signature": signature,
            "x-circle-key-id": platform.KEY_ID if named else OTHER_ID,
        }
        return Input(spoiler.bytes(body) if chance.random() < 0.1 else body, headers, 200, proven)

    def read(self, given: Input) -> object:
        """As the engine would hear it."""
        return read_notice(platform.SETTINGS, Errands(), given.headers, given.body, platform.NOW)

    def objection(self, given: Input, answer: object) -> str | None:
        """Every byte of it must have been signed, under the key that is named."""
        if isinstance(answer, NoticeRefused):
            return None
        if not isinstance(answer, Notice):
            return f"an answer of no known kind: {answer!r}"
        if given.body not in given.proven:
            return "nobody has signed this"
        if given.headers["x-circle-key-id"] != platform.KEY_ID:
            return "under a key of no known name"
        told = strict(given.body) or {}
        is_right = answer.notice_id == told.get("notificationId") and _names(told, answer)
        return None if is_right else "not the payout that it names"


AIMS = (
    Replies("stablecoin submission", is_submission=True),
    Replies("stablecoin inquiry", is_submission=False),
    Lists(),
    SnsNotices(),
    EcdsaNotices(),
)
