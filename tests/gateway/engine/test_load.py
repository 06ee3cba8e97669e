"""What memory knows between two looks into the store: a month's use turns at its local end."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from gateway.domain.payout import Payout
from gateway.domain.pricing import month_start
from gateway.engine.load import Load
from gateway.ports import ChannelUse
from policies.fees import UNUSED, MonthUse
from tests import builders as build

SHANGHAI, NEW_YORK = ZoneInfo("Asia/Shanghai"), ZoneInfo("America/New_York")
MARCH_END = datetime(2026, 3, 31, 15, 59, tzinfo=UTC)
"""A minute before April in Shanghai; noon of 31 March in New York."""


def loaded(zone: ZoneInfo = SHANGHAI, at: datetime = MARCH_END) -> Load:
    """The store has counted seven payouts of 700 in all."""
    load = Load()
    use = ChannelUse(build.CHANNEL, 0, 0, 100, 0, MonthUse(7, 700))
    load.refresh({build.CHANNEL: use}, {}, at, {build.CHANNEL: month_start(at, zone)})
    return load


def sent(load: Load, at: datetime) -> Payout:
    """One more payout of 100.00 leaves."""
    subject = build.payout()
    change = build.arm(subject, at=at)
    load.moved(change)
    return change.after


def test_own_sends_count_at_once() -> None:
    """Between refreshes, too."""
    load = loaded()
    sent(load, MARCH_END)
    assert load.month(build.CHANNEL, MARCH_END) == MonthUse(8, 700 + 10_000)


def test_what_died_no_longer_counts() -> None:
    """Neither as a payout nor as money."""
    load = loaded()
    load.moved(build.kill(sent(load, MARCH_END), at=MARCH_END))
    assert load.month(build.CHANNEL, MARCH_END) == MonthUse(7, 700)


def test_what_leaves_while_the_store_counts_is_not_forgotten() -> None:
    """A count begun before the send does not undo it; what died meanwhile waits for the next."""
    load = loaded()
    load.counting()
    load.moved(build.kill(sent(load, MARCH_END), at=MARCH_END))
    sent(load, MARCH_END)
    use = ChannelUse(build.CHANNEL, 0, 0, 100, 0, MonthUse(7, 700))
    start = month_start(MARCH_END, SHANGHAI)
    load.refresh({build.CHANNEL: use}, {}, MARCH_END, {build.CHANNEL: start})
    assert load.used(build.CHANNEL, MARCH_END) == 100 + 2 * 10_000
    assert load.month(build.CHANNEL, MARCH_END) == MonthUse(9, 700 + 2 * 10_000)
    load.refresh({build.CHANNEL: use}, {}, MARCH_END, {build.CHANNEL: start})
    assert load.used(build.CHANNEL, MARCH_END) == 100


def test_a_float_that_grows_while_the_store_counts_is_there_at_once() -> None:
    """Payouts that find none would wait for a minute; the next count decides again."""
    load = loaded()
    use = ChannelUse(build.CHANNEL, 0, 0, 100, 0, MonthUse(7, 700))
    load.counting()
    load.topped_up(build.CHANNEL, 900)
    load.refresh({build.CHANNEL: use}, {}, MARCH_END)
    assert load.float_minor[build.CHANNEL] == 900
    load.counting()
    load.refresh({build.CHANNEL: replace(use, float_minor=850)}, {}, MARCH_END)
    assert load.float_minor[build.CHANNEL] == 850


def test_a_month_begins_empty_at_its_local_midnight() -> None:
    """Before any refresh, and not a second earlier."""
    load = loaded()
    assert load.month(build.CHANNEL, MARCH_END + timedelta(seconds=59)).payouts == 7
    april = MARCH_END + timedelta(minutes=1)
    assert load.month(build.CHANNEL, april) == UNUSED
    sent(load, april)
    assert load.month(build.CHANNEL, april) == MonthUse(1, 10_000)


def test_a_month_ends_where_the_channel_is() -> None:
    """In New York it is still March by then."""
    load = loaded(NEW_YORK)
    assert load.month(build.CHANNEL, MARCH_END + timedelta(hours=11)).payouts == 7
    assert load.month(build.CHANNEL, MARCH_END + timedelta(hours=12, minutes=1)) == UNUSED


def test_a_death_in_april_of_a_march_attempt_leaves_april_alone() -> None:
    """It was counted in March, and only there is it taken out; so with the day."""
    load = loaded()
    subject = sent(load, MARCH_END)
    april = MARCH_END + timedelta(minutes=2)
    sent(load, april)
    load.moved(build.kill(subject, at=april))
    assert load.month(build.CHANNEL, april) == MonthUse(1, 10_000)
    assert load.used(build.CHANNEL, april) == 10_000


def test_a_clock_that_goes_back_keeps_the_month() -> None:
    """Into March again: what is known of April is not forgotten."""
    april = MARCH_END + timedelta(minutes=1)
    load = loaded(at=april)
    assert load.month(build.CHANNEL, MARCH_END).payouts == 7


def test_nothing_is_known_of_a_channel_nobody_counted() -> None:
    """It has carried nothing."""
    assert Load().month("new", MARCH_END) == UNUSED
