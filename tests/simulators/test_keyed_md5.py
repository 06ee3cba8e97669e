"""The simulators' own signer, held to the same published vectors as the channels' one."""

from __future__ import annotations

from simulators.keyed_md5 import another, is_signed, sign

KEY = "offline-test-key"
COMMONS = {
    "appId": "60cc09bce4b0f1c0b83761c9",
    "mchNo": "M1621873433953",
    "reqTime": "1700000000123",
    "signType": "MD5",
    "version": "1.0",
}


def test_the_official_vectors_hold() -> None:
    """An integer among texts, and names that differ in case alone."""
    assert sign({"amount": 100, **COMMONS}, KEY) == "CE76B1B36C5B683AD2F8FB0FCA95055B"
    commons = {name: COMMONS[name] for name in ("reqTime", "signType", "version")}
    tied = {"a": "z", "A": "a", "a0": "prefix", **commons}
    assert sign(tied, KEY) == "BA9AF3B13F07EC35495DCC96D8171C56"


def test_values_are_written_as_java_writes_them() -> None:
    """Null and empty are left out, false is a word, `sign` is no part of it."""
    assert sign({"a": False, "b": None, "c": "", "sign": "x"}, KEY) == sign({"a": "false"}, KEY)


def test_either_case_verifies_and_another_does_not() -> None:
    """Signatures are compared without regard to case."""
    signed = sign(COMMONS, KEY)
    for given, fits in ((signed, True), (signed.lower(), True), (another(signed), False)):
        assert is_signed({**COMMONS, "sign": given}, KEY) is fits
    assert not is_signed({**COMMONS, "sign": 7}, KEY)
