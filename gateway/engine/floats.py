"""How long each channel's float lasts, and a word about it before it is used up."""

from gateway.engine.gateway import Gateway

FRESH_LOOKS = 3
"""A balance counts for so many of the waits between two looks."""


def watch_floats(gateway: Gateway) -> None:
    """After each refresh of what channels carry: once per crossing, an alarm."""
    load, now = gateway.load, gateway.clock.now()
    threshold_s = int(gateway.limits.runway_warn.total_seconds())
    for name in gateway.channels:
        use = load.uses.get(name)
        runway = load.runway(name)
        runway.sample(0 if use is None else use.day_used_minor, now)
        seconds = seconds_left(gateway, name)
        if runway.crossed(seconds, threshold_s):
            gateway.observer.alarm("float.runway", channel=name, seconds=seconds)


def seconds_left(gateway: Gateway, channel: str) -> int | None:
    """How long a channel's float lasts at its pace; None while that is not known."""
    use = gateway.load.uses.get(channel)
    ours = 0 if use is None else use.float_minor
    return gateway.load.runway(channel).seconds_left(usable_minor(gateway, channel, ours))


def usable_minor(gateway: Gateway, channel: str, float_minor: int) -> int:
    """The money there that may be counted on: our float, or less where the institution has less.

    What the institution said counts while it is fresh. Never decided on: the store guards our
    float alone.
    """
    kept = gateway.load.balances.get(channel)
    if kept is None or kept.said_at is None:
        return float_minor
    age_s = (gateway.clock.now() - kept.said_at).total_seconds()
    fresh_s = FRESH_LOOKS * gateway.balance_pace(channel).every_s
    return kept.free_minor(float_minor) if age_s <= fresh_s else float_minor
