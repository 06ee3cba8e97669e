"""Cases of what a channel shows: its bytes, its words about itself, and what others may read."""

import hashlib
from datetime import timedelta

from msgspec.structs import replace

from channels.contract import Funded, NoticeRefused, Prepared, Recallable, Receipted
from channels.money import Currency, Money
from gateway.domain.payout import PayoutId, channel_reference
from tests.contracts.channels.cases import case
from tests.contracts.channels.personal import fragments, listening_to_logs, marks, revealed
from tests.contracts.channels.scene import Scene


@case("shows", "the same instruction prepares the same business fields at any time")
async def prepare_is_deterministic(scene: Scene) -> None:
    """Only time, nonce and signature may differ; another amount or payee must show."""
    order, rig = scene.order(), scene.rig
    first = scene.prepared(order)
    wanted = rig.business(first)
    assert rig.business(scene.prepared(order)) == wanted
    scene.restart()
    await scene.place.advance(timedelta(seconds=90))
    assert rig.business(scene.prepared(order)) == wanted
    others = (
        scene.order(amount=rig.amount + 1),
        scene.order(2),
        scene.order(payee=rig.other_payee),
    )
    for other in others:
        assert rig.business(scene.prepared(other)) != wanted
    assert first.instruction == order
    assert scene.place.journal() == []


@case("shows", "the digest names exactly what was armed")
async def digest(scene: Scene) -> None:
    """64 hex digits, equal for equal bytes and for no others."""
    order = scene.order()
    first, other = scene.prepared(order), scene.prepared(scene.order(2))
    assert len(bytes.fromhex(first.digest)) == hashlib.sha256().digest_size
    assert first.digest != other.digest
    again = scene.prepared(order)
    same = (first.url, first.headers, first.body) == (again.url, again.headers, again.body)
    assert (first.digest == again.digest) is same
    assert first.signed_at == scene.place.now()


@case("shows", "prepared bytes hold no secret")
async def no_secret_sent(scene: Scene) -> None:
    """Keys sign; they do not travel."""
    prepared = scene.prepared(scene.order())
    assert scene.rig.secrets
    sent = _bytes(prepared, with_headers=not scene.rig.secret_in_headers)
    shown = [one for one in fragments(scene.rig.secrets) if one in sent]
    assert not shown, f"{len(shown)} fragments of secrets"


def _bytes(prepared: Prepared, *, with_headers: bool) -> bytes:
    headers = "\n".join(f"{name}: {value}" for name, value in prepared.headers)
    shown = headers.encode() if with_headers else b""
    return b"\n".join((prepared.url.encode(), shown, prepared.body))


@case("shows", "the transcript shows neither payee nor key")
async def scrubbed(scene: Scene) -> None:
    """The journal, every log line, and the text of every value the channel made."""
    rig = scene.rig
    payees = (rig.payee, rig.other_payee, rig.slow, rig.return_payee, rig.notice_payee)
    with listening_to_logs() as lines:
        for number, payee in enumerate(payees, start=1):
            if payee is not None:
                order = scene.order(number, payee)
                scene.said += [scene.prepared(order), order, scene.inquiry(order)]
                await scene.pay(order)
                await scene.ask(order)
                await scene.settle(order)
                await scene.ask(order)
        await scene.place.advance(rig.notices_within)
        if scene.channel.traits.statement:
            await scene.place.advance(rig.statement_after)
            await scene.statement()
        if isinstance(scene.channel, Funded):
            scene.said.append(await scene.channel.balance())
        scene.said += [one.read for one in scene.ear.heard]
    hidden = [mark for payee in payees if payee is not None for mark in marks(payee)]
    hidden += [one.decode() for one in fragments(rig.secrets)]
    journal = scene.place.journal()
    assert journal
    for name, text in (
        ("journal", "\n".join(map(repr, journal))),
        ("log", "\n".join(lines)),
        ("values", repr(scene.said)),
        ("channel", repr(scene.channel) + str(scene.channel)),
    ):
        assert not revealed(text, hidden), (name, revealed(text, hidden))


@case("shows", "the channel says what it is, and keeps to it")
async def traits(scene: Scene) -> None:
    """One constant object, of the right kind, agreeing with what the entry has and lacks."""
    rig, channel = scene.rig, scene.channel
    said = channel.traits
    assert said is channel.traits
    assert said.kind == rig.kind
    assert said.terms.currency is rig.currency
    assert rig.payee.rail in said.rails
    has = {
        "notices": said.notices,
        "statement": said.statement,
        "balance": isinstance(channel, Funded),
        "receipt": isinstance(channel, Receipted),
        "recall": isinstance(channel, Recallable),
    }
    assert {name for name, there in has.items() if not there} == has.keys() & rig.lacks.keys()
    if rig.lacks.keys() & {"repeat", "resend", "resend_when_paid", "same_bytes"}:
        assert said.resend is None, "a resend is promised, and not held to it"


@case("shows", "what the channel would refuse for ever is a problem before anything is sent")
async def check(scene: Scene) -> None:
    """A reference, amount or currency it cannot carry is named with its field."""
    order, rule, terms = scene.order(), scene.channel.traits.reference, scene.channel.traits.terms
    refused = {
        "reference": replace(order, reference="0" * (rule.length_max + 1)),
        "amount": replace(order, amount=Money(terms.amount_max + 1, terms.currency)),
    }
    for name, instruction in refused.items():
        assert [p.field for p in scene.channel.check(instruction) if p.field == name], name
    other = next(one for one in Currency if one is not terms.currency)
    assert scene.channel.check(replace(order, amount=Money(order.amount.minor, other)))
    # At the door it is asked in anybody's name, so all references of its rule are one to it.
    for number in range(3):
        reference = channel_reference(PayoutId(f"po_{number:026}"), 1 + number, rule)
        assert scene.channel.check(replace(order, reference=reference)) == ()
    assert scene.place.journal() == []


STRAY = (
    b"",
    b"{}",
    b"[]",
    b"null",
    b"a=b&c",
    b"<a/>",
    b"\xff\xfe\x00",
    b'{"id":1}',
    b"0" * 100_000,
)
"""Bodies that no institution has sent."""


@case("shows", "what is no notice is refused, never an exception")
async def no_notice(scene: Scene) -> None:
    """Anyone can post to a public address, to a channel with notices or without."""
    for body in STRAY:
        for headers in ({}, {"content-type": "application/json", "signature": "x"}):
            read = scene.channel.read_notice(headers, body, scene.place.now())
            assert isinstance(read, NoticeRefused), body
            assert 200 <= read.reply.status < 600
