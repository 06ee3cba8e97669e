"""Months of channels and merchants: where they begin."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.pricing import month_start

ZONES = (
    *("UTC", "Asia/Shanghai", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"),
    # Its first of a month once fell into an hour that was skipped.
    "America/Asuncion",
)


@pytest.mark.parametrize("name", ZONES)
@given(
    at=st.datetimes(
        min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - the strategy adds the zone
        max_value=datetime(2200, 1, 1),  # noqa: DTZ001 - likewise
        timezones=st.just(UTC),
    )
)
def test_a_month_begins_at_its_local_midnight(name: str, at: datetime) -> None:
    """Whatever was asked for before in the same minute."""
    zone = ZoneInfo(name)
    first = at.astimezone(zone).date().replace(day=1)
    assert month_start(at, zone) == datetime.combine(first, time(0), zone)


@pytest.mark.parametrize("name", ZONES)
def test_the_last_microsecond_of_a_month_is_still_in_it(name: str) -> None:
    """Months end between two minutes."""
    zone = ZoneInfo(name)
    begins = datetime(2026, 4, 1, tzinfo=zone)
    before = begins.astimezone(UTC) - timedelta(microseconds=1)
    assert month_start(before, zone) == datetime(2026, 3, 1, tzinfo=zone)
    assert month_start(begins.astimezone(UTC), zone) == begins


def test_a_naive_time_is_in_no_month() -> None:
    """Nobody knows whose clock it was read from."""
    with pytest.raises(TypeError):
        month_start(datetime(2026, 4, 1), UTC)  # noqa: DTZ001 - the point of the test
