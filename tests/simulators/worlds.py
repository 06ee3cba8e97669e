"""Small worlds of Alipay accounts for the tests of shell and control."""

from __future__ import annotations

from simulators.scenario import ClockPlan, Plan
from simulators.world import World
from tests.simulators.alipay.customer import START, Customer, account, config


def second(**changes: object) -> dict[str, object]:
    """Another account beside the usual one."""
    return account(
        account="alipay-2", app_id="2021000000000002", user_id="2088000000000002", **changes
    )


def world(*accounts: dict[str, object], real: bool = False, **changes: object) -> World:
    """A world with one Alipay simulator; its clock stands unless `real`."""
    clock = ClockPlan() if real else ClockPlan(mode="virtual", start=START)
    chosen = accounts or (account(notify_url=None),)
    return World(Plan(seed=1, clock=clock, simulators=(config(*chosen, **changes),)))


def merchant(of: World, app_id: str = "2021000000000001") -> Customer:
    """A merchant that builds requests for a world's simulator."""
    shell = of.shells["alipay"]
    return Customer(shell.simulator, shell.faults, now=of.clock.now(), app_id=app_id)  # type: ignore[arg-type]  # these worlds hold Alipay only
