"""Negative controls: parsers that believe too much, each of which the judge must find out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from json import JSONDecoder
from typing import Any
from unittest import mock

from lxml import etree

from channels.alipay import codes as alipay_codes
from channels.alipay import envelope, signing, wire
from channels.bank import documents as bank_documents
from channels.bank import statement as bank_statement
from channels.bank import verdict as bank_verdict
from channels.bank.facts import Report
from channels.contract import Absent, Paid, Reason, StatementLine
from channels.epay import signing as epay_signing
from channels.epay import wire as epay_wire
from channels.jeepay import codes as jeepay_codes
from channels.jeepay.answers import Reader as JeepayReader
from channels.keyed_md5 import Secrets
from channels.money import Currency, Money
from channels.stablecoin import codes as stablecoin_codes
from channels.stablecoin import signing as stablecoin_signing
from channels.stablecoin import wire as stablecoin_wire
from channels.stablecoin.statement import Search
from channels.unionpay import codes as unionpay_codes
from channels.unionpay import signing as unionpay_signing
from channels.unionpay import statement as unionpay_statement
from channels.unionpay import wire as unionpay_wire
from channels.unionpay.settings import UNIONPAY
from channels.wechat_pay import answers
from channels.wechat_pay import codes as wechat_codes
from channels.wechat_pay.signing import PlatformKeys
from channels.xxpay import wire as xxpay_wire
from gateway.api.dialects import alipay as alipay_dialect
from gateway.api.dialects import (
    alipay_content,
    alipay_envelope,
    epay_reading,
    jeepay_reading,
    xxpay_reading,
)
from gateway.api.dialects import epay as epay_dialect
from gateway.api.dialects import jeepay as jeepay_dialect
from gateway.api.dialects import xxpay as xxpay_dialect
from gateway.api.dialects.epay_signing import Proof
from gateway.domain.dialect import KeySet
from tests.channels.bank import house
from tests.channels.wechat_pay.platform import NOW
from tests.channels.xxpay.gateway import REFERENCE as XXPAY_REFERENCE


@contextmanager
def _unknown_code_is_failure() -> Iterator[None]:
    row = alipay_codes.Row(Reason.PARAMETER_REFUSED, "nowhere")
    with mock.patch.object(alipay_codes, "submission_error", return_value=row):
        yield


@contextmanager
def _no_signature() -> Iterator[None]:
    with mock.patch.object(signing, "verifies", return_value=True):
        yield


@contextmanager
def _a_name_twice() -> Iterator[None]:
    trusting = JSONDecoder(parse_float=str, parse_int=str)
    with (
        mock.patch.object(envelope, "_unique", dict),
        mock.patch.object(envelope, "_STRICT", trusting),
    ):
        yield


@contextmanager
def _any_amount() -> Iterator[None]:
    with mock.patch.object(wire, "AMOUNTS", ()):
        yield


@contextmanager
def _wechat_any_number() -> Iterator[None]:
    with mock.patch.object(answers, "_mismatch", lambda reply, *_: _as_paid(reply)):
        yield


def _as_paid(reply: object) -> object:
    return Paid("x", NOW) if reply else None


@contextmanager
def _wechat_unknown_code_is_failure() -> Iterator[None]:
    with mock.patch.object(wechat_codes, "meaning", return_value=Reason.PARAMETER_REFUSED):
        yield


@contextmanager
def _wechat_no_signature() -> Iterator[None]:
    with mock.patch.object(PlatformKeys, "objection", return_value=None):
        yield


@contextmanager
def _instead(owner: object, name: str, does: object) -> Iterator[None]:
    with mock.patch.object(owner, name, does):
        yield


def _control(owner: object, name: str, does: object) -> Callable[[], AbstractContextManager[None]]:
    """A check that is replaced by one that always says the same."""
    return lambda: _instead(owner, name, does)


def _yes(*_: object, **__: object) -> bool:
    return True


def _nothing(*_: object, **__: object) -> list[str]:
    return []


def _a_refusal(*_: object) -> unionpay_codes.Row:
    return unionpay_codes.Row(Reason.PARAMETER_REFUSED, "", "nowhere")


def _an_unlisted_one(*_: object) -> Reason:
    return Reason.PAYEE_BLOCKED


def _a_mint_failure(*_: object) -> stablecoin_codes.Row:
    return stablecoin_codes.Row(Reason.PAYEE_BLOCKED, "nowhere")


def _as_the_first(_: object, keys: Sequence[KeySet], *__: object, **___: object) -> Proof:
    return Proof(keys[0], ())


def _none(*_: object) -> None:
    """Never an objection."""


class _Anything(str):
    """Equals whatever it is compared with."""

    __slots__ = ()

    def __eq__(self, _: object) -> bool:
        return True

    def __ne__(self, _: object) -> bool:
        return False

    __hash__ = str.__hash__


def _as_jeepays_first(_: object, keys: Sequence[KeySet], **__: object) -> jeepay_reading.Proof:
    return jeepay_reading.Proof(keys[0], ())


def _as_xxpays_first(_: object, keys: Sequence[KeySet]) -> xxpay_reading.Proof:
    return xxpay_reading.Proof(keys[0], (), lower_case=False)


def _as_alipays_first(_: object, keys: Sequence[KeySet]) -> KeySet:
    return keys[0]


def _any_amount_will_do(*_: object) -> Money:
    return Money(1230, Currency.CNY)


class _AnyOriginal:
    """Knows a payout for whatever an adjustment names."""

    def __init__(self, *_: object) -> None:
        """Looks at no file."""

    def get(self, *_: object) -> unionpay_statement.Original:
        """The first one of the day."""
        return unionpay_statement.Original("PAYOUT0001", "202611021000000000001", "D")


_xxpay_order = xxpay_wire.order


def _as_ours(fields: Mapping[str, Any]) -> xxpay_wire.Order | None:
    made = _xxpay_order(fields)
    named = {"mchOrderNo": XXPAY_REFERENCE, "extra": XXPAY_REFERENCE}
    return None if made is None else made.model_copy(update=named)


_bank_root = bank_documents._root


def _one_namespace(raw: bytes) -> Any:
    root = _bank_root(raw)
    for element in root.iter("{*}*"):
        element.tag = f"{{{etree.QName(root).namespace}}}{etree.QName(element).localname}"
    return root


def _first_lines(reports: Sequence[Report], *_: object) -> list[StatementLine]:
    """The lines of every booking, without the sums."""
    booked = (one for page in reports for one in page.booked)
    return [line for one in booked for line in bank_statement._lines(one, house.settings().bank)]


CONTROLS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "alipay: an unknown code is a failure": _unknown_code_is_failure,
    "alipay: the signature is not looked at": _no_signature,
    "alipay: a name may stand twice": _a_name_twice,
    "alipay: any amount will do": _any_amount,
    "wechat_pay: another payout's answer will do": _wechat_any_number,
    "wechat_pay: an unknown code is a failure": _wechat_unknown_code_is_failure,
    "wechat_pay: the signature is not looked at": _wechat_no_signature,
    "unionpay: the signature is not looked at": _control(unionpay_signing, "verifies", _yes),
    "unionpay: anybody's certificate will do": _control(
        unionpay_signing, "_holder", lambda _: UNIONPAY
    ),
    "unionpay: another payout's answer will do": _control(unionpay_wire, "_fits", _yes),
    "unionpay: an unknown code is a failure": _control(unionpay_codes, "meaning", _a_refusal),
    "unionpay statement: any adjustment is a return": _control(
        unionpay_statement, "_originals", _AnyOriginal
    ),
    "bank: another's number or amount will do": _control(bank_verdict, "_is_told", _yes),
    "bank: other namespaces are the bank's too": _control(bank_documents, "_root", _one_namespace),
    "bank: an element may stand twice": _control(
        bank_documents, "_refuse_ambiguous", lambda *_: None
    ),
    "bank statement: balances need not be met": _control(bank_statement, "lines", _first_lines),
    "epay: the signature is not looked at": _control(epay_signing, "verifies", _yes),
    "epay: another payout's answer will do": _control(epay_wire, "_is_about", _yes),
    "jeepay: the signature is not looked at": _control(Secrets, "proves", _yes),
    "jeepay: another payout's answer will do": _control(JeepayReader, "_differing", _nothing),
    "jeepay: an unlisted cause is a failure": _control(jeepay_codes, "listed", _an_unlisted_one),
    "xxpay: the signature is not looked at": _control(Secrets, "proves", _yes),
    "xxpay: another payout's answer will do": _control(xxpay_wire, "order", _as_ours),
    "stablecoin: another payout's answer will do": _control(
        stablecoin_wire.Standing, "is_for", _yes
    ),
    "stablecoin: an unlisted word is a failure": _control(
        stablecoin_codes, "failure", _a_mint_failure
    ),
    "stablecoin list: nothing in it is ours": _control(Search, "verdict", lambda _: Absent()),
    "stablecoin notice: the signature of SNS is not looked at": _control(
        stablecoin_signing, "sns_verifies", _yes
    ),
    "door epay: the signature is not looked at": _control(epay_dialect, "prove", _as_the_first),
    "door epay: an old signature will do": _control(epay_dialect, "WINDOW_S", 10**12),
    "door epay: any text is an amount": _control(
        Money, "parse", lambda *_: Money(1230, Currency.CNY)
    ),
    "door epay: a field may hide in another": _control(epay_reading, "posing", _none),
    "door jeepay: the signature is not looked at": _control(
        jeepay_dialect, "prove", _as_jeepays_first
    ),
    "door jeepay: any text is an amount": _control(jeepay_reading, "_amount", _any_amount_will_do),
    "door jeepay: any currency will do": _control(jeepay_reading, "CURRENCY", _Anything()),
    "door jeepay: a field may hide in another": _control(jeepay_reading, "posing", _none),
    "door jeepay, strangers: whoever asks is believed": _control(
        jeepay_dialect, "prove", _as_jeepays_first
    ),
    "door xxpay: the signature is not looked at": _control(
        xxpay_dialect, "prove", _as_xxpays_first
    ),
    "door xxpay: any text is an amount": _control(xxpay_reading, "_amount", _any_amount_will_do),
    "door xxpay: a field may hide in another": _control(xxpay_reading, "posing", _none),
    "door xxpay, strangers: whoever asks is believed": _control(
        xxpay_dialect, "prove", _as_xxpays_first
    ),
    "door alipay: the signature is not looked at": _control(
        alipay_envelope, "proven", _as_alipays_first
    ),
    "door alipay: an old signature will do": _control(
        alipay_dialect, "FRESH", timedelta(days=10**6)
    ),
    "door alipay: any text is an amount": _control(alipay_content, "_amount", _any_amount_will_do),
    "door alipay: another's purse will do": _control(alipay_content, "DECIDING", {}),
    "door alipay: a name may stand twice": _control(alipay_content, "_unambiguous", dict),
    "door alipay: a parameter may hide in another": _control(alipay_dialect, "posing", _none),
    "door alipay, strangers: whoever asks is believed": _control(
        alipay_envelope, "proven", _as_alipays_first
    ),
    "door epay, strangers: whoever asks is believed": _control(
        epay_dialect, "prove", _as_the_first
    ),
    "stablecoin notice v2: the signature is not looked at": _control(
        stablecoin_signing, "ecdsa_verifies", _yes
    ),
}
