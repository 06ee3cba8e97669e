"""Laws of the Circle Mint simulator that hold whatever is asked and whatever goes wrong."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulators.stablecoin.customer import CRYPTO, FIAT, account, coins, customer, key, wire

FAULTS = ("reset_after", "reset_before", "unknown_status", "settle_fail", "return_late", "garbage")
STEP = st.one_of(
    st.tuples(st.just("wire"), st.integers(1, 6), st.integers(1, 900)),
    st.tuples(st.just("coins"), st.integers(7, 9), st.integers(1, 900)),
    st.tuples(st.just("wait"), st.integers(0, 200_000), st.none()),
    st.tuples(st.just("fault"), st.sampled_from(FAULTS), st.floats(0.1, 1.0)),
)


@settings(max_examples=40)
@given(st.lists(STEP, max_size=16), st.integers(0, 3))
def test_money_is_conserved_and_each_key_pays_once(
    steps: list[tuple[str, int | str, int | float | None]], seed: int
) -> None:
    """Balance follows from the truth; one payout and at most one return per key; the shown state
    agrees with the books; nothing stays set aside for finished payouts."""
    given_account = account(balance_fen=3000, fee={"flat_fen": 7}, network_fee_fen=2)
    mint = customer(given_account, seed=seed)
    for kind, what, more in steps:
        if kind == "wait":
            mint.wait(timedelta(seconds=int(what)))
        elif kind == "fault":
            mint.add(str(what), probability=more)
        else:
            cents = f"{int(str(more)) // 100}.{int(str(more)) % 100:02d}"
            make, path = (wire, FIAT) if kind == "wire" else (coins, CRYPTO)
            mint.ask("POST", path, make(int(what), cents))
    mint.faults.clear()

    truth = mint.simulator.truth()
    net = sum(-m.amount_minor if m.is_outgoing else m.amount_minor for m in truth)
    (held,) = mint.simulator.accounts()
    assert held["balance_fen"] == 3000 + net
    assert all(m.balance_minor >= 0 for m in truth)

    counts = Counter((m.kind, m.reference) for m in truth)
    assert set(counts.values()) <= {1}
    assert {reference for _, reference in counts} <= {key(n) for n in range(1, 10)}
    shown = [one for path in (FIAT, CRYPTO) for one in mint.ask("GET", path)[1]["data"]]
    assert len({one["id"] for one in shown}) == len(shown)
    paid = {m.channel_ref for m in truth if m.kind == "payout"}
    back = {m.channel_ref for m in truth if m.kind == "return"}
    for one in shown:
        assert (one["id"] in paid) == (one["status"] == "complete" or "return" in one)
        assert (one["id"] in back) == ("return" in one)
    if all(one["status"] != "pending" for one in shown):
        assert held["frozen_fen"] == 0
