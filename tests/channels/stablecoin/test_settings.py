"""Wrong settings stop the start, with the field's name and without the secret."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from channels.contract import Rail, Terms
from channels.money import Currency
from channels.registry import KINDS
from tests.channels.stablecoin.platform import (
    API_KEY,
    CONVERTING,
    KEY_ID,
    KEYS,
    NOW,
    PRICED,
    TERMS,
    channel,
    notice_key,
    public_text,
    settings,
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"surprise": 1}, "surprise"),
        ({"base_url": "https://api.circle.com/v1"}, "base_url"),
        ({"base_url": "ftp://x"}, "base_url"),
        ({"base_url": "https://user:pw@x"}, "base_url"),
        ({"api_key": None}, "api_key"),
        ({"api_key": ""}, "api_key"),
        ({"api_key": "two words"}, "api_key"),
        ({"api_key": "line\nbreak"}, "api_key"),
        ({"api_key_file": "/nowhere"}, "api_key"),
        ({"api_key": None, "api_key_file": "/nowhere"}, "api_key_file"),
        ({"rails": []}, "rails"),
        ({"rails": ["alipay"]}, "rails"),
        ({"rails": ["chain"], "chains": []}, "chains"),
        ({"chains": ["eth"]}, "chains"),
        ({"wire_type": "ach"}, "wire_type"),
        ({"source_wallet_id": "abc"}, "source_wallet_id"),
        ({"source_currency": "EUR"}, "source_currency"),
        ({"source_currency": "CNY", "rails": ["chain"]}, "source_currency"),
        ({"sns_topic_arns": []}, "sns_topic_arns"),
        ({"sns_topic_arns": ["mint"]}, "sns_topic_arns"),
        ({"sns_certificate_files": ["/nowhere"]}, "sns_certificate_files"),
        ({"sns_certificate_files": [KEYS / "sns_test_only.pem"]}, "sns_certificate_files"),
        ({"sns_origins": ["127.0.0.1:9100"]}, "sns_origins"),
        ({"notice_keys": [{"key_id": KEY_ID}]}, "notice_keys"),
        ({"notice_keys": [{"key_id": KEY_ID, "public_key": "AAAA"}]}, "notice_keys"),
        ({"inquire_max_s": 5}, "inquire_max_s"),
        ({"resend_window_s": 86_401}, "resend_window_s"),
        ({"total_timeout_s": 0}, "total_timeout_s"),
    ],
)
def test_wrong_settings_are_named(change: dict[str, object], said: str) -> None:
    """Unknown keys, unusable keys, contradictions."""
    with pytest.raises(ValidationError, match=said) as caught:
        settings(**change)
    assert API_KEY not in str(caught.value)


def test_two_notice_keys_may_live_and_no_third() -> None:
    """While the institution changes its own; each id once."""
    text = public_text(notice_key())
    keys = [{"key_id": f"k{n}", "public_key": text} for n in range(3)]
    assert set(settings(notice_keys=keys[:2]).verifiers) == {"k0", "k1"}
    with pytest.raises(ValidationError, match="notice_keys"):
        settings(notice_keys=keys)
    with pytest.raises(ValidationError, match="notice_keys"):
        settings(notice_keys=[keys[0], keys[0]])


def test_keys_may_lie_in_files(tmp_path: Path) -> None:
    """With a line's end after them."""
    (tmp_path / "api").write_text(f"{API_KEY}\n", encoding="ascii")
    (tmp_path / "notice").write_text(public_text(notice_key()) + "\n", encoding="ascii")
    made = settings(
        api_key=None,
        api_key_file=tmp_path / "api",
        notice_keys=[{"key_id": "k", "public_key_file": tmp_path / "notice"}],
    )
    assert made.bearer == API_KEY
    assert set(made.verifiers) == {"k"}


def test_every_credential_is_named_and_none_is_told() -> None:
    """API key, certificate with its end, key of v2 notices."""
    made = settings()
    known = made.credentials()
    assert [(one.name, one.holder) for one in known] == [
        ("api_key", "ours"),
        ("sns_certificate_files", "theirs"),
        ("notice_keys", "theirs"),
    ]
    assert [one.not_after is not None for one in known] == [False, True, False]
    assert all(len(one.fingerprint) == 64 for one in known)
    shown = repr(made) + str(made) + repr(known) + repr(channel())
    assert API_KEY not in shown
    assert API_KEY.rpartition(":")[2] not in shown


@pytest.mark.parametrize(
    ("terms", "change", "said"),
    [
        (Terms(Currency.CNY, 1, 2), {}, "USD and EUR"),
        (TERMS, CONVERTING, "source_currency"),
        (TERMS, {"sns_certificate_files": [KEYS / "sns_certificate_expired.pem"]}, "expired"),
    ],
)
def test_terms_the_kind_cannot_keep_are_refused(
    terms: Terms, change: dict[str, object], said: str
) -> None:
    """At the start, with the channel's name."""
    with pytest.raises(ValueError, match=said):
        channel(terms, **change)


def test_the_registry_opens_one() -> None:
    """By kind, from what a configuration file says."""
    made = KINDS["stablecoin"].open("mint", {"api_key": API_KEY}, TERMS, lambda: NOW)
    assert made.traits.kind == "stablecoin"
    assert made.traits.rails == {Rail.WIRE}
    assert not made.traits.notices
    assert not made.traits.statement


def test_traits_say_that_a_repetition_is_the_question() -> None:
    """Within a day; switched off, an attempt in doubt is only looked at."""
    resend = channel().traits.resend
    assert resend is not None
    assert resend.answers
    assert resend.window_s == 86_400
    assert channel(resend_window_s=0).traits.resend is None
    assert channel().traits.notices


def test_exposure_is_priced_in_every_tariff() -> None:
    """500 ppm an hour for two hours: 0.1 % more; and nothing without conversion."""
    given = {**CONVERTING, "exposure_hours": 2, "exposure_ppm_per_hour": 500}
    priced = channel(PRICED, **given).traits.terms.tariffs
    assert [one.surcharge_ppm for one in priced] == [1000, 1007]
    assert channel(PRICED).traits.terms == PRICED
