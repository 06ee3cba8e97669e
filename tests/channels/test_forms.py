"""Forms are written as the standard library writes them, to the byte."""

from urllib.parse import parse_qsl, quote_plus, urlencode

from hypothesis import given
from hypothesis import strategies as st

from channels.forms import encoded, quoted

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXT)
def test_text_is_quoted_as_by_the_standard_library(text: str) -> None:
    """Whatever the text, no institution sees a difference."""
    assert quoted(text) == quote_plus(text)


@given(st.lists(st.tuples(TEXT, TEXT)))
def test_forms_are_written_as_by_the_standard_library(fields: list[tuple[str, str]]) -> None:
    """Names, order and separators are the same."""
    assert encoded(fields) == urlencode(fields)


def test_every_ascii_sign_comes_back() -> None:
    """What is read from a form is what was put in."""
    text = "".join(map(chr, range(128)))
    assert parse_qsl(encoded([("all", text)]), strict_parsing=True) == [("all", text)]
