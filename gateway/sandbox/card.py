"""`sandbox.json`: where a sandbox is and which keys open it, readable by its owner alone."""

import os
from collections.abc import Mapping
from pathlib import Path

import orjson
from msgspec.structs import asdict, replace

from channels.unprinted import Unprinted

FOLDER = ".hangdao"
FILE = "sandbox.json"


class Card(Unprinted, frozen=True):
    """What commands need to reach a sandbox."""

    hidden = frozenset({"operator_key", "merchant_key", "second_key"})

    url: str
    control_url: str
    operator_key: str
    merchant: str
    merchant_key: str
    accounts: Mapping[str, str]
    """The institutions' name for each channel's account."""
    ahead_s: int = 0
    """How far both clocks have been moved; a sandbox started again goes there first."""
    second_key: str = ""
    """Another operator's: what takes two people can be tried by one who plays both."""


def nearest(start: Path) -> Path | None:
    """The folder of the sandbox in `start`, or in the nearest folder above that has one."""
    for folder in (start, *start.parents):
        if (folder / FOLDER / FILE).is_file():
            return folder / FOLDER
    return None


def read(folder: Path) -> Card | None:
    """The card of a sandbox; None where none was written or this program cannot read it."""
    try:
        return Card(**orjson.loads((folder / FILE).read_bytes()))
    except (OSError, TypeError, orjson.JSONDecodeError):
        return None


def write(folder: Path, card: Card) -> None:
    """Replace the card in one step; it is never readable by others, not even for a moment."""
    fresh = folder / f"{FILE}.{os.getpid()}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as private:
        private.write(orjson.dumps(card, default=asdict, option=orjson.OPT_INDENT_2))
    fresh.replace(folder / FILE)


def moved(folder: Path, seconds: int) -> None:
    """Note that both clocks were moved forward."""
    card = read(folder)
    if card is not None:
        write(folder, replace(card, ahead_s=card.ahead_s + seconds))
