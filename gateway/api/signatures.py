"""Explaining signatures over HTTP: to a merchant those of its own accounts, to operators all.

In production an answer holds no digest that was made with a stored secret, unless the request
brought the very same: see `gateway.api.explain.explain`. A rehearsal, whose clock can be moved,
shows them. Whoever may ask may order payouts anyway.

What knows mistakes and keys is imported when somebody asks: few ever do, and no start waits for it.
"""

import asyncio
import base64
import binascii
from functools import partial

from gateway.api.context import WHO, Answer, Call
from gateway.api.explain.sent import Sent, UnreadableError, read_fields, read_message
from gateway.api.explain.views import ExplanationView
from gateway.api.schemas import SignatureIn
from gateway.domain.dialect import DialectAccount
from gateway.domain.errors import AbsenceError, InvalidError, UnavailableError


async def explain_signature(call: Call) -> Answer:
    """POST /v1/sign/explain."""
    body: SignatureIn = call.body
    turn = call.api.explain_turn
    if turn.locked():
        raise UnavailableError(
            "explaining_busy",
            "another signature is being explained; ask again in a second",
            zh="正在分析另一个签名，请稍后再试",
        )
    async with turn:
        try:
            if body.dialect == "webhook":
                found = await _webhook(call, body)
            else:
                found = await _request(call, body)
        except UnreadableError as wrong:
            raise InvalidError(
                "request_unreadable",
                f"request: {wrong.message}",
                zh=f"request：{wrong.zh}",
                param="request",
            ) from None
    first = "verifies" if found["verifies"] else found["mistakes"][0]["code"]
    call.request[WHO]["code"] = f"sign:{body.dialect}:{first}"
    return 200, found


async def _request(call: Call, body: SignatureIn) -> ExplanationView:
    sent = read_fields(_pasted(body), both=body.dialect != "epay")
    account = await _account(call, body, sent)
    return await asyncio.to_thread(_explained, call, body, sent, account)


def _explained(
    call: Call, body: SignatureIn, sent: Sent, account: DialectAccount
) -> ExplanationView:
    from gateway.api.explain.explain import Question, explain  # noqa: PLC0415 - when asked for
    from gateway.api.explain.keys import stored  # noqa: PLC0415 - as above

    return explain(
        Question(
            dialect=body.dialect,
            sent=sent,
            keys=stored(account.keys),
            show_ours=_is_rehearsal(call),
            their_string=None if body.string is None else body.string.encode(),
            account=account.id,
            rsa_only=account.switches.rsa_only,
            removed=account.removed_at is not None,
            now=int(call.gateway.clock.now().timestamp()),
        )
    )


async def _webhook(call: Call, body: SignatureIn) -> ExplanationView:
    from gateway.api.explain.keys import Key  # noqa: PLC0415 - when asked for
    from gateway.api.explain.native import explain_native  # noqa: PLC0415 - as above

    message = read_message(_pasted(body))
    endpoint = None
    if body.account is not None:
        endpoint = await call.gateway.store.endpoint(body.account)
    if endpoint is None or call.caller.sees not in {None, endpoint.merchant_id}:
        raise AbsenceError(
            "no_such_endpoint",
            "account: give the id of your webhook endpoint (`hangdao webhook ls`)",
            zh="account：请提供您的通知地址 ID（hangdao webhook ls）",
            param="account",
        )
    keys = tuple(
        Key("newest" if place == 0 else "older", secret=one, newest=place == 0)
        for place, one in enumerate(endpoint.secrets)
    )
    how = partial(explain_native, show_ours=_is_rehearsal(call), account=endpoint.id)
    return await asyncio.to_thread(how, "webhook", message, keys)


async def _account(call: Call, body: SignatureIn, sent: Sent) -> DialectAccount:
    """The named account, else the one that the request names; another merchant's is none."""
    from gateway.api.explain.recipe import DIALECTS  # noqa: PLC0415 - when asked for

    own = [
        one
        for one in await call.gateway.store.dialect_accounts(call.caller.sees)
        if one.dialect == body.dialect
    ]
    if body.account is not None:
        names = {body.account}
    else:
        names = {sent.text(name).strip() for name in DIALECTS[body.dialect].id_fields} - {""}
    for one in own:
        if one.public_id in names or one.id == body.account:
            return one
    fields = " or ".join(DIALECTS[body.dialect].id_fields)
    raise AbsenceError(
        "no_such_account",
        f"there is no {body.dialect} account of that name: name one by `account`, or give the "
        f"request with its {fields}",
        zh=f"没有该 {body.dialect} 账户：请用 account 指定，或提供含 {fields} 的请求",
        param="account",
    )


def _is_rehearsal(call: Call) -> bool:
    return call.api.advance_clock is not None


def _pasted(body: SignatureIn) -> bytes:
    if body.encoding == "text":
        return body.request.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body.request, validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableError("this is no base64", "内容不是 base64") from None
