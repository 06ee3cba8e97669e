"""What a batch's row holds once it is stored: a payout asked for, as it was read at the door.

It is written from a request that was validated whole, and sealed: whoever opens it reads types
again and need not ask a second time whether an account is one.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from msgspec.structs import asdict

from channels.contract import INSTRUMENTS, AlipayAccount, AlipayIdentity, Instrument, Rail
from channels.money import Currency, Money
from gateway.domain.payout import UNCONSTRAINED, Constraints
from gateway.engine.accept import Request


def body_of(request: Request, cells: Mapping[str, str]) -> bytes:
    """A row to be stored; the same request and cells are the same bytes."""
    asked: dict[str, Any] = {
        "merchant_ref": request.merchant_ref,
        "currency": request.amount.currency,
        "minor": request.amount.minor,
        "instruments": request.instruments,
        "purpose": request.purpose,
    }
    if request.speed != "standard":
        asked["speed"] = request.speed
    if request.deadline_at is not None:
        asked["deadline_at"] = request.deadline_at
    if request.release_at is not None:
        asked["release_at"] = request.release_at
    if request.max_fee_minor is not None:
        asked["max_fee_minor"] = request.max_fee_minor
    if request.metadata:
        asked["metadata"] = request.metadata
    if request.constraints != UNCONSTRAINED:
        asked["constraints"] = asdict(request.constraints)
    return _written({"asked": asked, "cells": cells})


def refused_body(said: Mapping[str, object], cells: Mapping[str, str]) -> bytes:
    """A row that is refused: what its file said, of which no payout will be made."""
    try:
        return _written({"said": said, "cells": cells})
    except TypeError:
        # Nested more deeply than any payout: nothing of it is worth keeping.
        return _written({"said": {}, "cells": {}})


def request_of(body: bytes) -> Request:
    """What a stored row asks for. `KeyError` for a row that was refused."""
    asked = orjson.loads(body)["asked"]
    return Request(
        merchant_ref=asked["merchant_ref"],
        amount=Money(asked["minor"], Currency(asked["currency"])),
        instruments=tuple(map(_instrument, asked["instruments"])),
        purpose=asked["purpose"],
        speed=asked.get("speed", "standard"),
        deadline_at=_moment(asked.get("deadline_at")),
        release_at=_moment(asked.get("release_at")),
        max_fee_minor=asked.get("max_fee_minor"),
        metadata=asked.get("metadata", {}),
        constraints=_constraints(asked.get("constraints")),
    )


def cells_of(body: bytes) -> Mapping[str, str]:
    """The cells a stored row was read from, by heading."""
    found: Mapping[str, str] = orjson.loads(body)["cells"]
    return found


def _written(said: Mapping[str, object]) -> bytes:
    # orjson's own bytes keep a buffer of some kilobytes, and a batch holds 100,000 of them.
    return memoryview(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).tobytes()


def _instrument(said: dict[str, Any]) -> Instrument:
    kind = INSTRUMENTS[Rail(said.pop("rail"))]
    if kind is AlipayAccount:
        said["identity_type"] = AlipayIdentity(said["identity_type"])
    return kind(**said)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _constraints(said: Mapping[str, Any] | None) -> Constraints:
    if said is None:
        return UNCONSTRAINED
    names = {part: tuple(said[part]) for part in ("only", "deny", "prefer")}
    return Constraints(**names, max_attempts=said["max_attempts"])
