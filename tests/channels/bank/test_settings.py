"""What an operator may configure: everything wrong is found at the door, and no secret is shown."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from channels.bank import profile as profiles
from channels.bank.build import build
from channels.bank.profile import BankProfile, Folder, Https
from channels.bank.settings import BankSettings
from channels.contract import Funded, Rail
from channels.registry import KINDS
from tests.channels.bank.authority import FAR, Authority
from tests.channels.bank.house import ACCOUNT, NOTICE_SECRET, NOW, TERMS, folders, given, settings

PASSWORD = "a-password-of-the-key"


def refused(**changes: object) -> str:
    """Why these settings are refused."""
    with pytest.raises(ValidationError) as error:
        settings(**changes)
    return str(error.value)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"surprise": 1}, "surprise"),
        ({"profile": None}, "exactly one of profile and profile_file"),
        ({"profile": "cn-nowhere"}, "there are: cn-folder, cn-https"),
        ({"profile_file": "x.yaml"}, "exactly one of profile and profile_file"),
        ({"base_url": None}, "base_url must be given"),
        ({"base_url": "http://bank.example"}, "must be https"),
        ({"base_url": "https://bank.example/?a=1"}, "plain address"),
        ({"base_url": "https://bank.example"}, "client_cert_file is missing"),
        ({"client_cert_file": "x.pem"}, "go together"),
        ({"customer_id": None}, "customer_id must be given"),
        ({"agent_member_id": "123"}, "agent_member_id"),
        ({"account_number": "12 34"}, "account_number"),
        ({"notice_secrets": ["short"]}, "at least 16"),
        ({"notice_secrets": ["x" * 16, "y" * 16, "z" * 16]}, "notice_secrets"),
        ({"folder_out": "somewhere"}, "belong to a profile with folders"),
        ({"inquire_first_s": 10, "inquire_max_s": 5}, "inquire_max_s"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_field(changes: dict[str, object], why: str) -> None:
    """The message names the field and what is wanted."""
    assert why in refused(**changes)


def test_nothing_secret_is_shown() -> None:
    """Neither by repr nor by an error about something else."""
    shown = repr(settings(client_key_password=PASSWORD)) + refused(surprise=1)
    assert not [one for one in (NOTICE_SECRET, PASSWORD, ACCOUNT) if one in shown]


def test_folders_must_be_there_and_differ(tmp_path: Path) -> None:
    """A typing error would drop files where nobody looks."""
    assert folders(tmp_path).bank.delivery.kind == "folder"
    for changes, why in (
        ({"folder_in": None}, "folder_in must be given"),
        ({"folder_in": tmp_path / "nowhere"}, "is not a folder"),
        ({"folder_in": tmp_path / "out"}, "must differ"),
        ({"base_url": "https://bank.example"}, "belong to a profile with HTTPS"),
        ({"notice_secrets": [NOTICE_SECRET]}, "belong to a profile with HTTPS"),
    ):
        with pytest.raises(ValidationError, match=why):
            folders(tmp_path, **changes)


def _https(folder: Path, **changes: object) -> BankSettings:
    usual: dict[str, object] = {
        "base_url": "https://bank.example",
        "client_cert_file": folder / "ours.pem",
        "client_key_file": folder / "ours-key.pem",
        "tls_ca_file": folder / "ca.pem",
    }
    return settings(**(usual | changes))


def test_certificates_and_secrets_are_told_as_credentials(tmp_path: Path) -> None:
    """Each with its holder and its end; nothing that could be used."""
    Authority(tmp_path).issue("ours")
    told = _https(tmp_path).credentials()
    assert [(one.name, one.holder, one.not_after) for one in told] == [
        ("client_cert_file", "ours", FAR),
        ("tls_ca_file", "theirs", FAR),
        ("notice_secrets", "theirs", None),
    ]
    assert len({one.fingerprint for one in told}) == 3
    assert all(len(bytes.fromhex(one.fingerprint)) == 32 for one in told)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    """Named by its field."""
    authority = Authority(tmp_path)
    authority.issue("ours")
    authority.issue("other")
    with pytest.raises(ValidationError, match="client_key_file: does not belong"):
        _https(tmp_path, client_key_file=tmp_path / "other-key.pem")


@pytest.mark.parametrize("field", ["client_cert_file", "client_key_file", "tls_ca_file"])
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, field: str) -> None:
    """Missing, or no PEM of its kind."""
    Authority(tmp_path).issue("ours")
    (tmp_path / "junk.pem").write_text("-----BEGIN JUNK-----")
    for wrong in ("junk.pem", "gone.pem"):
        with pytest.raises(ValidationError, match=field):
            _https(tmp_path, **{field: tmp_path / wrong})


def test_a_locked_key_opens_with_its_password_only(tmp_path: Path) -> None:
    """And the error shows neither."""
    Authority(tmp_path).issue("ours", password=PASSWORD)
    assert _https(tmp_path, client_key_password=PASSWORD).credentials()
    for wrong in (None, "another-password"):
        with pytest.raises(ValidationError, match="client_key_file") as error:
            _https(tmp_path, client_key_password=wrong)
        assert "another" not in str(error.value)


def test_an_expired_certificate_stops_the_start(tmp_path: Path) -> None:
    """Told with the channel, the field and the day."""
    Authority(tmp_path).issue("ours", not_after=datetime(2026, 6, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="bank-main: client_cert_file: expired on 2026-06-01"):
        build("bank-main", _https(tmp_path), TERMS, lambda: NOW)


@pytest.mark.parametrize("name", ["cn-https", "cn-folder"])
def test_the_examples_are_sound(name: str) -> None:
    """And say that nothing of them is verified."""
    assert isinstance(profiles.named(name).delivery, Https | Folder)
    text = (profiles.FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    assert "UNVERIFIED" in text


def test_ones_own_profile_is_a_file_or_a_mapping(tmp_path: Path) -> None:
    """Both read alike."""
    source = (profiles.FOLDER / "cn-https.yaml").read_text(encoding="utf-8")
    own = tmp_path / "own.yaml"
    own.write_text(source.replace("paid: ACSC", "paid: ACCC"), encoding="utf-8")
    read = settings(profile=None, profile_file=own)
    assert read.bank.paid == "ACCC"
    assert settings(profile=read.bank.model_dump()).bank == read.bank


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"surprise": 1}, "surprise"),
        ({"timezone": "Beijing"}, "time zone"),
        ({"paid": "ACSP"}, "paid"),
        ({"accepts": ["pain.002"]}, "accepts"),
        ({"reasons": {"DU01": {"means": "payee_blocked"}}}, "has it already"),
        ({"reasons": {"XY99": {"means": "surely"}}}, "means"),
        ({"resend_promised": True, "duplicate_window_days": None}, "duplicate_window_days"),
        ({"balance": ["camt.054"]}, "balance"),
        ({"delivery": {"kind": "https", "upload": "http://x", "listing": "/", "download": "/"}},
         "upload"),
        ({"delivery": {"kind": "folder", "file_name": "../{reference}"}}, "file_name"),
        ({"delivery": {"kind": "folder"}}, "pushes nothing"),
    ],
)  # fmt: skip
def test_a_profile_that_makes_no_sense_is_refused(changes: dict[str, object], why: str) -> None:
    """A duplicate is never a failure, and a path leads nowhere else."""
    known = profiles.named("cn-https").model_dump()
    with pytest.raises(ValidationError, match=why):
        BankProfile.model_validate(known | changes)


def test_a_profile_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, or not YAML."""
    for name, text in (("gone.yaml", None), ("bad.yaml", "a: [")):
        file = tmp_path / name
        if text is not None:
            file.write_text(text)
        with pytest.raises(ValidationError, match="profile_file"):
            settings(profile=None, profile_file=file)


