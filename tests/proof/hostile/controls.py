"""Negative controls: parsers that believe too much, each of which the judge must find out."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from unittest import mock

from channels.alipay import codes as alipay_codes
from channels.alipay import envelope, signing, wire
from channels.contract import Paid, Reason
from channels.wechat_pay import answers
from channels.wechat_pay import codes as wechat_codes
from channels.wechat_pay.signing import PlatformKeys
from tests.channels.wechat_pay.platform import NOW


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
    with mock.patch.object(envelope, "_unique", lambda pairs: iter(list(pairs))):
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


CONTROLS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "alipay: an unknown code is a failure": _unknown_code_is_failure,
    "alipay: the signature is not looked at": _no_signature,
    "alipay: a name may stand twice": _a_name_twice,
    "alipay: any amount will do": _any_amount,
    "wechat_pay: another payout's answer will do": _wechat_any_number,
    "wechat_pay: an unknown code is a failure": _wechat_unknown_code_is_failure,
    "wechat_pay: the signature is not looked at": _wechat_no_signature,
}
