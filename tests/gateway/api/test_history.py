"""History over the API: operators only, in pages that a backtest reads, without payee data."""

from policies.backtest.lines import header_of, page_of
from policies.backtest.replay import replay
from policies.policy import Policy
from tests.builders import after
from tests.gateway.api.desk import CARD, Desk

HISTORY, TERMS = "/v1/admin/history", "/v1/admin/history/terms"


async def paid(desk: Desk, count: int) -> list[str]:
    """Payouts a second apart, all of them sent."""
    made = []
    for number in range(count):
        desk.clock.advance(seconds=1)
        made.append(await desk.pay(f"order-{number}"))
        await desk.work(made[-1])
    return made


async def test_pages_hold_every_payout_once(desk: Desk) -> None:
    """By acceptance; `next` leads on, and is null at the end."""
    made = await paid(desk, 5)
    first = page_of((await desk.get(HISTORY, key="operator", query={"limit": "3"})).raw)
    assert first.next == made[2]
    query = {"limit": "3", "after": first.next}
    rest = page_of((await desk.get(HISTORY, key="operator", query=query)).raw)
    assert [one.payout for one in first.data + rest.data] == made
    assert rest.next is None


async def test_a_span_of_time_is_kept_to(desk: Desk) -> None:
    """`since` and `until` as with other lists."""
    made = await paid(desk, 3)
    query = {"since": after(2).isoformat(), "until": after(3).isoformat()}
    page = page_of((await desk.get(HISTORY, key="operator", query=query)).raw)
    assert [one.payout for one in page.data] == made[1:2]


async def test_history_is_for_operators(desk: Desk) -> None:
    """It spans all merchants."""
    for path in (HISTORY, TERMS):
        assert (await desk.get(path)).status == 403


async def test_no_payee_is_in_it(desk: Desk) -> None:
    """Neither card nor name."""
    await paid(desk, 1)
    raw = (await desk.get(HISTORY, key="operator")).raw.decode()
    assert CARD not in raw
    assert "王" not in raw


async def test_a_replay_of_what_the_gateway_hands_out(desk: Desk) -> None:
    """The gateway's own policy, over its own history and terms, changes nothing."""
    await paid(desk, 3)
    header = header_of((await desk.get(TERMS, key="operator")).raw)
    page = page_of((await desk.get(HISTORY, key="operator")).raw)
    policy: Policy = desk.gateway.policy
    compared = replay(page.data, header.channels, policy)
    assert (compared.counts.compared, compared.counts.changed) == (3, 0)
    assert compared.old.total() == compared.new.total()
    assert compared.success.payouts == 3
