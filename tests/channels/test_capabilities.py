"""What a kind or a channel can do is told from its constants, one row a capability."""

from datetime import date, time

import pytest
from msgspec.structs import replace

from channels.capabilities import ROWS, Capabilities, document, rows
from channels.contract import (
    Cycle,
    Expiry,
    Finality,
    Profile,
    Resend,
    Tariff,
    TariffCommitment,
    TariffTier,
    Terms,
    Window,
)
from channels.money import Currency
from channels.registry import KINDS
from tests.channels.alipay.platform import NOW, TERMS


def told(one: Capabilities, key: str) -> str:
    """What a row says."""
    return next(row.tell(one) for row in ROWS if row.key == key)


def with_terms(terms: Terms) -> Capabilities:
    """The kind `alipay` under a contract."""
    known = KINDS["alipay"].capabilities()
    return replace(known, traits=replace(known.traits, terms=terms), terms=terms)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_told_without_credentials(kind: str) -> None:
    """Each row has words, and the document the same keys for all kinds."""
    able = KINDS[kind].capabilities()
    assert able.traits.kind == kind
    assert all(row.tell(able) for row in rows(configured=False))
    assert document(able).keys() == document(KINDS["alipay"].capabilities()).keys()


@pytest.mark.parametrize("kind", KINDS)
def test_a_channel_is_built_in_the_currencies_of_its_kind_only(kind: str) -> None:
    """Whatever the adapter itself would do with others."""
    known = KINDS[kind]
    blank = known.settings.model_construct()
    for currency in set(Currency) - known.currencies:
        terms = replace(TERMS, currency=currency)
        with pytest.raises(ValueError, match=f"channel x: its kind pays .*, not {currency}"):
            known.make("x", blank, terms, lambda: NOW)


@pytest.mark.parametrize(
    ("tariff", "words"),
    [
        (Tariff(), "free"),
        (Tariff(flat_minor=50), "0.50 CNY"),
        (
            Tariff(rate_ppm=1200, min_minor=10, max_minor=2500, surcharge_ppm=60),
            "0.12 %, at least 0.10 CNY, at most 25.00 CNY, surcharge 0.006 %",
        ),
        (
            Tariff(tiers=(TariffTier(0, flat_minor=100), TariffTier(1000, flat_minor=80))),
            "1.00 CNY from 0 payouts; 0.80 CNY from 1000 payouts",
        ),
        (
            Tariff(
                tiers=(TariffTier(0, rate_ppm=6000),),
                basis="amount",
                commitment=TariffCommitment(1_000_000, 100),
            ),
            "0.6 % from 0.00 CNY, 10000.00 CNY a month promised",
        ),
        (
            Tariff(flat_minor=1, mode="deducted", start_on=date(2027, 1, 1)),
            "0.01 CNY, kept back from the amount (from 2027-01-01)",
        ),
    ],
)
def test_fees_are_told_in_words(tariff: Tariff, words: str) -> None:
    """Flat, rate, bounds, tiers, promise, who bears it, and since when."""
    assert told(with_terms(replace(TERMS, tariffs=(tariff,))), "fees") == words


def test_a_contract_is_told() -> None:
    """Amounts, cap, load, arrival and hours, with their zone."""
    able = with_terms(
        Terms(
            Currency.CNY,
            *(10, 5_000_000),
            cycle=Cycle(1, "cn_statutory", time(17, 30)),
            hours=(Window(time(9), time(17, 30)),),
            day_cap_minor=1_000_000,
        )
    )
    assert told(able, "amounts") == "0.10 to 50000.00 CNY"
    assert told(able, "day_cap") == "10000.00 CNY"
    assert told(able, "load") == "64 under way, 200 in doubt"
    assert told(able, "cycle") == "T+1, sent before 17:30 Asia/Shanghai"
    assert told(able, "hours") == "09:00-17:30 Asia/Shanghai"
    assert told(able, "fees") == "none in force: takes no payouts"


def test_what_silence_proves_is_told_only_where_it_can() -> None:
    """Without an acceptance window neither absence nor statements prove anything."""
    known = KINDS["alipay"].capabilities()
    proves = Profile(absence_proves=True, finality=Finality(2), expiry=Expiry(3))
    blind = replace(known, traits=replace(known.traits, profile=proves))
    sure = replace(proves, acceptance_window_s=300, dwell_s=600, visibility_lag_s=60)
    seen = replace(known, traits=replace(known.traits, profile=sure))
    keys = ("absence_proves", "statements_prove", "expiry_proves", "acceptance_window")
    assert [told(blind, key) for key in keys] == [
        "no",
        "no",
        "yes, as 3 nodes say",
        "none published",
    ]
    assert [told(seen, key) for key in keys] == [
        *("yes, after 17 min", "yes, with 2 more days", "yes, as 3 nodes say", "5 min"),
    ]


def test_sending_again_is_told_with_its_window() -> None:
    """Or that it never happens."""
    known = KINDS["alipay"].capabilities()
    never = replace(known, traits=replace(known.traits, resend=None))
    day = replace(known, traits=replace(known.traits, resend=Resend(172_800, 90)))
    assert told(never, "resend") == "never sent again"
    assert told(day, "resend") == "same number for 2 d, 90 s apart"
