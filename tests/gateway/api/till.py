"""A channel that lives in the test: it keeps the contract, and pays unless told otherwise."""

from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import date, datetime
from hashlib import sha256
from string import ascii_letters, digits

from channels.contract import (
    Absent,
    BankCard,
    Inquiry,
    Instruction,
    Notice,
    NoticeRefused,
    NoticeReply,
    Outcome,
    Paid,
    Prepared,
    Problem,
    Rail,
    ReferenceRule,
    StatementLine,
    StatementNotReadyError,
    Tariff,
    Terms,
    Traits,
)
from channels.money import Currency

TERMS = Terms(Currency.CNY, amount_min=1, amount_max=100_000_000, tariffs=(Tariff(),))


class Till:
    """Pays at once; `outcomes` are given first, in order."""

    def __init__(
        self, rails: Iterable[Rail] = (Rail.BANK_CARD,), *, statement: bool = True
    ) -> None:
        """Nothing was ever sent."""
        self.name = "till"
        self.traits = Traits(
            kind="till",
            rails=frozenset(rails),
            terms=TERMS,
            reference=ReferenceRule(digits + ascii_letters, 1, 32),
            resend=None,
            inquire_first_s=10,
            inquire_max_s=600,
            inquire_horizon_days=None,
            sends_per_s=None,
            name_required_from_minor=None,
            notices=True,
            statement=statement,
            statement_ready=None,
            payee_confirms=False,
        )
        self.sent: list[Prepared] = []
        self.outcomes: deque[Outcome] = deque()
        self.lines: list[StatementLine] = []

    def check(self, instruction: Instruction) -> tuple[Problem, ...]:
        """Only cards of 16 to 19 digits."""
        card = instruction.instrument
        if not isinstance(card, BankCard) or 16 <= len(card.number) <= 19:
            return ()
        return (Problem("instrument.number", "must have 16 to 19 digits"),)

    def prepare(self, instruction: Instruction, now: datetime) -> Prepared:
        """The reference is the whole request."""
        body = instruction.reference.encode()
        return Prepared(
            instruction, "https://till.invalid/", (), body, sha256(body).hexdigest(), now, None
        )

    async def send(self, prepared: Prepared) -> Outcome:
        """Pay, unless told otherwise."""
        self.sent.append(prepared)
        if self.outcomes:
            return self.outcomes.popleft()
        return Paid(f"till-{prepared.instruction.reference}", prepared.signed_at)

    async def inquire(self, inquiry: Inquiry) -> Outcome | Absent:
        """Whatever was sent is paid."""
        if any(one.instruction.reference == inquiry.reference for one in self.sent):
            return Paid(f"till-{inquiry.reference}", inquiry.sent_at)
        return Absent()

    def read_notice(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Notice | NoticeRefused:
        """`x-till: genuine` is the signature, the body is the reference."""
        if headers.get("x-till") != "genuine":
            return NoticeRefused("unsigned", NoticeReply(401, "text/plain", b"no"))
        reference = body.decode("ascii")
        reply = NoticeReply(200, "text/plain", b"thanks")
        return Notice(f"n-{reference}", reference, None, "paid", reply)

    async def statement(self, day: date) -> AsyncIterator[StatementLine]:
        """The same lines for every day; without any, it is not published yet."""
        for line in self.lines:
            yield line
        if not self.lines:
            raise StatementNotReadyError(f"{day} is not published")

    async def aclose(self) -> None:
        """There are no connections."""
