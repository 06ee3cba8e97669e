"""Column forms are lossless."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from channels.contract import (
    AlipayAccount,
    AlipayIdentity,
    BankAccount,
    BankCard,
    ChainAddress,
    Evidence,
    Instrument,
    WechatWallet,
    WireAccount,
)
from gateway.store import codec
from tests import builders as build

texts = st.text(max_size=12)
instruments = st.one_of(
    st.builds(AlipayAccount, texts, st.sampled_from(AlipayIdentity), st.none() | texts),
    st.builds(WechatWallet, texts, st.none() | texts, st.none() | texts),
    st.builds(BankCard, texts, texts, st.none() | texts, st.none() | texts),
    st.builds(BankAccount, texts, texts, texts, texts, st.none() | texts),
    st.builds(WireAccount, texts, texts),
    st.builds(ChainAddress, texts, texts, st.none() | texts, st.none() | texts),
)


@given(
    st.datetimes(
        min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
        timezones=st.just(UTC),
    )
)
def test_times_survive_to_the_microsecond(at: datetime) -> None:
    """A time and its column are the same moment, always."""
    assert codec.moment(codec.micros(at)) == at


def test_one_wall_clock_reading_can_be_two_moments() -> None:
    """When clocks go back an hour comes twice; Python takes both for equal, a column does not."""
    first = datetime(2026, 11, 1, 1, 30, tzinfo=ZoneInfo("America/New_York"))
    second = first.replace(fold=1)
    assert codec.micros(second) - codec.micros(first) == 3_600_000_000


def test_a_naive_time_is_a_defect() -> None:
    """A time without zone has no place in a column."""
    with pytest.raises(TypeError):
        codec.micros(datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test


@given(st.lists(instruments, max_size=3).map(tuple))
def test_instruments_survive(given_: tuple[Instrument, ...]) -> None:
    """Every rail, every optional field."""
    assert codec.instruments_of(codec.instruments_json(given_)) == given_


@given(st.lists(instruments, max_size=3).map(tuple))
def test_instruments_are_the_same_bytes_for_ever(given_: tuple[Instrument, ...]) -> None:
    """The audit log has digests of them, made when another library wrote them."""
    assert codec.instruments_json(given_) == orjson.dumps(given_)


@given(
    st.builds(
        Evidence,
        st.none() | st.integers(100, 599),
        st.none() | texts,
        st.none() | texts,
        st.binary(),
    )
)
def test_evidence_survives_any_bytes(evidence: Evidence) -> None:
    """What a channel sent is kept byte for byte."""
    assert codec.evidence_of(codec.evidence_json(evidence)) == evidence


def test_payees_differ_by_account_not_by_name() -> None:
    """The same account under another name or spacing is the same payee."""
    one = codec.payee_of(BankCard("6222 0212", "A", "ICBC"))

    assert one == codec.payee_of(BankCard("62220212", "B"))
    assert one == codec.payee_of(BankAccount("62220212", "C", "1", "2"))
    assert one != codec.payee_of(BankCard("62220213", "A", "ICBC"))
    assert codec.payee_of(WechatWallet("o", "wx1")) != codec.payee_of(WechatWallet("o", "wx2"))


def test_an_action_without_an_opener_is_written_as_ever() -> None:
    """The audit log holds digests of such bytes; with an opener they say whose it is."""
    bare = build.payee_action()
    owned = replace(bare, app_id="wx1", mch_id="19")

    said = codec.action_json(bare)
    assert said == (
        b'{"kind":"wechat_confirm","package_info":"pkg==","expires_at":'
        + str(codec.micros(bare.expires_at)).encode()
        + b"}"
    )
    for one in (bare, owned):
        written = codec.action_json(one)
        assert written is not None
        assert codec.action_of(written) == one
