"""What is held against what, once all has healed: merchants, gateways, institutions."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.sandbox.merchant import Client
from tests.proof.chaos.city import CHANNELS, City
from tests.proof.chaos.crowd import Crowd, payee

FINAL = frozenset({"paid", "settled", "failed", "returned", "cancelled"})
PATIENCE_S = 180.0
SILENCE_S = 60.0


@dataclass(slots=True)
class Verdict:
    """Broken promises by kind, with their sentences."""

    double: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    settled_after_s: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether nothing is broken."""
        return not (self.double or self.lost or self.stuck or self.other)

    @property
    def sentences(self) -> list[str]:
        """All of them."""
        return [*self.double, *self.lost, *self.stuck, *self.other]


async def judge(city: City, crowd: Crowd) -> Verdict:
    """Wait until every payout has ended, then compare."""
    verdict = Verdict()
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with Client(city.replicas[0].url, city.key) as merchant:
        while True:
            known = {one["merchant_ref"]: one async for one in merchant.pages("/v1/payouts")}
            open_ones = [one for one in known.values() if one["state"] not in FINAL]
            if not open_ones or loop.time() - began > PATIENCE_S:
                break
            await asyncio.sleep(0.5)
        verdict.settled_after_s = round(loop.time() - began, 1)
        moved = _moved(city)
        for number in range(1, crowd.asked + 1):
            _payout(verdict, crowd, known.get(f"chaos-{number:06d}"), number, moved)
        await _webhooks(verdict, city, merchant, known)
    async with city.operator(city.replicas[0]) as operator:
        await _books(verdict, city, await operator.get("/v1/admin/ledger"))
    return verdict


def _moved(city: City) -> Counter[str]:
    """How often each payee really has money, by the institutions' own books."""
    net: Counter[str] = Counter()
    for shell in city.world.shells.values():
        for one in shell.simulator.truth():
            net[one.payee] += {"payout": 1, "return": -1}.get(one.kind, 0)
    return net


def _payout(
    verdict: Verdict,
    crowd: Crowd,
    known: Mapping[str, Any] | None,
    number: int,
    moved: Mapping[str, int],
) -> None:
    times = moved.get(payee(number), 0)
    ids = crowd.answers.get(number, set())
    if times > 1:
        verdict.double.append(f"payout {number} was paid {times} times")
    if len(ids) > 1:
        verdict.double.append(f"payout {number} was acknowledged as {sorted(ids)}")
    if known is None:
        if ids:
            verdict.lost.append(f"payout {number} was acknowledged as {ids} and is gone")
        if times:
            verdict.lost.append(f"payout {number} was paid and nobody knows of it")
        return
    if ids and known["id"] not in ids:
        verdict.lost.append(f"payout {number} is {known['id']}, acknowledged was {ids}")
    state = known["state"]
    if state not in FINAL:
        verdict.stuck.append(f"payout {number} ({known['id']}) is still {state}")
    elif (state in {"paid", "settled"}) != (times == 1):
        verdict.other.append(f"payout {number} is {state}, the institution paid {times} times")


async def _webhooks(
    verdict: Verdict, city: City, merchant: Client, known: Mapping[str, Mapping[str, Any]]
) -> None:
    """Every event of every payout was delivered, at least once."""
    owed: dict[str, int] = {}
    async for event in _events(merchant):
        owed[event["payout_id"]] = max(owed.get(event["payout_id"], 0), event["seq"])
    deadline = asyncio.get_running_loop().time() + SILENCE_S
    while True:
        missing = {
            payout: sorted(set(range(1, last + 1)) - city.receiver.sequences[payout])
            for payout, last in owed.items()
        }
        missing = {payout: seqs for payout, seqs in missing.items() if seqs}
        if not missing or asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(0.5)
    verdict.other += [f"{payout}: no webhook {seqs}" for payout, seqs in missing.items()]
    if len(owed) != len(known):
        verdict.other.append(f"events speak of {len(owed)} payouts, the list of {len(known)}")


async def _events(merchant: Client) -> Any:
    after = 0
    while True:
        page = await merchant.get("/v1/events", after=after, limit=200)
        for one in page["data"]:
            yield one
            after = max(after, one["feed"])
        if not page["data"]:
            return


async def _books(verdict: Verdict, city: City, ledger: Mapping[str, Any]) -> None:
    if not ledger["balanced"]:
        verdict.other += [str(one) for one in ledger["problems"]]
    floats = {
        row["owner"]: row["balance_minor"] for row in ledger["data"] if row["book"] == "float"
    }
    for shell in city.world.shells.values():
        for account in shell.simulator.accounts():
            channel = CHANNELS[str(account["account"])]
            if floats[channel] != account["balance_fen"]:
                verdict.other.append(
                    f"{channel}: float {floats[channel]}, the bank says {account['balance_fen']}"
                )
