"""Cases of one submission and what may go wrong with its answer.

Each ends in the institution's own books: the channel may be in doubt, the money may not.
"""

from collections.abc import Mapping

from pydantic import JsonValue

from channels.contract import (
    NotSent,
    NotSentCause,
    Paid,
    Reason,
    Rejected,
    Unknown,
    UnknownCause,
)
from tests.contracts.channels.cases import TAKEN, UNSEEN, Run, Spoilt, case
from tests.contracts.channels.rig import Expect
from tests.contracts.channels.scene import Scene

LOST = Expect(Unknown, UnknownCause.CONNECTION_LOST)
UNREADABLE = Expect(Unknown, (UnknownCause.UNREADABLE, UnknownCause.BAD_SIGNATURE))
"""No reply at all: whether it is first missed as one or as a signed one makes no difference."""
UNPROVEN = Expect(Unknown, UnknownCause.BAD_SIGNATURE)
UNSURE = Expect(Unknown, UnknownCause.CHANNEL_UNSURE)
MISMATCH = Expect(Unknown, UnknownCause.MISMATCH)
PAID = Expect(Paid)
DOUBT = "<Rig.unsure_code>"
"""Stands in a fault's parameters for the kind's own word for "cannot tell"."""

EXECUTED: tuple[Spoilt, ...] = (
    Spoilt("lost_after", "the reply is lost after the commit", "reset_after", {}, LOST),
    Spoilt("cut", "the connection is reset in the middle of the reply", "reset_mid", {}, LOST),
    Spoilt("garbage", "200 with bytes that are no reply", "garbage", {}, UNREADABLE),
    Spoilt("unsigned", "a true reply without signature", "unsigned", {}, UNPROVEN),
    Spoilt("bad_signature", "a signature that does not fit", "bad_signature", {}, UNPROVEN),
    Spoilt(
        "http_502_executed",
        "502 from a box in front, though it was carried out",
        "http_error",
        {"status": 502, "executed": True},
        UNREADABLE,
    ),
    Spoilt(
        "unknown_code",
        "carried out, answered with a code nobody documented",
        "unknown_code",
        {},
        Expect(Unknown, UnknownCause.UNKNOWN_CODE),
    ),
    Spoilt(
        "unknown_status",
        "carried out, answered with a status nobody documented",
        "unknown_status",
        {},
        Expect(Unknown, UnknownCause.UNKNOWN_STATE),
    ),
    Spoilt(
        "unsure_executed",
        "carried out, though they say that they cannot tell",
        "reject",
        {"code": DOUBT, "executed": True},
        UNSURE,
    ),
    *(
        Spoilt(
            f"echo_{field}",
            f"the reply echoes another {field}",
            "wrong_echo",
            {"field": field},
            MISMATCH,
        )
        for field in ("amount", "reference", "payee")
    ),
)
"""Case, what it says, the fault that makes it, the usual answer; the money moves in each."""

NOT_EXECUTED: tuple[Spoilt, ...] = (
    Spoilt("lost_before", "the connection is lost before the commit", "reset_before", {}, LOST),
    Spoilt(
        "http_503_not_executed",
        "503 from a box in front, and nothing was carried out",
        "http_error",
        {"status": 503},
        UNREADABLE,
    ),
    Spoilt(
        "unsure_not_executed",
        "not carried out, and they say that they cannot tell",
        "reject",
        {"code": DOUBT},
        UNSURE,
    ),
    Spoilt(
        "throttle",
        "too many requests",
        "throttle",
        {"per_s": 0},
        Expect(Unknown, UnknownCause.THROTTLED),
    ),
    Spoilt(
        "maintenance",
        "closed for maintenance",
        "maintenance",
        {"from_hour": "00:00", "to_hour": "23:59:59", "code": DOUBT},
        UNSURE,
    ),
)
"""The same; no money moves in any."""


async def _spoilt(scene: Scene, action: str, given: Mapping[str, JsonValue]) -> None:
    """Have the next answer spoilt."""
    code = scene.rig.unsure_code
    params = {key: code if value == DOUBT else value for key, value in given.items()}
    await scene.fault(action, **params)


