"""Move what ended payouts no longer need at hand out of the database, a file at a time.

Written, synced, read back and compared; then remembered, with its hash in the audit log, whose
checkpoints are signed; and only then let go of, in small groups, so that nothing waits for it. Cut
off at any moment, the next step first finishes what is remembered; a file that is not remembered is
written again under the same name, or lies there and harms nobody.
"""

import asyncio
from datetime import timedelta
from typing import Protocol

from msgspec import Struct

from gateway.domain.archive import (
    RETENTION_DAYS,
    Archive,
    ArchiveDamagedError,
    Bulk,
    described,
    packed,
    verified,
)
from gateway.domain.errors import ConflictError, GoneError, InvalidError, UnavailableError
from gateway.domain.payout import MerchantId, PayoutId
from gateway.engine.gateway import Gateway

PAGE = 2_000
"""Payouts in a file: some megabytes in hand at a time."""
CLEARED_AT_ONCE = 25
"""Payouts in a commit; those of callers come in between."""
REST_S = 0.005
"""Between two of these commits, so that they are not most of what the store does."""


class Files(Protocol):
    """The folder of archives; both may raise `OSError`, and block."""

    def write(self, name: str, content: bytes) -> None:
        """Durably, whole or not at all."""

    def read(self, name: str) -> bytes:
        """A file's bytes."""


class Step(Struct, frozen=True):
    """What one step found, and did unless it only looked."""

    payouts: int
    decisions: int
    deliveries: int
    archive: Archive | None
    next_after: PayoutId | None
    """From where the next step looks on; None when there is nothing more."""


def floor_days(gateway: Gateway) -> int:
    """Nothing younger is archived: the longest of all channels' memories, 90 days at least."""
    horizons = [one.traits.inquire_horizon_days or 0 for one in gateway.channels.values()]
    return max([RETENTION_DAYS, *horizons])


async def step(
    gateway: Gateway,
    files: Files,
    *,
    older_than_days: int,
    after: PayoutId | None,
    actor: str,
    dry_run: bool,
) -> Step:
    """Archive one file's worth, or finish one that was cut off; with `dry_run` only count.

    Raises `InvalidError` below the floor, `ConflictError` while another process is at it or when a
    file that the database still needs is damaged, `StoreError`.
    """
    least = floor_days(gateway)
    if older_than_days < least:
        raise InvalidError(
            "archive_too_young",
            f"payouts are kept at hand for {least} days: money may still come back",
            zh=f"代付记录须保留至少 {least} 天，期间款项仍可能退回",
            param="older_than_days",
        )
    async with gateway.store.turn("archive") as mine:
        if not mine:
            raise ConflictError(
                "archive_under_way",
                "another process is archiving at this moment",
                zh="另一进程正在归档",
            )
        unfinished = await gateway.store.open_archive()
        if unfinished is not None and not dry_run:
            bulks = await _read_back(files, unfinished)
            await _clear(gateway, unfinished, bulks)
            return _step(bulks, unfinished, after, more=True)
        before = gateway.clock.now() - timedelta(days=older_than_days)
        found = await gateway.store.archivable(before, after, PAGE)
        if not found:
            return Step(0, 0, 0, None, None)
        bulks = await gateway.store.bulk_of(found)
        last, more = found[-1][1], len(found) == PAGE
        if dry_run:
            return _step(bulks, None, last, more=more)
        archive = await _write(gateway, files, bulks, actor)
        await _clear(gateway, archive, bulks)
        return _step(bulks, archive, last, more=more)


async def gone(gateway: Gateway, merchant_id: MerchantId, payout_id: PayoutId) -> GoneError | None:
    """Where a payout's decisions and webhooks have gone; None while they are here."""
    archive = await gateway.store.archive_of(merchant_id, payout_id)
    if archive is None:
        return None
    return GoneError(
        "archived",
        f"this was archived and is in {archive.file} now (SHA-256 {archive.sha256}); amounts, "
        "states and the timeline are still here",
        zh=f"该内容已归档至 {archive.file}（SHA-256 {archive.sha256}）；金额、状态与时间线仍可查询",
    )


def _step(bulks: list[Bulk], archive: Archive | None, last: PayoutId | None, *, more: bool) -> Step:
    return Step(
        payouts=len(bulks),
        decisions=sum(len(one.decisions) for one in bulks),
        deliveries=sum(len(one.deliveries) for one in bulks),
        archive=archive,
        next_after=(last or PayoutId("")) if more else None,
    )


async def _write(gateway: Gateway, files: Files, bulks: list[Bulk], actor: str) -> Archive:
    content = await asyncio.to_thread(packed, bulks)
    archive = described(content, bulks, gateway.clock.now(), actor)
    try:
        await asyncio.to_thread(files.write, archive.file, content)
    except OSError as error:
        raise UnavailableError(
            "archive_unwritten",
            f"the archive could not be written, and nothing was removed: {error.strerror}",
            zh="归档文件写入失败，未删除任何内容",
        ) from error
    if sorted(await _read_back(files, archive), key=_id) != sorted(bulks, key=_id):
        raise _damaged(archive, ArchiveDamagedError("it says something else"))
    await gateway.store.keep_archive(archive)
    return archive


async def _read_back(files: Files, archive: Archive) -> list[Bulk]:
    try:
        content = await asyncio.to_thread(files.read, archive.file)
        return await asyncio.to_thread(verified, content, archive.sha256)
    except (OSError, ArchiveDamagedError) as error:
        raise _damaged(archive, error) from error


async def _clear(gateway: Gateway, archive: Archive, bulks: list[Bulk]) -> None:
    for first in range(0, len(bulks), CLEARED_AT_ONCE):
        await gateway.store.clear(archive.id, bulks[first : first + CLEARED_AT_ONCE])
        await asyncio.sleep(REST_S)
    await gateway.store.close_archive(archive.id, gateway.clock.now())


def _damaged(archive: Archive, why: Exception) -> ConflictError:
    return ConflictError(
        "archive_damaged",
        f"{archive.file} is not what was written ({why}); nothing was removed on its account: put "
        "back a good copy of it",
        zh=f"归档文件 {archive.file} 缺失或损坏，未删除任何内容；请恢复该文件的完好副本",
    )


def _id(one: Bulk) -> str:
    return one.payout_id
