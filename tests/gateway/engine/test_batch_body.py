"""A stored row is the request it was written from, to the last field."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    BankAccount,
    BankCard,
    ChainAddress,
    Instrument,
    WechatWallet,
    WireAccount,
)
from channels.money import Currency, Money
from gateway.domain.payout import Constraints
from gateway.engine.accept import Request
from gateway.engine.batch_body import body_of, cells_of, request_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
MAYBE = st.none() | TEXT
FROM = datetime(2000, 1, 1)  # noqa: DTZ001 - the zone is drawn beside it
MOMENT = st.none() | st.datetimes(timezones=st.just(UTC), min_value=FROM)
INSTRUMENT: st.SearchStrategy[Instrument] = st.one_of(
    st.builds(AlipayAccount, TEXT, st.sampled_from(AlipayIdentity), MAYBE),
    st.builds(WechatWallet, TEXT, MAYBE, MAYBE),
    st.builds(BankCard, TEXT, TEXT, MAYBE, MAYBE),
    st.builds(BankAccount, TEXT, TEXT, TEXT, TEXT, MAYBE, MAYBE, MAYBE),
    st.builds(WireAccount, TEXT, TEXT),
    st.builds(ChainAddress, TEXT, TEXT, MAYBE, MAYBE),
)
NAMES = st.lists(TEXT, max_size=3).map(tuple)
REQUEST = st.builds(
    Request,
    merchant_ref=TEXT,
    amount=st.builds(Money, st.integers(1, 2**61), st.sampled_from(Currency)),
    instruments=st.lists(INSTRUMENT, min_size=1, max_size=3).map(tuple),
    purpose=TEXT,
    speed=st.sampled_from(["standard", "fast", "instant"]),
    deadline_at=MOMENT,
    release_at=MOMENT,
    max_fee_minor=st.none() | st.integers(0, 2**61),
    metadata=st.dictionaries(TEXT, TEXT, max_size=3),
    constraints=st.builds(Constraints, NAMES, NAMES, NAMES, st.none() | st.integers(1, 100)),
)


@given(REQUEST, st.dictionaries(TEXT, TEXT, max_size=4))
def test_what_is_read_is_what_was_written(request: Request, cells: dict[str, str]) -> None:
    """Every field, every kind of instrument, whatever text is in it."""
    body = body_of(request, cells)
    assert request_of(body) == request
    assert cells_of(body) == cells
    assert body == body_of(request_of(body), dict(reversed(cells.items())))
