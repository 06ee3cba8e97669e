"""Where checkpoints go: a folder (a mount, a bucket, a printer's spool), a URL; and what was last.

One file a checkpoint, never replaced, in a folder a day: easy to copy, easy to write-protect.
"""

import asyncio
import base64
import os
from datetime import UTC
from hashlib import sha256
from pathlib import Path

import orjson

from gateway.domain.checkpoint import Checkpoint, Signer
from gateway.domain.payout import MerchantId, PayoutId
from gateway.engine.deliver import Sender
from gateway.ports import Clock, Delivery, DeliveryState, Endpoint

SUFFIX = ".note"
LAST_FILE = "audit.last"
_NOBODY = MerchantId("")


class ToFolder:
    """Writes `<folder>/<day>/<size>-<time>.note`."""

    def __init__(self, folder: Path) -> None:
        """The folder is made when it is first needed."""
        self._folder = folder

    async def export(self, checkpoint: Checkpoint, note: str) -> None:
        """Write it, durably. Raises `OSError`."""
        at = checkpoint.at.astimezone(UTC)
        name = f"{checkpoint.size:012d}-{at:%Y%m%dT%H%M%S%f}Z{SUFFIX}"
        await asyncio.to_thread(write, self._folder / f"{at:%Y-%m-%d}" / name, note)


class ToUrl:
    """Posts `{"type": "audit.checkpoint", "note": …}` through the webhooks' egress guard."""

    def __init__(self, url: str, sender: Sender, signer: Signer, clock: Clock) -> None:
        """The note carries its own signature; the webhook's is made with a derived secret."""
        self._sender = sender
        self._clock = clock
        secret = sha256(b"hangdao audit export" + signer.seed).digest()
        self._endpoint = Endpoint(
            "audit",
            _NOBODY,
            url,
            (f"whsec_{base64.b64encode(secret).decode()}",),
            (),
            active=True,
            created_at=clock.now(),
        )

    async def export(self, checkpoint: Checkpoint, note: str) -> None:
        """Post it once. Raises `OSError` when the receiver did not take it."""
        named = f"checkpoint_{checkpoint.size}_{int(checkpoint.at.timestamp() * 1_000_000)}"
        delivery = Delivery(
            id=named,
            endpoint_id=self._endpoint.id,
            merchant_id=_NOBODY,
            payout_id=PayoutId(""),
            seq=0,
            payload=orjson.dumps({"type": "audit.checkpoint", "note": note}),
            state=DeliveryState.DUE,
            tries=0,
            due_at=checkpoint.at,
            created_at=checkpoint.at,
        )
        answer = await self._sender.send(self._endpoint, delivery, self._clock.now())
        if not answer.is_accepted:
            raise ConnectionError(answer.problem)


class LastSigned:
    """The last note signed by this installation, in a file beside the data."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read yet."""
        self._file = folder / LAST_FILE

    def last(self) -> str | None:
        """The note, if there is one. Raises `OSError`."""
        try:
            return self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def remember(self, note: str) -> None:
        """Replace it. Raises `OSError`."""
        write(self._file, note)


def notes_in(place: Path) -> dict[str, str]:
    """A note, or every note below a folder, by path. Raises `OSError`, also when there is none."""
    files = sorted(place.rglob(f"*{SUFFIX}")) if place.is_dir() else [place]
    if not files:
        raise FileNotFoundError(f"there is no *{SUFFIX} in {place}")
    return {str(file): file.read_text(encoding="utf-8", errors="replace") for file in files}


def write(file: Path, text: str) -> None:
    """Write a file whole or not at all, and durably. Raises `OSError`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    with draft.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
