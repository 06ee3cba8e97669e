"""What the audit log hashes, byte for byte."""

import json
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.domain.audit import Deed, Origin

ZONES = [UTC, ZoneInfo("Asia/Shanghai"), timezone(timedelta(hours=-3, minutes=-30))]


@given(
    st.datetimes(
        min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
        timezones=st.sampled_from(ZONES),
    )
)
@example(datetime(2026, 3, 2, tzinfo=UTC))
@example(datetime(2026, 3, 2, microsecond=500_000, tzinfo=UTC))
def test_a_leaf_tells_its_moment_in_utc_with_six_places(at: datetime) -> None:
    """Always as long, whatever the zone: another spelling would be another hash."""
    deed = Deed(Origin.EVENT, 1, at, "gateway", "paid", "m/po/3", "paid", None, b"\1" * 32, b"\2")
    told = at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    assert json.loads(deed.text)["at"] == told


def test_a_leaf_is_these_bytes() -> None:
    """Keys in order, no blanks, hashes in hexadecimal: logs of earlier versions stay valid."""
    at = datetime(2026, 3, 2, 4, 5, 6, tzinfo=UTC)
    deed = Deed(Origin.EVENT, 7, at, "钱", "paid", "m/po/3", "paid", None, b"\xab", b"\xcd")
    assert deed.text == (
        '{"action":"paid","actor":"钱","after":"ab","at":"2026-03-02T04:05:06.000000Z",'
        '"before":null,"detail":"cd","row":7,"source":"event","state":"paid",'
        '"subject":"m/po/3","v":1}'
    )
