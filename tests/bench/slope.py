"""The straight line through what was seen over time."""

from collections.abc import Sequence
from statistics import StatisticsError, linear_regression


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Rise per unit of the first coordinate, by least squares; 0 through a single point."""
    if len(points) < 2:
        return 0.0
    try:
        return linear_regression(*zip(*points, strict=True)).slope
    except StatisticsError:  # all at one place
        return 0.0
