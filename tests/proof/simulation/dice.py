"""All randomness of a run: every draw is a function of the seed and of what it is about.

So one decision does not depend on how many others were made before it: leaving a payout or a kind
of fault out of a failing run changes as little else as possible, which is what lets it be shrunk.
"""

import random
from collections import Counter
from collections.abc import Callable
from hashlib import blake2b


class Dice:
    """Draws by name."""

    def __init__(self, seed: int, salt: str = "") -> None:
        """`salt` tells independent sets of draws of one seed apart."""
        self._head = f"{seed}/{salt}/"
        self._seen: Counter[str] = Counter()

    def rng(self, name: str) -> random.Random:
        """A generator of its own for this name."""
        return random.Random(f"{self._head}{name}")

    def stream(self, name: str) -> Callable[[], float]:
        """From 0 to 1, one after another: cheap, for what is drawn all the time."""
        return self.rng(name).random

    def unit(self, name: str) -> float:
        """From 0 to 1, the same for the same name."""
        digest = blake2b((self._head + name).encode(), digest_size=7).digest()
        return int.from_bytes(digest) / 2**56

    def next(self, name: str) -> float:
        """From 0 to 1, another one at every call with this name."""
        self._seen[name] += 1
        return self.unit(f"{name}#{self._seen[name]}")
