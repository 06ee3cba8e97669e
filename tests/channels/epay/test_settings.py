"""Configuration at the door: what is wrong is named, what is secret is not shown."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from channels import fingerprints
from channels.contract import Rail, Reason
from channels.epay import signing
from channels.epay.settings import EpaySettings
from tests.channels.epay.platform import (
    MD5_KEY,
    MERCHANT,
    MERCHANT_FILE,
    MERCHANT_PUBLIC,
    PLATFORM,
    PLATFORM_FILE,
    PLATFORM_PUBLIC,
    bare,
    settings,
)

MD5: dict[str, object] = {"sign_type": "MD5", "md5_key": MD5_KEY, "private_key_file": None}


def complaint(**changes: object) -> str:
    """Why the settings are refused."""
    with pytest.raises(ValidationError) as refused:
        settings(**changes)
    return str(refused.value)


def test_an_rsa_merchant() -> None:
    """Keys parsed, rails named."""
    made = settings()
    assert made.keys.private is not None
    assert made.keys.platform == (PLATFORM.public_key(),)
    assert made.rails == {Rail.ALIPAY, Rail.WECHAT, Rail.BANK_CARD}


def test_an_md5_merchant_still_needs_the_sites_key() -> None:
    """Its replies are signed with RSA."""
    assert settings(**MD5).keys.md5 == MD5_KEY
    assert "public_key" in complaint(**MD5, public_key=())


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"surprise": 1}, "surprise"),
        ({"pid": "0"}, "pid"),
        ({"pid": "1001a"}, "pid"),
        ({"rails": ()}, "rails"),
        ({"rails": ("bank_account",)}, "rails"),
        ({"private_key": "x"}, "exactly one of private_key and private_key_file"),
        ({"private_key_file": None}, "exactly one of private_key and private_key_file"),
        ({"private_key_file": "nowhere.pem"}, "private_key_file"),
        ({"private_key_file": PLATFORM_FILE, "public_key": MERCHANT_PUBLIC[:50]}, "public_key:"),
        ({"public_key_file": MERCHANT_FILE}, "exactly one of public_key and public_key_file"),
        ({"public_key": (), "public_key_file": MERCHANT_FILE}, "public_key_file: not a public key"),
        ({"public_key": MERCHANT_PUBLIC}, "our own public key"),
        ({"public_key": (PLATFORM_PUBLIC,) * 3}, "public_key"),
        ({"md5_key": MD5_KEY}, "md5_key is of no use"),
        ({"sign_type": "MD5"}, "md5_key must be given"),
        ({"sign_type": "MD5", "md5_key": " ", "private_key_file": None}, "md5_key must be given"),
        ({"sign_type": "MD5", "md5_key": MD5_KEY}, "private_key is of no use"),
        ({"sign_type": "SHA"}, "sign_type"),
        ({"inquire_first_s": 10, "inquire_max_s": 9}, "inquire_max_s"),
        ({"resend_window_s": -1}, "resend_window_s"),
        ({"connections": 0}, "connections"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, object], word: str) -> None:
    """With the field's name in the message."""
    assert word in complaint(**changes)


@pytest.mark.parametrize(
    ("address", "fits"),
    [
        ("https://pay.example.com", True),
        ("https://pay.example.com/sub/", True),
        ("http://127.0.0.1:8080/", True),
        ("http://[::1]:8080/", True),
        ("http://localhost/", True),
        ("http://pay.example.com/", False),
        ("http://10.0.0.1/", False),
        ("https://pay.example.com/?s=x", False),
        ("https://user@pay.example.com/", False),
        ("ftp://pay.example.com/", False),
    ],
)
def test_only_tls_ties_a_refusal_to_its_request(address: str, fits: bool) -> None:
    """A refusal names no order, so that yesterday's could be played back today."""
    if fits:
        assert settings(base_url=address).base_url == address.rstrip("/")
    else:
        assert "base_url" in complaint(base_url=address)


