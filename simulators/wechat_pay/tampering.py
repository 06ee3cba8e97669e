"""What fault rules of this dialect do to a request or to a true reply: refusals, lies, broken
signatures.

Resets, delays, proxies' errors and garbage are the same for every institution and live in
simulators.wirefaults.
"""

from __future__ import annotations

from dataclasses import replace

from simulators.faults import Hits
from simulators.kernel import Reply
from simulators.wechat_pay.bill import State
from simulators.wechat_pay.errors import RefusedError, refused
from simulators.wechat_pay.replies import Said

_REFERENCES = ("out_bill_no", "out_batch_no")
_ECHOES = {"amount": "transfer_amount", "payee": "openid"}


def refuse_before(hits: Hits) -> None:
    """Raises the refusal of a rule that keeps the request from being executed."""
    if maintenance := hits.get("maintenance"):
        raise refused(maintenance.text("code"))
    if "throttle" in hits:
        raise refused("FREQUENCY_LIMITED")
    reject = hits.get("reject")
    if reject is not None and not reject.flag("executed"):
        raise _rejection(reject.text("code"), reject.text("message"))


def refuse_after(hits: Hits) -> None:
    """Raises the refusal a rule puts in place of the true reply, the request being executed."""
    reject = hits.get("reject")
    if reject is not None and reject.flag("executed"):
        raise _rejection(reject.text("code"), reject.text("message"))
    if unknown := hits.get("unknown_code"):
        raise refused(unknown.text("code"))


def lie(said: Said, hits: Hits) -> Said:
    """The reply's JSON as the rules distort it; still to be signed, so that only its content is
    wrong."""
    told = dict(said)
    for name in ("unknown_status", "status_lie"):
        hit = hits.get(name)
        if hit is not None and "state" in told:
            told["state"] = hit.text("status")
            if told["state"] != State.WAIT_USER_CONFIRM:
                told.pop("package_info", None)
            if told["state"] == State.FAIL:
                told.setdefault("fail_reason", "OTHER_FAIL_REASON_TYPE")
    if wrong := hits.get("wrong_echo"):
        _echo_wrongly(told, wrong.text("field"))
    return told


def spoil_signature(reply: Reply, hits: Hits) -> Reply:
    """The reply without its signature headers, or with a signature that belongs to another body."""
    if "unsigned" in hits:
        kept = tuple(h for h in reply.headers if not h[0].startswith("Wechatpay-"))
        return replace(reply, headers=kept)
    if "bad_signature" in hits:
        return replace(reply, headers=tuple(_flipped(*header) for header in reply.headers))
    return reply


def _rejection(code: str, message: str) -> RefusedError:
    error = refused(code)
    if message:
        error.message = message
    return error


def _echo_wrongly(told: Said, which: str) -> None:
    name = _ECHOES.get(which, "")
    value = told.get(name)
    if isinstance(value, int):
        told[name] = value + 1
    elif isinstance(value, str):
        told[name] = _other(value)
    else:
        # The reply to a submission echoes neither amount nor payee; its reference is all there is
        # to get wrong.
        for reference in _REFERENCES:
            if isinstance(told.get(reference), str):
                told[reference] = _other(str(told[reference]))


def _other(text: str) -> str:
    return text[:-1] + ("0" if text[-1:] != "0" else "1")


def _flipped(name: str, value: str) -> tuple[str, str]:
    if name != "Wechatpay-Signature":
        return name, value
    # The first character is exchanged: still base64 of the right length, of another signature.
    return name, ("B" if value[0] == "A" else "A") + value[1:]
