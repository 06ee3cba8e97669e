"""The channel and the bank over connections that authenticate both ends."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from channels.bank.channel import BankChannel, build
from channels.contract import (
    Absent,
    NotSent,
    NotSentCause,
    Outcome,
    Pending,
    Unknown,
)
from simulators.world import World
from tests.channels.bank import house
from tests.channels.bank.authority import Authority
from tests.contracts.channels.rig import START, world_of


@asynccontextmanager
async def bank(folder: Path, authority: Authority) -> AsyncIterator[World]:
    """A bank that knows the certificate `ours` alone."""
    server, server_key, _ = authority.issue("bank")
    _, _, ours = authority.issue("ours")
    known = hashlib.sha256(ours.public_bytes(Encoding.DER)).hexdigest()
    section = house.section(client_certificate_sha256=known) | {
        "tls": {"cert_file": server, "key_file": server_key, "client_ca_file": authority.file}
    }
    async with world_of(section, START) as world:
        assert world.shells["bank"].url.startswith("https://")
        yield world


def channel(world: World, folder: Path, name: str, authority: Path) -> BankChannel:
    """A channel that shows this certificate and trusts that authority."""
    settings = house.settings(
        base_url=world.shells["bank"].url,
        client_cert_file=folder / f"{name}.pem",
        client_key_file=folder / f"{name}-key.pem",
        tls_ca_file=authority,
        total_timeout_s=5,
    )
    return build("bank-main", settings, house.TERMS, world.clock.now)


async def pay(made: BankChannel, world: World) -> Outcome:
    """Prepare and send once."""
    try:
        return await made.send(made.prepare(house.instruction(), world.clock.now()))
    finally:
        await made.aclose()


async def test_a_known_certificate_pays(tmp_path: Path) -> None:
    """Taken, and one payout under way in the bank's books."""
    authority = Authority(tmp_path)
    async with bank(tmp_path, authority) as world:
        outcome = await pay(channel(world, tmp_path, "ours", authority.file), world)
        assert isinstance(outcome, Pending)
        await world.advance(house.SETTLED)
        truth = world.shells["bank"].simulator.truth()
    assert [(m.kind, m.amount_minor) for m in truth if m.kind == "payout"] == [("payout", 12_345)]


async def test_a_bank_of_another_authority_is_sent_nothing(tmp_path: Path) -> None:
    """The handshake fails before any byte of the file: provably not sent."""
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    async with bank(tmp_path, authority) as world:
        outcome = await pay(channel(world, tmp_path, "ours", other.file), world)
        assert isinstance(outcome, NotSent)
        assert outcome.cause is NotSentCause.TLS
        assert world.journal.rows() == []


async def test_another_customers_certificate_is_refused(tmp_path: Path) -> None:
    """Of the right authority, but not the account's: nothing is executed and nothing is known."""
    authority = Authority(tmp_path)
    authority.issue("theirs")
    async with bank(tmp_path, authority) as world:
        made = channel(world, tmp_path, "theirs", authority.file)
        outcome = await made.send(made.prepare(house.instruction(), world.clock.now()))
        asked = await made.inquire(house.inquiry())
        await made.aclose()
        assert isinstance(outcome, Unknown)
        assert not isinstance(asked, Absent)
        assert world.shells["bank"].simulator.truth() == []


async def test_a_certificate_of_nobody_moves_nothing(tmp_path: Path) -> None:
    """The bank ends the connection; whether before or after our first byte, nothing moved."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    stranger.issue("nobody")
    async with bank(tmp_path, authority) as world:
        outcome = await pay(channel(world, tmp_path, "nobody", authority.file), world)
        assert isinstance(outcome, NotSent | Unknown)
        assert world.shells["bank"].simulator.truth() == []
