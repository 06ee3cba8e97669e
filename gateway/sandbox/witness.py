"""The independent witness: do the institutions' own books agree with what the gateway says?

Works from two things only: what was asked of the gateway and what it answered over its API, and
the movements in the simulators' books. Movements are found by payee, not by any number of ours.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.sandbox.story import Asked

PAID = frozenset({"paid", "settled"})
UNPAID = frozenset({"failed", "cancelled"})


@dataclass(slots=True)
class Verdict:
    """What the comparison found. `problems` is empty when both sides agree."""

    double_paid: int = 0
    lost: int = 0
    stuck: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether every fen is where the gateway says it is."""
        return not (self.problems or self.double_paid or self.lost or self.stuck)


def judge(
    asked: Sequence[Asked],
    answers: Mapping[str, Mapping[str, Any]],
    truth: Sequence[Mapping[str, Any]],
    floats: Mapping[str, int],
    balances: Mapping[str, int],
) -> Verdict:
    """Compare payout by payout and account by account.

    `answers` holds the gateway's payouts by merchant_ref; `floats` the ledger's float and
    `balances` the institutions' balance, both by channel name, in fen.
    """
    verdict = Verdict()
    owner = {payee: one.ref for one in asked for payee in one.payees}
    paid: dict[str, list[int]] = defaultdict(list)
    returned: dict[str, list[int]] = defaultdict(list)
    for movement in truth:
        ref = owner.get(movement["payee"])
        if movement["kind"] == "payout" and ref is None:
            verdict.problems.append(f"money went to a stranger: {movement['channel_ref']}")
        elif ref is not None and movement["kind"] == "payout":
            paid[ref].append(movement["amount_minor"])
        elif ref is not None and movement["kind"] == "return":
            returned[ref].append(movement["amount_minor"])
    for one in asked:
        answer = answers.get(one.ref)
        if answer is None:
            verdict.lost += 1
            continue
        _judge_one(one, str(answer["state"]), paid[one.ref], returned[one.ref], verdict)
    for channel, balance in balances.items():
        if floats.get(channel) != balance:
            verdict.problems.append(
                f"{channel}: the ledger's float is {floats.get(channel)}, "
                f"the institution's balance {balance}"
            )
    return verdict


def _judge_one(
    one: Asked, state: str, paid: list[int], returned: list[int], verdict: Verdict
) -> None:
    amount = one.body["amount_minor"]
    if len(paid) - len(returned) > 1:
        verdict.double_paid += 1
    elif state in PAID and (paid != [amount] or returned):
        verdict.problems.append(f"{one.ref} is {state}, yet the books show {paid} and {returned}")
    elif state in UNPAID and sum(paid) != sum(returned):
        verdict.problems.append(f"{one.ref} is {state}, yet the books show {paid}")
    elif state == "returned" and not (paid == returned == [amount]):
        verdict.problems.append(f"{one.ref} is returned, yet the books show {paid}, {returned}")
    elif state not in PAID | UNPAID | {"returned"}:
        verdict.stuck += 1
