"""Reads the audit log's Merkle tree: any perfect subtree, from what is stored of it.

Stored are the leaves and the roots of subtrees of 256^k leaves. Any other is computed from at most
128 hashes of the level below it, which are one run of rows; a run is read once per object.
"""

from collections.abc import Awaitable, Callable, Iterable

from gateway.domain.merkle import Compact, Subtree, root_of, subtrees
from gateway.store.database import Rows
from gateway.store.errors import LogError

STEP = 8
"""Heights between stored levels."""
RUN = 1 << STEP

Read = Callable[[str, dict[str, object]], Awaitable[Rows]]


class Subtrees:
    """Hashes of one look at the log; make a new one for the next."""

    def __init__(self, read: Read) -> None:
        """`read` runs a named query."""
        self._read = read
        self._runs: dict[Subtree, dict[int, bytes]] = {}

    async def hashes(self, wanted: Iterable[Subtree]) -> dict[Subtree, bytes]:
        """The hashes of perfect subtrees. Raises `LogError` when something is missing."""
        return {one: await self._hash(one) for one in wanted}

    async def compact(self, size: int) -> Compact:
        """The tree over the first `size` leaves, ready to grow."""
        tops = subtrees((0, size))
        known = await self.hashes(tops)
        return Compact(size, [(height, known[height, number]) for height, number in tops])

    async def _hash(self, one: Subtree) -> bytes:
        height, number = one
        level, above = height - height % STEP, height % STEP
        first = number << above
        run = await self._run(level, first // RUN)
        try:
            return root_of([run[at] for at in range(first, first + (1 << above))])
        except KeyError as absent:
            raise LogError(f"the audit log lacks subtree {level}/{absent.args[0]}") from None

    async def _run(self, level: int, run: int) -> dict[int, bytes]:
        key = (level, run)
        if key not in self._runs:
            bounds: dict[str, object] = {"first": run * RUN, "beyond": (run + 1) * RUN}
            if level == 0:
                rows = await self._read("leaf_hashes", bounds)
            else:
                rows = await self._read("subtree_hashes", {**bounds, "height": level})
            self._runs[key] = {row[0]: bytes(row[1]) for row in rows}
        return self._runs[key]
