"""Write the recordings under tests/wire/xxpay: run `python -m tests.channels.xxpay.record`.

Each file shows one exchange as it stands on the wire, made from the documented shapes (dialects.md
§3.1) and signed with a secret that exists for tests alone, and what the adapter makes of it.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from channels.contract import NOTICE_QUERY, Instrument
from channels.xxpay import wire
from channels.xxpay.answers import Reader
from channels.xxpay.channel import HEADERS
from tests.channels.xxpay import gateway
from tests.channels.xxpay.gateway import (
    CARD,
    COMPANY,
    NOW,
    REFERENCE,
    channel,
    compact,
    found,
    inquiry,
    instruction,
    refusal,
    reply,
    settings,
    signed,
    taken,
    told,
)

WIRE = Path(__file__).parents[2] / "wire" / "xxpay"
SETTINGS = settings()


@dataclass(frozen=True)
class Case:
    """One exchange, or one notice."""

    about: str
    path: str
    instrument: Instrument
    said: bytes

    def asked(self) -> bytes:
        """The body of the request; empty for a notice."""
        if self.path == SETTINGS.apply_path:
            return wire.submission(SETTINGS, instruction(self.instrument), NOW)
        if self.path == SETTINGS.query_path:
            return wire.query(SETTINGS, REFERENCE, NOW)
        return wire.balance(SETTINGS, NOW) if self.path else b""

    def meaning(self) -> str:
        """What the adapter makes of it."""
        reader, asked = Reader(SETTINGS), inquiry(self.instrument)
        if self.path == SETTINGS.apply_path:
            return repr(reader.submitted(reply(self.said), asked))
        if self.path == SETTINGS.query_path:
            return repr(reader.inquired(reply(self.said), asked, NOW))
        if self.path:
            fields = reader.proven(reply(self.said))
            return repr(wire.funds(fields) if isinstance(fields, Mapping) else fields)
        return repr(channel().read_notice({NOTICE_QUERY: self.said.decode()}, b"", NOW))

    def text(self) -> str:
        """The whole file."""
        about = f"# {self.about}\n\n"
        if not self.path:
            line = f"POST /notices/xxpay?{self.said.decode()}"
            return f"{about}=== notice\n{line}\n\n=== meaning\n{self.meaning()}\n"
        headers = "\n".join(f"{name}: {value}" for name, value in HEADERS)
        return (
            f"{about}=== request\nPOST {SETTINGS.base_url}{self.path}\n{headers}\n\n"
            f"{self.asked().decode()}\n\n=== reply\n{self.said.decode()}\n\n"
            f"=== meaning\n{self.meaning()}\n"
        )


def apply(about: str, said: bytes, instrument: Instrument = CARD) -> Case:
    """A payout and its answer."""
    return Case(about, SETTINGS.apply_path, instrument, said)


def query(about: str, said: bytes) -> Case:
    """A question and its answer."""
    return Case(about, SETTINGS.query_path, CARD, said)


def notice(about: str, fields: Mapping[str, object]) -> Case:
    """What they tell."""
    return Case(about, "", CARD, gateway.query(fields).encode())


CASES: Mapping[str, Case] = {
    "apply-processing": apply("A card: the gateway has it.", signed(taken())),
    "apply-company": apply("A company's account.", signed(taken()), COMPANY),
    "apply-paid": apply("Paid, but the amount is not named.", signed(taken(status=2))),
    "apply-failed": apply("Nobody's proof.", signed(taken(status=3, transMsg="交易失败"))),
    "apply-refused": apply("An unsigned free text.", refusal("账户余额不足")),
    "apply-untied": apply("Names no number of ours.", signed(taken(extra=None))),
    "query-paid": query("Paid, with the fee.", signed(found())),
    "query-reversed": query("A clone's reversal (冲正).", signed(found(status="6"))),
    "query-failed": query("In doubt until a person looks.", signed(found(status="3"))),
    "query-wrong-amount": query("About another amount.", signed(found(amount="12344"))),
    "query-unsigned": query("A success that nobody signed.", compact(found())),
    "query-not-found": query("Unsigned, so it is no absence.", refusal("代付订单不存在")),
    "balance": Case(
        "What is free on the payout balance.",
        SETTINGS.balance_path,
        CARD,
        signed(
            {
                "retCode": "SUCCESS",
                "agentpayBalance": "5000",
                "availableAgentpayBalance": "4321",
            }
        ),
    ),
    "notice-paid": notice("Our number is in `extra`.", told()),
    "notice-their-number": notice("Theirs alone: left to a look-up.", told(extra="")),
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
