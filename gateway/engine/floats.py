"""How long each channel's float lasts, and a word about it before it is used up."""

from gateway.engine.gateway import Gateway


def watch_floats(gateway: Gateway) -> None:
    """After each refresh of what channels carry: once per crossing, an alarm."""
    load, now = gateway.load, gateway.clock.now()
    threshold_s = int(gateway.limits.runway_warn.total_seconds())
    for name in gateway.channels:
        use = load.uses.get(name)
        runway = load.runway(name)
        runway.sample(0 if use is None else use.day_used_minor, now)
        seconds = runway.seconds_left(0 if use is None else use.float_minor)
        if runway.crossed(seconds, threshold_s):
            gateway.observer.alarm("float.runway", channel=name, seconds=seconds)


def seconds_left(gateway: Gateway, channel: str) -> int | None:
    """How long a channel's float lasts at its pace; None while that is not known."""
    use = gateway.load.uses.get(channel)
    return gateway.load.runway(channel).seconds_left(0 if use is None else use.float_minor)
