"""The signature that Jeepay and XxPay share, held to the published vectors and to its laws."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from channels.keyed_md5 import (
    Secrets,
    UnsignableError,
    credentials_of,
    is_private,
    read_object,
    secrets_of,
    signature,
)

VECTOR = {
    "amount": 100,
    "appId": "60cc09bce4b0f1c0b83761c9",
    "mchNo": "M1621873433953",
    "reqTime": "1700000000123",
    "signType": "MD5",
    "version": "1.0",
}
"""jeepay-skills, tests/signature_vectors.json (dialects.md §1)."""
KEY = "offline-test-key"
FIELDS = st.dictionaries(
    st.sampled_from(["a", "A1", "a0", "bZ", "b_", "c", "mchNo", "state", "amount"]),
    st.one_of(st.none(), st.integers(), st.booleans(), st.text(max_size=8)),
    max_size=8,
)


def test_the_official_vector_holds() -> None:
    """Integers and text are signed as they are written."""
    assert signature(VECTOR, KEY) == "CE76B1B36C5B683AD2F8FB0FCA95055B"


def test_the_official_tie_holds() -> None:
    """Whole strings are sorted without regard to case: a0, then A, then a."""
    commons = {name: VECTOR[name] for name in ("reqTime", "signType", "version")}
    tied = {**commons, "a": "z", "A": "a", "a0": "prefix"}
    assert signature(tied, KEY) == "BA9AF3B13F07EC35495DCC96D8171C56"


def test_null_and_empty_are_left_out_and_nothing_else_is() -> None:
    """False, zero and a blank are values."""
    bare = signature({"a": "1"}, KEY)
    assert signature({"a": "1", "b": None, "c": "", "sign": "x"}, KEY) == bare
    for value in (False, 0, " "):
        assert signature({"a": "1", "b": value}, KEY) != bare


@given(FIELDS, st.integers())
def test_the_order_of_the_fields_does_not_matter(fields: dict[str, object], seed: int) -> None:
    """A reply may name its fields in any order."""
    names = {name.lower(): name for name in fields}
    unique = {name: fields[name] for name in names.values()}
    shuffled = list(unique.items())
    random.Random(seed).shuffle(shuffled)
    assert signature(dict(shuffled), KEY) == signature(unique, KEY)


@given(FIELDS, st.text("0123456789abcdef", min_size=8, max_size=8))
def test_another_secret_proves_nothing(fields: dict[str, object], other: str) -> None:
    """What one secret signs, no other verifies."""
    signed = Secrets((KEY,)).sign(fields)
    assert Secrets((KEY,)).proves(fields, signed)
    assert not Secrets((other,)).proves(fields, signed)


@pytest.mark.parametrize("given_as", [None, 7, "", "é" * 32, "CE76", ["x"]])
def test_what_is_no_signature_proves_nothing(given_as: object) -> None:
    """Whatever stands where the signature should."""
    assert not Secrets((KEY,)).proves(VECTOR, given_as)


def test_lower_case_hex_counts() -> None:
    """Some clones write it so."""
    assert Secrets((KEY,)).proves(VECTOR, signature(VECTOR, KEY).lower())


def test_the_previous_secret_verifies_and_does_not_sign() -> None:
    """While the secret is changed, both are in use at the other side."""
    both = Secrets(("the-new-one", KEY))
    assert both.proves(VECTOR, signature(VECTOR, KEY))
    assert both.sign(VECTOR) == signature(VECTOR, "the-new-one")


def test_a_nested_value_cannot_be_signed_or_proven() -> None:
    """Their software writes it in a way of its own."""
    nested = {"a": {"b": 1}}
    with pytest.raises(UnsignableError, match="neither text nor number"):
        signature(nested, KEY)
    assert not Secrets((KEY,)).proves(nested, "0" * 32)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b"{", b'{"a":1,"a":2}', b'{"a":NaN}', b"\xff", b"[" * 100_000]
)
def test_what_is_no_plain_object_is_not_read(body: bytes) -> None:
    """Nothing, a list, half of it, a field twice, no JSON at all, endless nesting."""
    assert read_object(body) is None


def test_decimals_stay_text() -> None:
    """They were signed as they were written; 1.10 must not become 1.1."""
    assert read_object(b'{"a":1.10,"b":2}') == {"a": "1.10", "b": 2}


@pytest.mark.parametrize("half", [b'"\\ud800"', b'"\xed\xa0\x80"', b'{"deep":["\\udfff"]}'])
def test_half_a_character_makes_an_unreadable_object(half: bytes) -> None:
    """JSON can spell it, but nothing could sign or keep it."""
    assert read_object(b'{"a":' + half + b"}") is None
    assert read_object(b'{"a":"\\ud83d\\ude00"}') == {"a": "\U0001f600"}


def test_what_cannot_be_written_is_not_signed_and_shows_no_secret() -> None:
    """No encoding error escapes, whose text would hold the secret behind the fields."""
    assert not Secrets((KEY,)).proves({"a": "\ud800"}, "0" * 32)
    with pytest.raises(UnsignableError, match="no Unicode") as refused:
        signature({"a": "\ud800"}, KEY)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("given_secrets", "complaint"),
    [
        (("short",), "at least 8"),
        ((" a-secret-with-blanks ",), "no blanks"),
        (("a-sécret-not-ascii",), "ASCII"),
        (("the-same-secret", "the-same-secret"), "is the present one"),
    ],
)
def test_a_bad_secret_is_refused_without_being_shown(
    given_secrets: tuple[str, ...], complaint: str
) -> None:
    """The error names the setting."""
    with pytest.raises(ValueError, match=complaint) as refused:
        secrets_of("app_secret", *map(SecretStr, given_secrets))
    assert "app_secret" in str(refused.value)
    assert given_secrets[0] not in str(refused.value)


def test_credentials_name_secrets_without_giving_them_away() -> None:
    """Equal for equal secrets, different for others, and no hash of the bare secret."""
    first = credentials_of(Secrets((KEY, "another-secret")), "now", "before")
    again = credentials_of(Secrets((KEY,)), "now", "before")
    assert [(one.name, one.holder, one.not_after) for one in first] == [
        ("now", "ours", None),
        ("before", "ours", None),
    ]
    assert again == first[:1]
    assert first[0].fingerprint != first[1].fingerprint
    assert len(bytes.fromhex(first[0].fingerprint)) == 32
    assert KEY not in repr(Secrets((KEY,)))


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("https://pay.example.test", True),
        ("http://127.0.0.1:9216", True),
        ("http://localhost", True),
        ("http://[::1]:80", True),
        ("http://10.0.0.1", False),
        ("http://pay.example.test", False),
    ],
)
def test_only_tls_and_this_machine_are_private(address: str, private: bool) -> None:
    """Where unsigned words can be trusted to come from the server."""
    assert is_private(address) is private