def _executed(action: str, given: Mapping[str, JsonValue]) -> Run:
    async def run(scene: Scene) -> None:
        order = scene.order()
        await _spoilt(scene, action, given)
        scene.answers("send", await scene.pay(order))
        assert len(scene.requests()) == 1
        await scene.settle()
        scene.answers("look", await scene.ask(order))
        scene.paid_once(order)

    return run


def _not_executed(action: str, given: Mapping[str, JsonValue]) -> Run:
    async def run(scene: Scene) -> None:
        order = scene.order()
        await _spoilt(scene, action, given)
        scene.answers("send", await scene.pay(order))
        assert len(scene.requests()) == 1
        scene.answers("look", await scene.ask(order))
        scene.nothing_moved()
        if scene.channel.traits.resend is not None:
            scene.answers("resend", await scene.pay(order))
            await scene.settle()
            scene.answers("found", await scene.ask(order))
            scene.paid_once(order)

    return run


for _one in EXECUTED:
    case("answers", _one.says, _one.action, name=_one.id, send=_one.answer, look=PAID)(
        _executed(_one.action, _one.params)
    )

for _one in NOT_EXECUTED:
    case(
        "answers",
        _one.says,
        _one.action,
        name=_one.id,
        send=_one.answer,
        look=UNSEEN,
        resend=TAKEN,
        found=PAID,
    )(_not_executed(_one.action, _one.params))


@case("submit", "a plain payout is one request and is paid once", send=TAKEN, look=PAID)
async def pays(scene: Scene) -> None:
    """Taken, paid, one request, one movement."""
    order = scene.order()
    scene.answers("send", await scene.pay(order))
    assert len(scene.requests()) == 1
    await scene.settle()
    scene.answers("look", await scene.ask(order))
    scene.paid_once(order)


@case(
    "answers",
    "no answer within the channel's patience",
    "slow",
    total_timeout_s=1.0,
    send=Expect(Unknown, UnknownCause.TIMEOUT),
    look=PAID,
)
async def timeout(scene: Scene) -> None:
    """A timeout proves nothing: the payout is found, and paid once."""
    order = scene.order()
    await scene.fault("slow", fixed="60s")
    scene.answers("send", await scene.pay(order))
    assert len(scene.requests()) == 1
    await scene.settle()
    scene.answers("look", await scene.ask(order))
    scene.paid_once(order)


@case(
    "answers",
    "connection refused: nothing was sent, and a question stays open",
    "refuse",
    send=Expect(NotSent, NotSentCause.REFUSED),
    look=Expect(Unknown),
)
async def refused(scene: Scene) -> None:
    """The only lost request that proves itself; an inquiry is never `NotSent`."""
    order = scene.order()
    prepared = scene.prepared(order)
    await scene.fault_everywhere("refuse")
    scene.answers("send", await scene.send(prepared))
    scene.answers("look", await scene.ask(order))
    assert scene.requests() == []
    scene.nothing_moved()


@case(
    "answers",
    "the account is short of money",
    "short_balance",
    send=Expect(Rejected, Reason.FLOAT_SHORT, confirm=True),
    look=UNSEEN,
)
async def short_balance(scene: Scene) -> None:
    """Refused, nothing moves, and an inquiry does not say otherwise."""
    order = scene.order()
    await scene.fault("short_balance", available_fen=0)
    scene.answers("send", await scene.pay(order))
    scene.answers("look", await scene.ask(order))
    scene.nothing_moved()


@case(
    "answers",
    "a key they do not know is refused",
    send=Expect(Rejected, Reason.SIGNATURE_REFUSED, confirm=True),
)
async def stranger(scene: Scene) -> None:
    """Nobody else can spend our money there."""
    assert scene.place.stranger is not None, "the entry names no stranger"
    order = scene.order()
    scene.channel = scene.connected(scene.place.stranger())
    scene.answers("send", await scene.pay(order))
    scene.nothing_moved()
