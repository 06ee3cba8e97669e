"""How much is measured: in full, in a minute, or just enough to see that the harness works."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Counts and durations of all parts."""

    rounds: int = 5
    """Of each of two programs, taking turns."""
    seconds: float = 8.0
    """Of one round."""
    warm_s: float = 2.0
    callers: int = 64
    half_load_s: float = 20.0
    growth_payouts: int = 200_000
    growth_looks: int = 40
    """How often memory is looked at on the way."""
    starts: int = 5
    open_payouts: int = 100_000
    kills: int = 5
    overload_s: float = 15.0
    curve: tuple[int, ...] = (1, 8, 64, 256)
    """Concurrent callers."""
    rows: tuple[int, ...] = (10_000, 100_000)
    """Payouts already stored."""
    profile_s: float = 20.0
    decisions: int = 5
    soak_s: float = 0.0
    soak_window_s: float = 10.0


FULL = Size()
QUICK = Size(
    rounds=2,
    seconds=1.0,
    warm_s=0.5,
    half_load_s=2.0,
    growth_payouts=500,
    growth_looks=5,
    starts=2,
    open_payouts=2_000,
    kills=1,
    overload_s=2.0,
    curve=(1, 64),
    rows=(1_000,),
    profile_s=5.0,
    decisions=1,
    soak_window_s=2.0,
)
TINY = Size(
    rounds=1,
    seconds=0.4,
    warm_s=0.1,
    callers=4,
    half_load_s=0.4,
    growth_payouts=40,
    growth_looks=2,
    starts=1,
    open_payouts=60,
    kills=1,
    overload_s=0.4,
    curve=(2,),
    rows=(50,),
    profile_s=1.0,
    decisions=1,
    soak_window_s=0.3,
)
