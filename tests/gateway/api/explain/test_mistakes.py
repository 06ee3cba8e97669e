"""Every mistake that callers make is found by its name, over requests signed by other code."""

import base64
import hashlib
from html import escape
from urllib.parse import quote, quote_plus, urlencode

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from gateway.api.explain.native import NATIVES
from gateway.api.explain.words import DROPPED, MISTAKES, NOTES
from tests.gateway.api.explain import callers, test_native
from tests.gateway.api.explain.callers import (
    ALIPAY,
    EPAY,
    JEEPAY,
    SECRET,
    as_json,
    caseless,
    codes,
    explained,
    form,
    full,
    joined,
    md5,
    rsa,
    with_,
)

MD5 = ("sign_type", "MD5")
RSA = ("sign_type", "RSA")
OLD_HASH = hashes.SHA1()  # noqa: S303 - what such callers use
RIGHT = joined(full(EPAY))
KEYED = joined(caseless(JEEPAY))
PLUS = with_(EPAY, ("account", "a+b c@x.test"))
LINK = with_(EPAY, ("account", "x?a=1&b=2"))
BLANK = with_(EPAY, ("account", "  "))
ZERO = with_(EPAY, ("bookid", "0"))
SPACED = with_(EPAY, ("account", " a@x.test "))
SLASH = with_(EPAY, ("account", "a/b"))

