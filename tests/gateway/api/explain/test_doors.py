"""The explainer and the doors are one opinion: laws over any request."""

from typing import Any
from urllib.parse import urlencode

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.alipay.signing import string_to_sign as alipay_string
from channels.keyed_md5 import UnsignableError, read_object, signature
from gateway.api.dialects import epay_reading, epay_signing
from gateway.api.dialects.wire import form as read_form
from gateway.api.explain.keys import given as given_key
from gateway.api.explain.recipe import DIALECTS, text_of
from gateway.api.explain.sent import SENT_BYTES_MAX, UnreadableError, raw, read_fields
from gateway.domain.dialect import KeySet
from tests.builders import NOW
from tests.gateway.api.explain import callers
from tests.gateway.api.explain.callers import SECRET, explained

TEXT = st.text(st.characters(codec="utf-8"), max_size=10)
NAMES = st.one_of(
    st.sampled_from(["pid", "money", "name", "remark", "A", "a", "a0", "Zone", "amount", "mchNo"]),
    TEXT.filter(lambda name: name not in {"sign", "sign_type", "signType", "data"}),
)
FORMS = st.lists(st.tuples(NAMES, st.one_of(TEXT, st.binary(max_size=6))), min_size=1, max_size=8)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(10**12), 10**12), TEXT)
KEYS = (KeySet("k", NOW, SECRET),)
PATIENT = settings(deadline=None)
FEW = settings(deadline=None, max_examples=20)
"""Where every example tries every mistake."""


@PATIENT
@given(FORMS)
def test_epays_string_is_the_doors(pairs: list[tuple[str, str | bytes]]) -> None:
    """Whatever a form holds: bytes that are no UTF-8, names that stand twice, arrays."""
    body = urlencode(pairs).encode()
    read = read_form(body)
    assert read is not None
    recipe = DIALECTS["epay"].request[0]

    assert raw(text_of(recipe, read_fields(body).fields)) == epay_signing.string_to_sign(read)


@PATIENT
@given(FORMS, st.integers(0, 3), st.sampled_from(["", "MD5", "md5", "RSA", "SHA1"]))
def test_epays_verdict_is_the_doors(
    pairs: list[tuple[str, str | bytes]], how: int, kind: str
) -> None:
    """Signed over all, over what the protocol knows, in upper case, or not at all."""
    fields = read_form(urlencode(pairs).encode()) or {"pid": "1"}
    known = {name: value for name, value in fields.items() if name in epay_reading.KNOWN}
    text = epay_signing.string_to_sign(known if how == 1 else fields)
    sign = "0" * 32 if how == 3 else epay_signing.md5(text, SECRET)
    sign = sign.upper() if how == 2 else sign
    sent = urlencode(
        [*((raw(n), raw(v)) for n, v in fields.items()), ("sign_type", kind), ("sign", sign)]
    ).encode()
    read = read_form(sent)
    assert read is not None

    proven = epay_signing.prove(read, KEYS, epay_reading.KNOWN, rsa_only=False)

    assert explained("epay", sent)["verifies"] == (proven is not None)


@PATIENT
@given(st.sampled_from(["RSA", "MD5"]), st.sampled_from([" ", "", "\n"]), st.booleans())
def test_epays_leniency_is_the_doors(kind: str, around: str, lost: bool) -> None:
    """Blanks around a signature, a plus that became one."""
    fields = {"pid": "1001", "money": "1.00", "sign_type": kind}
    text = epay_signing.string_to_sign(fields)
    sign = epay_signing.md5(text, SECRET) if kind == "MD5" else callers.rsa(text)
    sign = around + (sign.replace("+", " ") if lost else sign) + around
    keys = (KeySet("k", NOW, SECRET, callers.public_pem()),)

    proven = epay_signing.prove({**fields, "sign": sign}, keys, epay_reading.KNOWN, rsa_only=False)

    sent = urlencode({**fields, "sign": sign}).encode()
    found = explained("epay", sent, SECRET, callers.public_pem())
    assert found["verifies"] == (proven is not None)


