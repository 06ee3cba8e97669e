"""`python -m tests.bench.crowd`: say where it listens, then do jobs until the driver hangs up."""

import asyncio
import resource
import sys
from typing import Any

import orjson
import uvloop

from tests.bench.crowd.callers import Crowd, Job
from tests.bench.crowd.sink import Receiver


async def main() -> None:
    """One JSON line each way: a job, and what came of it."""
    crowd, ended = Crowd(), asyncio.Event()
    receiver = Receiver(crowd.heard)

    async def driven(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(orjson.dumps(await _obey(crowd, receiver, orjson.loads(line))) + b"\n")
                await writer.drain()
        finally:
            writer.close()
            ended.set()

    loop = asyncio.get_running_loop()
    sink = await loop.create_server(receiver.connection, "127.0.0.1", 0, backlog=1024)
    control = await asyncio.start_server(driven, "127.0.0.1", 0)
    ports = [one.sockets[0].getsockname()[1] for one in (sink, control)]
    url = f"http://127.0.0.1:{ports[0]}/webhooks"
    sys.stdout.write(
        orjson.dumps({"ready": True, "sink": url, "control": ports[1]}).decode() + "\n"
    )
    sys.stdout.flush()
    await ended.wait()


async def _obey(crowd: Crowd, receiver: Receiver, told: dict[str, Any]) -> dict[str, Any]:
    if "trust" in told:
        receiver.trust(told["trust"])
        return {}
    before, strangers = _cpu_s(), crowd.strangers
    found = await crowd.run(Job(**told))
    return found | {
        "crowd_cpu_s": _cpu_s() - before,
        "strangers": crowd.strangers - strangers,
        "refused_webhooks": receiver.refused,
    }


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    uvloop.run(main())
