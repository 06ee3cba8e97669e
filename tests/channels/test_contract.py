"""The contract's invariants: closed sets, complete tables, immutable values, masked payees."""

import dataclasses
import hashlib
from datetime import UTC, datetime
from typing import get_args, get_type_hints

import pytest
from msgspec import Struct

from channels import contract
from channels.contract import (
    INSTRUMENTS,
    Absent,
    AlipayAccount,
    AlipayIdentity,
    BankAccount,
    BankCard,
    ChainAddress,
    ChannelError,
    Elsewhere,
    Evidence,
    Fault,
    Inquiry,
    Instruction,
    Instrument,
    NotSent,
    Outcome,
    Paid,
    Pending,
    Prepared,
    Rail,
    Reason,
    Rejected,
    Request,
    Returned,
    StatementBrokenError,
    StatementNotReadyError,
    Unknown,
    WechatWallet,
    WireAccount,
)
from channels.money import Currency, Money
from policies import facts

AT = datetime(2026, 3, 2, tzinfo=UTC)
VALUES = [
    value
    for value in vars(contract).values()
    if isinstance(value, type)
    and (dataclasses.is_dataclass(value) or issubclass(value, Struct))
    and value.__module__ == "channels.contract"
]


# --- Reasons -------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_fault_and_a_way_on(reason: Reason) -> None:
    """The table is complete: whose fault it is, and where another attempt has a chance."""
    assert reason.fault in Fault
    assert reason.elsewhere in Elsewhere


@pytest.mark.parametrize("reason", Reason)
def test_ways_on_follow_from_the_fault(reason: Reason) -> None:
    """A channel's trouble ends at the channel; a beneficiary's follows it everywhere."""
    allowed = {
        Fault.CHANNEL: {Elsewhere.ANY},
        Fault.INSTRUCTION: {Elsewhere.ANY, Elsewhere.NEVER},
        Fault.BENEFICIARY: {Elsewhere.OTHER_INSTRUMENT, Elsewhere.NEVER},
        Fault.OPERATOR: {Elsewhere.NEVER},
    }
    assert reason.elsewhere in allowed[reason.fault]


FOR_PEOPLE = [
    Reason.RECALLED,
    Reason.PAYEE_DECLINED,
    Reason.BANK_RETURNED,
    Reason.UNEXPLAINED,
]


@pytest.mark.parametrize("reason", FOR_PEOPLE)
def test_some_ends_are_for_people(reason: Reason) -> None:
    """Recalled, declined, sent back, or for a cause nobody knows: no machine tries that again."""
    assert reason.elsewhere is Elsewhere.NEVER


def test_policies_know_the_same_ways_on() -> None:
    """The router's literals are the contract's values, without importing them."""
    hints = get_type_hints(facts.Tried)
    assert set(get_args(hints["elsewhere"])) == {one.value for one in Elsewhere}


# --- Outcomes ------------------------------------------------------------------------------------


def test_outcomes_are_a_closed_union() -> None:
    """Six answers, and one more that only an inquiry can give; each settled by `certify`."""
    assert set(get_args(Outcome)) == {NotSent, Rejected, Pending, Unknown, Paid, Returned}
    assert Absent not in get_args(Outcome)


def test_no_outcome_is_an_exception() -> None:
    """Answers are returned: none can be raised, caught and read as a failure."""
    assert not [one for one in (*get_args(Outcome), Absent) if issubclass(one, BaseException)]


def test_rejection_counts_at_once_unless_told_otherwise() -> None:
    """`confirm` is said by the code table, not by default; a bank's return is the default one."""
    assert not Rejected(Reason.PAYEE_NOT_FOUND, "X").confirm
    assert Returned(None, AT, Money(1, Currency.CNY)).reason is Reason.BANK_RETURNED


def test_read_errors_have_one_root() -> None:
    """A statement that is late or broken is a `ChannelError`, and neither is the other."""
    assert issubclass(StatementNotReadyError, ChannelError)
    assert issubclass(StatementBrokenError, ChannelError)
    assert not issubclass(StatementBrokenError, StatementNotReadyError)


# --- Instruments ---------------------------------------------------------------------------------

