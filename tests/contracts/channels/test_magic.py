"""Magic amounts do, for every kind, what its table says they do.

Whoever tries the gateway by hand must see the same answers as the cases about the same faults.
"""

from pathlib import Path

import pytest

from simulators.magic import Magic
from simulators.registry import KINDS
from tests.contracts.channels.rigs import RIGS
from tests.contracts.channels.scene import staged
from tests.contracts.channels.suite import SUITE

ABOUT = {
    ("reset_before", False): "lost_before",
    ("reset_after", False): "lost_after",
    ("reset_mid", False): "cut",
    ("reject", True): "unsure_executed",
    ("reject", False): "unsure_not_executed",
    ("short_balance", False): "short_balance",
    ("bad_signature", False): "bad_signature",
    ("garbage", False): "garbage",
    ("http_error", True): "http_502_executed",
    ("unknown_status", False): "unknown_status",
    ("wrong_echo", False): "echo_amount",
}
"""Action and whether `executed` is set → the case about it."""
ELSEWHERE = {"slow", "not_found_window", "notice_duplicate", "notice_lost", "notice_forged"}
"""Actions of magic amounts that change no answer to the submission."""
ROWS = [
    pytest.param(name, row, id=f"{name}-{row.amount_fen}-{row.action}")
    for name, rig in RIGS.items()
    for row in KINDS[rig.kind].magic
    if row.amount_fen is not None and row.action not in ELSEWHERE
]


@pytest.mark.parametrize(("name", "row"), ROWS)
async def test_a_magic_amount_is_answered_as_its_fault(
    name: str, row: Magic, tmp_path: Path
) -> None:
    """Without any rule, the amount alone makes the answer of the case."""
    case, rig = SUITE[ABOUT[row.action, row.params.get("executed") is True]], RIGS[name]
    assert case.lacked_by(rig) is None, "a magic amount for a fault the protocol does not have"
    async with staged(rig, case.expected(rig), tmp_path) as scene:
        scene.answers("send", await scene.pay(scene.order(amount=row.amount_fen)))