SHARED: list[tuple[str, str, bytes]] = [
    ("order_case_sensitive", "jeepay", form(JEEPAY, md5(f"{joined(full(JEEPAY))}&key={SECRET}"))),
    (
        "order_any_case",
        "epay",
        form(
            with_(EPAY, ("Zone", "7")),
            md5(joined(caseless(with_(EPAY, ("Zone", "7")))) + SECRET),
        ),
    ),
    (
        "order_names_any_case",
        "jeepay",
        form(
            with_(JEEPAY, ("A", "a"), ("a0", "p")),
            md5(
                joined(
                    sorted(
                        (one for one in with_(JEEPAY, ("A", "a"), ("a0", "p")) if one[1]),
                        key=lambda one: one[0].lower(),
                    )
                )
                + f"&key={SECRET}"
            ),
        ),
    ),
    (
        "order_whole_pairs",
        "epay",
        form(
            with_(EPAY, ("name0", "1")),
            md5("&".join(sorted(f"{k}={v}" for k, v in with_(EPAY, ("name0", "1")) if v)) + SECRET),
        ),
    ),
    ("order_as_sent", "epay", form(EPAY, md5(joined(one for one in EPAY if one[1]) + SECRET))),
    ("order_reversed", "epay", form(EPAY, md5(joined(full(EPAY)[::-1]) + SECRET))),
    ("empty_kept", "epay", form(EPAY, md5(joined(sorted(EPAY)) + SECRET))),
    ("blank_kept", "epay", form(BLANK, md5(joined(full(BLANK)) + SECRET))),
    (
        "blank_dropped",
        "jeepay",
        form(with_(JEEPAY, ("extParam", " ")), md5(f"{KEYED}&key={SECRET}")),
    ),
    ("zero_dropped", "epay", form(ZERO, md5(RIGHT + SECRET))),
    (
        "value_encoded",
        "epay",
        form(PLUS, md5(joined((k, quote_plus(v)) for k, v in full(PLUS)) + SECRET)),
    ),
    (
        "value_encoded",
        "epay",
        form(PLUS, md5(joined((k, quote(v, safe="").lower()) for k, v in full(PLUS)) + SECRET)),
    ),
    (
        "value_sent_encoded_twice",
        "epay",
        form([(k, quote_plus(v)) for k, v in EPAY], md5(RIGHT + SECRET)),
    ),
    (
        "plus_lost",
        "epay",
        form(with_(EPAY, ("account", "a b")), md5(f"account=a+b&{RIGHT}" + SECRET)),
    ),
    (
        "plus_as_blank",
        "epay",
        form(with_(EPAY, ("account", "a+b")), md5(f"account=a b&{RIGHT}" + SECRET)),
    ),
    (
        "value_trimmed",
        "epay",
        form(SPACED, md5(joined((k, v.strip()) for k, v in full(SPACED)) + SECRET)),
    ),
    (
        "html_escaped",
        "epay",
        form(LINK, md5(joined((k, escape(v)) for k, v in full(LINK)) + SECRET)),
    ),
    (
        "html_unescaped",
        "epay",
        form([(k, escape(v)) for k, v in LINK], md5(joined(full(LINK)) + SECRET)),
    ),
    (
        "ascii_escapes",
        "epay",
        form(EPAY, md5(RIGHT.replace("王小明", "\\u738b\\u5c0f\\u660e") + SECRET)),
    ),
    ("slash_escapes", "epay", form(SLASH, md5(f"account=a\\/b&{RIGHT}" + SECRET))),
    (
        "boolean_form",
        "jeepay",
        as_json(
            {"mchNo": "M1", "bankName": True}, md5(f"bankName=1&mchNo=M1&key={SECRET}").upper()
        ),
    ),
    (
        "boolean_form",
        "jeepay",
        as_json({"mchNo": "M1", "bankName": True}, md5(f"bankName=True&mchNo=M1&key={SECRET}")),
    ),
    (
        "number_form",
        "jeepay",
        as_json({"mchNo": "M1", "amount": 100}, md5(f"amount=100.0&mchNo=M1&key={SECRET}")),
    ),
    (
        "number_form",
        "jeepay",
        as_json({"mchNo": "M1", "amount": 100.0}, md5(f"amount=100&mchNo=M1&key={SECRET}")),
    ),
    ("number_form", "epay", form(EPAY, md5(RIGHT.replace("1.00", "1") + SECRET))),
    (
        "nested_signed",
        "jeepay",
        as_json(
            {"mchNo": "M1", "channelExtra": {"a": [1, {"b": "王"}]}},
            md5('channelExtra={"a":[1,{"b":"王"}]}&mchNo=M1&key=' + SECRET),
        ),
    ),
    (
        "nested_left_out",
        "jeepay",
        as_json({"mchNo": "M1", "channelExtra": {"a": 1}}, md5(f"mchNo=M1&key={SECRET}")),
    ),
    ("field_left_out", "epay", form(with_(EPAY, ("account", "a@x.test")), md5(RIGHT + SECRET))),
    ("trailing_ampersand", "epay", form(EPAY, md5(f"{RIGHT}&" + SECRET))),
    ("charset_gbk", "epay", form(EPAY, md5((RIGHT + SECRET).encode("gbk")))),
    (
        "charset_utf8",
        "epay",
        urlencode([*EPAY, ("sign", md5(RIGHT + SECRET))], encoding="gbk").encode(),
    ),
    (
        "sign_type_signed",
        "epay",
        form([*EPAY, MD5], md5(joined(full([*EPAY, MD5])) + SECRET)),
    ),
    (
        "sign_type_left_out",
        "jeepay",
        form(JEEPAY, md5(f"{joined(caseless(JEEPAY, 'signType'))}&key={SECRET}")),
    ),
    ("tail_key", "epay", form(EPAY, md5(f"{RIGHT}&key={SECRET}"))),
    ("tail_bare", "jeepay", form(JEEPAY, md5(KEYED + SECRET))),
    ("tail_key_no_ampersand", "jeepay", form(JEEPAY, md5(f"{KEYED}key={SECRET}"))),
    ("tail_ampersand_bare", "jeepay", form(JEEPAY, md5(f"{KEYED}&{SECRET}"))),
    ("tail_before", "epay", form(EPAY, md5(SECRET + RIGHT))),
    ("tail_around", "epay", form(EPAY, md5(SECRET + RIGHT + SECRET))),
    ("tail_none", "epay", form(EPAY, md5(RIGHT))),
    ("secret_line_end", "epay", form(EPAY, md5(RIGHT + SECRET + "\n"))),
    ("secret_line_end", "jeepay", form(JEEPAY, md5(f"{KEYED}&key={SECRET}\r\n"))),
    ("secret_blanks", "epay", form(EPAY, md5(f"{RIGHT}{SECRET} "))),
    ("secret_case", "epay", form(EPAY, md5(RIGHT + SECRET.lower()))),
    ("secret_missing", "jeepay", form(JEEPAY, md5(f"{KEYED}&key="))),
    (
        "digest_base64",
        "epay",
        form(EPAY, base64.b64encode(bytes.fromhex(md5(RIGHT + SECRET))).decode()),
    ),
    ("digest_sha1", "epay", form(EPAY, callers.sha1(RIGHT + SECRET))),
    (
        "digest_sha256",
        "jeepay",
        form(JEEPAY, hashlib.sha256(f"{KEYED}&key={SECRET}".encode()).hexdigest().upper()),
    ),
    (
        "digest_hmac",
        "jeepay",
        form(JEEPAY, callers.hmac_hex(f"{KEYED}&key={SECRET}", SECRET, "sha256")),
    ),
    ("hex_case", "epay", form(EPAY, md5(RIGHT + SECRET).upper())),
    ("sign_blanks", "epay", form(EPAY, md5(RIGHT + SECRET) + "\n")),
    ("sign_missing", "epay", urlencode(EPAY).encode()),
    ("sign_length", "epay", form(EPAY, "abcdef")),
    ("wrong_key", "epay", form(EPAY, md5(RIGHT + "another secret"))),
    ("algorithm_unknown", "epay", form([*EPAY, ("sign_type", "SHA256")], md5(RIGHT + SECRET))),
    ("algorithm_other", "epay", form([*EPAY, RSA], md5(RIGHT + SECRET))),
    ("key_kind", "epay", form([*EPAY, RSA], rsa(RIGHT))),
]

