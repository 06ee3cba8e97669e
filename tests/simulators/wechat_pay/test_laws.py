"""Laws that hold after any sequence of calls, waits and top-ups."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulators.wechat_pay.merchant import World, account, make_world

PAYEES = (
    *("o-anybody", "magic-never-confirms", "magic-frozen", "magic-confirms-late"),
    "magic-never-settles",
)
numbers = st.sampled_from([f"n{i}" for i in range(6)])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), numbers, st.integers(10, 3000), st.sampled_from(PAYEES)),
        st.tuples(st.just("cancel"), numbers),
        st.tuples(st.just("confirm"), numbers),
        st.tuples(st.just("wait"), st.sampled_from([1, 2, 3600, 86_400])),
        st.tuples(st.just("topup"), st.integers(1, 3000)),
    ),
    max_size=25,
)


def run(world: World, step: tuple[object, ...]) -> None:
    """Does one step, whatever the simulator answers."""
    match step:
        case ("submit", str(number), int(amount), str(payee)):
            world.submit(number, transfer_amount=amount, openid=payee)
        case ("cancel", str(number)):
            world.cancel(number)
        case ("confirm", str(number)):
            try:
                world.simulator.trigger("payout.confirmed", number, world.now)
            except LookupError:
                return
        case ("wait", int(seconds)):
            world.pass_time(seconds=seconds)
        case ("topup", int(amount)):
            world.simulator.topup("wechat-1", amount, world.now)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=steps,
    mode=st.sampled_from(["reject", "hold"]),
    race=st.sampled_from(["platform", "payee"]),
)
def test_money_is_conserved(steps: list[tuple[object, ...]], mode: str, race: str) -> None:
    """Opening balance and top-ups equal what is left plus what was paid; a number pays once; what
    is frozen belongs to bills under way; a bill is paid exactly when it says SUCCESS."""
    world = make_world(
        account(balance_fen=4000, fee={"flat_fen": 3}, submit_per_s=0),
        short_balance=mode,
        cancel_race=race,
        cancel_after_s=2,
    )
    for step in steps:
        run(world, step)
    available, frozen = world.balance()
    moved = world.moved()
    sums = {kind: sum(a for k, _, a in moved if k == kind) for kind in ("payout", "fee", "topup")}
    assert available >= 0
    assert available + frozen == 4000 + sums["topup"] - sums["payout"] - sums["fee"]
    paid = [number for kind, number, _ in moved if kind == "payout"]
    assert len(paid) == len(set(paid))
    locked = 0
    for number in {f"n{i}" for i in range(6)}:
        heard = world.query(number)
        if heard.status == 404:
            assert number not in paid
            continue
        assert (heard.said["state"] == "SUCCESS") == (number in paid)
        amount = heard.said["transfer_amount"]
        assert isinstance(amount, int)
        # CANCELING keeps its lock only when it had one, so it is bounded, not equal.
        if heard.said["state"] in {"WAIT_USER_CONFIRM", "TRANSFERING"}:
            locked += amount + 3
    assert frozen >= locked
    world.pass_time(days=3)
    stuck = [
        n for n in (f"n{i}" for i in range(6)) if world.query(n).said.get("state") == "TRANSFERING"
    ]
    assert (world.balance()[1] == 0) == (not stuck)
