"""The file format: exact round trips, strict reading with line numbers, pseudonyms."""

from dataclasses import astuple, fields, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.backtest.lines import (
    KIND,
    LAYOUT,
    LINE_MAX,
    Header,
    HistoryError,
    header_json,
    header_line,
    header_of,
    masked,
    names_behind,
    page_of,
    pseudonym,
    read,
    record_line,
    record_of,
    unmasked,
)
from policies.backtest.record import (
    Choice,
    Ending,
    Option,
    Record,
    Result,
    Ruled,
    Way,
)
from policies.backtest.world import World
from policies.calendars.workdays import PUBLISHED
from policies.facts import Cycle, Hours
from policies.fees import Commitment, Fee, Tier
from tests.policies.backtest.past import choice, option, record, terms
from tests.policies.builders import LAW

WORLD = World(1, 30)
HEADER = Header(KIND, LAYOUT, None, None, None, WORLD.terms)
SALT = "0123456789abcdef"


def file_of(*records: Record, header: Header = HEADER) -> list[bytes]:
    """An export's lines."""
    return [header_line(header), *map(record_line, records)]


_names = st.text("abcdefgh-_0123456789", min_size=1, max_size=20)
_counts = st.integers(0, 10**15)
_ppm = st.integers(0, 1_000_000)
_moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy wants naive bounds
_ways = st.builds(Way, st.just(0), _names, st.none() | _names)


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Any record that the gateway could have written."""
    chosen = draw(
        st.builds(
            Option,
            _names,
            st.just(0),
            *[_counts] * 6,
            st.integers(0, 30),
            _ppm,
            _ppm,
            st.just(1_000_000),
            st.booleans(),
        )
    )
    ended = st.builds(
        Result,
        st.integers(1, 9),
        st.sampled_from(Ending),
        _moments,
        st.none() | _moments,
        st.none() | _moments,
        st.none() | _counts,
        st.booleans(),
        st.booleans(),
    )
    decided = st.builds(
        Choice,
        _moments,
        _names,
        st.none() | _names,
        st.integers(0, 999_999),
        _names,
        st.sampled_from([(), (chosen,)]),
        st.lists(st.builds(Ruled, _names, st.just(0), st.tuples(_names)), max_size=2).map(tuple),
        st.none() | ended,
    )
    return draw(
        st.builds(
            Record,
            _names,
            _names,
            _moments,
            st.integers(1, 10**15),
            st.just("CNY"),
            st.tuples(_ways),
            st.sampled_from(["standard", "fast", "instant"]),
            st.none() | _moments,
            st.none() | _counts,
            st.lists(decided, max_size=3).map(tuple),
        )
    )


@LAW
@given(records())
def test_a_record_survives_the_file(one: Record) -> None:
    """What is read is what was written."""
    assert record_of(record_line(one)) == one


def test_a_header_survives_the_file_with_every_kind_of_term() -> None:
    """Tiers, commitments, dates, hours, cycles, measured arrivals, overridden calendars."""
    fee = Fee(tiers=(Tier(0, 5), Tier(9, 3)), scheme="all_units", commitment=Commitment(5, 1))
    made = terms(
        "x",
        fees=((date.min, fee), (date(2026, 3, 1), Fee(surcharge_ppm=5, max_minor=9))),
        cycle=Cycle(days=1, calendar="cn_statutory"),
        hours=Hours(((datetime(2026, 1, 1, 9).time(), datetime(2026, 1, 1, 17).time()),)),  # noqa: DTZ001 - wall clock times
        arrivals=((1, 400_000), (2, 600_000)),
        max_minor=5_000_000,
    )
    almanac = PUBLISHED.with_days([(date(2026, 3, 4), False)])
    since = datetime(2026, 3, 1, tzinfo=UTC)
    header = Header(KIND, LAYOUT, since, since + timedelta(days=1), SALT, (made,), almanac)
    for text in (header_line(header), orjson.dumps(header_json(header))):
        found = header_of(text)
        assert found.almanac is not None
        assert astuple(found.almanac) == astuple(almanac)
        assert replace(found, almanac=None) == replace(header, almanac=None)


def test_a_file_is_read_back_whole() -> None:
    """Header and records in order."""
    month = list(WORLD.records())
    header, found = read(file_of(*month))
    assert header == HEADER
    assert list(found) == month


def _broken(**changes: object) -> bytes:
    return orjson.dumps(orjson.loads(record_line(record(choice("a")))) | changes)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "line"),
        (b"\n", "line"),
        (b"[]", "line"),
        (_broken(extra=1), "extra"),
        (_broken(amount_minor="1"), "amount_minor"),
        (_broken(amount_minor=1.0), "amount_minor"),
        (_broken(amount_minor=0), "amount_minor"),
        (_broken(ways=[]), "ways"),
        (_broken(accepted_at="2026-03-01T00:00:00"), "time zone"),
        (_broken(accepted_at=5), "accepted_at"),
        (_broken(speed="soon"), "speed"),
        (record_line(record(choice(option("a", 999_999)))), "add up"),
        (record_line(record(choice(option("a", 0), option("b", 1_000_000)))), "chosen"),
        (record_line(record(choice(option("a", None), option("b", 0)))), "add up"),
        (record_line(record(choice(option("a", 1_000_000, fee=-1)))), "negative"),
        (record_line(record(choice(option("a", 1_000_000, success_ppm=2_000_000)))), "success"),
        (record_line(record(choice("a", draw_ppm=1_000_000))), "draw_ppm"),
        (record_line(record(choice("a"), ways=(Way(3, "bank_card"),))), "instrument"),
        (b" " * (LINE_MAX + 1), "longer"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(line: bytes, says: str) -> None:
    """The reader stops at the line; nobody gets half a history for a whole one."""
    good = record_line(record(choice("a")))
    _, found = read([header_line(HEADER), good, line, good])
    with pytest.raises(HistoryError, match=says) as caught:
        list(found)
    assert caught.value.line == 3


@pytest.mark.parametrize(
    "first",
    [b"", b"\n", b"{}", record_line(record(choice("a"))), header_line(HEADER)[:-9]],
    ids=["nothing", "blank", "empty object", "a record", "cut off"],
)
def test_a_file_without_its_header_is_refused(first: bytes) -> None:
    """Without terms nothing can be priced."""
    with pytest.raises(HistoryError) as caught:
        read([first] if first else [])
    assert caught.value.line == 1


def test_another_layout_is_refused() -> None:
    """A later version may mean other things by the same names."""
    with pytest.raises(HistoryError, match="v"):
        read([header_line(HEADER).replace(b'"v":1', b'"v":2')])


def test_two_channels_of_one_name_are_refused() -> None:
    """Their prices would be mixed up."""
    with pytest.raises(HistoryError, match="same name"):
        read([header_line(replace(HEADER, channels=(terms("a"), terms("a"))))])


def test_records_without_propensities_are_read_and_marked() -> None:
    """Older logs price well enough; they only cannot judge success."""
    old = record(choice(option("a", None), option("b", None)))
    _, found = read(file_of(old))
    assert list(found) == [old]


def test_a_page_of_the_api_is_read_as_strictly() -> None:
    """The same checks, and the name of the payout at fault."""
    good = record(choice("a"))
    page = page_of(orjson.dumps({"data": [good], "next": None}))
    assert page.data == (good,)
    bad = record(choice(option("a", 5)), payout="po_bad")
    with pytest.raises(HistoryError, match="po_bad"):
        page_of(orjson.dumps({"data": [bad], "next": None}))


def test_a_pseudonym_hides_the_merchant_and_a_policy_still_finds_it() -> None:
    """Every word of the policy is tried, so that lists and conditions both work."""
    hidden = masked(record(choice("a"), merchant="m_acme"), SALT)
    assert hidden.merchant == pseudonym("m_acme", SALT) != pseudonym("m_acme", SALT[::-1])
    names = names_behind("when: merchant.id == 'm_acme' && true", SALT)
    (found,) = unmasked([hidden], names)
    assert found.merchant == "m_acme"
    (other,) = unmasked([masked(record(choice("a"), merchant="m_x"), SALT)], names)
    assert other.merchant.startswith("x_")


def test_the_format_is_described() -> None:
    """policies/README.md names every field of a line."""
    text = Path("policies/README.md").read_text(encoding="utf-8")
    missing = [
        f"{part.__name__}.{one.name}"
        for part in (Header, Record, Way, Choice, Option, Ruled, Result)
        for one in fields(part)
        if f"`{one.name}`" not in text
    ]
    assert not missing
    assert not [one.value for one in Ending if f"`{one.value}`" not in text]
