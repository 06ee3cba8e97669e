"""The explainer and the doors are one opinion: laws over any request."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from channels.alipay.signing import string_to_sign as alipay_string
from channels.keyed_md5 import UnsignableError, read_object, signature
from gateway.api.dialects import (
    alipay_envelope,
    epay_reading,
    epay_signing,
    jeepay_reading,
    xxpay_reading,
)
from gateway.api.dialects.alipay_codes import RefusedError as AlipayRefusedError
from gateway.api.dialects.registry import DIALECTS as DOORS
from gateway.api.dialects.wire import Ask
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
SLOW = [HealthCheck.too_slow]
PATIENT = settings(suppress_health_check=SLOW)
FEW = settings(max_examples=20, suppress_health_check=SLOW)
"""Where every example tries every mistake."""
STRANGER = generate_private_key(65537, 2048)


def _jeepays_door(fields: Mapping[str, object]) -> bool:
    return jeepay_reading.prove(fields, KEYS, rsa_only=False) is not None


def _xxpays_door(fields: Mapping[str, object]) -> bool:
    return xxpay_reading.prove(fields, KEYS) is not None


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
@example({"pid": "&"}, True)
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


def test_the_doors_fields_are_the_explainers() -> None:
    """The very lists: what a door learns to know, the explainer knows."""
    known = {name: one.known for name, one in DIALECTS.items()}
    assert known["epay"] is epay_reading.KNOWN
    assert known["jeepay"] is jeepay_reading.KNOWN
    assert known["xxpay"] is xxpay_reading.KNOWN
    assert known["alipay"] is None
    assert known.keys() == DOORS.keys()


KEYED = {
    "jeepay": (jeepay_reading.KNOWN, _jeepays_door),
    "xxpay": (xxpay_reading.KNOWN, _xxpays_door),
}
PLAIN = st.text(st.sampled_from("ABcd_.-09"), min_size=1, max_size=6)
EXTRA = st.dictionaries(PLAIN.map(lambda name: f"x{name}"), VALUES, max_size=3)


def _keyed_text(fields: Mapping[str, Any]) -> str:
    """What the protocol signs, by these lines alone."""
    texts = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in fields.items()
        if value not in (None, "")
    }
    parts = [f"{name}={text}" for name, text in texts.items()]
    return "&".join(sorted(parts, key=lambda part: f"{part}&".lower()))


@FEW
@given(
    st.sampled_from(sorted(KEYED)),
    st.lists(VALUES, min_size=20, max_size=20),
    EXTRA,
    st.integers(0, 3),
    st.sampled_from(["", " ", "\n"]),
)
def test_jeepays_and_xxpays_verdict_and_string_are_the_doors(
    dialect: str, values: list[Any], extra: dict[str, Any], how: int, around: str
) -> None:
    """Signed over all, over what the protocol knows, in lower case, or not at all."""
    known, door = KEYED[dialect]
    names = sorted(known - {"sign", "signType"})
    fields = {**dict(zip(names, values, strict=False)), **extra}
    signed = {name: fields[name] for name in fields if how != 1 or name in known}
    text = _keyed_text(signed)
    made = callers.md5(f"{text}{'&' if text else ''}key={SECRET}").upper()
    sign = {2: made.lower(), 3: "0" * 32}.get(how, made)
    body = orjson.dumps({**fields, "sign": around + sign + around})
    read = read_object(body)
    assert read is not None

    found, proven = explained(dialect, body), door(read)

    assert found["verifies"] == proven
    assert proven == (how != 3 and (not around or dialect == "xxpay"))
    if proven and how != 1:
        assert found["string"] == f"{text}{'&' if text else ''}key=***"


@FEW
@given(
    st.dictionaries(PLAIN, TEXT, min_size=1, max_size=6),
    st.integers(0, 3),
    st.sampled_from(["", " ", "\n"]),
    st.booleans(),
)
def test_alipays_verdict_and_string_are_the_doors(
    fields: dict[str, str], how: int, around: str, lost: bool
) -> None:
    """Signed without what is empty, with it, under another key, or changed since."""
    sent = {**fields, "sign_type": "RSA2", "charset": "utf-8"}
    kept = {name: text for name, text in sent.items() if text or how == 1}
    text = "&".join(f"{name}={kept[name]}" for name in sorted(kept, key=str.encode))
    sign = callers.rsa(text, key=STRANGER if how == 2 else None)
    if how == 3:
        sent["money"] = "99.00"
    sign = around + (sign.replace("+", " ") if lost else sign) + around
    keys = (KeySet("k", NOW, None, callers.public_pem()),)
    given_ = {**sent, "sign": sign}
    try:
        proven = alipay_envelope.proven(given_, keys) is keys[0]
    except AlipayRefusedError:
        proven = False

    found = explained("alipay", urlencode(given_).encode(), callers.public_pem())

    assert found["verifies"] == proven == (how < 2)
    if proven:
        assert found["string"] == text


@PATIENT
@given(FORMS)
def test_alipays_string_is_the_doors(pairs: list[tuple[str, str | bytes]]) -> None:
    """Whatever a form holds, but a parameter twice, which the door refuses."""
    once = {raw(name): value for name, value in pairs}
    body = urlencode(once).encode()
    ask = Ask("POST", "/gateway.do", "", "", body, None)
    read = alipay_envelope.parameters(ask)
    recipe = DIALECTS["alipay"].request[0]
    fields = [replace(one, kind="text") for one in read_fields(body).fields]

    assert raw(text_of(recipe, fields)) == alipay_envelope.string_to_sign(read)
