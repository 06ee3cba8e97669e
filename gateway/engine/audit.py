"""Keeps the audit log: logs what was committed, signs a checkpoint each minute, hands out proofs.

None of it is on a payout's way. Before it signs, it looks whether the log still begins with the
last checkpoint signed here: a gateway whose history was changed says so and signs nothing more, not
until a person has said that the database was restored.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from msgspec import Struct

from gateway.domain.audit import Leaf
from gateway.domain.checkpoint import Checkpoint, NoteError, Signer, Verifier
from gateway.domain.errors import ConflictError
from gateway.domain.payout import Payout, PayoutId
from gateway.ports import AuditStore, Clock, Observer, StaleError, StoreError

BATCH = 64
"""Rows logged in one commit: few, because a payout's commit may have to wait behind them."""
MINUTE = timedelta(seconds=55)
"""A checkpoint younger than this, whoever signed it, will do: processes take turns."""
QUIET = timedelta(hours=1)
"""A log that does not grow is signed again after this, as a sign of life."""


class Export(Protocol):
    """Takes a checkpoint off this machine, or to where something else will."""

    async def export(self, checkpoint: Checkpoint, note: str) -> None:
        """Raises `OSError` when it did not arrive."""


class Memory(Protocol):
    """Remembers, outside the database, what was signed last."""

    def last(self) -> str | None:
        """The note; None when nothing was signed here yet. Raises `OSError`."""

    def remember(self, note: str) -> None:
        """Replace it, durably. Raises `OSError`."""


class Proven(Struct, frozen=True):
    """A leaf with its way to the checkpoint's root."""

    leaf: Leaf
    path: list[bytes]


class Proof(Struct, frozen=True):
    """What a merchant needs to check one payout's history without trusting us."""

    payout_id: PayoutId
    note: str
    leaves: list[Proven]
    pending: int
    """Events too young for the checkpoint."""


class Auditor:
    """One per process; several on one database take turns."""

    def __init__(
        self,
        store: AuditStore,
        clock: Clock,
        observer: Observer,
        signer: Signer,
        memory: Memory,
        exports: Sequence[Export],
    ) -> None:
        """Does nothing by itself: call `catch_up` each second and `checkpoint` each minute."""
        self._store = store
        self._clock = clock
        self._observer = observer
        self._memory = memory
        self._exports = exports
        self.signer = signer

    async def catch_up(self) -> int:
        """Log everything committed so far; leaves it to another process that is at it already."""
        logged = 0
        try:
            while count := await self._store.sequence(BATCH):
                logged += count
        except StaleError:
            return logged
        return logged

    async def checkpoint(self, *, now: bool = False) -> str | None:
        """Sign the log as it is, keep it and export it; None when none is due or none may be.

        With `now` it is due, however young the last one is. Raises `StoreError`.
        """
        at = self._clock.now()
        state = await self._store.log_state()
        kept = await self._store.checkpoints(1)
        if kept and not now:
            age = abs(at - kept[0].at)
            if age < (QUIET if kept[0].size == state.size else MINUTE):
                return None
        if not await self._continues():
            return None
        checkpoint = Checkpoint(self.signer.origin, state.size, state.root, state.chain, at)
        note = self.signer.sign(checkpoint)
        await self._store.keep_checkpoint(state.size, at, note)
        try:
            self._memory.remember(note)
        except OSError as error:
            self._observer.alarm("audit.export_failed", cause=type(error).__name__)
        for export in self._exports:
            try:
                await export.export(checkpoint, note)
            except OSError as error:
                self._observer.alarm("audit.export_failed", cause=type(error).__name__)
        return note

    async def explain(self, reason: str, actor: str) -> bool:
        """A person says that the database was restored on purpose: what was signed since is gone.

        Stored in the log itself, so that whoever compares checkpoints finds the reason for the
        fork. False when nothing was signed here before. Raises `OSError`, `StoreError`.
        """
        note = self._memory.last()
        if note is None:
            return False
        await self._store.explain_restore(note, reason, actor)
        return True

    async def _continues(self) -> bool:
        """Whether the log begins with what was signed here last, or a person has said why not."""
        try:
            note = self._memory.last()
            if note is None or await self._store.is_explained(note):
                return True
            last = Verifier(self.signer.origin, (self.signer.public_key,)).opened(note)
            then = await self._store.log_state(last.size)
        except NoteError:
            # Of an earlier key or name of the log: says nothing about this one.
            return True
        except (StoreError, OSError) as error:
            self._observer.alarm("audit.inconsistent", cause=type(error).__name__)
            return False
        if (then.root, then.chain) != (last.root, last.chain):
            self._observer.alarm("audit.inconsistent", cause="rewritten", count=last.size)
            return False
        return True


async def proof_of(store: AuditStore, payout: Payout) -> Proof:
    """Everything the newest checkpoint covers of a payout. Raises `ConflictError` before any."""
    kept = await store.checkpoints(1)
    if not kept:
        raise ConflictError(
            "no_checkpoint_yet",
            "nothing was signed yet; the first checkpoint comes within a minute",
            zh="尚未生成签名检查点，请一分钟后重试",
        )
    size = kept[0].size
    deeds = await store.deeds_of(payout)
    leaves = [
        Leaf(one.position, one.deed.text)
        for one in deeds
        if one.position is not None and one.position < size
    ]
    paths = await store.prove_inclusion([leaf.position for leaf in leaves], size)
    proven = [Proven(leaf, path) for leaf, path in zip(leaves, paths, strict=True)]
    return Proof(payout.id, kept[0].note, proven, len(deeds) - len(leaves))
