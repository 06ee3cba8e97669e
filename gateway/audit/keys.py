"""The key that signs checkpoints: from the settings, else made once beside the data."""

import base64
import binascii
import os
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp

from gateway.domain.checkpoint import SEED_BYTES

KEY_FILE = "audit.key"


class KeyFileError(OSError):
    """The key file cannot be used."""


def read_or_make(folder: Path) -> bytes:
    """The seed in `folder`; a new one when there is none, readable by its owner alone.

    Of several processes that start at once, one makes it and all use it. Raises `OSError`.
    """
    file = folder / KEY_FILE
    if not file.exists():
        descriptor, name = mkstemp(prefix=f".{KEY_FILE}.", dir=folder)  # for its owner alone
        draft = Path(name)
        with os.fdopen(descriptor, "wb") as private:
            private.write(base64.b64encode(os.urandom(SEED_BYTES)) + b"\n")
            private.flush()
            os.fsync(private.fileno())
        try:
            # A link, unlike a renaming, never takes the place of a key that is there already.
            with suppress(FileExistsError):
                file.hardlink_to(draft)
        finally:
            draft.unlink()
    return read(folder)


def read(folder: Path) -> bytes:
    """The seed in `folder`. Raises `OSError` when there is none, or none that can be used."""
    file = folder / KEY_FILE
    try:
        seed = base64.b64decode(file.read_bytes().strip(), validate=True)
    except binascii.Error:
        seed = b""
    if len(seed) != SEED_BYTES:
        raise KeyFileError(f"{file} does not hold {SEED_BYTES} bytes in Base64")
    return seed
