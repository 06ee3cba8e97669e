"""Every channel × every case that its protocol has, over real sockets."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contracts.channels.rigs import RIGS
from tests.contracts.channels.scene import staged
from tests.contracts.channels.suite import SUITE

HAS = [
    pytest.param(kind, case.id, id=f"{kind}-{case.id}")
    for kind, rig in RIGS.items()
    for case in SUITE.values()
    if case.lacked_by(rig) is None
]


@pytest.mark.parametrize(("kind", "case_id"), HAS)
async def test_channel_keeps_the_contract(
    kind: str, case_id: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """One behaviour of the contract, with the answers this kind must give."""
    record_property("cell", (kind, case_id))
    case, rig = SUITE[case_id], RIGS[kind]
    async with staged(rig, case.expected(rig), tmp_path, case.total_timeout_s) as scene:
        await case.run(scene)
