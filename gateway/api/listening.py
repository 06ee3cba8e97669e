"""Where requests come in: every connection that waits is taken in the loop's next turn.

libuv, and so uvloop, accepts one connection in each turn of its loop. While turns are long, callers
that connect wait unseen in the socket's queue, for seconds in a crowd of some hundred: nobody can
tell them to come again before they have been let in.
"""

import asyncio
import socket
from collections.abc import Callable
from errno import EMFILE, ENFILE
from functools import partial
from ipaddress import ip_address

BACKLOG = 1024
AT_ONCE = 64
"""Taken in one turn; the others in the next."""
NO_ROOM_S = 0.2
"""How long those who connect wait while no file descriptor is left."""

Protocols = Callable[[], asyncio.Protocol]


class Listening:
    """The sockets of one host name and port, which hand connections to a server's protocols."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        """They are bound and listen; made by `listen`."""
        self._sockets = sockets
        self._arriving: set[asyncio.Task[object]] = set()
        self._resuming: set[asyncio.TimerHandle] = set()
        self.port: int = sockets[0].getsockname()[1]

    def start(self, protocols: Protocols) -> None:
        """Take connections from now on."""
        for one in self._sockets:
            self._watch(one, protocols)

    def stop(self) -> None:
        """Take no more; those that are open stay so."""
        loop = asyncio.get_running_loop()
        for waiting in self._resuming:
            waiting.cancel()
        for one in self._sockets:
            loop.remove_reader(one)
            one.close()
        self._sockets = []

    def _watch(self, listening: socket.socket, protocols: Protocols) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(listening, partial(self._accept, listening, protocols))

    def _accept(self, listening: socket.socket, protocols: Protocols) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(AT_ONCE):
            try:
                came, _ = listening.accept()
            except OSError as error:
                if error.errno in {EMFILE, ENFILE}:
                    # It stays readable: to look again at once would only spin.
                    loop.remove_reader(listening)
                    self._resume(listening, protocols)
                return
            came.setblocking(False)
            task = loop.create_task(_connect(protocols, came))
            self._arriving.add(task)
            task.add_done_callback(self._arriving.discard)

    def _resume(self, listening: socket.socket, protocols: Protocols) -> None:
        def again() -> None:
            self._resuming.discard(handle)
            self._watch(listening, protocols)

        handle = asyncio.get_running_loop().call_later(NO_ROOM_S, again)
        self._resuming.add(handle)


async def _connect(protocols: Protocols, came: socket.socket) -> None:
    try:
        await asyncio.get_running_loop().connect_accepted_socket(protocols, came)
    except OSError:
        came.close()  # gone again before it was taken in


async def listen(host: str, port: int, *, share: bool = False) -> Listening:
    """Bind every address of the host; raises `OSError`. `share`: the port, with others of ours."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((one[0], one[4]) for one in found):
            made = socket.create_server(address, family=family, backlog=BACKLOG, reuse_port=share)
            made.setblocking(False)
            sockets.append(made)
    except BaseException:
        for one in sockets:
            one.close()
        raise
    return Listening(sockets)


def address_of(host: str, port: int) -> str:
    """Where people on this machine find what listens on a host: no address stands for all."""
    try:
        bound = ip_address(host)
    except ValueError:
        return f"http://{host}:{port}"
    if bound.version == 4:
        return f"http://{'127.0.0.1' if bound.is_unspecified else bound}:{port}"
    # A zone's percent sign would begin an escape (RFC 6874).
    shown = "::1" if bound.is_unspecified else str(bound).replace("%", "%25")
    return f"http://[{shown}]:{port}"
