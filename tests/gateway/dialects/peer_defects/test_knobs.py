"""Dialects.md §5b: what simulators must be able to do, and which callers there must be."""

import pytest

from simulators.actions import ACTIONS
from tests.gateway.dialects import epaycore, epayn

KNOBS = {
    "response lost before the debit": {"reset_before"},
    "response lost after the debit": {"reset_after", "reset_mid"},
    "bad response signature": {"bad_signature", "unsigned"},
    "HTTP 200 with an unknown enum": {"unknown_status", "unknown_code"},
    "delayed success": {"settle_late", "settle_never"},
    "success, then 退票": {"return_late"},
    "WeChat confirmation never, at 23 h, at 25 h": {"confirm_never", "confirm_late"},
    "balance exhausted": {"short_balance"},
    "hour windows including midnight": {"maintenance"},
    "not found for the first minutes": {"not_found_window"},
    "duplicate and out-of-order notices": {"notice_duplicate", "notice_out_of_order"},
    "bill late": {"statement_late"},
    "bill partial": {"statement_missing_line"},
    "bill with duplicated lines": {"statement_duplicate_line"},
    "cut-off shifted rows": {"statement_shifted_line"},
    "an amount off by one fen": {"statement_wrong_amount"},
    "a channel that pays twice on a repeated number": {"double_execute"},
    "a failure that was paid": {"failed_though_paid", "left_created"},
}


@pytest.mark.parametrize("knob", KNOBS)
def test_there_is_a_fault_for_every_knob(knob: str) -> None:
    """By its name in the list."""
    assert KNOBS[knob] <= ACTIONS.keys()


def test_the_stock_callers_are_as_stubborn_as_they_really_are() -> None:
    """Ten seconds, five minutes either way; of both there is one that knows nothing of ours."""
    for bot in (epayn, epaycore):
        assert (bot.TIMEOUT_S, bot.CLOCK_S) == (10, 300)
        assert not [name for name in vars(bot) if name.startswith("gateway")]
