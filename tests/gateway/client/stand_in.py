"""A clock that the client moves, answers as the gateway writes them, both clients alike."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import httpx
import respx

from gateway.client import AsyncClient, BankCard, Client, Limits, PayoutRequest
from gateway.client.calls import Call
from tests.builders import NOW

T = TypeVar("T")

URL = "https://gateway.test"
KEY = "hd_0123456789abcdef_" + "s" * 43
REQUEST = PayoutRequest(
    amount="123.45",
    currency="CNY",
    beneficiary=BankCard("6222021234567890123", "王小五", "ICBC"),
    purpose="货款",
    merchant_ref="order-1",
)


@dataclass
class FakeClock:
    """Waits pass at once and are remembered."""

    at: datetime = NOW
    passed: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        """The start, and what has passed since."""
        return self.at + timedelta(seconds=self.passed)

    def steady(self) -> float:
        """What has passed."""
        return 1000.0 + self.passed

    def sleep(self, seconds: float) -> None:
        """Pass."""
        self.slept.append(seconds)
        self.passed += seconds

    async def rest(self, seconds: float) -> None:
        """Pass."""
        self.sleep(seconds)


@dataclass
class Caller:
    """One of the two clients, behind one way to call it."""

    run: Callable[[Call[Any]], Awaitable[Any]]
    clock: FakeClock
    route: respx.MockRouter

    @property
    def requests(self) -> list[httpx.Request]:
        """What was sent, in order."""
        return [call.request for call in self.route.calls]


@contextmanager
def calling(kind: str, limits: Limits | None = None, **rest: Any) -> Iterator[Caller]:
    """The client of this kind before a gateway that answers as a test says."""
    clock = FakeClock()
    with respx.mock(base_url=URL, assert_all_called=False) as route:
        if kind == "blocking":
            blocking = Client(URL, KEY, limits=limits, clock=clock, **rest)

            async def run(call: Call[T]) -> T:
                return blocking.run(call)

            yield Caller(run, clock, route)
            blocking.close()
        else:
            client = AsyncClient(URL, KEY, limits=limits, clock=clock, **rest)
            yield Caller(client.run, clock, route)


def payout_view(**changes: Any) -> dict[str, Any]:
    """A payout as the gateway tells it."""
    nothing = (
        *("reason", "owner", "deadline", "release_after", "max_fee_minor", "channel"),
        *("channel_ref", "promised_at", "paid_at", "returned_at", "settled_on", "action"),
        *("charge", "split"),
    )
    return {
        "id": "po_1",
        "merchant_id": "m_acme",
        "merchant_ref": "order-1",
        "state": "routing",
        "final": False,
        "amount_minor": 12_345,
        "amount": "123.45",
        "currency": "CNY",
        "fee_minor": 0,
        "fee_mode": "on_top",
        "beneficiary_amount_minor": 12_345,
        "debit_minor": 12_345,
        "beneficiary": {"instruments": [{"rail": "bank_card", "number": "6222***0123"}]},
        "purpose": "货款",
        "speed": "standard",
        "channels": {"only": [], "deny": [], "prefer": [], "max_attempts": None},
        "metadata": {},
        "attempts": 0,
        "accepted_at": "2026-03-02T10:00:00Z",
        "updated_at": "2026-03-02T10:00:00Z",
        "version": 1,
        **dict.fromkeys(nothing),
        **changes,
    }


def made(**changes: Any) -> httpx.Response:
    """201."""
    return httpx.Response(201, json=payout_view(**changes))


def problem(
    status: int, code: str, *, headers: dict[str, str] | None = None, **more: Any
) -> httpx.Response:
    """A problem document."""
    document = {
        "type": f"urn:hangdao:problem:{code}",
        "title": code.replace("_", " "),
        "status": status,
        "detail": f"what {code} means",
        "detail_zh": "中文说明",
        "code": code,
        "retryable": status == 503,
        "request_id": "req-of-the-gateway",
        **more,
    }
    sent = {"Content-Type": "application/problem+json", **(headers or {})}
    return httpx.Response(status, json=document, headers=sent)
