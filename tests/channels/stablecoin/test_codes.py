"""Every row of the tables, and what stands in none."""

import pytest

from channels.contract import Reason, UnknownCause
from channels.stablecoin import codes

NO_DETAIL = ("", "")


@pytest.mark.parametrize(("status", "code"), codes.SUBMIT)
def test_every_row_of_errors_is_found(status: int, code: int) -> None:
    """By its own status and code; a row for any code by some other one."""
    row = codes.SUBMIT[status, code]
    asked = 424_242 if code == codes.ANY else code
    assert codes.submission_error(status, asked, NO_DETAIL) == row
    assert row.source.startswith("§5")


@pytest.mark.parametrize(
    ("status", "code"), [(400, 1), (400, 1083), (402, 2), (404, 2), (200, 2), (422, 2), (503, 2)]
)
def test_what_no_row_names_is_unknown(status: int, code: int) -> None:
    """Neither a known code under another status nor the other way round is a refusal."""
    assert codes.submission_error(status, code, NO_DETAIL).means is UnknownCause.UNKNOWN_CODE


@pytest.mark.parametrize("status", [400, 401, 403, 409, 429, 500])
def test_something_went_wrong_is_doubt_under_any_status(status: int) -> None:
    """Code -1 may have been carried out."""
    row = codes.submission_error(status, -1, NO_DETAIL)
    assert row.means is UnknownCause.CHANNEL_UNSURE


@pytest.mark.parametrize(("detail", "reason"), codes.DETAILS.items())
def test_details_name_the_reason_of_a_refusal(detail: tuple[str, str], reason: Reason) -> None:
    """Only under 400 and code 2, and the class stays (a)."""
    row = codes.submission_error(400, 2, detail)
    assert (row.means, row.confirm) == (reason, False)
    assert codes.submission_error(500, 2, detail).means is UnknownCause.CHANNEL_UNSURE


@pytest.mark.parametrize(("word", "row"), codes.FAILURES.items())
def test_every_word_of_failure_is_found(word: str, row: codes.Row) -> None:
    """As its row says."""
    assert codes.failure(word) is row


@pytest.mark.parametrize("word", [None, "", "blockchain_error", "INSUFFICIENT_FUNDS", "new_word"])
def test_a_failure_without_a_listed_word_is_in_doubt(word: str | None) -> None:
    """Words of transfers are not words of payouts."""
    assert codes.failure(word).means is UnknownCause.UNKNOWN_CODE


def test_only_refusals_of_our_key_ask_for_a_look() -> None:
    """(d) by HTTP is confirmed by looks; (a) stands alone."""
    asking = {status for (status, _), row in codes.SUBMIT.items() if row.confirm}
    assert asking == {401, 403}


@pytest.mark.parametrize(
    ("status", "code", "cause"),
    [
        (429, 429, UnknownCause.THROTTLED),
        (429, -1, UnknownCause.THROTTLED),
        (500, 2, UnknownCause.CHANNEL_UNSURE),
        (400, -1, UnknownCause.CHANNEL_UNSURE),
        (401, 401, UnknownCause.CHANNEL_UNSURE),
        (403, 3, UnknownCause.CHANNEL_UNSURE),
        (400, 2, UnknownCause.UNKNOWN_CODE),
    ],
)
def test_a_refused_question_is_never_an_answer(status: int, code: int, cause: UnknownCause) -> None:
    """Whatever the refusal, the payout's fate is open."""
    assert codes.inquiry_error(status, code) is cause
