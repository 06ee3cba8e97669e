"""The channel against peers that answer in ways no bank should."""

from collections.abc import Sequence

import orjson
import pytest

from channels.bank.channel import BankChannel, build
from channels.contract import (
    Absent,
    ChannelError,
    Funded,
    Outcome,
    Paid,
    Pending,
    Reason,
    Rejected,
    StatementBrokenError,
    StatementNotReadyError,
    Unknown,
    UnknownCause,
)
from tests.channels.bank.house import NOW, REFERENCE, TERMS, inquiry, instruction, settings
from tests.channels.bank.letters import Booking, balance, camt, report, statement, status, why
from tests.channels.faulty import Exchange, fault_server

DAY = NOW.date()


def http(body: bytes, kind: str = "application/json", code: int = 200) -> bytes:
    """A reply to the byte."""
    head = f"HTTP/1.1 {code} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def made(url: str) -> BankChannel:
    """A channel on that server."""
    return build(
        "bank-main", settings(base_url=url.rstrip("/"), total_timeout_s=5), TERMS, lambda: NOW
    )


async def sent(answer: bytes) -> tuple[Outcome, int]:
    """The outcome of a file that is answered so, and how many requests arrived."""
    seen: list[int] = []

    async def say(exchange: Exchange) -> None:
        seen.append(exchange.number)
        await exchange.say(answer)

    async with fault_server(say) as server:
        channel = made(server.url)
        outcome = await channel.send(channel.prepare(instruction(), NOW))
        await channel.aclose()
    return outcome, len(seen)


XML = "application/xml; charset=utf-8"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (http(orjson.dumps({"msgId": REFERENCE}), code=202), Pending(None, "RCVD")),
        (http(report(group="ACTC"), XML), Pending(None, "ACTC")),
        (http(report(status("RJCT", "AC04")), XML), Reason.INSTRUMENT_INVALID),
        (http(report(group="RJCT", group_why=why("DU01")), XML), UnknownCause.CHANNEL_UNSURE),
        (http(report(status("RJCT", "AC04")), XML, 400), UnknownCause.UNREADABLE),
        (http(camt("camt.054", Booking()), XML), UnknownCause.MISMATCH),
        (http(b"<a/>", XML), UnknownCause.UNREADABLE),
        (http(b"", code=202), UnknownCause.UNREADABLE),
        (http(orjson.dumps({"msgId": "OTHER"}), code=202), UnknownCause.MISMATCH),
    ],
)
async def test_an_upload_is_one_request_whatever_answers(
    answer: bytes, expected: Pending | Reason | UnknownCause
) -> None:
    """Received, refused for a reason, or unknown; never sent a second time."""
    outcome, requests = await sent(answer)
    assert requests == 1
    match outcome:
        case Rejected(reason=reason):
            assert reason is expected
        case Unknown(cause=cause):
            assert cause is expected
        case _:
            assert outcome == expected


class House:
    """A bank that lists and hands out these messages."""

    def __init__(self, *messages: bytes) -> None:
        """Name them in their order."""
        self.files = {f"f{number}.xml": raw for number, raw in enumerate(messages)}

    async def __call__(self, exchange: Exchange) -> None:
        """Answer a listing or a download."""
        target = exchange.request.split(b" ", 2)[1].decode()
        name = target.rpartition("/")[2]
        if name in self.files:
            await exchange.say(http(self.files[name], XML))
            return
        listed = [{"name": one} for one in self.files]
        await exchange.say(http(orjson.dumps({"files": listed, "more": False})))


async def asked(*messages: bytes) -> Outcome | Absent:
    """What an inquiry makes of a bank with these messages."""
    async with fault_server(House(*messages)) as server:
        channel = made(server.url)
        outcome = await channel.inquire(inquiry())
        await channel.aclose()
    return outcome


async def read(*messages: bytes) -> Sequence[object] | ChannelError:
    """What a statement is read as."""
    async with fault_server(House(*messages)) as server:
        channel = made(server.url)
        try:
            return [line async for line in channel.statement(DAY)]
        except ChannelError as error:
            return error
        finally:
            await channel.aclose()


async def test_statuses_and_bookings_of_many_files_are_one_story() -> None:
    """Whichever file comes first."""
    early, late = report(status("ACSP")), report(status("ACSC"), at="2026-11-02T11:00:00+08:00")
    assert isinstance(await asked(late, camt("camt.054", Booking()), early), Paid)


async def test_bookings_of_another_account_are_none_of_ours() -> None:
    """A bank may list the files of several accounts."""
    foreign = camt("camt.054", Booking(), account="9999")
    assert isinstance(await asked(foreign), Absent)


async def test_one_unreadable_file_leaves_absence_in_doubt() -> None:
    """And a refusal as well; it may be the one that tells the debit."""
    for messages in ((b"<a/>",), (b"<a/>", report(status("RJCT", "AC04")))):
        outcome = await asked(*messages)
        assert isinstance(outcome, Unknown)
        assert outcome.cause is UnknownCause.UNREADABLE


async def test_statements_are_ready_broken_or_not_there() -> None:
    """Three different things; none of them a short list."""
    whole = statement(Booking(), closing="876.55")
    lines = await read(whole)
    assert isinstance(lines, list)
    assert len(lines) == 1
    assert isinstance(await read(), StatementNotReadyError)
    assert isinstance(await read(statement(Booking(), closing="876.54")), StatementBrokenError)
    two = statement(closing="1000.00", report_id="S2")
    assert isinstance(await read(whole, two), StatementBrokenError)
    unreadable = await read(b"<a/>")
    assert isinstance(unreadable, ChannelError)
    assert not isinstance(unreadable, StatementNotReadyError)


async def test_the_newest_balance_counts() -> None:
    """By the time it was told for, of the types the profile prefers."""
    early = camt("camt.052", balances=balance("ITAV", "5.00"), at="2026-11-02T09:00:00+08:00")
    late = camt("camt.052", balances=balance("ITAV", "7.00"), at="2026-11-02T10:00:00+08:00")
    async with fault_server(House(late, early)) as server:
        channel = made(server.url)
        assert isinstance(channel, Funded)
        found = await channel.balance()
        await channel.aclose()
    assert found.available.minor == 700


async def test_no_balance_told_is_an_error() -> None:
    """Never a zero."""
    async with fault_server(House(report(status("ACSP")))) as server:
        channel = made(server.url)
        assert isinstance(channel, Funded)
        with pytest.raises(ChannelError, match="no message tells"):
            await channel.balance()
        await channel.aclose()
