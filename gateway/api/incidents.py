"""What people decide about doubt: certificate C7 by two of them, incidents, suspected retries."""

from gateway.api.context import Answer, Call
from gateway.api.schemas import CertificateIn, NoteIn, OpenQuery, ReleaseIn, RetryIn
from gateway.api.views import incident_view, payout_view, proposal_view
from gateway.engine import incidents, propose, retries


async def propose_certificate(call: Call) -> Answer:
    """POST /v1/admin/payouts/{payout_id}/certificate: the maker's part."""
    body: CertificateIn = call.body
    made = await propose.propose(
        call.gateway,
        call.path("payout_id"),
        reason=body.reason,
        evidence=body.evidence,
        evidence_sha256=body.evidence_sha256,
        actor=call.caller.actor,
        person=call.caller.key.person,
    )
    return 201, proposal_view(made)


async def approve_certificate(call: Call) -> Answer:
    """POST /v1/admin/payouts/{payout_id}/certificate/approve: the checker's part."""
    moved = await propose.approve(
        call.gateway,
        call.path("payout_id"),
        actor=call.caller.actor,
        person=call.caller.key.person,
    )
    return 200, payout_view(moved, call.api.confirm_links)


async def reject_certificate(call: Call) -> Answer:
    """POST /v1/admin/payouts/{payout_id}/certificate/reject: the checker's no, or a withdrawal."""
    body: NoteIn = call.body
    closed = await propose.reject(
        call.gateway,
        call.path("payout_id"),
        note=body.note,
        actor=call.caller.actor,
        person=call.caller.key.person,
    )
    return 200, proposal_view(closed)


async def list_proposals(call: Call) -> Answer:
    """GET /v1/admin/proposals."""
    query: OpenQuery = call.query
    found = await call.gateway.store.proposals(open_only=query.state == "open")
    return 200, {"data": [proposal_view(one) for one in found]}


async def list_incidents(call: Call) -> Answer:
    """GET /v1/admin/incidents."""
    query: OpenQuery = call.query
    found = await call.gateway.store.incidents(open_only=query.state == "open")
    return 200, {"data": [incident_view(one) for one in found]}


async def show_incident(call: Call) -> Answer:
    """GET /v1/admin/incidents/{incident_id}."""
    return 200, incident_view(await incidents.find(call.gateway, call.path("incident_id")))


async def release_incident(call: Call) -> Answer:
    """POST /v1/admin/incidents/{incident_id}/release."""
    body: ReleaseIn = call.body
    released = await incidents.release(
        call.gateway, call.path("incident_id"), body.reason, call.caller.actor
    )
    return 200, incident_view(released)


async def confirm_retry(call: Call) -> Answer:
    """POST /v1/admin/payouts/{payout_id}/retry: its number is answered with the other's state."""
    body: RetryIn = call.body
    moved = await retries.confirm(
        call.gateway,
        call.path("payout_id"),
        of=body.of,
        note=body.note,
        actor=call.caller.actor,
        person=call.caller.key.person,
    )
    return 200, payout_view(moved, call.api.confirm_links)
