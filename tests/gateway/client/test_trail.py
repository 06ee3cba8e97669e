"""Lists over pages: everything once, taken up again from a cursor, undisturbed by errors."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.client.trail import AsyncItems, Items


@dataclass
class Page:
    """A page of numbers."""

    data: tuple[int, ...]
    has_more: bool


def shelf(count: int, size: int, asked: list[int]) -> Callable[[int], Page]:
    """Numbers from 1 to `count`, so many a page."""

    def fetch(after: int) -> Page:
        asked.append(after)
        some = tuple(range(after + 1, min(after + size, count) + 1))
        return Page(some, after + size < count)

    return fetch


def same(one: int) -> int:
    """A number stands where it says."""
    return one


def gathered(fetch: Callable[[int], Page], after: int, stop: int, asynchronous: bool) -> list[int]:
    """Up to `stop` numbers, with either iterator."""
    found: list[int] = []
    if not asynchronous:
        for number, _ in zip(Items(fetch, after, same), range(stop), strict=False):
            found.append(number)
        return found

    async def later(cursor: int) -> Page:
        return fetch(cursor)

    async def gather() -> None:
        items = AsyncItems(later, after, same)
        while len(found) < stop and (one := await anext(items, None)) is not None:
            found.append(one)

    asyncio.run(gather())
    return found


@given(st.integers(0, 40), st.integers(1, 9), st.integers(0, 45), st.booleans())
def test_a_list_broken_off_goes_on_where_it_was(
    count: int, size: int, broken: int, asynchronous: bool
) -> None:
    """Both halves together hold everything once, in order."""
    fetch = shelf(count, size, [])
    first = gathered(fetch, 0, broken, asynchronous)
    rest = gathered(fetch, first[-1] if first else 0, count + 1, asynchronous)
    assert first + rest == list(range(1, count + 1))


def test_the_cursor_is_of_what_was_handed_out() -> None:
    """Not of what was fetched ahead: that would be lost with a crash."""
    items = Items(shelf(10, 5, []), 0, same)
    assert [next(items), next(items), items.cursor] == [1, 2, 2]


def test_pages_are_fetched_when_they_are_needed() -> None:
    """Nothing at first, then one page at a time, and the last is not asked for twice."""
    asked: list[int] = []
    items = Items(shelf(6, 3, asked), 0, same)
    assert asked == []
    next(items)
    assert asked == [0]
    assert list(items) == [2, 3, 4, 5, 6]
    assert list(items) == []
    assert asked == [0, 3]


def test_an_error_between_pages_ends_nothing() -> None:
    """The next step asks for the same page again."""
    fetch, failures = shelf(4, 2, []), [ConnectionError("cut")]

    def flaky(after: int) -> Page:
        if after == 2 and failures:
            raise failures.pop()
        return fetch(after)

    items = Items(flaky, 0, same)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ConnectionError):
        next(items)
    assert list(items) == [3, 4]


def test_an_empty_page_that_promises_more_is_the_end() -> None:
    """It would be asked for without end."""
    assert list(Items(lambda _: Page((), True), 0, same)) == []
