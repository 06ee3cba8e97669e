"""Operators' archives over HTTP: one step a request, so that none takes long."""

from gateway.api.context import Answer, Call
from gateway.api.schemas import ArchiveIn
from gateway.api.views import ArchiveStepView, ArchiveView, stamp
from gateway.domain.archive import Archive
from gateway.domain.errors import ForbiddenError
from gateway.domain.payout import PayoutId
from gateway.engine import archive

LISTED = 1_000


async def step(call: Call) -> Answer:
    """POST /v1/admin/archives."""
    body: ArchiveIn = call.body
    if call.api.archive_files is None:
        raise ForbiddenError(
            "no_archive", "this gateway has no folder for archives", zh="本网关未设置归档目录"
        )
    done = await archive.step(
        call.gateway,
        call.api.archive_files,
        older_than_days=body.older_than_days,
        after=None if body.after is None else PayoutId(body.after),
        actor=call.caller.actor,
        dry_run=body.dry_run,
    )
    view: ArchiveStepView = {
        "payouts": done.payouts,
        "decisions": done.decisions,
        "deliveries": done.deliveries,
        "archive": None if done.archive is None else _view(done.archive),
        "next_after": done.next_after,
    }
    return 200, view


async def listing(call: Call) -> Answer:
    """GET /v1/admin/archives."""
    found = await call.gateway.store.archives(LISTED)
    return 200, {"data": [_view(one) for one in found]}


def _view(one: Archive) -> ArchiveView:
    return {
        "id": one.id,
        "file": one.file,
        "sha256": one.sha256,
        "size": one.size,
        "payouts": one.payouts,
        "decisions": one.decisions,
        "deliveries": one.deliveries,
        "made_at": str(stamp(one.made_at)),
        "actor": one.actor,
        "cleared_at": stamp(one.cleared_at),
    }
