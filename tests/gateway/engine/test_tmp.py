from dataclasses import replace
from tests.gateway.engine.rig import *
from tests.gateway.engine.test_reconcile import MUTE, CARD, B
async def test_x(url):
    sticky = seat(MUTE, flat_fen=0, settings={"resend_window_s": 0})
    async with running(url, (sticky, B)) as rig:
        plain = await rig.pay()
        rig.fault("reject", A, code="REMARK_HAS_SENSITIVE_WORD", executed=True)
        dead = await rig.pay(20_000)
        rig.fault("reset_after", A)
        rig.fault("not_found_window", A, seconds="9d")
        doubtful = await rig.pay(30_000)
        returned = await rig.pay(40_000, replace(CARD, number="6222000000000002"))
        await rig.next_morning()
        await rig.next_morning()
        print(await rig.kinds(returned), await rig.states(returned), rig.now(), await rig.store.breaks())
        print(await rig.statements())
        print(await rig.timeline(returned))
        assert 0
