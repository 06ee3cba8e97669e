"""Where a layer puts files whose survival of a power cut is not what it tests: into memory, if the
system has such a folder. A killed process loses nothing there, and nobody waits for a disk.
"""

from pathlib import Path

MEMORY = Path("/dev/shm")


def folder() -> Path | None:
    """For `tempfile`'s `dir`; None leaves the choice to it."""
    return MEMORY if MEMORY.is_dir() else None
