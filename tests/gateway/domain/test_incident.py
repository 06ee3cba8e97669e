"""Which evidence is an incident, and which of them freezes."""

import pytest

from gateway.domain.incident import IncidentKind, frozen_reason, of_break, of_event
from gateway.domain.lifecycle import apply
from gateway.domain.payout import Contradicted, Source
from gateway.domain.proposal import same_person
from gateway.domain.reconciliation import BreakKind
from tests.builders import NOW, doubted, open_break
from tests.gateway.domain.situations import situation

LATE, REGRESS = IncidentKind.LATE_SUCCESS, IncidentKind.REGRESS


@pytest.mark.parametrize(
    ("name", "says", "minor", "kind"),
    [
        ("failed", "paid", 10_000, LATE),
        ("failed", "pending:DEALING", 0, LATE),
        ("routing after a dead attempt", "paid", 10_000, LATE),
        ("paid", "rejected:FAIL", 0, REGRESS),
        ("settled", "returned:1", 0, REGRESS),
        ("failed", "returned", -10_000, None),
    ],
)
def test_contradictions_are_incidents(
    name: str, says: str, minor: int, kind: IncidentKind | None
) -> None:
    """About the dead they freeze; about the paid they do not; money coming back is none."""
    event = Contradicted(1, Source.INQUIRY, says, minor)
    moved = apply(situation(name), event, NOW)
    found = of_event(moved, event, moved.version, "in_1")
    assert (found and found.kind) == kind
    if found is not None:
        assert found.kind.freezes == (kind is LATE)
        assert (found.payout_id, found.attempt, found.is_open) == (moved.id, 1, True)
        assert found.evidence == f"event {moved.version}: inquiry says {says}"


def test_other_events_reveal_nothing() -> None:
    """Doubt is the daily bread."""
    moved = situation("attempting, in doubt")
    assert of_event(moved, doubted(), moved.version, "in_1") is None


@pytest.mark.parametrize("kind", BreakKind)
def test_breaks_that_may_have_cost_money_are_incidents(kind: BreakKind) -> None:
    """A duplicate; a status against the proof is its payout's contradiction, and told once."""
    found = of_break(open_break(kind=kind, line_ref="L7"), "in_1")
    assert (found is not None) == (kind is BreakKind.DUPLICATE)
    if found is not None:
        assert not found.kind.freezes
        assert "L7" in found.evidence


def test_the_reason_names_the_channel() -> None:
    """Whoever reads the payout knows what it waits for."""
    assert frozen_reason("alipay-main") == "failover_frozen:alipay-main"


@pytest.mark.parametrize(("other", "same"), [("WANG ", True), ("w a n g", True), ("wangs", False)])
def test_labels_name_persons(other: str, *, same: bool) -> None:
    """Case and blanks make no other person."""
    assert same_person("Wang", other) is same