def test_traits_follow_the_profile(tmp_path: Path) -> None:
    """Rails, notices, resends, balance, and what silence proves."""
    made = build("bank-main", settings(), TERMS, lambda: NOW)
    assert made.traits.rails == {Rail.BANK_CARD, Rail.BANK_ACCOUNT}
    assert (made.traits.notices, made.traits.resend) == (True, None)
    assert isinstance(made, Funded)
    assert made.traits.profile.absence_proves is False
    assert made.traits.profile.finality is not None
    assert made.traits.profile.acceptance_window_s is None
    silent = build("bank-main", folders(tmp_path), TERMS, lambda: NOW)
    assert not isinstance(silent, Funded)
    assert silent.traits.notices is False


def test_a_promised_resend_is_bounded_by_the_duplicate_window() -> None:
    """Nobody else may repeat a file."""
    promised = profiles.named("cn-https").model_copy(update={"resend_promised": True})
    made = build("bank-main", settings(profile=promised), TERMS, lambda: NOW)
    assert made.traits.resend is not None
    assert made.traits.resend.window_s == 30 * 86400


def test_the_registry_opens_it_from_plain_configuration() -> None:
    """Text and numbers in, a channel out."""
    made = KINDS["bank"].open("bank-main", given(), TERMS, lambda: NOW)
    assert (made.name, made.traits.kind) == ("bank-main", "bank")
