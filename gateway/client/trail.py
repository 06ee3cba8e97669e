"""Lists that go on over their pages, and can be taken up again from their cursor.

Not generators: an error while a page is fetched ends nothing, and the next step asks again.
"""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Generic, Protocol, Self, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
C = TypeVar("C")


class Page(Protocol[T_co]):
    """Some items, and whether there are more."""

    @property
    def data(self) -> tuple[T_co, ...]:
        """The items, in order."""

    @property
    def has_more(self) -> bool:
        """Whether another page follows."""


class _Trail(Generic[T, C]):
    """What was fetched and not handed out yet."""

    def __init__(self, cursor: C, place: Callable[[T], C]) -> None:
        """`place` says where an item stands."""
        self.cursor = cursor
        """Where the item handed out last stands; store it once that item is dealt with."""
        self._place = place
        self._ready: deque[T] = deque()
        self._more = True

    def _keep(self, page: Page[T]) -> None:
        self._ready.extend(page.data)
        # A page that is empty and not the last would be asked for without end.
        self._more = page.has_more and bool(page.data)

    @property
    def _is_dry(self) -> bool:
        return not self._ready and self._more

    def _step(self) -> T | None:
        if not self._ready:
            return None
        item = self._ready.popleft()
        self.cursor = self._place(item)
        return item


class Items(_Trail[T, C], Iterator[T]):
    """Iterate over it; `cursor` says how far it has come."""

    def __init__(self, fetch: Callable[[C], Page[T]], cursor: C, place: Callable[[T], C]) -> None:
        """Nothing is fetched before the first step."""
        super().__init__(cursor, place)
        self._fetch = fetch

    def __iter__(self) -> Self:
        """It is its own iterator."""
        return self

    def __next__(self) -> T:
        """The next item, of the next page if need be."""
        if self._is_dry:
            self._keep(self._fetch(self.cursor))
        item = self._step()
        if item is None:
            raise StopIteration
        return item


class AsyncItems(_Trail[T, C], AsyncIterator[T]):
    """Iterate over it with `async for`; `cursor` says how far it has come."""

    def __init__(
        self, fetch: Callable[[C], Awaitable[Page[T]]], cursor: C, place: Callable[[T], C]
    ) -> None:
        """Nothing is fetched before the first step."""
        super().__init__(cursor, place)
        self._fetch = fetch

    def __aiter__(self) -> Self:
        """It is its own iterator."""
        return self

    async def __anext__(self) -> T:
        """The next item, of the next page if need be."""
        if self._is_dry:
            self._keep(await self._fetch(self.cursor))
        item = self._step()
        if item is None:
            raise StopAsyncIteration
        return item
