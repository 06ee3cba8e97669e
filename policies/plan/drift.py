"""When a month goes another way than its plan: too many or too few payouts to be chance."""

from math import isqrt

from policies.fees import PPM

SIGMAS = 4
LEAST_EXPECTED = 200
"""With fewer payouts expected than this, chance alone may double them."""


def drifted(expected: int, actual: int, spread_ppm: int) -> bool:
    """Whether `actual` payouts since the plan was made are no chance any more.

    Counted in standard deviations of a count (its root) and of the days themselves (`spread_ppm`).
    """
    if max(expected, actual) < LEAST_EXPECTED:
        return False
    days = expected * spread_ppm // PPM
    return abs(actual - expected) > SIGMAS * isqrt(max(expected, 1) + days * days)
