"""How long a channel takes to answer: an average that jumps up at once and comes down slowly."""

from math import exp


class PeakEwma:
    """Finagle's peak-EWMA: a slow answer counts at once and fades with `decay_s`."""

    __slots__ = ("_at", "_decay_s", "ms")

    def __init__(self, decay_s: float) -> None:
        """Nothing is known before the first `learn`."""
        self._decay_s = decay_s
        self._at = 0.0
        self.ms = 0.0
        """The present value, in milliseconds."""

    def learn(self, latency_ms: int, at: float) -> None:
        """Take in one answer's latency; `at` is in seconds."""
        if latency_ms >= self.ms:
            self.ms = float(latency_ms)
        else:
            keep = exp(-max(0.0, at - self._at) / self._decay_s)
            self.ms = latency_ms + (self.ms - latency_ms) * keep
        self._at = at
