"""The month's plan: what it says now, how far it has come, making one at once."""

from gateway.api.context import Answer, Call
from gateway.api.schemas import PlanIn, PlanQuery
from gateway.api.views import plan_row, plan_view
from gateway.domain.errors import AbsenceError, ConflictError
from gateway.engine.plan import Planner
from gateway.ports import StoredPlan
from policies.plan.model import Plan

LISTED = 100


async def show_plan(call: Call) -> Answer:
    """GET /v1/admin/plan."""
    query: PlanQuery = call.query
    planner = call.api.planner
    found = await planner.standing(query.currency.value)
    if found is None:
        notes = [note for note in planner.notes if note.code.startswith("plan_")]
        en = notes[0].en if notes else "payouts go by cost at the current tier"
        zh = notes[0].zh if notes else "当前没有月度计划，按当前档位成本选择渠道"
        raise AbsenceError("no_plan", f"no plan is followed: {en}", zh=zh)
    return 200, _view(call, planner, *found)


async def make_plan(call: Call) -> Answer:
    """POST /v1/admin/plan."""
    body: PlanIn = call.body
    planner = call.api.planner
    await planner.make(body.currency.value, "asked", call.caller.actor)
    found = await planner.standing(body.currency.value)
    if found is None:
        raise ConflictError("no_plan", "the plan was replaced at once", zh="计划已被替换")
    return 201, _view(call, planner, *found)


async def list_plans(call: Call) -> Answer:
    """GET /v1/admin/plans."""
    return 200, {"data": [plan_row(one) for one in await call.gateway.store.plans(LISTED)]}


def _view(call: Call, planner: Planner, stored: StoredPlan, plan: Plan) -> object:
    now = call.gateway.clock.now()
    return plan_view(stored, plan, planner.reached(plan), planner.expected(plan, now), now)
