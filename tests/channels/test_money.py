"""Money: what text becomes an amount, what arithmetic is allowed, and that nothing is ever lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.money import INT64_MAX, Currency, Money, MoneyError

CNY, JPY, USD, USDC = Currency.CNY, Currency.JPY, Currency.USD, Currency.USDC

MINOR = st.integers(0, INT64_MAX)
SIGNED = st.integers(-INT64_MAX, INT64_MAX)
SMALL = st.integers(-(2**61), 2**61)
CURRENCIES = st.sampled_from(Currency)


def cny(minor: int) -> Money:
    """Fen."""
    return Money(minor, CNY)


# --- Text to money and back ----------------------------------------------------------------------


@given(minor=MINOR, currency=CURRENCIES)
def test_parse_reads_back_what_str_wrote(minor: int, currency: Currency) -> None:
    """No amount changes on its way through text, in any currency."""
    money = Money(minor, currency)
    assert Money.parse(str(money), currency) == money


@given(minor=st.integers(1, INT64_MAX), currency=CURRENCIES)
def test_negative_amounts_are_written_with_a_sign_and_not_read(
    minor: int, currency: Currency
) -> None:
    """They are ledger results: shown, and refused as input."""
    text = str(Money(-minor, currency))
    assert text == "-" + str(Money(minor, currency))
    with pytest.raises(MoneyError):
        Money.parse(text, currency)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("0", CNY, 0),
        ("0.00", CNY, 0),
        ("0.01", CNY, 1),
        ("0.1", CNY, 10),
        ("12", CNY, 1200),
        ("12.3", CNY, 1230),
        ("12.30", CNY, 1230),
        ("1000000.00", CNY, 100_000_000),
        ("92233720368547758.07", CNY, INT64_MAX),
        ("500", JPY, 500),
        ("0", JPY, 0),
        ("9223372036854775807", JPY, INT64_MAX),
        ("1", USDC, 1_000_000),
        ("0.000001", USDC, 1),
        ("12.34", USDC, 12_340_000),
        ("9223372036854.775807", USDC, INT64_MAX),
    ],
)
def test_plain_decimals_are_read(text: str, currency: Currency, minor: int) -> None:
    """Major units with up to as many decimals as the currency has."""
    assert Money.parse(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (0, CNY, "0.00"),
        (5, CNY, "0.05"),
        (-5, CNY, "-0.05"),
        (1230, CNY, "12.30"),
        (0, JPY, "0"),
        (500, JPY, "500"),
        (-500, JPY, "-500"),
        (1, USDC, "0.000001"),
        (12_340_000, USDC, "12.340000"),
    ],
)
def test_money_is_written_with_all_decimals(minor: int, currency: Currency, text: str) -> None:
    """`12.3` is never `12.3` on a wire that wants fen."""
    assert str(Money(minor, currency)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "+1",
        "-1",
        "-0",
        "1e3",
        "1E3",
        "0x10",
        "1_000",
        "1,000",
        "1 000",
        " 1",
        "1 ",
        "1\n",
        "\t1",
        ".5",
        "5.",
        "00",
        "01",
        "00.50",
        "1.2.3",
        "1..2",
        "1/2",
        "NaN",
        "inf",
        "Infinity",
        "١٢",
        "１２",
        "1.２",
        "๑",
        "²",
        "12元",
        "¥12",
        "1.0000000000000000000000001e0",
    ],
)
def test_guesswork_is_refused(text: str) -> None:
    """Signs, exponents, separators, spaces, spare zeros, other scripts' digits: not a number."""
    with pytest.raises(MoneyError, match="not a plain decimal"):
        Money.parse(text, CNY)


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("1.234", CNY),
        ("1.000", CNY),
        ("0.001", USD),
        ("1.0", JPY),
        ("1.00", JPY),
        ("1.0000001", USDC),
    ],
)
def test_spare_decimals_are_refused(text: str, currency: Currency) -> None:
    """A tenth of a fen is not rounded away, be it zero."""
    with pytest.raises(MoneyError, match=f"more than {currency.exponent} decimals"):
        Money.parse(text, currency)


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("92233720368547758.08", CNY),
        ("9223372036854775808", JPY),
        ("9223372036854.775808", USDC),
        ("9" * 20, CNY),
        ("9" * 100_000, CNY),
        ("1" + "0" * 19, JPY),
    ],
)
def test_amounts_beyond_the_column_are_refused(text: str, currency: Currency) -> None:
    """Huge digits are an error at once and never a big integer."""
    with pytest.raises(MoneyError, match="largest storable"):
        Money.parse(text, currency)


