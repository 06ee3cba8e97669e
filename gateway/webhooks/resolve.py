"""From a host name to one pinned, admitted address, and the connectors that use nothing else.

A name is looked up once per connection, the answers are judged, and exactly these are connected to:
there is no second look-up that could answer differently (DNS rebinding). The socket factory judges
the address once more, immediately before `connect`, also where no name was involved. Host header
and TLS server name stay those of the URL.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, Protocol

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.webhooks.egress import Egress, EgressError

IDLE_CONNECTION_S = 4.0
"""Shorter than what receivers keep (Node.js: 5 s), so that they rarely hang up under a request."""

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to addresses in text form; raises `OSError` when the name does not resolve."""


class Admits(Protocol):
    """Judges an address."""

    def __call__(self, address: str) -> bool:
        """Whether a connection to it may be opened."""


class SystemLookup:
    """The operating system's resolver, on threads of its own.

    A merchant's dead name server holds a thread for many seconds; on the loop's shared threads that
    would stop everybody else's work.
    """

    def __init__(self, threads: int = 16) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="webhook-lookup")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Look a name up."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _getaddrinfo, host, port)

    def close(self) -> None:
        """Begin no further look-up; those on their way are not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class PinningResolver(AbstractResolver):
    """Gives the HTTP library admitted addresses only. One bad answer among good ones spoils all."""

    def __init__(self, lookup: Lookup, admits: Admits) -> None:
        self._lookup = lookup
        self._admits = admits

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Look up and judge; raises `EgressError`, or `OSError` for a name without address."""
        addresses = await self._lookup(host, port)
        if not addresses:
            raise OSError("no address")
        if not all(self._admits(address) for address in addresses):
            # Which address it was stays here: the merchant could map our network with it.
            raise EgressError(f"{host} has an address that is not public")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Hold nothing."""


def connector(
    egress: Egress, lookup: Lookup, tls: ssl.SSLContext | Literal[True], *, listed: bool
) -> aiohttp.TCPConnector:
    """Make a pool of connections; `listed` for destinations that the allow-list names.

    `tls` says whom to trust; True: whom the system does.
    """
    admits = _anywhere if listed else egress.admits

    def opened(
        info: tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]],
    ) -> socket.socket:
        family, kind, protocol, _, address = info
        if not admits(address[0]):
            raise EgressError("the host has an address that is not public")
        return socket.socket(family, kind, protocol)

    return aiohttp.TCPConnector(
        limit=0,  # whoever sends bounds how many are under way; waiting here would cost its time
        ssl=tls,
        resolver=PinningResolver(lookup, admits),
        socket_factory=opened,
        use_dns_cache=False,
        keepalive_timeout=IDLE_CONNECTION_S,
    )


def _anywhere(address: str) -> bool:
    return bool(address)


def _getaddrinfo(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
