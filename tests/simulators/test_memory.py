"""However much an institution remembers, no search for garbage goes through all of it."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from simulators import memory

ORDERS = 50_000


class Ring:
    """Garbage that only a search finds."""

    next: "Ring"


@pytest.fixture
def growing() -> Iterator[None]:
    """Books grow, until the test is over."""
    before, callbacks = gc.get_threshold(), list(gc.callbacks)
    memory.let_books_grow()
    yield
    gc.callbacks[:] = callbacks
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("growing")
def test_what_stood_through_a_search_is_not_searched_again() -> None:
    """Nothing asks for one: orders alone bring it about, time and again."""
    books = [{"order": number, "fees": [number]} for number in range(ORDERS)]

    assert len(books) == ORDERS
    assert len(gc.get_objects()) < ORDERS


@pytest.mark.usefixtures("growing")
def test_garbage_among_the_new_is_still_found() -> None:
    """Cycles of requests that are over do not stay."""
    ring = Ring()
    ring.next = ring
    seen = weakref.ref(ring)
    del ring

    gc.collect()

    assert seen() is None
