"""Write the recordings under tests/wire/stablecoin: `python -m tests.channels.stablecoin.record`.

Each file shows one exchange as it stands on the wire, made from the documented shapes of request
and reply (wire-protocols.md §5), the API key starred out, and what the adapter makes of it. Any
change of a byte or of a meaning is a change of a file, to be read as a diff.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from channels.contract import Instrument
from channels.money import Currency, Money
from channels.stablecoin import wire
from channels.stablecoin.channel import build
from channels.stablecoin.notice import Errands, read_notice
from channels.stablecoin.settings import StablecoinSettings
from channels.stablecoin.statement import Search
from channels.transport import Reply
from tests.channels.stablecoin.platform import (
    ADDRESS,
    API_KEY,
    BANK,
    CONVERTING,
    NOW,
    PAYOUT_ID,
    SETTINGS,
    TERMS,
    WIRE,
    compact,
    crypto,
    error,
    fiat,
    inquiry,
    instruction,
    returned,
    settings,
    sns,
    told,
)

EUROS = Money(12_345, Currency.EUR)


def _shown(reply: object) -> str:
    return compact(reply).decode() if not isinstance(reply, bytes) else reply.decode()


@dataclass(frozen=True)
class Submission:
    """A payout request and its answer."""

    about: str
    instrument: Instrument
    status: int
    reply: object
    euros: bool = False

    @property
    def settings(self) -> StablecoinSettings:
        """A USD balance that pays EUR, or plain."""
        return settings(**CONVERTING) if self.euros else SETTINGS

    def text(self) -> str:
        """The whole file."""
        amount = EUROS if self.euros else instruction().amount
        terms = TERMS if not self.euros else type(TERMS)(Currency.EUR, 1, 500_000_000)
        prepared = build("mint", self.settings, terms, lambda: NOW).prepare(
            instruction(self.instrument, amount=amount), NOW
        )
        headers = "\n".join(f"{name}: {value}" for name, value in prepared.headers)
        answer = Reply(self.status, {}, compact(self.reply))
        asked = inquiry(self.instrument, amount=amount)
        meaning = wire.read_submission(answer, asked, self.settings)
        return (
            f"# {self.about}\n\n=== request\nPOST {prepared.url}\n"
            f"{headers.replace(API_KEY, '***')}\n\n{prepared.body.decode()}\n\n"
            f"=== reply\n{self.status}\n{_shown(self.reply)}\n\n=== meaning\n{meaning!r}\n"
        )


@dataclass(frozen=True)
class Question:
    """An inquiry by id and its answer."""

    about: str
    instrument: Instrument
    status: int
    reply: object

    def text(self) -> str:
        """The whole file."""
        answer = Reply(self.status, {}, compact(self.reply))
        meaning = wire.read_inquiry(answer, inquiry(self.instrument, PAYOUT_ID), SETTINGS)
        return (
            f"# {self.about}\n\n=== request\n"
            f"GET {wire.PATHS[self.instrument.rail]}/{PAYOUT_ID}\n\n"
            f"=== reply\n{self.status}\n{_shown(self.reply)}\n\n=== meaning\n{meaning!r}\n"
        )


@dataclass(frozen=True)
class Look:
    """A look through the list, for a payout whose id was never heard."""

    about: str
    reply: object

    def text(self) -> str:
        """The whole file."""
        search = Search(inquiry(), SETTINGS)
        found, _ = search.with_page(compact(self.reply))
        verdict = found.verdict()
        return (
            f"# {self.about}\n\n=== request\nGET {search.target()}\n\n=== reply\n200\n"
            f"{_shown(self.reply)}\n\n=== meaning\n{verdict!r}\n{verdict.evidence.message}\n"
        )


@dataclass(frozen=True)
class Told:
    """A notice."""

    about: str
    message: Mapping[str, str]

    def text(self) -> str:
        """The whole file."""
        read = read_notice(SETTINGS, Errands(), {}, compact(self.message), NOW)
        fields = "\n".join(f"{name}: {value}" for name, value in self.message.items())
        return f"# {self.about}\n\n=== notice\n{fields}\n\n=== meaning\n{read!r}\n"


Case = Submission | Question | Look | Told

CASES: Mapping[str, Case] = {
    "submit-wire-pending": Submission("A fiat payout is taken in.", BANK, 201, {"data": fiat()}),
    "submit-crypto-pending": Submission(
        "A crypto payout is taken in.", ADDRESS, 201, {"data": crypto()}
    ),
    "submit-converted": Submission(
        "A USD balance pays EUR: only toAmount names a sum.",
        ADDRESS,
        201,
        {
            "data": crypto(
                amount={"amount": "135.80", "currency": "USD"},
                toAmount={"amount": "123.45", "currency": "EUR"},
            )
        },
        euros=True,
    ),
    "submit-invalid": Submission(
        "A field does not fit: class (a).",
        BANK,
        400,
        error(2, errors=[{"error": "invalid_value", "location": "destination.id"}]),
    ),
    "submit-conflict": Submission("Another body under our key: class (b).", BANK, 409, error(1083)),
    "submit-unsure": Submission(
        "The institution does not know: class (b).", BANK, 500, error(-1, "Something went wrong.")
    ),
    "submit-throttled": Submission("Not taken in: class (c).", BANK, 429, error(429)),
    "submit-unauthorized": Submission(
        "Our key is refused: class (d), to be confirmed.", BANK, 401, error(401)
    ),
    "submit-unknown-code": Submission("A code no table knows.", BANK, 400, error(5020)),
    "submit-wrong-amount": Submission(
        "The answer speaks of another amount.",
        BANK,
        201,
        {"data": fiat(amount={"amount": "123.40", "currency": "USD"})},
    ),
    "inquire-complete": Question(
        "Paid, with its fee.", BANK, 200, {"data": fiat(status="complete")}
    ),
    "inquire-crypto-complete": Question(
        "Paid on the chain, with both fees.", ADDRESS, 200, {"data": crypto(status="complete")}
    ),
    "inquire-failed": Question(
        "The bank refused it.",
        BANK,
        200,
        {"data": fiat(status="failed", errorCode="invalid_bank_account_number")},
    ),
    "inquire-failed-in-doubt": Question(
        "Failed for a cause that leaves doubt.",
        BANK,
        200,
        {"data": fiat(status="failed", errorCode="bank_transaction_error")},
    ),
    "inquire-returned": Question(
        "The bank sent it back.",
        BANK,
        200,
        {"data": fiat(status="failed", errorCode="transaction_returned", **{"return": returned()})},
    ),
    "inquire-unknown-state": Question(
        "A state no table knows.", BANK, 200, {"data": fiat(status="archived")}
    ),
    "inquire-not-found": Question("No such id, which proves nothing.", BANK, 404, error(2)),
    "look-empty": Look("Nothing that could be ours.", {"data": []}),
    "look-alike": Look("One like ours, which is no proof.", {"data": [fiat()]}),
    "notice-complete": Told("A payout is complete.", sns(told(fiat(status="complete")))),
    "notice-subscription": Told(
        "SNS asks whether we want its messages.",
        sns(
            "You have chosen to subscribe.",
            Type="SubscriptionConfirmation",
            Token="t1",
            SubscribeURL="https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription",
        ),
    ),
}


def path(name: str) -> Path:
    """Where the recording of this name is."""
    return WIRE / f"{name}.txt"


def main() -> None:
    """Write every file."""
    for name, case in CASES.items():
        path(name).write_text(case.text(), encoding="utf-8")
    sys.stdout.write(f"{len(CASES)} recordings\n")


if __name__ == "__main__":
    main()
