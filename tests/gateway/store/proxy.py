"""A proxy before a PostgreSQL that cuts the line at a word, before or after the server heard it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit


@dataclass(slots=True)
class _Line:
    """One connection."""

    answered: asyncio.Event | None = None
    """Set once the server has answered what the client will never hear."""


@dataclass(slots=True)
class Proxy:
    """Stands between a store and its server, and cuts all connections at a word."""

    upstream: str
    cut_at: bytes | None = None
    """Client bytes at which to cut."""
    cut_after: bytes = b""
    """Client bytes that must have come on the same line before: others may send those at which to
    cut as well."""
    deliver: bool = False
    """Whether the server still gets the bytes at which the line is cut."""
    refuse: bool = False
    lines: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection both ways until it is cut."""
        if self.refuse:
            writer.close()
            return
        up_reader, up_writer = await asyncio.open_unix_connection(self.upstream)
        self.lines += [writer, up_writer]
        line = _Line()
        back = asyncio.create_task(self._carry(line, up_reader, writer))
        heard = b""
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                heard = data if self.cut_at is None else heard + data
                if self.cut_at is not None and self.cut_at in data and self.cut_after in heard:
                    self.cut_at = None
                    if self.deliver:
                        line.answered = asyncio.Event()
                        up_writer.write(data)
                        await line.answered.wait()
                    writer.transport.abort()
                    break
                up_writer.write(data)
                await up_writer.drain()
        up_writer.close()
        await back

    async def _carry(
        self, line: _Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                if line.answered is not None:
                    line.answered.set()
                    break
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def between(url: str, folder: Path) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy in front of a database, and the URL that goes through it."""
    parts = urlsplit(url)
    (behind,) = parse_qs(parts.query)["host"]
    made = Proxy(f"{behind}/.s.PGSQL.5432")
    server = await asyncio.start_unix_server(made.serve, folder / ".s.PGSQL.5432")
    through = parts._replace(query=urlencode({"host": str(folder)})).geturl()
    try:
        yield made, through
    finally:
        server.close()
        for line in made.lines:
            line.close()
        # Connections end by themselves once their ends are closed; let them.
        await asyncio.sleep(0.05)
