"""The judge: what the merchant was told, what the institutions' books say, what the store holds."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.proof.crash.scenes import Scene
from tests.proof.crash.town import CHANNELS, TERMS, Town

PAID = frozenset({"paid", "settled", "returned"})
OVER = frozenset({"paid", "settled", "returned", "failed", "cancelled", "parked"})


@dataclass(slots=True)
class Verdict:
    """What was found; all empty when the gateway kept its word."""

    double: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Books, webhooks, history or the order of arming and sending."""

    @property
    def problems(self) -> list[str]:
        """All of it, in words."""
        return [
            f"{name}: {one}"
            for name in ("double", "lost", "stuck", "wrong")
            for one in getattr(self, name)
        ]


def judge(town: Town, scene: Scene, held: Mapping[str, Any]) -> Verdict:
    """Compare; `held` is the dump of the store after everything has come to rest."""
    found = Verdict()
    life = town.life
    payouts = {one["ref"]: one for one in held["payouts"]}
    for ref in life.acknowledged:
        if ref not in payouts:
            found.lost.append(f"{ref} was acknowledged and is not stored")
    found.double += [f"answered with another payout: {one}" for one in life.told_otherwise]
    if len(payouts) != len(held["payouts"]) or set(payouts) - set(life.asked):
        found.double.append("more payouts are stored than were asked for")
    states = tuple(payouts[ref]["state"] for ref in life.asked if ref in payouts)
    if states not in {scene.ends, scene.or_else if life.deaths else scene.ends}:
        found.stuck += [f"{one} is open" for one in states if one not in OVER]
        found.wrong.append(f"it ended as {states}, not {scene.ends}")
    _money(town, payouts, found)
    _sends(town, payouts, found)
    _history(payouts, scene, found)
    _webhooks(town, payouts, found)
    found.wrong += held["audit"]
    found.wrong += [f"the audit log: {one}" for one in held["log"]]
    _incidents(payouts, held, found)
    _floats(town, held, found)
    return found


def _money(town: Town, payouts: Mapping[str, Any], found: Verdict) -> None:
    """By reference, as the institutions booked it, against what each payout says."""
    moved: Counter[str] = Counter()
    back: Counter[str] = Counter()
    for shell in town.world.shells.values():
        for one in shell.simulator.truth():
            if one.kind == "payout":
                moved[one.reference] += 1
            elif one.kind == "return":
                back[one.reference] += 1
    known = {a["reference"] for one in payouts.values() for a in one["attempts"]}
    found.wrong += [f"money left under {ref}, which no attempt has" for ref in set(moved) - known]
    for ref, one in payouts.items():
        left = sum(moved[a["reference"]] for a in one["attempts"])
        returned = sum(back[a["reference"]] for a in one["attempts"])
        lies = sum(event["kind"] == "contradicted" for event in one["events"])
        if left - returned - lies > (one["state"] in {"paid", "settled"}):
            found.double.append(f"{ref} is {one['state']}, yet {left} payments left")
        if one["state"] in PAID and left == 0:
            found.lost.append(f"{ref} is {one['state']}, yet no money left")
        if one["state"] == "returned" and returned != 1:
            found.wrong.append(f"{ref} is returned, yet {returned} came back")


def _sends(town: Town, payouts: Mapping[str, Any], found: Verdict) -> None:
    """I3: an institution never gets a request that was not armed and counted before."""
    armed = {a["reference"]: a["sends"] for one in payouts.values() for a in one["attempts"]}
    rows = town.world.journal.rows(limit=1000)
    given = Counter(str(row["reference"]) for row in rows if row.get("op") == "submit")
    for reference, times in given.items():
        if times > armed.get(reference, 0):
            found.wrong.append(
                f"{reference} was submitted {times} times, armed {armed.get(reference, 0)} times"
            )


def _history(payouts: Mapping[str, Any], scene: Scene, found: Verdict) -> None:
    kinds: Counter[str] = Counter()
    for ref, one in payouts.items():
        seqs = [event["seq"] for event in one["events"]]
        if seqs != list(range(1, len(seqs) + 1)):
            found.wrong.append(f"{ref} has a gap in its history: {seqs}")
        kinds.update(event["kind"] for event in one["events"])
        live = [a for a in one["attempts"] if a["state"] != "dead"]
        if len(live) > 1 or (one["state"] in {"failed", "cancelled"} and live):
            found.wrong.append(f"{ref} is {one['state']} with {len(live)} live attempts")
    states = tuple(one["state"] for one in payouts.values())
    for kind, count in (scene.kinds or {}).items():
        if kinds[kind] != count and states == scene.ends:
            found.wrong.append(f"{kinds[kind]} events {kind!r}, not {count}")


def _webhooks(town: Town, payouts: Mapping[str, Any], found: Verdict) -> None:
    """I14: every event reached the merchant, and none overtook another."""
    for ref, one in payouts.items():
        heard = list(dict.fromkeys(town.life.heard[one["id"]]))
        if heard != [event["seq"] for event in one["events"]]:
            found.lost.append(f"{ref}: of {len(one['events'])} webhooks came {heard}")
        found.stuck += [
            f"{ref}: a webhook is {d['state']}"
            for d in one["deliveries"]
            if d["state"] != "delivered"
        ]


def _incidents(payouts: Mapping[str, Any], held: Mapping[str, Any], found: Verdict) -> None:
    """I10: what contradicts the record waits for a person."""
    told = {str(one["payout_id"]) for one in held["incidents"]}
    for ref, one in payouts.items():
        contradicted = any(event["kind"] == "contradicted" for event in one["events"])
        if contradicted and one["id"] not in told:
            found.wrong.append(f"{ref} is contradicted, and no incident says so")


def _floats(town: Town, held: Mapping[str, Any], found: Verdict) -> None:
    # The fee of a payment that was denied is booked by nobody until a person clears it.
    lies = sum(e["kind"] == "contradicted" for one in held["payouts"] for e in one["events"])
    ours = {owner: minor for book, owner, minor in held["balances"] if book == "float"}
    for shell in town.world.shells.values():
        for row in shell.simulator.accounts():
            channel = CHANNELS[str(row["account"])]
            fee, theirs = TERMS[str(row["account"])]["fee"]["flat_minor"], row["balance_fen"]
            if not isinstance(theirs, int):
                raise TypeError(row)
            if held["payouts"] and ours.get(channel) not in {theirs, theirs + lies * fee}:
                found.wrong.append(f"{channel}: our float is {ours.get(channel)}, theirs {theirs}")
