"""The tamper-evident log over committed rows (`ports.AuditStore`).

Rows are logged after their commit, in the order of their feeds, by whichever process comes first:
a leaf's position is the primary key, so of two that log at once one is told that it was too late.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from hashlib import sha256

import orjson

from gateway.domain.audit import CHAIN_START, Deed, Origin, chained
from gateway.domain.merkle import (
    Compact,
    Span,
    consistency_spans,
    inclusion_spans,
    leaf_hash,
    proof,
    subtrees,
)
from gateway.domain.payout import Payout, PayoutId
from gateway.ports import (
    KeptCheckpoint,
    LoggedDeed,
    LogLine,
    LogState,
    StaleError,
    StateCheck,
)
from gateway.store.codec import micros, micros_or_none, moment
from gateway.store.database import Row, Unit
from gateway.store.digest import state_hash
from gateway.store.errors import LogError, SealError
from gateway.store.payouts import Payouts
from gateway.store.tree import STEP, Subtrees

RESTORED = "database.restored"
"""The deed that lets a restored database be signed on."""


class Audit(Payouts):
    """Everything about the log."""

    _log: tuple[bytes, Compact] | None = None
    """The chain and the tree as this process last left them."""

    async def sequence(self, limit: int) -> int:
        """Log up to `limit` rows of either table that are committed and not yet logged."""
        ((size, chain, event, directory),) = await self._read("log_head", {})
        chain = CHAIN_START if chain is None else bytes(chain)
        deeds = [
            *await self._to_log("events_to_log", _event_deed, event, limit),
            *await self._to_log("directory_to_log", _directory_deed, directory, limit),
        ]
        if not deeds:
            return 0
        tree = await self._grown(size, chain)
        unit, completed = Unit(), []
        for position, deed in enumerate(deeds, size):
            leaf = leaf_hash(deed.text.encode())
            chain = chained(chain, leaf)
            completed += tree.append(leaf)
            unit.add(
                self._queries["insert_leaf"],
                {
                    "position": position,
                    "source": deed.source,
                    "feed": deed.row,
                    "subject": deed.subject,
                    "hash": leaf,
                    "chain": chain,
                },
                lambda: StaleError("another process has logged meanwhile"),
            )
        for (height, number), top in completed:
            if height % STEP == 0:
                unit.add(
                    self._queries["insert_subtree"],
                    {"height": height, "number": number, "hash": top},
                )
        await self._database.write(unit)
        self._log = (chain, tree)
        return len(deeds)

    async def log_state(self, size: int | None = None) -> LogState:
        """Size, root and chain now, or as they were at a size. `LogError` for a log with holes."""
        ((found, chain, _, _),) = await self._read("log_head", {})
        if size is not None and size != found:
            if size > found:
                raise LogError(f"the audit log has {found} leaves, not {size}")
            rows = await self._read("leaf_chain", {"position": size - 1})
            if size and not rows:
                raise LogError(f"the audit log lacks leaf {size - 1}")
            found, chain = size, rows[0][0] if rows else None
        chain = CHAIN_START if chain is None else bytes(chain)
        tree = await self._grown(found, chain)
        return LogState(found, tree.root(), chain)

    async def prove_inclusion(self, positions: Iterable[int], size: int) -> list[list[bytes]]:
        """For each leaf its path to the root over `size` leaves (RFC 6962, 2.1.1)."""
        tree = Subtrees(self._read)
        return [await _proof(tree, inclusion_spans(one, size)) for one in positions]

    async def prove_consistency(self, old: int, new: int) -> list[bytes]:
        """That the log of `new` leaves only added to the one of `old` (RFC 6962, 2.1.2)."""
        return await _proof(Subtrees(self._read), consistency_spans(old, new))

    async def deeds_of(self, payout: Payout) -> list[LoggedDeed]:
        """A payout's events as the log commits to them; those not logged yet have no position."""
        found = await self._read(
            "leaves_of_payout", {"merchant_id": payout.merchant_id, "payout_id": payout.id}
        )
        return [LoggedDeed(_event_deed(row), row[11]) for row in found]

    async def keep_checkpoint(self, size: int, at: datetime, note: str) -> None:
        """Store a signed checkpoint."""
        unit = Unit()
        unit.add(self._queries["insert_checkpoint"], {"size": size, "at": micros(at), "note": note})
        await self._database.write(unit)

    async def explain_restore(self, note: str, reason: str, actor: str) -> None:
        """Somebody says that the log lacks what `note` signed because the database was restored."""
        unit = Unit()
        self._audit(unit, actor, RESTORED, digest_of_note(note), {"reason": reason})
        await self._database.write(unit)

    async def is_explained(self, note: str) -> bool:
        """Whether somebody has said so."""
        return bool(await self._read("restore_explained", {"subject": digest_of_note(note)}))

    async def checkpoints(self, limit: int, before: datetime | None = None) -> list[KeptCheckpoint]:
        """Stored checkpoints, newest first."""
        found = await self._read("checkpoints", {"before": micros_or_none(before), "limit": limit})
        return [KeptCheckpoint(row[0], moment(row[1]), row[2]) for row in found]

    # --- For whoever checks it ---

    async def log_lines(self, first: int, limit: int) -> list[LogLine]:
        """Leaves from a position on, each with what its row says now."""
        leaves = await self._read("leaves", {"first": first, "limit": limit})
        deeds: dict[tuple[str, int], Deed] = {}
        for source, query, make in (
            (Origin.EVENT, "events_logged", _event_deed),
            (Origin.DIRECTORY, "directory_logged", _directory_deed),
        ):
            feeds = [row[2] for row in leaves if row[1] == source]
            if feeds:
                found = await self._read(query, {"first": min(feeds), "last": max(feeds)})
                deeds |= {(source, row[0]): make(row) for row in found}
        return [
            LogLine(
                position=row[0],
                source=Origin(row[1]),
                row=row[2],
                hash=bytes(row[3]),
                chain=bytes(row[4]),
                subject=row[5],
                deed=deeds.get((row[1], row[2])),
            )
            for row in leaves
        ]

    async def log_subtrees(self, height: int, first: int, beyond: int) -> dict[int, bytes]:
        """Stored subtree roots of a height, by number."""
        found = await self._read(
            "subtree_hashes", {"height": height, "first": first, "beyond": beyond}
        )
        return {row[0]: bytes(row[1]) for row in found}

    async def not_logged(self, limit: int) -> list[tuple[Origin, int, str]]:
        """Rows that stand behind the last logged one and have no leaf."""
        ((_, _, event, directory),) = await self._read("log_head", {})
        events = await self._read("events_not_logged", {"last": event, "limit": limit})
        changes = await self._read("directory_not_logged", {"last": directory, "limit": limit})
        return [
            *((Origin.EVENT, row[0], f"{row[1]}/{row[2]}") for row in events),
            *((Origin.DIRECTORY, row[0], row[1]) for row in changes),
        ]

    async def payouts_gone(self, limit: int) -> list[PayoutId]:
        """Payouts that have events and no row any more."""
        return [PayoutId(row[0]) for row in await self._read("payouts_gone", {"limit": limit})]

    async def check_states(self, before_id: PayoutId | None, limit: int) -> list[StateCheck]:
        """A page of payouts, newest first: is each what the event of its version committed to?"""
        found = await self._rows({"before_id": before_id}, limit)
        versions = {PayoutId(row[1]): int(row[14]) for row in found}
        ids = orjson.dumps(list(versions)).decode()
        promised = {
            (row[0], row[1]): None if row[2] is None else bytes(row[2])
            for row in await self._read("state_hashes", {"ids": ids})
        }
        try:
            states = {
                one.id: state_hash(one, self._vault.keyed) for one in await self._opened(found)
            }
        except SealError:
            states = await self._states_singly(versions)
        checks = []
        for payout_id, version in versions.items():
            known = (payout_id, version) in promised
            wanted = promised.get((payout_id, version))
            # An event from before the log has no hash; then there is nothing to compare with.
            holds = known and (wanted is None or wanted == states.get(payout_id))
            checks.append(StateCheck(payout_id, version, known, holds))
        return checks

    async def _states_singly(self, ids: Iterable[PayoutId]) -> dict[PayoutId, bytes]:
        states: dict[PayoutId, bytes] = {}
        for payout_id in ids:
            try:
                found = await self._find({"id": payout_id}, 1)
            except SealError:
                continue
            states |= {one.id: state_hash(one, self._vault.keyed) for one in found}
        return states

    async def _to_log(
        self, query: str, make: Callable[[Row], Deed], after: int, limit: int
    ) -> list[Deed]:
        return [make(row) for row in await self._read(query, {"after": after, "limit": limit})]

    async def _grown(self, size: int, chain: bytes) -> Compact:
        """A tree of that size of its own for the caller; read only when it is not at hand."""
        if self._log is not None:
            known, tree = self._log
            if (known, tree.size) == (chain, size):
                return Compact(size, list(tree.peaks))
        return await Subtrees(self._read).compact(size)


def digest_of_note(note: str) -> str:
    """What names a signed checkpoint in a row that explains why the log does not continue it."""
    return sha256(note.encode()).hexdigest()


async def _proof(tree: Subtrees, spans: list[Span]) -> list[bytes]:
    known = await tree.hashes(one for span in spans for one in subtrees(span))
    return proof(spans, known.__getitem__)


def _event_deed(row: Row) -> Deed:
    feed, at, actor, kind, merchant_id, payout_id, seq, state, detail, before, after = tuple(row)[
        :11
    ]
    return Deed(
        source=Origin.EVENT,
        row=feed,
        at=moment(at),
        actor=actor,
        action=f"payout.{kind}",
        subject=f"{merchant_id}/{payout_id}/{seq}",
        state=state,
        before=None if before is None else bytes(before),
        after=None if after is None else bytes(after),
        detail=sha256(detail.encode()).digest(),
    )


def _directory_deed(row: Row) -> Deed:
    feed, at, actor, action, subject, detail = row
    return Deed(
        source=Origin.DIRECTORY,
        row=feed,
        at=moment(at),
        actor=actor,
        action=action,
        subject=subject,
        state=None,
        before=None,
        after=None,
        detail=sha256(detail.encode()).digest(),
    )
