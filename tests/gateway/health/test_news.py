"""News: what we write we read; what anybody else writes is left out and counted."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.payout import PayoutId
from gateway.health.news import BYTES_MAX, Due, Item, Probed, Seen, read, sender, write

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
CHANNELS = {"alipay-a", "wechat-a"}
MS = int(NOW.timestamp() * 1000)
SEEN = Seen("alipay-a", "bank_card:ICBC", "failure", NOW, NOW - timedelta(hours=3), 1200)
ITEMS: list[Item] = [
    SEEN,
    Seen("wechat-a", "wechat", "unknown", NOW, NOW, None),
    Seen("alipay-a", "bank_card:CCB:b4", "success", NOW, NOW, None, again=True),
    Probed("alipay-a", "alipay", NOW),
    Due(PayoutId("po_" + "0123456789abcdefghijklmnop")),
]


def told(*rows: object) -> dict[bytes, bytes]:
    """A batch as somebody put it there."""
    return {b"s": b"0" * 32, b"b": orjson.dumps(rows)}


def test_what_is_written_is_read() -> None:
    """Every kind."""
    assert read({b"b": write(ITEMS)}, CHANNELS, NOW) == (ITEMS, 0)


GOOD = ["seen", "alipay-a", "alipay", "success", MS, MS, 10, False]


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (0, "Seen"),
        (1, "no-such"),
        (1, 7),
        (2, "alipay:ICBC:x"),
        (2, "bank_card:EVIL"),
        (2, ""),
        (2, "x" * 1000),
        (3, "paid"),
        (4, MS + 5001),
        (4, MS - 600_001),
        (4, -1),
        (4, 2**80),
        (4, True),
        (4, 1.5),
        (4, None),
        (5, "yesterday"),
        (5, 0),
        (2, "bank_card:ICBC:b5"),
        (7, 1),
        (7, None),
        (6, -1),
        (6, True),
        (6, 10**9),
    ],
)
def test_a_strange_field_leaves_the_item_out(position: int, value: object) -> None:
    """Its neighbours stay."""
    row = [*GOOD[:position], value, *GOOD[position + 1 :]]
    payload = {b"b": str(row).encode()} if value == 2**80 else told(GOOD, row)
    items, bad = read(payload, CHANNELS, NOW)
    assert (len(items), bad) == ((0, 1) if value == 2**80 else (1, 1))


def test_a_clock_a_little_ahead_is_ours() -> None:
    """Nothing is learnt at a time that is still to come, and nothing was sent after its answer."""
    row = ["seen", "alipay-a", "alipay", "success", MS + 4000, MS + 9000, None, True]
    (item,), bad = read(told(row), CHANNELS, NOW)
    assert isinstance(item, Seen)
    assert (item.at, item.sent_at, bad) == (NOW, NOW, 0)


@pytest.mark.parametrize("payload", [b"", b"{}", b"[[", b"7", b"\xff", b"[" * 5000, b" " * 70_000])
def test_what_is_no_batch_counts_once(payload: bytes) -> None:
    """And raises nothing."""
    assert read({b"b": payload}, CHANNELS, NOW) == ([], 1)


def test_too_many_in_one_batch_are_left_out() -> None:
    """The first ones are taken."""
    items, bad = read(told(*[GOOD] * 300), CHANNELS, NOW)
    assert (len(items), bad) == (256, 44)


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(payload: bytes) -> None:
    """No exception, whatever is there."""
    assert sender({b"s": payload}) is None or len(payload) == 32
    items, bad = read({b"b": payload}, CHANNELS, NOW)
    assert not items
    assert bad >= 0


_JSON = st.one_of(
    *(st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(), st.text(max_size=8)),
    *(st.just(one) for one in GOOD),
)


@settings(max_examples=40)
@given(st.lists(st.lists(_JSON, max_size=7) | _JSON, max_size=3))
def test_any_rows_are_survived(rows: list[object]) -> None:
    """Each is an item or is counted."""
    try:
        payload = orjson.dumps([["seen", *row] if isinstance(row, list) else row for row in rows])
    except TypeError:
        return
    assert len(payload) < BYTES_MAX
    items, bad = read({b"b": payload}, CHANNELS, NOW)
    assert len(items) + bad == len(rows)