BIZ = joined(full(ALIPAY))
RSA_CASES: list[tuple[str, str, bytes]] = [
    ("sign_type_signed", "epay", form([*EPAY, RSA], rsa(joined(full([*EPAY, RSA]))))),
    ("empty_kept", "epay", form([*EPAY, RSA], rsa(joined(sorted(EPAY))))),
    ("charset_gbk", "epay", form([*EPAY, RSA], rsa(RIGHT.encode("gbk")))),
    ("digest_twice", "epay", form([*EPAY, RSA], rsa(hashlib.sha256(RIGHT.encode()).hexdigest()))),
    ("algorithm_rsa_hash", "epay", form([*EPAY, RSA], rsa(RIGHT, OLD_HASH))),
    (
        "algorithm_rsa_hash",
        "alipay",
        form(ALIPAY, rsa(BIZ, OLD_HASH)),
    ),
    ("algorithm_other", "epay", form([*EPAY, MD5], rsa(RIGHT))),
    ("sign_type_left_out", "alipay", form(ALIPAY, rsa(joined(full(ALIPAY, "sign_type"))))),
    (
        "value_encoded",
        "alipay",
        form(ALIPAY, rsa(joined((k, quote_plus(v)) for k, v in full(ALIPAY)))),
    ),
    ("field_left_out", "alipay", form(ALIPAY, rsa(joined(full(ALIPAY, "charset"))))),
    ("value_changed", "alipay", form(ALIPAY, rsa("something else"))),
    ("wrong_key_rsa", "alipay", form(ALIPAY, rsa(BIZ, key=generate_private_key(65537, 2048)))),
    ("sign_not_base64", "alipay", form(ALIPAY, "no signature at all!")),
    ("sign_encoded_twice", "alipay", form(ALIPAY, quote(rsa(BIZ), safe=""))),
    ("sign_wrapped", "alipay", form(ALIPAY, rsa(BIZ)[:64] + "\n" + rsa(BIZ)[64:])),
    (
        "sign_url_alphabet",
        "alipay",
        form(ALIPAY, rsa(BIZ).replace("+", "-").replace("/", "_")),
    ),
]


@pytest.mark.parametrize(("code", "dialect", "sent"), SHARED)
def test_a_mistake_with_a_shared_secret_is_named(code: str, dialect: str, sent: bytes) -> None:
    """By its code, in both languages, and the signature does not verify."""
    found = explained(dialect, sent)

    assert code in [*codes(found), *found["alike"]], codes(found)
    assert not found["verifies"]
    assert all(one["en"] and one["zh"] for one in found["mistakes"])