CARD = BankCard("6222021234567890123", "王五", "ICBC", "中国工商银行")
EXAMPLES: dict[Rail, Instrument] = {
    Rail.ALIPAY: AlipayAccount("2088102169481075", AlipayIdentity.USER_ID, "王五"),
    Rail.WECHAT: WechatWallet("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "wx88", "王五"),
    Rail.BANK_CARD: CARD,
    Rail.BANK_ACCOUNT: BankAccount("1100293847562", "王五贸易", "102100099996", "工行", "总行"),
    Rail.WIRE: WireAccount("a1b2c3d4-0001", "Li Trading"),
    Rail.CHAIN: ChainAddress("0x8381470ED67C3802402dbbFa0058E8871F017A6F", "ETH", "r-1", "王五"),
}
SECRETS = (
    "2088102169481075",
    "oUpF8uMuAJO",
    "6222021234567890123",
    "1100293847562",
    "王五",
    "a1b2c3d4",
    "Li Trading",
    "0x8381",
)


@pytest.mark.parametrize("rail", Rail)
def test_every_rail_has_its_instrument(rail: Rail) -> None:
    """The registry is complete, and each instrument says its own rail."""
    assert INSTRUMENTS[rail] is type(EXAMPLES[rail])
    assert EXAMPLES[rail].rail is rail


def test_instruments_are_a_closed_union() -> None:
    """The registry and the union name the same types."""
    assert set(INSTRUMENTS.values()) == set(get_args(Instrument))


def test_rail_cannot_be_given() -> None:
    """No caller can dress a card as a wallet."""
    with pytest.raises(TypeError):
        BankCard("6222", "x", rail=Rail.WECHAT)  # type: ignore[call-arg]  # the point of the test


@pytest.mark.parametrize("rail", Rail)
def test_repr_masks_the_payee(rail: Rail) -> None:
    """I21: neither account nor name in a log or traceback, alone or inside what carries it."""
    instrument = EXAMPLES[rail]
    told = Instruction("po_1/1", "R1", Money(1, Currency.CNY), instrument, "货款")
    carriers: list[object] = [
        instrument,
        told,
        Prepared(told, "https://api.example", (("X-Name", "王五"),), CARD_BODY, "d", AT, None),
        Inquiry("R1", told.amount, instrument, AT),
        Unknown(contract.UnknownCause.UNREADABLE, Evidence(500, None, None, CARD_BODY)),
        Absent(Evidence(404, None, None, CARD_BODY)),
    ]
    for carrier in carriers:
        text = repr(carrier)
        assert not [secret for secret in SECRETS if secret in text]
        assert "R1" in text or carrier not in carriers[1:4]


CARD_BODY = '{"card":"6222021234567890123","name":"王五"}'.encode()


def test_repr_shows_what_is_no_secret() -> None:
    """A masked value still says which bank, so that logs remain useful."""
    assert "ICBC" in repr(CARD)
    assert "102100099996" in repr(EXAMPLES[Rail.BANK_ACCOUNT])


# --- Values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.__name__)
def test_values_are_immutable_and_closed(value: type) -> None:
    """Frozen, with slots: nobody adds a field in passing or changes an answer after the fact."""
    if issubclass(value, Struct):
        assert value.__struct_config__.frozen
    else:
        params = value.__dataclass_params__  # type: ignore[attr-defined]  # every dataclass has it
        assert params.frozen
    assert "__slots__" in vars(value)


def test_nothing_in_the_contract_is_a_float() -> None:
    """Money is integers, and so are seconds and shares."""
    for value in VALUES:
        assert float not in _flat(tuple(get_type_hints(value).values()))


def _flat(hints: tuple[object, ...]) -> set[object]:
    """Every type named in annotations, however deep."""
    found: set[object] = set()
    for hint in hints:
        found |= {hint} if not get_args(hint) else _flat(get_args(hint))
    return {one for one in found if isinstance(one, type)}


# --- Requests ------------------------------------------------------------------------------------


def test_a_digest_names_address_headers_and_body() -> None:
    """Any change of one of them is another digest; they are hashed as they would be written."""
    digests = {
        Request("u", (("a", "b"),), b"c").digest,
        Request("v", (("a", "b"),), b"c").digest,
        Request("u", (("a", "c"),), b"c").digest,
        Request("u", (("a", "b"),), b"d").digest,
        Request("u", (), b"c").digest,
    }
    assert len(digests) == 5
    written = hashlib.sha256(b"u\na: b\nd: e\n\nc").hexdigest()
    assert Request("u", (("a", "b"), ("d", "e")), b"c").digest == written


def test_what_is_prepared_is_the_request_and_asks_about_its_instruction() -> None:
    """To the byte; the answer is compared with reference, amount and payee of what was sent."""
    told = Instruction("at_1", "r1", Money(1, Currency.CNY), CARD, "order")
    request = Request("u", (("a", "b"),), b"c")
    prepared = request.prepared(told, AT)
    assert (prepared.url, prepared.headers, prepared.body) == ("u", (("a", "b"),), b"c")
    assert (prepared.digest, prepared.signed_at, prepared.not_after) == (request.digest, AT, None)
    assert Inquiry.about(prepared) == Inquiry("r1", Money(1, Currency.CNY), CARD, AT)
