"""Institutions forget nothing: searches for garbage leave alone what has stood through one."""

import gc

OLDEST = 2
"""The generation whose search is a full one."""
FULL_EVERY = 2
"""Searches of the middle generation for each full one: each goes through some 15,000 objects."""


def let_books_grow() -> None:
    """For this process's life: a full search goes through what is new since the last one.

    Otherwise its pauses grow with the books: to 150 ms after 50,000 orders, in which every caller
    waits and every latency measured through the simulator is the collector's.
    """
    gc.freeze()
    first, second, _ = gc.get_threshold()
    gc.set_threshold(first, second, FULL_EVERY)
    gc.callbacks.append(_set_aside)


def _set_aside(phase: str, found: dict[str, int]) -> None:
    if phase == "stop" and found["generation"] == OLDEST:
        gc.freeze()
