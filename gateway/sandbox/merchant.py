"""HTTP clients of the rehearsal: the operator, and merchants who ask for payouts."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from time import monotonic
from typing import Any, Final, Self

import httpx

SHED: Final = 503
PATIENCE_S: Final = 30.0
"""How long a request is repeated while there is no room for it."""


class RefusedError(Exception):
    """The gateway refused a call of the rehearsal itself."""


class Client:
    """The gateway's API with one key."""

    def __init__(self, url: str, key: str) -> None:
        """Connections are opened as needed."""
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=30,
            trust_env=False,
            limits=httpx.Limits(max_connections=64),
        )

    async def __aenter__(self) -> Self:
        """Use it as a context."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close connections."""
        await self._http.aclose()

    async def get(self, path: str, **query: Any) -> Any:
        """Read something. Raises `RefusedError`."""
        return await self._call("GET", path, params=query)

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Do something. Raises `RefusedError`."""
        return await self._call("POST", path, json=body)

    async def pages(self, path: str) -> AsyncIterator[Mapping[str, Any]]:
        """Everything of a list, page after page."""
        query: dict[str, Any] = {"limit": 200}
        while True:
            page = await self.get(path, **query)
            for one in page["data"]:
                yield one
            if not page["has_more"]:
                return
            query["after"] = page["data"][-1]["id"]

    async def _call(self, method: str, path: str, **rest: Any) -> Any:
        if rest.get("json", 0) is None:
            del rest["json"]
        response = await self._http.request(method, path, **rest)
        deadline = monotonic() + PATIENCE_S
        while response.status_code == SHED and monotonic() < deadline:
            # Nothing was stored: the same request is welcome in a moment.
            await asyncio.sleep(int(response.headers.get("Retry-After", "1")))
            response = await self._http.request(method, path, **rest)
        if response.is_error:
            raise RefusedError(f"{method} {path}: {response.status_code} {response.text[:300]}")
        return response.json()
