"""What a caller says that it signed is compared with the right string, without any secret in it."""

import pytest

from gateway.api.explain.difference import difference, without_secret
from tests.gateway.api.explain import callers
from tests.gateway.api.explain.callers import ALIPAY, EPAY, SECRET, explained, form, full, joined

RIGHT = "a=1&b=2"
OTHER = "x" * 20


@pytest.mark.parametrize(
    ("tail", "text", "shown"),
    [
        ("bare", RIGHT, f"{RIGHT}***"),
        ("bare", f"{RIGHT}{SECRET}\n", f"{RIGHT}***"),
        ("bare", f"b=2&a=1{SECRET}", "b=2&a=1***"),
        ("bare", f"{RIGHT}{OTHER}", f"{RIGHT}***"),
        ("bare", f"b=2&a=1&key={SECRET}", "b=2&a=1&key=***"),
        ("bare", f"b={'2' * 40}{OTHER}", f"b={'2' * 28}***"),
        ("key", RIGHT, f"{RIGHT}&key=***"),
        ("key", f"{RIGHT}&", f"{RIGHT}&key=***"),
        ("key", f"b=2&a=1&key={OTHER}", "b=2&a=1&key=***"),
        ("key", f"b=2&a=1{SECRET}", "b=2&a=1***"),
        ("none", f"b=2&a=1&key={OTHER}", "b=2&a=1&key=***"),
        ("none", f"b=2&a=1{SECRET}", "b=2&a=1***"),
    ],
)
def test_a_pasted_secret_is_hidden(tail: str, text: str, shown: str) -> None:
    """Ours, another, with `key=` or bare; where it is not plain, the end is hidden."""
    assert without_secret(text, tail, RIGHT, [SECRET]) == shown


def test_rsa_hides_nothing() -> None:
    """No secret is part of its string."""
    assert without_secret("b=2&a=1", "none", RIGHT, []) == "b=2&a=1"


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [("abc", "abd", 2), ("abc", "ab", 2), ("ab", "abc", 2), ("", "a", 0), ("提现", "提款", 1)],
)
def test_the_first_difference_is_counted_in_characters(ours: str, theirs: str, same: int) -> None:
    """Also where one string is the beginning of the other."""
    found = difference(ours, theirs)
    assert found is not None
    assert found["same"] == same
    assert difference(ours, ours) is None


def test_a_callers_own_string_is_compared() -> None:
    """Where no known mistake explains the signature, the string does."""
    wrong = joined(full(ALIPAY)).replace("12.30", "12.3")
    found = explained(
        "alipay",
        form(ALIPAY, callers.rsa(wrong + "?")),
        callers.public_pem(),
        their_string=wrong.encode(),
    )

    assert [one["code"] for one in found["mistakes"]] == ["value_changed"]
    parted = found["difference"]
    assert parted is not None
    assert parted["before"].endswith('"trans_amount":"12.3')
    assert (parted["ours"][0], parted["theirs"][0]) == ("0", '"')


def test_the_right_string_differs_nowhere() -> None:
    """Then it is the key, or the digest."""
    text = joined(full(EPAY))
    found = explained("epay", form(EPAY, callers.md5(text + "other")), their_string=text.encode())

    assert found["difference"] is None
    assert found["their_string"] == found["string"] == f"{text}***"
    assert [one["code"] for one in found["mistakes"]] == ["wrong_key"]
