"""The customer's side of a test: settings of an account, and a simulated bank to go with them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from channels.bank.settings import BankSettings
from channels.contract import (
    BankAccount,
    BankCard,
    Inquiry,
    Instruction,
    Instrument,
    Tariff,
    Terms,
)
from channels.money import Currency, Money

WIRE = Path(__file__).parents[2] / "wire" / "bank"
NOW = datetime(2026, 11, 2, 1, 30, tzinfo=UTC)
"""A Monday, 09:30 in Beijing."""
REFERENCE = "P7K2M9X4Q1A1"
AMOUNT = Money(12_345, Currency.CNY)
ACCOUNT = "0200004509022100123"
CUSTOMER = "CUST000001"
NOTICE_SECRET = "a-notice-secret-for-tests-alone"
BALANCE_FEN = 1_000_000
SETTLED = timedelta(minutes=5)
"""After so long the simulated bank has settled and credited a payment."""
TERMS = Terms(Currency.CNY, amount_min=1, amount_max=500_000_000, tariffs=(Tariff(),))

CARD = BankCard("6222020200112233445", "张三丰", "ICBC", "中国工商银行")
CORPORATE = BankAccount(
    "0200004509022100777", "杭州某某科技有限公司", "102100000450", "中国工商银行", "海淀支行"
)


def given(**changes: object) -> dict[str, object]:
    """What an operator configures, unless told otherwise; None takes a key away."""
    usual: dict[str, object] = {
        "profile": "cn-https",
        "base_url": "http://127.0.0.1:1",
        "customer_id": CUSTOMER,
        "account_number": ACCOUNT,
        "account_name": "北京某某科技有限公司",
        "agent_member_id": "102100000450",
        "notice_secrets": [NOTICE_SECRET],
    }
    return {key: value for key, value in (usual | changes).items() if value is not None}


def settings(**changes: object) -> BankSettings:
    """The settings of an account over HTTP on this machine."""
    return BankSettings.model_validate(given(**changes))


def folders(folder: Path, **changes: object) -> BankSettings:
    """The settings of an account over drop folders, which are made."""
    out, into = folder / "out", folder / "in"
    out.mkdir(exist_ok=True)
    into.mkdir(exist_ok=True)
    usual: dict[str, object] = {
        "profile": "cn-folder",
        "folder_out": out,
        "folder_in": into,
        "base_url": None,
        "customer_id": None,
        "notice_secrets": None,
    }
    return settings(**(usual | changes))


def section(**changes: object) -> dict[str, object]:
    """A simulated bank with this one account; `changes` are the account's."""
    account: dict[str, object] = {
        "account": "bank-1",
        "customer_id": CUSTOMER,
        "number": ACCOUNT,
        "owner": "北京某某科技有限公司",
        "balance_fen": BALANCE_FEN,
        "fee": {"flat_fen": 50},
        "notice_secret": NOTICE_SECRET,
    }
    return {"name": "bank", "kind": "bank", "accounts": [account | changes]}


def instruction(instrument: Instrument = CARD, **changes: object) -> Instruction:
    """One try to pay 123.45 yuan."""
    usual: dict[str, object] = {
        "attempt_id": "a1",
        "reference": REFERENCE,
        "amount": AMOUNT,
        "instrument": instrument,
        "purpose": "十月佣金",
    }
    return Instruction(**(usual | changes))  # type: ignore[arg-type]  # names are checked at run time


def inquiry(instrument: Instrument = CARD, amount: Money = AMOUNT) -> Inquiry:
    """The question about that try."""
    return Inquiry(REFERENCE, amount, instrument, NOW)
