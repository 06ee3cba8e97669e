"""Notices that callers of other platforms' protocols are owed: found, and sent once more."""

from gateway.engine.gateway import Gateway
from gateway.ports import Delivery, Notify

DELIVERIES_MAX = 50


async def notify_by_number(gateway: Gateway, account_id: str, wanted: str) -> Notify | None:
    """The order of either number that its caller is told about."""
    for order in await gateway.store.dialect_orders(account_id, wanted):
        found = await gateway.store.notifies(account_id, order.number, 1)
        if found:
            return found[0]
    return None


async def owed(gateway: Gateway, wanted: Notify) -> list[Delivery]:
    """The notices of an order, newest first."""
    found = await gateway.store.deliveries(wanted.merchant_id, wanted.payout_id, DELIVERIES_MAX)
    return [one for one in found if one.endpoint_id == wanted.to.account_id]


async def resend(gateway: Gateway, wanted: Notify) -> bool:
    """Make the newest notice of an order due again; False while none is owed."""
    found = await owed(gateway, wanted)
    if not found:
        return False
    return await gateway.store.resend(wanted.merchant_id, found[0].id, gateway.clock.now())
