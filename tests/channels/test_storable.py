"""Laws of what can be kept: no verdict is lost silently, no number is mended into another."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from channels.contract import (
    Absent,
    Evidence,
    LineKind,
    Notice,
    NoticeRefused,
    NoticeReply,
    NotSent,
    NotSentCause,
    Outcome,
    Paid,
    PayeeAction,
    Pending,
    Reason,
    Rejected,
    Returned,
    StatementLine,
    Unknown,
    UnknownCause,
)
from channels.money import Currency, Money
from channels.storable import (
    REFERENCE_CHARS_MAX,
    is_storable,
    storable,
    storable_line,
    storable_notice,
)

AT = datetime(2026, 3, 2, tzinfo=UTC)
FEN = Money(100, Currency.CNY)
REPLY = NoticeReply(200, "text/plain", b"success")
UNFIT = ["a\0b", "a\nb", "\x7f", "\x9b", "\ud800", "\u202e321", "7" * (REFERENCE_CHARS_MAX + 1)]
FIT = ["", "7", "2026030200001", "退款-1", "a b", "7" * REFERENCE_CHARS_MAX]


def naming(ref: str) -> list[Outcome]:
    """Every verdict that names an order."""
    return [
        Paid(ref, AT, FEN),
        Pending(ref, "2"),
        Rejected(Reason.UNEXPLAINED, "9", "no", channel_ref=ref),
        Returned(ref, AT, FEN),
    ]


@pytest.mark.parametrize("ref", UNFIT, ids=ascii)
def test_a_verdict_about_an_order_nobody_can_name_is_none(ref: str) -> None:
    """Whatever it says, it cannot tell; what it said is kept as evidence, in plain characters."""
    for said in naming(ref):
        heard = storable(said)
        assert isinstance(heard, Unknown)
        assert heard.cause is UnknownCause.UNREADABLE
        assert ascii(ref)[:200].encode() in heard.evidence.body


def test_no_number_has_a_character_that_hides_or_breaks() -> None:
    """Controls, those that turn the order of others around, halves of characters: all of them."""
    unfit = [*range(0x20), *range(0x7F, 0xA0), *range(0x2028, 0x202F), *range(0x2066, 0x206A)]
    for code in (*unfit, *range(0xD800, 0xE000)):
        assert not is_storable(f"a{chr(code)}b"), f"U+{code:04X}"


@pytest.mark.parametrize("ref", FIT)
def test_what_can_be_kept_is_left_alone(ref: str) -> None:
    """The very same values."""
    for said in naming(ref):
        assert storable(said) is said
    assert storable(Pending(None)) == Pending(None)


def test_a_page_to_open_is_not_mended() -> None:
    """Another address is another page."""
    action = PayeeAction("open_link", "https://pay.example.com/\n7", AT)
    assert isinstance(storable(Pending("7", "2", action)), Unknown)
    sound = Pending("7", "2", replace(action, package_info="https://pay.example.com/" + "7" * 999))
    assert storable(sound) is sound


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (Pending("7", "st\0ep"), Pending("7", "st\N{REPLACEMENT CHARACTER}ep")),
        (
            Rejected(Reason.RISK_REFUSED, "E\0", "no\ud800\nmore", confirm=True),
            Rejected(
                Reason.RISK_REFUSED,
                "E\N{REPLACEMENT CHARACTER}",
                "no\N{REPLACEMENT CHARACTER}\nmore",
                confirm=True,
            ),
        ),
        (
            NotSent(NotSentCause.DNS, "\0"),
            NotSent(NotSentCause.DNS, "\N{REPLACEMENT CHARACTER}"),
        ),
        (
            Absent(Evidence(200, "\0", None, b"\0")),
            Absent(Evidence(200, "\N{REPLACEMENT CHARACTER}", None, b"\0")),
        ),
        (
            Unknown(UnknownCause.UNKNOWN_CODE, Evidence(200, None, "\ud800")),
            Unknown(UnknownCause.UNKNOWN_CODE, Evidence(200, None, "\N{REPLACEMENT CHARACTER}")),
        ),
    ],
)
def test_free_text_is_mended_and_the_verdict_stands(
    said: Outcome | Absent, heard: Outcome | Absent
) -> None:
    """Text decides nothing, so it may be shown as something else."""
    assert storable(said) == heard


@pytest.mark.parametrize("ref", UNFIT, ids=ascii)
def test_a_notice_that_names_what_cannot_be_looked_up_is_refused(ref: str) -> None:
    """With the reply that ends it: it would say the same again for days."""
    for notice in (Notice("1", ref, None, "paid", REPLY), Notice("1", "r1", ref, "paid", REPLY)):
        refused = storable_notice(notice)
        assert isinstance(refused, NoticeRefused)
        assert refused.reply is REPLY


def test_other_notices_are_left_alone() -> None:
    """Refused ones, too."""
    fine, refused = Notice("1", "r1", None, "paid", REPLY), NoticeRefused("forged", REPLY)
    assert storable_notice(fine) is fine
    assert storable_notice(refused) is refused


def line(reference: str | None, channel_ref: str | None, line_ref: str) -> StatementLine:
    """A movement of a yuan with these numbers."""
    return StatementLine(
        LineKind.PAYOUT, FEN, False, AT, reference, channel_ref, line_ref, "memo\0"
    )


@given(st.text(), st.text())
def test_every_line_can_be_kept_and_none_becomes_another(one: str, other: str) -> None:
    """Numbers stay different, and a mended one is nobody's."""
    kept = [storable_line(line(ref, ref, ref)) for ref in (one, other)]
    for made, ref in zip(kept, (one, other), strict=True):
        assert made.line_ref == made.reference == made.channel_ref
        assert is_storable(made.line_ref)
        assert (made.line_ref == ref) is is_storable(ref)
        assert made.memo == "memo\N{REPLACEMENT CHARACTER}"
    assert (kept[0].line_ref == kept[1].line_ref) is (one == other)


def test_a_line_keeps_what_can_be_kept() -> None:
    """What is not there stays away, what is fine stays as it is."""
    made = storable_line(line(None, "7", "8\0"))
    assert (made.reference, made.channel_ref) == (None, "7")
    assert (made.amount, made.booked_at, made.credit) == (FEN, AT, False)
    plain = replace(line("r", "7", "8"), memo="two\nlines")
    assert storable_line(plain) is plain
