"""From stored payouts to records: which decision led to which attempt, and what became of it."""

from collections.abc import Sequence
from datetime import datetime

import orjson
import pytest
from msgspec.structs import replace

from channels.contract import Reason
from gateway.domain.payout import Attempt, AttemptState
from gateway.engine.history import record_of
from gateway.ports import Past
from policies.backtest.lines import record_line
from policies.backtest.record import Ending
from policies.decide import decide
from policies.explain import to_json
from policies.facts import Decision
from tests import builders as build
from tests.policies.builders import channel, policy
from tests.policies.builders import payout as asked


def decided(*names: str, at: datetime = build.NOW) -> Decision:
    """A decision for the first of the channels; without channels, for none."""
    channels = [channel(name, fee_minor=10 * place) for place, name in enumerate(names, 1)]
    return decide(asked(), channels, policy(), at, 0)


def past(decisions: Sequence[Decision], attempts: Sequence[Attempt]) -> Past:
    """A payout to one bank card with these decisions and attempts."""
    subject = replace(build.payout(instruments=(build.bank_card(),)), attempts=tuple(attempts))
    stored = tuple((one.decided_at, orjson.dumps(to_json(one))) for one in decisions)
    return Past(subject, stored)


def dead(number: int, name: str, reason: Reason, at: datetime) -> Attempt:
    """An attempt that is proven dead."""
    return replace(
        build.attempt(number=number, channel=name, armed_at=at, state=AttemptState.DEAD),
        certificate=build.certificate(reason=reason, at=build.after(1)),
    )


def test_each_attempt_finds_the_decision_that_led_to_it() -> None:
    """A wait, a choice that failed, and the failover, in order."""
    made = [decided(), decided("a", "b", at=build.after(1)), decided("b", at=build.after(60))]
    record = record_of(
        past(
            made,
            [
                dead(1, "a", Reason.RAIL_DOWN, build.after(1)),
                build.attempt(number=2, channel="b", armed_at=build.after(60)),
            ],
        )
    )
    assert [len(one.order) for one in record.choices] == [0, 2, 1]
    results = [one.result for one in record.choices]
    assert results[0] is None
    assert [one and (one.number, one.ending, one.censored) for one in results[1:]] == [
        (1, Ending.CHANNEL_FAILED, False),
        (2, Ending.OPEN, True),
    ]
    assert record.first is record.choices[1]


def test_a_choice_that_armed_nothing_is_no_choice() -> None:
    """It was overtaken; to count it would invent an attempt."""
    record = record_of(past([decided("a"), decided("b", at=build.after(5))], []))
    assert record.choices == ()


@pytest.mark.parametrize(
    ("reason", "ending"),
    [
        (Reason.RAIL_DOWN, Ending.CHANNEL_FAILED),
        (Reason.PAYEE_NAME_MISMATCH, Ending.PAYEE_FAILED),
        (Reason.RISK_REFUSED, Ending.INSTRUCTION_FAILED),
        (Reason.RECALLED, Ending.OPERATOR_FAILED),
    ],
)
def test_a_dead_attempt_says_whose_doing_it_was(reason: Reason, ending: Ending) -> None:
    """Only the channel's own failures will count against it."""
    record = record_of(past([decided("a")], [dead(1, "a", reason, build.NOW)]))
    (choice,) = record.choices
    assert choice.result is not None
    assert (choice.result.ending, choice.result.ended_at) == (ending, build.after(1))


@pytest.mark.parametrize(
    ("state", "ending", "censored"),
    [
        (AttemptState.CONFIRMED, Ending.PAID, False),
        (AttemptState.RETURNED, Ending.RETURNED, False),
        (AttemptState.IN_DOUBT, Ending.IN_DOUBT, True),
        (AttemptState.PENDING, Ending.OPEN, True),
    ],
)
def test_a_living_attempt_says_where_it_stands(
    state: AttemptState, ending: Ending, *, censored: bool
) -> None:
    """Doubt is no failure; what is still open is censored."""
    attempt = build.attempt(channel="a", state=state, armed_at=build.NOW)
    (choice,) = record_of(past([decided("a")], [attempt])).choices
    assert choice.result is not None
    assert (choice.result.ending, choice.result.censored) == (ending, censored)


def test_a_record_names_no_payee() -> None:
    """Rail and bank code are all that is left of an instrument."""
    attempt = build.attempt(channel="a", armed_at=build.NOW)
    line = record_line(record_of(past([decided("a")], [attempt]))).decode()
    card = build.bank_card()
    assert '"rail":"bank_card","bank_code":"ICBC"' in line
    assert card.number not in line
    assert card.name not in line
    assert "中国工商银行" not in line


def test_an_unknown_layout_of_a_decision_is_refused() -> None:
    """A decision that nobody can read must not be guessed at."""
    subject = Past(build.payout(), ((build.NOW, b'{"v":99}'),))
    with pytest.raises(ValueError, match="layout"):
        record_of(subject)
