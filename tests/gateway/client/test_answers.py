"""What is read from answers: exactly what the gateway says, nothing guessed."""

import typing
from dataclasses import MISSING, fields
from typing import Any

import pytest

from gateway.api import audit, batches, fee_views, splits, views
from gateway.client import answers, bulk_answers
from gateway.client.answers import Balance, Payout
from gateway.client.reading import UnreadableError, read
from tests.gateway.client.stand_in import payout_view

PAIRS: list[tuple[type, Any]] = [
    (answers.Alternative, views.AlternativeView),
    (answers.Attempt, views.AttemptView),
    (answers.AttemptList, views.AttemptList),
    (answers.Charge, fee_views.ChargeView),
    (answers.ChargePart, fee_views.ChargePartView),
    (answers.FeeReason, fee_views.FeeReasonView),
    (answers.Place, views.LegView),
    (bulk_answers.Batch, batches.BatchView),
    (bulk_answers.BatchPage, batches.BatchPage),
    (bulk_answers.BatchRow, batches.BatchRowView),
    (bulk_answers.BatchRowPage, batches.BatchRowPage),
    (bulk_answers.BatchSummary, batches.BatchSummary),
    (bulk_answers.Refusal, batches.RefusedView),
    (bulk_answers.RowCount, batches.BatchCountView),
    (bulk_answers.Split, splits.SplitView),
    (answers.AuditKey, audit.AuditKeyView),
    (answers.Balance, views.BalanceView),
    (answers.BalanceList, views.BalanceList),
    (answers.Certificate, views.CertificateView),
    (answers.ChannelLimitsKept, views.ConstraintsView),
    (answers.Delivery, views.DeliveryView),
    (answers.DeliveryList, views.DeliveryList),
    (answers.Endpoint, views.EndpointView),
    (answers.EndpointList, views.EndpointList),
    (answers.Event, views.EventView),
    (answers.EventPage, views.EventPage),
    (answers.Label, views.LabelView),
    (answers.MaskedBeneficiary, views.BeneficiaryView),
    (answers.MaskedInstrument, views.InstrumentView),
    (answers.NewEndpoint, views.NewEndpointView),
    (answers.PayeeAction, views.ActionView),
    (answers.Payout, views.PayoutView),
    (answers.PayoutPage, views.PayoutPage),
    (answers.Proof, audit.ProofView),
    (answers.ProvenLeaf, audit.ProvenLeafView),
    (answers.Queued, views.QueuedView),
    (answers.Reason, views.ReasonView),
    (answers.ReasonList, views.WhyView),
]


def nullable(hint: Any) -> bool:
    """Whether None is allowed."""
    return type(None) in typing.get_args(hint)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda one: one.__name__)
def test_a_value_has_the_fields_of_its_view(ours: type, theirs: Any) -> None:
    """Name by name; whatever the gateway may leave empty or out may be empty here."""
    said = typing.get_type_hints(theirs, vars(views))
    known = typing.get_type_hints(ours)
    assert set(known) == set(said)
    for one in fields(ours):
        optional = one.default is not MISSING
        may_lack = one.name in theirs.__optional_keys__
        assert nullable(known[one.name]) == (nullable(said[one.name]) or may_lack), one.name
        assert optional or not may_lack, one.name


def test_a_payout_is_read_whole() -> None:
    """Times are times, the amount is money."""
    payout = read(Payout, payout_view(settled_on="2026-03-03", paid_at="2026-03-02T10:00:00.5Z"))
    assert str(payout.money) == payout.amount == "123.45"
    assert payout.settled_on is not None
    assert payout.settled_on.isoformat() == "2026-03-03"
    assert payout.paid_at is not None
    assert payout.paid_at.tzinfo is not None
    assert payout.beneficiary.instruments[0].rail == "bank_card"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount_minor", 123.0),
        ("amount_minor", True),
        ("amount_minor", "1"),
        ("amount_minor", None),
        ("final", 1),
        ("state", None),
        ("paid_at", "2026-03-02T10:00:00"),
        ("paid_at", "yesterday"),
        ("attempts", []),
        ("metadata", {"a": 1}),
        ("beneficiary", []),
        ("beneficiary", {"instruments": {}}),
    ],
)
def test_a_field_of_another_kind_makes_it_unreadable(field: str, value: object) -> None:
    """The error names the place and repeats nothing of it."""
    with pytest.raises(UnreadableError, match=field):
        read(Payout, payout_view(**{field: value}))


def test_a_missing_field_makes_it_unreadable() -> None:
    """No default stands in for what the gateway did not say."""
    with pytest.raises(UnreadableError, match="balance_minor: missing"):
        read(Balance, {"book": "held", "owner": "m", "currency": "CNY"})


@pytest.mark.parametrize("value", [None, [], "x", 1])
def test_what_is_no_object_is_unreadable(value: object) -> None:
    """An answer is an object."""
    with pytest.raises(UnreadableError, match="the answer"):
        read(Payout, value)