@FEW
@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=8), st.booleans())
def test_jeepays_and_xxpays_verdict_is_the_signers(fields: dict[str, Any], right: bool) -> None:
    """As JSON: numbers, booleans, null, either case of hex."""
    signed = {name: value for name, value in fields.items() if name != "sign"}
    made = signature(signed, SECRET)
    sign = made.lower() if right else made[:-1] + ("0" if made[-1] != "0" else "1")
    body = orjson.dumps({**signed, "sign": sign})
    read = read_object(body)
    assert read is not None

    for dialect in ("jeepay", "xxpay"):
        found = explained(dialect, body)
        assert found["verifies"] == right
        assert found["ours"] == made


@FEW
@given(st.dictionaries(NAMES, st.lists(st.integers(0, 9), max_size=2), min_size=1, max_size=3))
def test_what_cannot_be_signed_never_verifies(fields: dict[str, Any]) -> None:
    """Lists inside JSON: the signer refuses them, and so does the verdict."""
    body = orjson.dumps({**fields, "sign": "0" * 32})
    try:
        signature(fields, SECRET)
    except UnsignableError:
        found = explained("jeepay", body)
        assert not found["verifies"]
        assert {one["why"] for one in found["dropped"]} >= {"nested"}


@PATIENT
@given(st.dictionaries(NAMES, TEXT, min_size=1, max_size=8))
def test_alipays_strings_are_the_adapters(fields: dict[str, str]) -> None:
    """The request's, with sign_type, and the classic notice's, without."""
    fields = {name: value for name, value in fields.items() if "[" not in name}
    sent = {**fields, "sign_type": "RSA2", "sign": "x"}
    read = read_fields(urlencode(sent).encode()).fields
    request, notice = DIALECTS["alipay"].request[0], DIALECTS["alipay"].notice[0]

    assert text_of(request, read).encode() == alipay_string(sent, "sign")
    assert text_of(notice, read).encode() == alipay_string(sent, "sign", "sign_type")


@PATIENT
@given(st.binary(max_size=400))
def test_nothing_pasted_breaks_it(pasted: bytes) -> None:
    """Anything at all is explained, or refused in a sentence; and can be written as JSON."""
    for dialect in DIALECTS:
        try:
            found = explained(dialect, pasted)
        except UnreadableError:
            continue
        orjson.dumps(found)
        assert not found["verifies"]


@FEW
@given(FORMS, st.sampled_from(sorted(DIALECTS)), st.integers(0, 4))
def test_a_secret_is_never_shown(
    pairs: list[tuple[str, str | bytes]], dialect: str, how: int
) -> None:
    """Not in any part of what is said, even when it was pasted along with the string."""
    text = read_fields(urlencode(pairs).encode()).text("money")
    mine = (
        None,
        f"a=1&b=2&key={SECRET}",
        f"a=1&b={text}{SECRET}",
        f"a=1&b=2{SECRET.lower()}",
        f"{SECRET}\n",
    )[how]
    more = {} if mine is None else {"their_string": mine.encode("utf-8", "replace")}
    sent = urlencode([*pairs, ("sign", "0" * 32)]).encode()

    said = orjson.dumps(explained(dialect, sent, SECRET + "\n", **more)).decode()

    assert SECRET not in said
    if dialect != "alipay":
        # There no shared secret signs, and what was pasted is shown as it is.
        assert SECRET.lower() not in said.lower()
    assert "BEGIN" not in orjson.dumps(explained(dialect, sent, callers.pem())).decode()


def test_the_cost_of_a_search_is_bounded() -> None:
    """The largest request that is read, with nothing right in it, is still answered."""
    names = [f"n{number}" for number in range(199)]
    sent = urlencode([*((name, "+" * 45) for name in names), ("sign", "0" * 32)]).encode()
    assert len(sent) <= SENT_BYTES_MAX

    assert [one["code"] for one in explained("epay", sent)["mistakes"]] == ["wrong_key"]
    assert given_key("k", SECRET).secret == SECRET
