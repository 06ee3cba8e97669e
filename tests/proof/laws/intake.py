"""Intake as merchants meet it: the use case on a store, against the dictionaries."""

import asyncio
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from channels.contract import AlipayAccount, AlipayIdentity
from gateway.domain.errors import InvalidError, UnfundedError
from gateway.domain.merchant_fee import FREE
from gateway.domain.payout import Payout
from gateway.engine import accept as engine
from gateway.engine.gateway import Gateway
from gateway.engine.load import Load
from gateway.ports import Change, Funding, Intake, Search
from policies.health import Health
from policies.policy import Parameters, Policy
from tests import builders as build
from tests.gateway.engine.rig import A, FixedEntropy, Witness, adapter_at
from tests.proof.laws.shared import NUMBERS, SIDES, OnStore, Shared, heard

Asked = tuple[int, int, int, int]
"""Merchant, key, number, body."""
ZHANG = AlipayAccount("zhang@example.test", AlipayIdentity.LOGON_ID, "张三丰")
_channel: list[Any] = []


def _adapter() -> Any:
    """An adapter that is never asked to send; one per process, as reading a key takes long."""
    if not _channel:
        clock = type("World", (), {"clock": Shared.clock})()
        _channel.append(adapter_at(A, "http://127.0.0.1:1", clock))
    return _channel[0]


class IdempotencyLaws(OnStore):
    """Intake as merchants meet it: keys, numbers and bodies mixed, alone and a hundred at once."""

    def __init__(self) -> None:
        """A gateway that only takes in."""
        super().__init__()
        self.agreed: dict[int, Any] = {}
        self.gateway = Gateway(
            store=self.store,
            clock=Shared.clock,
            entropy=FixedEntropy(),
            channels={A.name: _adapter()},
            policy=Policy("test", "test", Parameters(explore_ppm=0)),
            health=Health(),
            observer=Witness(),
            load=Load(),
        )
        for number, merchant in enumerate(self.merchants):
            self.fund(merchant, 45_000, "deposit" + str(number))
            self.agreed[number] = build.merchant(
                merchant, funding=Funding.PREFUNDED, fee=FREE, created_at=self.start
            )

    @rule(merchant=SIDES, key=NUMBERS, ref=NUMBERS, body=st.integers(0, 2))
    def ask(self, merchant: int, key: int, ref: int, body: int) -> None:
        """One request."""
        self._explained([(merchant, key, ref, body)], self._answers([(merchant, key, ref, body)]))

    @rule(
        asked=st.lists(
            st.tuples(SIDES, NUMBERS, NUMBERS, st.integers(0, 2)), min_size=2, max_size=12
        )
    )
    def ask_at_once(self, asked: list[Asked]) -> None:
        """Many callers at the same moment."""
        self._explained(asked, self._answers(asked))

    @rule(seconds=st.sampled_from((1, 30, 61)))
    def wait(self, seconds: int) -> None:
        """Deadlines pass."""
        Shared.clock.at += timedelta(seconds=seconds)

    @rule()
    def read_payouts(self) -> None:
        """I5: as many as the model has, whoever asked how often."""
        for number in (0, 1):
            search = Search(self.merchants[number], limit=100)
            found = {one.id for one in Shared.run(self.store.search(search))}
            wanted = {
                one.id
                for one in self.model.payouts.values()
                if one.merchant_id == self.merchants[number]
            }
            assert found == wanted

    def teardown(self) -> None:
        """Look once more."""
        self.read_payouts()
        super().teardown()

    def _request(self, ref: int, body: int) -> engine.Request:
        return engine.Request(
            merchant_ref=f"{self.name}-{ref}",
            amount=build.cny(10_000 + body),
            instruments=(ZHANG,),
            purpose="货款",
            deadline_at=self.start + timedelta(seconds=60) if body == 2 else None,
        )

    def _answers(self, asked: list[Asked]) -> list[Any]:
        async def all_at_once() -> list[Any]:
            work = (
                engine.accept(
                    self.gateway,
                    self.agreed[merchant],
                    self._request(ref, body),
                    self._intake(key, ref, body),
                    "test",
                )
                for merchant, key, ref, body in asked
            )
            return await asyncio.gather(*work, return_exceptions=True)

        return Shared.run(all_at_once())

    def _intake(self, key: int, ref: int, body: int) -> Intake:
        return Intake(f"key-{self.name}-{key}", sha256(f"{ref}/{body}".encode()).digest())

    def _explained(self, asked: list[Asked], answers: list[Any]) -> None:
        """There is an order in which the model gives these very answers.

        Those that were new changed something; each of the others was answered from what was there
        before all of them, after all of them, or at a moment between.
        """
        new = [i for i, a in enumerate(answers) if getattr(a, "repeated", None) is False]
        others = [i for i in range(len(asked)) if i not in new]
        taken = self.taken()
        possible: dict[int, set[Any]] = {number: set() for number in others}
        for number in (None, *new):
            if number is not None:
                change, intake = self._change(asked[number], answers[number].payout)
                assert not self._is_late(asked[number]), "taken in after its deadline"
                assert self.model.accept(change, intake, 0) == answers[number].payout.id
            for other in others:
                wanted, refused = heard(partial(self.model.earlier, *self._change(asked[other])))
                possible[other].add(refused or wanted)
        for number in others:
            answer = answers[number]
            if isinstance(answer, InvalidError):
                assert self._is_late(asked[number])
            elif isinstance(answer, UnfundedError):
                assert self.was_short(*self._change(asked[number]), taken), f"{answer!r}"
            else:
                said = answer.payout.id if isinstance(answer, engine.Acceptance) else type(answer)
                assert said in possible[number], f"{answer!r}, not one of {possible[number]}"

    def _change(self, asked: Asked, stored: Payout | None = None) -> tuple[Change, Intake]:
        """The acceptance that a request asks for."""
        merchant, key, ref, body = asked
        subject = stored or build.payout(
            merchant_id=self.merchants[merchant],
            merchant_ref=f"{self.name}-{ref}",
            amount=build.cny(10_000 + body),
            fee=build.cny(0),
        )
        return build.accepted_change(subject), self._intake(key, ref, body)

    def _is_late(self, asked: Asked) -> bool:
        return asked[3] == 2 and Shared.clock.at >= self.start + timedelta(seconds=60)
