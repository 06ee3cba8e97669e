"""The audit log over HTTP: a payout's proof for its merchant, checkpoints for operators."""

from base64 import b64encode

from typing_extensions import TypedDict  # pydantic reads typing.TypedDict only from 3.12 on

from gateway.api.context import Answer, Call
from gateway.api.schemas import CheckpointQuery
from gateway.api.views import stamp
from gateway.domain.errors import ConflictError
from gateway.engine import operate
from gateway.engine.audit import proof_of
from gateway.ports import KeptCheckpoint


class ProvenLeafView(TypedDict):
    """One event of the payout, exactly as the log holds it, and its way to the root."""

    position: int
    leaf: str
    path: list[str]


class ProofView(TypedDict):
    """What `gateway/audit/check.py` checks; `pending` events are too young for the checkpoint."""

    payout_id: str
    checkpoint: str
    leaves: list[ProvenLeafView]
    pending: int


class AuditKeyView(TypedDict):
    """The key that signs; keep it from the first day, or a proof proves nothing."""

    origin: str
    algorithm: str
    public_key: str
    verifier_key: str


class CheckpointView(TypedDict):
    """One signed checkpoint."""

    size: int
    at: str | None
    note: str


class CheckpointList(TypedDict):
    """Signed checkpoints, newest first."""

    data: list[CheckpointView]


async def proof(call: Call) -> Answer:
    """GET /v1/payouts/{payout_id}/proof."""
    found = await operate.find(call.gateway, call.path("payout_id"), call.caller.sees)
    made = await proof_of(call.gateway.store, found)
    view: ProofView = {
        "payout_id": made.payout_id,
        "checkpoint": made.note,
        "leaves": [
            {
                "position": one.leaf.position,
                "leaf": one.leaf.text,
                "path": [b64encode(other).decode() for other in one.path],
            }
            for one in made.leaves
        ],
        "pending": made.pending,
    }
    return 200, view


async def key(call: Call) -> Answer:
    """GET /v1/audit/key."""
    signer = call.api.auditor.signer
    view: AuditKeyView = {
        "origin": signer.origin,
        "algorithm": "ed25519",
        "public_key": b64encode(signer.public_key).decode(),
        "verifier_key": signer.verifier_key,
    }
    return 200, view


async def list_checkpoints(call: Call) -> Answer:
    """GET /v1/admin/audit/checkpoints."""
    query: CheckpointQuery = call.query
    found = await call.gateway.store.checkpoints(query.limit, query.before)
    return 200, {"data": [_view(one) for one in found]}


async def sign_checkpoint(call: Call) -> Answer:
    """POST /v1/admin/audit/checkpoints: log what is committed, sign and export it now."""
    await call.api.auditor.catch_up()
    if await call.api.auditor.checkpoint(now=True) is None:
        raise ConflictError(
            "audit_inconsistent",
            "the log no longer begins with what was signed here last: run `hangdao audit verify`",
            zh="审计日志与上次签名的检查点不一致，请运行 hangdao audit verify",
        )
    (newest,) = await call.gateway.store.checkpoints(1)
    return 201, _view(newest)


def _view(kept: KeptCheckpoint) -> CheckpointView:
    return {"size": kept.size, "at": stamp(kept.at), "note": kept.note}
