"""Laws of the Alipay simulator that hold whatever is asked and whatever goes wrong."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.alipay.statement import yuan
from tests.simulators.alipay.customer import (
    QUERY,
    TRANSFER,
    about,
    account,
    customer,
    to_card,
    transfer,
)

CARDS = ("6217000000000009", "6222000000000002", "6222000000000004", "6222000000000006")
FAULTS = ("reset_after", "reset_before", "bad_signature", "unknown_status", "notice_duplicate")

STEP = st.one_of(
    st.tuples(st.just("account"), st.integers(0, 4), st.integers(10, 700)),
    st.tuples(st.just("card"), st.integers(5, 9), st.sampled_from(CARDS)),
    st.tuples(st.just("wait"), st.integers(0, 200_000), st.none()),
    st.tuples(st.just("fault"), st.sampled_from(FAULTS), st.floats(0.1, 1.0)),
)


@settings(max_examples=40)
@given(st.lists(STEP, max_size=14), st.integers(0, 3))
def test_money_is_conserved_and_each_number_pays_once(
    steps: list[tuple[str, int | str, int | str | float | None]], seed: int
) -> None:
    """Balance follows from the truth; one payout and at most one later return per number; the
    query agrees with the books; nothing stays frozen for finished orders."""
    merchant = customer(account(balance_fen=3000, fee={"flat_fen": 7}), seed=seed)
    asked: dict[str, dict[str, object]] = {}
    for kind, what, more in steps:
        if kind == "wait":
            merchant.wait(timedelta(seconds=int(what)))
        elif kind == "fault":
            merchant.add(str(what), probability=more)
        else:
            reference = f"po-{what}"
            if kind == "account":
                biz = transfer(reference, yuan(int(str(more))))
            else:
                biz = to_card(reference, "5.00", card=str(more))
            request = merchant.request(merchant.parameters(TRANSFER, biz))
            merchant.simulator.handle(request, merchant.now)
            asked.setdefault(reference, biz)
    merchant.faults.clear()

    truth = merchant.simulator.truth()
    net = sum(-m.amount_minor if m.is_outgoing else m.amount_minor for m in truth)
    (held,) = merchant.simulator.accounts()
    assert held["balance_fen"] == 3000 + net
    assert all(m.balance_minor >= 0 for m in truth)

    counts = Counter((m.kind, m.reference) for m in truth)
    assert set(counts.values()) <= {1}
    frozen = 0
    for reference, biz in asked.items():
        node = merchant.ask(QUERY, about(biz))
        status = node.get("status")
        assert (("payout", reference) in counts) == (status in ("SUCCESS", "REFUND"))
        assert (("return", reference) in counts) == (status == "REFUND")
        frozen += 507 if status == "DEALING" else 0
    assert held["frozen_fen"] == frozen
