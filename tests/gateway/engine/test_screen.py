"""Rules at intake and limits of a single request, on the running whole."""

import pytest

from gateway.domain.errors import InvalidError
from gateway.domain.payout import Constraints, PayoutState
from gateway.engine.operate import release
from policies.document import load
from tests.builders import merchant
from tests.gateway.engine.rig import A, B, Rig, W, running

RULES = """
version: 2
name: careful
parameters: {explore_ppm: 0}
merchants:
  m_fast: {tags: [trusted]}
rules:
  - {name: trusted, when: "'trusted' in merchant.tags", then: {pass: true}, final: true}
  - {name: large, when: payout.amount_minor >= 50000, then: {review: at least 500 yuan}}
  - {name: soon, when: payout.amount_minor < 1000, then: {deadline: 30m}}
  - {name: once, when: payout.amount_minor == 7700, then: {max_attempts: 1}}
channels:
  alipay-a: {flat_minor: 10}
  alipay-b: {flat_minor: 20}
examples:
  - {name: t, merchant: m_fast, payout: {amount_minor: 50000}, expect: {review: null}}
  - {name: l, payout: {amount_minor: 50000}, expect: {review: at least 500 yuan}}
  - {name: s, payout: {amount_minor: 999}, expect: {rules: [soon]}}
  - {name: o, payout: {amount_minor: 7700}, expect: {max_attempts: 1}}
"""


def ruled(rig: Rig) -> Rig:
    """The rig with the rules above."""
    rig.gateway.policy = load(RULES)
    return rig


async def test_a_rule_holds_a_payout_before_it_is_routed(url: str) -> None:
    """Nothing is sent until a person releases it, and then it is not held again."""
    async with running(url) as rig:
        payout = await ruled(rig).pay(50_000)
        assert (payout.state, payout.reason) == (
            PayoutState.HELD,
            "policy_review: at least 500 yuan",
        )
        assert rig.moved() == []
        await release(rig.gateway, payout.id, None, "key:boss")
        await rig.quiet()
        assert (await rig.look(payout)).state is PayoutState.PAID


@pytest.mark.parametrize(
    ("who", "state"), [("m_fast", PayoutState.PAID), ("m_slow", PayoutState.HELD)]
)
async def test_the_fast_lane_lifts_the_merchants_limit(
    url: str, who: str, state: PayoutState
) -> None:
    """A trusted merchant's payout goes out at once; another's of the same amount is held."""
    limited = merchant(who, review_above_minor=10_000)
    async with running(url, merchant=limited) as rig:
        assert (await ruled(rig).pay(20_000)).state is state


async def test_a_rules_deadline_is_the_payouts(url: str) -> None:
    """It counts from acceptance, and an earlier one of the payout's own stays."""
    async with running(url) as rig:
        payout = await ruled(rig).pay(999)
        assert payout.deadline_at is not None
        assert (payout.deadline_at - payout.accepted_at).total_seconds() == 1800


async def test_a_request_narrows_the_choice(url: str) -> None:
    """The dearer channel pays when only it is allowed, or when the cheaper one is denied."""
    async with running(url) as rig:
        for constraints in (Constraints(only=(B.name,)), Constraints(deny=(A.name,))):
            payout = await rig.pay(constraints=constraints)
            assert await rig.states(payout) == [(B.name, "confirmed")]


async def test_a_request_prefers_before_cost(url: str) -> None:
    """The preferred channel is tried first, and the cheaper one is its reserve."""
    async with running(url) as rig:
        rig.fault("reject", B, code="REMARK_HAS_SENSITIVE_WORD")
        payout = await rig.pay(constraints=Constraints(prefer=(B.name,)))
        assert await rig.states(payout) == [(B.name, "dead"), (A.name, "confirmed")]


@pytest.mark.parametrize(
    ("fen", "constraints"), [(10_000, Constraints(max_attempts=1)), (7_700, Constraints())]
)
async def test_after_the_last_allowed_attempt_it_fails(
    url: str, fen: int, constraints: Constraints
) -> None:
    """Proven dead at the one channel it may be tried at, by the request's word or by a rule's."""
    async with running(url) as rig:
        rig.fault("reject", A, code="REMARK_HAS_SENSITIVE_WORD")
        payout = await ruled(rig).pay(fen, constraints=constraints)
        assert await rig.states(payout) == [(A.name, "dead")]
        assert (await rig.look(payout)).state is PayoutState.FAILED


async def test_a_request_that_leaves_no_channel_is_refused_at_the_door(url: str) -> None:
    """Better a clear answer now than a payout that waits for ever."""
    async with running(url) as rig:
        with pytest.raises(InvalidError, match="the request leaves it out"):
            await rig.pay(constraints=Constraints(only=(W.name,)))
