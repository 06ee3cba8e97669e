"""Messages that the bank pushes: verified, fresh, about one payout, or refused."""

import hashlib
import hmac
from datetime import datetime, timedelta

import pytest

from channels.bank.notice import read_notice
from channels.bank.settings import BankSettings
from channels.contract import Notice, NoticeRefused
from tests.channels.bank.house import NOTICE_SECRET, NOW, REFERENCE, settings
from tests.channels.bank.letters import Booking, camt, report, status

RAW = report(status("ACSC", service_ref="B1"))


def signed(body: bytes, secret: str = NOTICE_SECRET, at: datetime = NOW) -> dict[str, str]:
    """The headers the bank sends along."""
    timestamp = str(int(at.timestamp()))
    code = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return {"x-bank-timestamp": timestamp, "x-bank-signature": code.hexdigest()}


def heard(
    body: bytes = RAW,
    headers: dict[str, str] | None = None,
    given: BankSettings | None = None,
) -> Notice | NoticeRefused:
    """Read one as it arrives."""
    return read_notice(signed(body) if headers is None else headers, body, given or settings(), NOW)


def test_a_status_names_its_payout() -> None:
    """By our reference, with the message's own number."""
    notice = heard()
    assert isinstance(notice, Notice)
    assert (notice.notice_id, notice.reference, notice.channel_ref, notice.event) == (
        "BANK0001",
        REFERENCE,
        "B1",
        "ACSC",
    )
    assert notice.reply.status == 200


def test_a_booking_names_its_payout() -> None:
    """A camt.054 of one entry."""
    notice = heard(camt("camt.054", Booking()))
    assert isinstance(notice, Notice)
    assert (notice.reference, notice.event) == (REFERENCE, "DBIT BOOK")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(RAW, "another-secret-of-somebody"),
        signed(RAW + b" "),
        signed(RAW, at=NOW - timedelta(seconds=301)),
        signed(RAW, at=NOW + timedelta(seconds=301)),
        signed(RAW) | {"x-bank-timestamp": "now"},
        signed(RAW) | {"x-bank-signature": ""},
        signed(RAW) | {"x-bank-signature": "é" * 64},
    ],
    ids=["none", "secret", "body", "old", "early", "no number", "empty", "no hex"],
)
def test_what_is_not_proven_is_refused(headers: dict[str, str]) -> None:
    """And told so."""
    refused = heard(headers=headers)
    assert isinstance(refused, NoticeRefused)
    assert refused.reply.status == 401


def test_both_secrets_live_while_one_takes_over() -> None:
    """Rotation needs no standstill."""
    both = settings(notice_secrets=["a-new-secret-for-tests", NOTICE_SECRET])
    assert isinstance(heard(given=both), Notice)
    fresh = signed(RAW, "a-new-secret-for-tests")
    assert isinstance(heard(headers=fresh, given=both), Notice)


def test_without_a_secret_nothing_can_be_verified() -> None:
    """The connection alone vouches for nobody here."""
    refused = heard(given=settings(notice_secrets=None))
    assert isinstance(refused, NoticeRefused)
    assert "cannot be verified" in refused.cause


@pytest.mark.parametrize(
    "body",
    [
        b"<a/>",
        b"",
        camt("camt.054", Booking(), account="9999"),
        camt("camt.054", Booking(), Booking(reference="OTHER", ref="E2")),
        camt("camt.054", Booking(reference=None)),
    ],
    ids=["other", "empty", "account", "two", "none"],
)
def test_genuine_but_not_about_one_payout(body: bytes) -> None:
    """Acknowledged, so that it is not told for ever; inquiries find what it says."""
    refused = heard(body)
    assert isinstance(refused, NoticeRefused)
    assert refused.reply.status == 200
