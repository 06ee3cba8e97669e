"""Laws of the UnionPay simulator that hold whatever is asked and whatever goes wrong."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulators.unionpay.merchant import PAYOUT, account, merchant

CARDS = (
    *("6216261000000000018", "6221000000000004", "6221000000000006"),
    *("6221000000000007", "6221000000000009"),
)
FAULTS = ("reset_after", "reset_before", "bad_signature", "unknown_status", "notice_duplicate")

STEP = st.one_of(
    st.tuples(st.just("pay"), st.integers(0, 5), st.sampled_from(CARDS)),
    st.tuples(st.just("wait"), st.integers(0, 20_000), st.none()),
    st.tuples(st.just("fault"), st.sampled_from(FAULTS), st.floats(0.1, 1.0)),
)


@settings(max_examples=25)
@given(st.lists(STEP, max_size=12), st.integers(0, 3))
def test_money_is_conserved_and_each_number_pays_once_a_day(
    steps: list[tuple[str, int | str, str | float | None]], seed: int
) -> None:
    """Balance follows from the truth; one payout per number and day, and at most one return; the
    query agrees with the books; nothing stays frozen for finished orders."""
    one = merchant(account(balance_fen=3000, fee={"flat_fen": 7}), seed=seed)
    asked: dict[tuple[str, str], dict[str, str]] = {}
    for kind, what, more in steps:
        if kind == "wait":
            one.wait(timedelta(seconds=int(what)))
        elif kind == "fault":
            one.add(str(what), probability=more)
        else:
            fields = one.payout(f"ORDER{what:04}", 500, accNo=str(more))
            one.send(PAYOUT, fields)
            asked.setdefault((fields["orderId"], fields["txnTime"]), fields)
    one.faults.clear()

    truth = one.simulator.truth()
    net = sum(-m.amount_minor if m.is_outgoing else m.amount_minor for m in truth)
    (held,) = one.simulator.accounts()
    assert held["balance_fen"] == 3000 + net
    assert all(m.balance_minor >= 0 for m in truth)

    counts = Counter((m.kind, m.channel_ref) for m in truth)
    assert set(counts.values()) <= {1}
    paid = frozen = 0
    for fields in asked.values():
        fate = one.fate(fields)
        paid += fate == "00"
        frozen += 507 if fate == "05" else 0
    assert paid == sum(kind == "payout" for kind, _ in counts)
    assert held["frozen_fen"] == frozen
