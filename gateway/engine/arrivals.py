"""How long each channel's money really takes, read from the store's latest paid attempts.

What proves an arrival is the channel's own word (`Paid.at`, on record as `paid_at`). An arrival
before the promised day counts as on time: "paid" means "debited" at some institutions, and a
channel must not become cheap by saying so early. The last thousand attempts are read again each
time, so every replica and every restart sees the same.
"""

from gateway.domain.pricing import priced
from gateway.engine.gateway import Gateway
from policies.arrivals_seen import ARRIVALS_MAX, distribution
from policies.calendars.arrivals import days_taken


async def measure(gateway: Gateway) -> None:
    """Learn for every channel. Raises `StoreError`; then what was known stays."""
    measured = {}
    for name, channel in gateway.channels.items():
        cycle = priced(channel.traits.terms).cycle
        pairs = await gateway.store.arrivals(name, ARRIVALS_MAX)
        delays = (days_taken(cycle, sent, there, gateway.almanac) for sent, there in pairs)
        measured[name] = distribution(delays, cycle.days)
    gateway.load.arrivals = measured
