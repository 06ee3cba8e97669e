"""What keeps a channel from being used, under `/v1/admin`: the kill switch, planned maintenance."""

from gateway.api.admin import list_channels
from gateway.api.context import Answer, Call
from gateway.api.schemas import MaintenanceIn, ReasonIn
from gateway.api.views import maintenance_view
from gateway.engine import switches


async def kill_channel(call: Call) -> Answer:
    """POST /v1/admin/channels/{channel}/kill: `ALL` stops every channel."""
    body: ReasonIn = call.body
    await switches.kill(call.gateway, call.path("channel"), body.reason, call.caller.actor)
    return await list_channels(call)


async def revive_channel(call: Call) -> Answer:
    """POST /v1/admin/channels/{channel}/revive: needs a key that names a person."""
    body: ReasonIn = call.body
    await switches.revive(
        *(call.gateway, call.path("channel"), body.reason, call.caller.actor),
        person=call.caller.key.person,
    )
    return await list_channels(call)


async def list_maintenance(call: Call) -> Answer:
    """GET /v1/admin/maintenance: what was planned by command; the configuration has its own."""
    found = await call.gateway.store.maintenance(call.gateway.clock.now())
    return 200, {"data": [maintenance_view(one) for one in found]}


async def plan_maintenance(call: Call) -> Answer:
    """POST /v1/admin/channels/{channel}/maintenance."""
    body: MaintenanceIn = call.body
    planned = await switches.plan_maintenance(
        *(call.gateway, call.path("channel"), body.from_at, body.until_at, body.reason),
        actor=call.caller.actor,
    )
    return 201, maintenance_view(planned)


async def cancel_maintenance(call: Call) -> Answer:
    """DELETE /v1/admin/maintenance/{maintenance_id}."""
    await switches.cancel_maintenance(call.gateway, call.path("maintenance_id"), call.caller.actor)
    return await list_maintenance(call)
