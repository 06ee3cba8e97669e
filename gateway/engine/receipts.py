"""Hand out the receipt (电子回单) that an institution issues for a payout it has paid."""

import asyncio
import hashlib
from time import perf_counter

from channels.contract import (
    ChannelError,
    Inquiry,
    Receipt,
    Receipted,
    ReceiptNotReadyError,
    ReceiptRefusedError,
)
from gateway.domain.errors import ConflictError, UnavailableError
from gateway.domain.payout import Attempt, AttemptState, Payout, PayoutState
from gateway.engine.gateway import Gateway

ANSWER_S = 30.0
AGAIN_S = 5
"""A receipt takes institutions some seconds to make."""


async def receipt(gateway: Gateway, payout: Payout, actor: str) -> Receipt:
    """The receipt of a payout that is paid, with an audit row that names who was given it.

    `ConflictError` where there is none to be had, `UnavailableError` while it cannot be had yet.
    """
    attempt = _paid(payout)
    channel = gateway.channels.get(attempt.channel)
    if channel is None or not isinstance(channel, Receipted):
        raise ConflictError(
            "receipt_not_offered",
            f"{attempt.channel} paid it and issues no receipts that could be fetched",
            zh="付款渠道不提供电子回单",
        )
    question = Inquiry(
        attempt.reference,
        payout.amount,
        payout.instruments[attempt.instrument],
        attempt.signed_at,
        attempt.channel_ref,
    )
    started, outcome = perf_counter(), "error"
    try:
        async with asyncio.timeout(ANSWER_S):
            found = await channel.receipt(question)
        outcome = "receipt"
    except ReceiptNotReadyError:
        outcome = "not_ready"
        raise UnavailableError(
            "receipt_not_ready",
            "the institution is still making the receipt; ask again in some seconds",
            zh="机构正在生成电子回单，请稍后再试",
            retry_after_s=AGAIN_S,
        ) from None
    except ReceiptRefusedError as refusal:
        outcome = "refused"
        raise ConflictError(
            "receipt_refused",
            f"the institution issues no receipt for this payout: {refusal}"[:300],
            zh="机构不为该笔付款出具电子回单",
        ) from None
    except (ChannelError, TimeoutError) as trouble:
        why = str(trouble) or f"no answer within {ANSWER_S:g} s"
        raise UnavailableError(
            "receipt_unavailable",
            f"the receipt could not be fetched: {why}"[:300],
            zh="暂时无法获取电子回单",
            retry_after_s=AGAIN_S,
        ) from None
    finally:
        seconds = perf_counter() - started
        gateway.observer.called(attempt.channel, "receipt", outcome, seconds)
    digest = hashlib.sha256(found.body).hexdigest()
    await gateway.store.note_receipt(payout.id, attempt.channel, digest, actor)
    return found


def _paid(payout: Payout) -> Attempt:
    """The attempt that paid it, or `ConflictError`."""
    if payout.state in {PayoutState.PAID, PayoutState.SETTLED}:
        for attempt in payout.attempts:
            if attempt.state is AttemptState.CONFIRMED:
                return attempt
    raise ConflictError(
        "not_paid",
        f"the payout is {payout.state}; only one that is paid has a receipt",
        zh=f"当前状态 {payout.state}，只有已付款的代付才有电子回单",
    )
