"""The Python client of the gateway's API, for merchants: `Client`, and `AsyncClient` for asyncio.

Nothing of the server is imported. How to use it: `gateway/client/README.md`.
"""

from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    BankAccount,
    BankCard,
    ChainAddress,
    WechatWallet,
    WireAccount,
)
from channels.money import Currency, Money, MoneyError
from gateway.client import answers, webhooks
from gateway.client.answers import CreatedPayout, Event, Payout
from gateway.client.asynchronous import AsyncClient
from gateway.client.blocking import Client
from gateway.client.bulk_answers import Batch, Split
from gateway.client.bulk_requests import BatchFile, Leg, SplitRequest
from gateway.client.calls import PayoutFilter, new_idempotency_key
from gateway.client.door import Limits
from gateway.client.errors import (
    AbsenceError,
    ClientError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NoAnswerError,
    OutcomeUnknownError,
    ProblemError,
    UnauthenticatedError,
    UnavailableError,
    UnfundedError,
    WebhookRefusedError,
)
from gateway.client.requests import ChannelLimits, PayoutRequest

__all__ = [
    "AbsenceError",
    "AlipayAccount",
    "AlipayIdentity",
    "AsyncClient",
    "BankAccount",
    "BankCard",
    "Batch",
    "BatchFile",
    "ChainAddress",
    "ChannelLimits",
    "Client",
    "ClientError",
    "ConflictError",
    "CreatedPayout",
    "Currency",
    "Event",
    "ForbiddenError",
    "InvalidError",
    "Leg",
    "Limits",
    "Money",
    "MoneyError",
    "NoAnswerError",
    "OutcomeUnknownError",
    "Payout",
    "PayoutFilter",
    "PayoutRequest",
    "ProblemError",
    "Split",
    "SplitRequest",
    "UnauthenticatedError",
    "UnavailableError",
    "UnfundedError",
    "WebhookRefusedError",
    "WechatWallet",
    "WireAccount",
    "answers",
    "new_idempotency_key",
    "webhooks",
]
