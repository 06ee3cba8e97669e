"""What the channel promises and what it refuses before anything is sent."""

import pytest
from msgspec.structs import replace

from channels.contract import BankCard, Channel, Funded, Instruction, Rail, Recallable
from channels.money import Currency, Money
from channels.wechat_pay.channel import build
from tests.channels.wechat_pay import platform

CHANNEL = build("wechat-main", platform.settings(), platform.terms(), lambda: platform.NOW)


def fields(subject: Instruction) -> list[str]:
    """The fields `check` objects to."""
    return [problem.field for problem in CHANNEL.check(subject)]


def test_is_a_channel_that_can_recall_and_tell_its_balance() -> None:
    """The opt-in Protocols are kept."""
    assert isinstance(CHANNEL, Channel)
    assert isinstance(CHANNEL, Recallable)
    assert isinstance(CHANNEL, Funded)


def test_traits_are_those_of_the_specification() -> None:
    """Absence never proves; the same number may be sent again for a day."""
    traits = CHANNEL.traits
    assert traits is CHANNEL.traits
    assert traits.rails == {Rail.WECHAT}
    assert not traits.profile.absence_proves
    assert traits.resend is not None
    assert traits.resend.window_s == 86_400
    assert (traits.profile.acceptance_window_s, traits.inquire_horizon_days) == (300, 30)
    assert (traits.inquire_first_s, traits.inquire_max_s) == (30, 21_600)
    assert (traits.reference.length_max, len(traits.reference.alphabet)) == (32, 62)
    assert traits.name_required_from_minor == 200_000
    assert traits.payee_confirms


def test_the_pace_of_inquiries_can_be_set() -> None:
    """Settings override the default pace."""
    paced = build(
        "w",
        platform.settings(inquire_first_s=1, inquire_max_s=9),
        platform.terms(),
        lambda: platform.NOW,
    )
    assert (paced.traits.inquire_first_s, paced.traits.inquire_max_s) == (1, 9)


def test_terms_in_another_currency_are_refused() -> None:
    """A contract in dollars cannot be one with WeChat Pay."""
    with pytest.raises(ValueError, match="CNY"):
        build(
            "w",
            platform.settings(),
            replace(platform.terms(), currency=Currency.USD),
            lambda: platform.NOW,
        )


def test_a_good_instruction_has_no_problems() -> None:
    """An ordinary payout passes."""
    assert CHANNEL.check(platform.instruction()) == ()


def test_only_wallets_are_paid() -> None:
    """Another rail is one problem, and no other check runs on it."""
    card = BankCard("6222021234567890123", "王五")
    assert fields(replace(platform.instruction(), instrument=card)) == ["instrument"]


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"fen": 9}, ["amount"]),
        ({"fen": 10}, []),
        ({"fen": 2_000_001, "name": "李四"}, ["amount"]),
        ({"fen": 2_000_000, "name": "李四"}, []),
        ({"fen": 199_999}, []),
        ({"fen": 200_000}, ["instrument.name"]),
        ({"fen": 200_000, "name": "李四"}, []),
        ({"fen": 29, "name": "李四"}, []),
        ({"name": " "}, ["instrument.name"]),
        ({"name": ""}, ["instrument.name"]),
        ({"name": "李\n四"}, ["instrument.name"]),
        ({"name": "李" * 71}, []),
        ({"name": "李" * 72}, ["instrument.name"]),
        ({"openid": ""}, ["instrument.openid"]),
        ({"openid": "o" * 65}, ["instrument.openid"]),
        ({"openid": "o\n"}, ["instrument.openid"]),
        ({"openid": "o/../x"}, ["instrument.openid"]),
        ({"appid": None}, []),
        ({"appid": "wx0000000000000000"}, ["instrument.appid"]),
        ({"reference": "A" * 32}, []),
        ({"reference": "A" * 33}, ["reference"]),
        ({"reference": ""}, ["reference"]),
        ({"reference": "PO-1"}, ["reference"]),
        ({"reference": "B1/D1"}, ["reference"]),
        ({"reference": "PO1\n"}, ["reference"]),
        ({"reference": "单号1"}, ["reference"]),
        ({"purpose": "货" * 32}, []),
        ({"purpose": "货" * 33}, ["purpose"]),
        ({"purpose": ""}, ["purpose"]),
        ({"purpose": "  "}, ["purpose"]),
        ({"purpose": "a\x00b"}, ["purpose"]),
        ({"notify_url": None}, []),
        ({"notify_url": "https://x.example/n?a=1"}, ["notify_url"]),
        ({"notify_url": "https://x.example/" + "n" * 256}, ["notify_url"]),
    ],
)
def test_bounds(changes: dict[str, object], problems: list[str]) -> None:
    """Each limit of the submit page, on both of its sides."""
    subject = platform.instruction(**changes)  # type: ignore[arg-type] # a table of keyword arguments
    assert fields(subject) == problems


def test_the_contract_may_be_narrower() -> None:
    """The operator's minimum counts where it is higher than the platform's."""
    narrow = build("w", platform.settings(), platform.terms(amount_min=100), lambda: platform.NOW)
    assert [p.field for p in narrow.check(platform.instruction(fen=99))] == ["amount"]


def test_another_currency_is_refused() -> None:
    """Fen and nothing else."""
    dollars = Money(1234, Currency.USD)
    assert fields(replace(platform.instruction(), amount=dollars)) == ["amount"]


def test_all_problems_come_at_once() -> None:
    """A caller does not have to find them one by one."""
    subject = platform.instruction(fen=1, openid="", reference="", purpose="")
    assert fields(subject) == ["instrument.openid", "amount", "reference", "purpose"]


def test_problems_do_not_quote_the_payee() -> None:
    """A problem names the field, never its value."""
    subject = platform.instruction(openid="o!secret", name="李四\n", reference="R!")
    assert not any(
        value in problem.message
        for problem in CHANNEL.check(subject)
        for value in ("o!secret", "李四")
    )