def test_refusal_does_not_repeat_an_endless_text() -> None:
    """The message quotes forty characters at most."""
    with pytest.raises(MoneyError) as refused:
        Money.parse("x" * 10_000, CNY)
    assert len(str(refused.value)) < 120


@given(text=st.text(max_size=30), currency=CURRENCIES)
def test_any_text_is_money_or_refused(text: str, currency: Currency) -> None:
    """Nothing else is raised, and what is read was written in ASCII digits."""
    try:
        money = Money.parse(text, currency)
    except MoneyError:
        return
    assert text.isascii()
    assert money.minor >= 0


# --- Numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("minor", [1.0, 0.5, True, False, "1", None, 1 + 0j])
def test_only_integers_are_amounts(minor: object) -> None:
    """A float, a boolean or a text is a mistake somewhere above, not an amount."""
    with pytest.raises(MoneyError, match="whole number of minor units"):
        Money(minor, CNY)  # type: ignore[arg-type]  # what a caller without types may do


@pytest.mark.parametrize("minor", [INT64_MAX + 1, -INT64_MAX - 1, 10**30])
def test_unstorable_amounts_cannot_be_made(minor: int) -> None:
    """What no INT64 column holds does not exist."""
    with pytest.raises(MoneyError, match="largest storable"):
        Money(minor, CNY)


@given(one=SMALL, other=SMALL)
def test_addition_is_exact(one: int, other: int) -> None:
    """To the last unit, and subtraction undoes it."""
    total = cny(one) + cny(other)
    assert total == cny(one + other)
    assert total - cny(other) == cny(one)
    assert total == cny(other) + cny(one)


@given(one=SIGNED)
def test_zero_changes_nothing(one: int) -> None:
    """The neutral amount."""
    assert cny(one) + Money.zero(CNY) == cny(one)
    assert cny(one) - cny(one) == Money.zero(CNY)


def test_overflow_is_an_error() -> None:
    """Sums do not wrap around."""
    with pytest.raises(MoneyError, match="largest storable"):
        _ = cny(INT64_MAX) + cny(1)
    with pytest.raises(MoneyError, match="largest storable"):
        _ = cny(-INT64_MAX) - cny(1)


@given(one=SIGNED, other=SIGNED)
def test_order_is_that_of_the_numbers(one: int, other: int) -> None:
    """All four comparisons and equality agree with the integers."""
    a, b = cny(one), cny(other)
    assert (a < b, a <= b, a > b, a >= b, a == b) == (
        one < other,
        one <= other,
        one > other,
        one >= other,
        one == other,
    )


def test_currencies_do_not_mix() -> None:
    """A yuan is not a dollar: no sum, no difference, no order, and never equal."""
    yuan, dollar = Money(100, CNY), Money(100, USD)
    assert yuan != dollar
    for mixed in (Money.__add__, Money.__sub__, Money.__lt__, Money.__le__):
        with pytest.raises(MoneyError, match="CNY and USD do not add or compare"):
            mixed(yuan, dollar)


def test_money_is_a_value() -> None:
    """Equal amounts are one key; none can be changed."""
    assert len({cny(1), cny(1), cny(2)}) == 2
    with pytest.raises(AttributeError):
        cny(1).minor = 2  # type: ignore[misc]  # the point of the test


# --- Currencies ----------------------------------------------------------------------------------


def test_exponents_are_those_of_the_standards() -> None:
    """ISO 4217: yen have no decimals; Circle's coins have six."""
    assert {currency: currency.exponent for currency in Currency} == {
        CNY: 2,
        USD: 2,
        Currency.EUR: 2,
        Currency.HKD: 2,
        JPY: 0,
        USDC: 6,
        Currency.EURC: 6,
    }
