"""Merchants who want payouts and do not let go: the same request, again and again, anywhere."""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.proof.chaos.city import City

GIVE_UP_S = 300.0
"""After the trouble has ended every request is answered well before this."""


@dataclass(slots=True)
class Crowd:
    """Asks for payouts at a steady pace; every payout has a payee of its own."""

    city: City
    per_s: float
    asked: int = 0
    told: dict[int, str] = field(default_factory=dict)
    """Number → the payout id that was acknowledged."""
    answers: dict[int, set[str]] = field(default_factory=dict)
    """Number → every id ever given for it: more than one would be two payouts."""
    tries: int = 0
    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)
    _chance: random.Random = field(default_factory=lambda: random.Random(1))

    async def run(self, until: float) -> None:
        """Ask for new payouts until the loop's clock says `until`."""
        loop = asyncio.get_running_loop()
        async with httpx.AsyncClient(trust_env=False, timeout=15) as http:
            while loop.time() < until:
                self.asked += 1
                task = asyncio.create_task(self._want(http, self.asked))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                await asyncio.sleep(1 / self.per_s)
            async with asyncio.timeout(GIVE_UP_S):
                while self._tasks:
                    await asyncio.wait([*self._tasks])

    async def _want(self, http: httpx.AsyncClient, number: int) -> None:
        """Until it is acknowledged; now and then once more after that, at another replica."""
        again = self._chance.random() < 0.1
        while True:
            replica = self._chance.choice(self.city.replicas)
            self.tries += 1
            try:
                answer = await http.post(
                    f"{replica.url}/v1/payouts",
                    json=body(number),
                    headers={"Authorization": f"Bearer {self.city.key}"},
                )
            except httpx.HTTPError:
                answer = None
            if answer is not None and answer.status_code in {200, 201}:
                given = str(answer.json()["id"])
                self.told[number] = given
                self.answers.setdefault(number, set()).add(given)
                if not again:
                    return
                again = False
            elif answer is not None and answer.status_code not in {409, 429, 500, 503}:
                raise AssertionError(f"payout {number}: {answer.status_code} {answer.text[:300]}")
            await asyncio.sleep(self._chance.uniform(0.1, 0.8))


def payee(number: int) -> str:
    """Whose money it is."""
    return f"payee{number}@example.test" if number % 3 else f"o{number:027d}"


def body(number: int) -> dict[str, Any]:
    """What is asked for: two in three by Alipay, the others by WeChat."""
    if number % 3:
        instrument = {
            "rail": "alipay",
            "identity": payee(number),
            "identity_type": "logon_id",
            "name": "张三丰",
        }
    else:
        instrument = {"rail": "wechat", "openid": payee(number)}
    return {
        "merchant_ref": f"chaos-{number:06d}",
        "amount_minor": 20_000 + number % 997,
        "currency": "CNY",
        "beneficiary": {"instruments": [instrument]},
        "purpose": "货款结算",
    }