def test_two_keys_of_the_site_live_side_by_side(tmp_path: Path) -> None:
    """While it changes them; inline or in files."""
    second = signing.load_private_key(MERCHANT_FILE.read_text()).public_key()
    inline = settings(**MD5, public_key=(PLATFORM_PUBLIC, bare(MERCHANT_PUBLIC)))
    files = []
    for name, text in (("a", PLATFORM_PUBLIC), ("b", MERCHANT_PUBLIC)):
        (tmp_path / name).write_text(text)
        files.append(tmp_path / name)
    filed = settings(**MD5, public_key=(), public_key_file=files)
    assert inline.keys.platform == filed.keys.platform == (PLATFORM.public_key(), second)


def test_credentials_are_named_and_not_shown() -> None:
    """Ours first, then each of theirs; equal keys have equal fingerprints."""
    ours, theirs = settings().credentials()
    assert (ours.name, ours.holder, ours.not_after) == ("private_key_file", "ours", None)
    assert (theirs.name, theirs.holder) == ("public_key", "theirs")
    assert theirs.fingerprint == fingerprints.of_public_key(PLATFORM.public_key())
    inline = settings(private_key_file=None, private_key=MERCHANT_FILE.read_text()).credentials()
    assert (inline[0].name, inline[0].fingerprint) == ("private_key", ours.fingerprint)


def test_the_credentials_of_an_md5_merchant() -> None:
    """The shared key shows as a digest: the same one for every merchant that was given it."""
    made = settings(**MD5, public_key=(PLATFORM_PUBLIC, MERCHANT_PUBLIC))
    ours, *theirs = made.credentials()
    assert (ours.name, ours.holder, len(ours.fingerprint)) == ("md5_key", "ours", 64)
    assert [one.name for one in theirs] == ["public_key", "public_key"]
    assert MD5_KEY not in repr(made.credentials())
    other = settings(**MD5, pid="1002").credentials()
    assert other[0] == ours


def test_operators_may_add_texts() -> None:
    """Refusals with their reasons, and words for an unknown order."""
    made = settings(refusals={" 额度剩{n}元 ": "quota_exhausted"}, not_found="订单不存在")
    assert made.refusals == {"额度剩{n}元": Reason.QUOTA_EXHAUSTED}
    assert made.absences == {"转账交易号不存在", "当前转账订单不存在", "订单不存在"}


@pytest.mark.parametrize(
    "changes",
    [
        {"refusals": {"额度剩100元": "quota_exhausted"}},
        {"refusals": {"该交易号已存在，请更换交易号": "parameter_refused"}},
        {"refusals": {"支付通道不存在": "rail_down"}},
        {"refusals": {"转账交易号不存在": "rail_down"}},
        {"refusals": {"x": "never_arrived"}},
        {"refusals": {"x": "recalled"}},
        {"refusals": {"x": "made_up"}},
        {"refusals": {"x": "rail_down"}, "not_found": ["x"]},
        {"not_found": ["支付通道不存在"]},
        {"not_found": ["该交易号已存在，请更换交易号"]},
    ],
)
def test_texts_mean_one_thing_only(changes: dict[str, object]) -> None:
    """The stock ones keep their meaning, and no text can prove what no text can."""
    assert complaint(**changes)


def test_nothing_secret_is_shown() -> None:
    """Neither by a repr nor by an error."""
    pem = MERCHANT_FILE.read_text()
    made = settings(private_key_file=None, private_key=pem)
    shown = repr(made) + str(made) + complaint(private_key=pem, private_key_file=None, pid="x")
    shown += complaint(sign_type="MD5", md5_key=MD5_KEY, private_key_file=None, rails=())
    lines = [line for line in pem.splitlines() if "-----" not in line]
    assert not [line for line in (*lines, MD5_KEY) if line in shown]
    assert str(MERCHANT.private_numbers().d) not in shown


def test_unknown_keys_are_errors() -> None:
    """A typing error in a configuration stops the start."""
    with pytest.raises(ValidationError, match="surprise"):
        EpaySettings.model_validate({"surprise": 1})


def test_hosts_of_receipts_are_hosts() -> None:
    """One or several, by name and port; whoever writes an address is told."""
    assert settings(receipt_hosts="Bills.example.com:8443").receipt_hosts == (
        "bills.example.com:8443",
    )
    with pytest.raises(ValidationError, match="receipt_hosts"):
        settings(receipt_hosts=["https://bills.example.com/"])
