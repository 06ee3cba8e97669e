"""The ledger as a whole: looked at before anything is sent, not before anything is answered."""

from pathlib import Path
from typing import Any

import pytest

from gateway.engine import watch as watching
from gateway.engine.watch import Watch
from tests.gateway.api.desk import Desk, open_desk


def watch_of(desk: Desk) -> Watch:
    """Without a mark."""
    return Watch(desk.gateway, lambda: None, lambda _: None)


async def shifted(desk: Desk) -> None:
    """Two balances that cancel each other out: only the entries tell."""

    def write(self: Any) -> None:
        for sign, book in (("+", "available"), ("-", "held")):
            self._writer.execute(
                f"UPDATE balances SET minor = minor {sign} 7 WHERE book = '{book}' "  # noqa: S608 - both are ours
                "AND owner = 'm_acme'"
            )

    write(desk.store._database)


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_shifted_ledger_halts_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    """A small one before requests are answered, a large one after that and before the worker."""
    async with open_desk(tmp_path) as desk:
        await desk.work(await desk.pay())
        await shifted(desk)
        monkeypatch.setattr(watching, "AT_ONCE_MAX", 20_000 if at_once else 0)
        watch = watch_of(desk)

        await watch.begin()
        assert (desk.gateway.halted is not None) is at_once
        await watch.finish()

        assert desk.gateway.halted is not None
        assert desk.gateway.halted.code == "ledger_off"


async def test_a_good_ledger_is_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second `finish` has nothing left to do, and says so by reading nothing."""
    async with open_desk(tmp_path) as desk:
        await desk.work(await desk.pay())
        monkeypatch.setattr(watching, "AT_ONCE_MAX", 0)
        watch = watch_of(desk)
        await watch.begin()
        await watch.finish()
        await shifted(desk)

        await watch.finish()

        assert desk.gateway.halted is None
