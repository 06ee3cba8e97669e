"""The files the bank has made for each customer, in order; a file once made stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from simulators.clock import BEIJING


@dataclass(frozen=True, slots=True)
class File:
    """One file."""

    name: str
    kind: str
    made_at: datetime
    visible_from: datetime
    body: bytes


@dataclass(slots=True)
class Outbox:
    """The files of every account."""

    _files: dict[str, list[File]] = field(default_factory=dict)
    _count: int = 0

    def number(self, kind: str, at: datetime) -> str:
        """The next message number."""
        self._count += 1
        return f"{kind.replace('.', '').upper()}-{at.astimezone(BEIJING):%Y%m%d}-{self._count:07d}"

    def put(
        self,
        account: str,
        kind: str,
        message_id: str,
        body: bytes,
        at: datetime,
        visible_from: datetime | None = None,
    ) -> File:
        """Lay a file out for a customer."""
        file = File(f"{message_id}.xml", kind, at, max(visible_from or at, at), body)
        self._files.setdefault(account, []).append(file)
        return file

    def since(self, account: str, day: date, now: datetime) -> Sequence[File]:
        """What the customer may see, made or shown from that day on."""
        return [
            one
            for one in self._files.get(account, ())
            if one.visible_from <= now and one.visible_from.astimezone(BEIJING).date() >= day
        ]

    def find(self, account: str, name: str, now: datetime) -> File | None:
        """One file by its name."""
        found = (one for one in self._files.get(account, ()) if one.name == name)
        return next((one for one in found if one.visible_from <= now), None)
