"""Laws of the Jeepay simulator that hold whatever is asked and whatever goes wrong."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulators.jeepay.merchant import (
    QUERY,
    TRANSFER,
    account,
    alipay,
    card,
    merchant,
    wechat,
)

ASKS = {"alipay": alipay, "wechat": wechat, "card": card}
FAULTS = (
    *("reset_after", "reset_before", "bad_signature", "unknown_status", "settle_late"),
    *("settle_fail", "settle_never", "left_created", "failed_though_paid", "return_late"),
    *("confirm_never", "notice_duplicate"),
)
STEP = st.one_of(
    st.tuples(st.sampled_from(sorted(ASKS)), st.integers(0, 6), st.integers(1, 900)),
    st.tuples(st.just("wait"), st.integers(0, 200_000), st.none()),
    st.tuples(st.just("fault"), st.sampled_from(FAULTS), st.floats(0.1, 1.0)),
)


@settings(max_examples=50)
@given(st.lists(STEP, max_size=14), st.integers(0, 3))
def test_money_is_conserved_and_each_number_pays_once(
    steps: list[tuple[str, int | str, int | float | None]], seed: int
) -> None:
    """The balance follows from the truth; one payout and at most one later return per number;
    what a query calls paid was paid; nothing stays frozen for orders that are final."""
    one = merchant(account(balance_fen=3000), seed=seed)
    asked: dict[str, int] = {}
    for kind, what, more in steps:
        if kind == "wait":
            one.wait(timedelta(seconds=int(what)))
        elif kind == "fault":
            one.add(str(what), probability=more)
        else:
            fields = ASKS[kind](f"po{what}", int(more or 1))
            one.simulator.handle(one.request(TRANSFER, fields), one.now)
            asked.setdefault(f"po{what}", int(more or 1))
    one.faults.clear()
    truth = one.simulator.truth()
    net = sum(-m.amount_minor if m.is_outgoing else m.amount_minor for m in truth)
    (held,) = one.simulator.accounts()
    assert held["balance_fen"] == 3000 + net
    assert all(m.balance_minor >= 0 for m in truth)
    counts = Counter((m.kind, m.reference) for m in truth)
    assert set(counts.values()) <= {1}
    frozen = 0
    for reference in asked:
        said = one.ask(QUERY, {"mchOrderNo": reference})
        if said["code"] != 0:
            assert ("payout", reference) not in counts
            continue
        data = said["data"]
        if data["state"] == 2:
            assert ("payout", reference) in counts
        if ("return", reference) in counts:
            assert ("payout", reference) in counts
        if data["state"] == 1 and ("payout", reference) not in counts:
            frozen += data["amount"]
    # An order that nobody looks at any more may have been refused, and its money be free again.
    assert 0 <= int(str(held["frozen_fen"])) <= frozen
