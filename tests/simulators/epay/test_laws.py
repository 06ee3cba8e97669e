"""Laws of the Epay simulator that hold whatever is asked and whatever goes wrong."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.epay.signing import yuan
from tests.simulators.epay.merchant import account, merchant, to_card, transfer

CARDS = ("6217000000000009", "6222000000000002", "6222000000000004", "6222000000000006")
FAULTS = ("reset_after", "reset_before", "bad_signature", "unknown_status", "reject")
EVENTS = ("payout.refunded", "payout.settled", "payout.failed", "payout.returned")
OPENING_FEN = 3000

STEP = st.one_of(
    st.tuples(st.just("account"), st.integers(0, 4), st.integers(10, 700)),
    st.tuples(st.just("card"), st.integers(5, 9), st.sampled_from(CARDS)),
    st.tuples(st.just("query"), st.integers(0, 9), st.none()),
    st.tuples(st.just("wait"), st.integers(0, 200_000), st.none()),
    st.tuples(st.just("event"), st.integers(0, 9), st.sampled_from(EVENTS)),
    st.tuples(st.just("fault"), st.sampled_from(FAULTS), st.floats(0.1, 1.0)),
)


@settings(max_examples=60)
@given(st.lists(STEP, max_size=16), st.integers(0, 3), st.booleans())
def test_19_digits_pay_once_and_the_books_add_up(
    steps: list[tuple[str, int | str, int | str | float | None]], seed: int, short: bool
) -> None:
    """The balance follows from the truth; one payout per number of 19 digits, and per other number
    at most one for each time it was sent; nothing is ever owed beyond what is there."""
    one = merchant(account(balance_fen=OPENING_FEN), seed=seed, transfer_rate_ppm=6000)
    sent: Counter[str] = Counter()
    for kind, what, more in steps:
        number = f"po-{what}" if short else f"100000000000000000{what}"
        if kind == "wait":
            one.wait(timedelta(seconds=int(what)))
        elif kind == "fault":
            one.add(
                str(what), probability=more, params={"executed": True} if what == "reject" else {}
            )
        elif kind == "event":
            try:
                one.simulator.trigger(str(more), number, one.now)
            except LookupError:
                continue
        elif kind == "query":
            one.simulator.handle(one.request("query", one.fields({"out_biz_no": number})), one.now)
        else:
            amount = int(str(more)) if kind == "account" else 500
            asked = (
                transfer(number, yuan(amount))
                if kind == "account"
                else to_card(number, "5.00", account=str(more))
            )
            sent[number] += 1
            one.simulator.handle(one.request("submit", one.fields(asked)), one.now)

    truth = one.simulator.truth()
    net = sum(-m.amount_minor if m.is_outgoing else m.amount_minor for m in truth)
    held = one.held()
    assert held["balance_fen"] == OPENING_FEN + net
    assert int(str(held["available_fen"])) >= 0
    assert all(m.balance_minor >= 0 for m in truth)
    for number, payouts in Counter(m.reference for m in truth if m.kind == "payout").items():
        assert payouts <= (sent[number] if short else 1)