@pytest.mark.parametrize(("code", "dialect", "sent"), RSA_CASES)
def test_a_mistake_with_rsa_is_named(code: str, dialect: str, sent: bytes) -> None:
    """From the public key alone: what is inside the signature tells."""
    found = explained(dialect, sent, callers.public_pem())

    assert code in [*codes(found), *found["alike"]], codes(found)
    assert not found["verifies"]


def test_two_mistakes_at_once_are_both_named() -> None:
    """A Jeepay habit at an Epay door: empties kept, `&key=`, upper case."""
    found = explained("epay", form(EPAY, md5(f"{joined(sorted(EPAY))}&key={SECRET}").upper()))

    assert codes(found) == ["empty_kept", "tail_key", "hex_case"]


def test_the_field_at_fault_is_named() -> None:
    """The one that was sent and not signed, and the number that was written otherwise."""
    found = explained("alipay", RSA_CASES[9][2], callers.public_pem())
    assert found["mistakes"][0]["field"] == "charset"
    told = explained("epay", form(EPAY, md5(RIGHT.replace("1.00", "1") + SECRET)))
    assert [(one["code"], one["field"]) for one in told["mistakes"]] == [("number_form", "money")]


def test_the_string_that_was_signed_is_shown_beside_the_right_one() -> None:
    """With the first difference between the two."""
    found = explained("epay", form(EPAY, md5(joined(sorted(EPAY)) + SECRET)))

    assert found["string"] == f"{RIGHT}***"
    assert found["their_string"] == f"{joined(sorted(EPAY))}***"
    parted = found["difference"]
    assert parted is not None
    assert found["string"][: parted["same"]] == found["their_string"][: parted["same"]]
    assert parted["theirs"].startswith("remark=")
    assert parted["ours"].startswith("timestamp=")


@pytest.mark.parametrize(
    ("dialect", "sent", "keys"),
    [
        ("epay", form(EPAY, md5(RIGHT + SECRET)), (SECRET,)),
        ("epay", form([*EPAY, RSA], rsa(RIGHT)), (callers.public_pem(),)),
        ("epay", form([*EPAY, RSA], rsa(RIGHT).replace("+", " ")), (callers.pem(),)),
        ("jeepay", form(JEEPAY, md5(f"{KEYED}&key={SECRET}").upper()), (SECRET,)),
        ("jeepay", form(JEEPAY, md5(f"{KEYED}&key={SECRET}")), (SECRET,)),
        ("xxpay", form(JEEPAY, f" {md5(f'{KEYED}&key={SECRET}')} "), (SECRET,)),
        ("alipay", form(ALIPAY, rsa(BIZ)), (callers.public_pem(),)),
    ],
)
def test_what_is_right_is_not_found_fault_with(
    dialect: str, sent: bytes, keys: tuple[str, ...]
) -> None:
    """Including what readers put up with: either case, blanks, a plus that became one."""
    found = explained(dialect, sent, *keys)

    assert found["verifies"], codes(found)
    assert found["mistakes"] == []
    assert found["difference"] is None


def test_an_older_key_verifies_and_is_told() -> None:
    """Which of several made it is named."""
    found = explained("epay", form(EPAY, md5(RIGHT + SECRET)), "the new one", SECRET)

    assert found["verifies"]
    assert found["key"] == "key 1"
    assert "older_key" in [one["code"] for one in found["notes"]]


def test_every_mistake_has_a_case() -> None:
    """What nobody makes here is not claimed to be found."""
    made = {code for code, _, _ in (*SHARED, *RSA_CASES)} | set(test_native.CODES)
    elsewhere = {"md5_not_taken", "other_side", "sign_plus_lost"}
    assert set(MISTAKES) - made == elsewhere


def test_words_are_told_in_both_languages() -> None:
    """Each with Chinese that is Chinese, and no two codes with the same sentence."""
    for words in (DROPPED, MISTAKES, NOTES):
        assert all(not zh.isascii() and en.isprintable() for en, zh in words.values())
        assert len({en for en, _ in words.values()}) == len(words)
    assert NATIVES == ("webhook", "native")
