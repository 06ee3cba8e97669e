"""Gives birth to gateways: everything is imported and parsed once, each life is a fork.

`python -m tests.proof.crash.nursery CONFIG SECRETS CLOCK` takes one JSON order a line, forks a
gateway that serves as `hangdao serve` does, answers `{"pid": …}`, and `{"ended": status}` once it
is gone. What the harness needs to know of a life goes over a socket, see `_Control`.
"""

import asyncio
import contextlib
import functools
import gc
import mmap
import os
import ssl
import struct
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import uvloop
from pydantic import SecretStr

import channels.alipay.settings
import channels.wechat_pay.settings
from channels.alipay import signing as alipay
from channels.wechat_pay import signing as wechat_pay
from gateway import serving, wiring
from gateway.audit.export import LastSigned
from gateway.clock import SystemClock, SystemEntropy
from gateway.domain.checkpoint import Verifier
from gateway.engine import reconcile
from gateway.engine.verify import verify
from gateway.ports import Search
from gateway.settings import Loaded, load
from gateway.wiring import Assembly
from tests.proof.crash import controls, points

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAP_S = 0.003
BEIJING = ZoneInfo("Asia/Shanghai")
FAR = timedelta(days=30)
NEVER_S = 10**9


def main(config: str, secrets: str, clock: str) -> None:
    """Serve orders until standard input ends."""
    env = orjson.loads(Path(secrets).read_bytes())
    loaded = load(Path(config), env)
    _hasten(Path(clock))
    points.instrument()
    _warm(loaded)
    gc.collect()
    gc.freeze()
    for line in sys.stdin.buffer:
        order = orjson.loads(line)
        pid = os.fork()
        if pid == 0:
            _live(_settled(loaded, order), order)
        _say({"pid": pid})
        _, status = os.waitpid(pid, 0)
        _say({"ended": os.waitstatus_to_exitcode(status)})


def _say(message: Mapping[str, object]) -> None:
    sys.stdout.buffer.write(orjson.dumps(message) + b"\n")
    sys.stdout.buffer.flush()


def _hasten(clock: Path) -> None:
    """Nothing here changes what the gateway does, only how long the harness waits for it."""
    file = clock.open("rb")
    view = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)

    def now(self: SystemClock) -> datetime:
        (micros,) = struct.unpack("q", view[:8])
        return EPOCH + timedelta(microseconds=micros)

    SystemClock.now = now  # type: ignore[method-assign]  # the institutions' clock, not this box's
    # No logged exploration: a scene goes the same way every time.
    SystemEntropy.ppm = lambda self: 0  # type: ignore[method-assign]  # see above
    reconcile.PACE_S = 0
    # What goes by this box's own seconds happens when the harness asks for it: see `_Control`.
    for name in ("LOG_ROUND_S", "CHECKPOINT_ROUND_S", "LOOK_S", "STATEMENT_ROUND_S", "FOLLOW_S"):
        setattr(serving, name, NEVER_S)
    pause = serving._pause

    async def brief(assembly: Assembly, seconds: float) -> None:
        await pause(assembly, NAP_S if seconds < 1 else seconds)

    serving._pause = brief
    ssl.create_default_context = functools.cache(ssl.create_default_context)  # type: ignore[assignment]  # the same, kept
    wiring.policy_of = _once(wiring.policy_of)
    for module, names in (
        (channels.wechat_pay.settings, ("load_private", "load_public")),
        (wechat_pay, ("load_private", "load_public")),
        (alipay, ("load_private_key", "load_public_key")),
        (channels.alipay.settings, ("load_private_key", "load_public_key")),
    ):
        for name in names:
            if hasattr(module, name):
                setattr(module, name, functools.cache(getattr(module, name)))


def _once(made: Callable[..., Any]) -> Callable[..., Any]:
    kept: list[Any] = []

    def given(*arguments: object) -> Any:
        if not kept:
            kept.append(made(*arguments))
        return kept[0]

    return given


def _warm(loaded: Loaded) -> None:
    """Do once what every life would do anew: certificates read, modules imported, all assembled."""
    ssl.create_default_context()
    datetime.strptime("2026-03-02 10:00:00", "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    with tempfile.TemporaryDirectory() as folder:
        order = {"database": f"{folder}/warm.db", "folder": folder}

        async def once() -> None:
            assembly = await wiring.assemble(_settled(loaded, order))
            await assembly.aclose()

        asyncio.run(once())


def _settled(loaded: Loaded, order: Mapping[str, Any]) -> Loaded:
    """The configuration, on this life's own database."""
    settings = loaded.settings
    database = settings.database.model_copy(
        update={"url": SecretStr(f"sqlite://{order['database']}")}
    )
    worker = settings.worker.model_copy(update={"poll_s": NAP_S})
    log = settings.log.model_copy(update={"level": "warning"})
    changed = settings.model_copy(
        update={
            "database": database,
            "data_dir": Path(order["folder"]),
            "worker": worker,
            "log": log,
        }
    )
    return Loaded(changed, loaded.origins, loaded.folder, loaded.file)


def _live(loaded: Loaded, order: Mapping[str, Any]) -> None:
    """One life; never returns."""
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(log, 2)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    counted = points.Points(*order.get("die", ()))
    points.begin(counted, {int(port): who for port, who in order["ports"].items()})
    controls.sabotage(order.get("control"))
    born: list[Assembly] = []
    assemble = wiring.assemble

    async def assembled(given: Loaded) -> Assembly:
        made = await assemble(given)
        made.gateway.channels = points.watched(made.gateway.channels)
        born.append(made)
        return made

    serving.assemble = assembled  # type: ignore[attr-defined, assignment]  # its own name for it
    talks: list[asyncio.Task[None]] = []

    def ready(_: str) -> None:
        talk = _Control(born[0], counted, order["control_socket"]).run()
        talks.append(asyncio.get_running_loop().create_task(talk))

    code = 70
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(serving.serve(loaded, ready=ready))
    finally:
        os._exit(code)


class _Control:
    """Answers the harness, one JSON line per line; ends this life when the harness is gone."""

    def __init__(self, assembly: Assembly, counted: points.Points, path: str) -> None:
        self._assembly = assembly
        self._points = counted
        self._path = path

    async def run(self) -> None:
        """Until the other side hangs up."""
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_unix_connection(self._path)
            writer.write(b'{"ready":true}\n')
            while line := await reader.readline():
                try:
                    answer = await getattr(self, f"_{orjson.loads(line)['ask']}")()
                except Exception as error:  # noqa: BLE001 - the harness shall see it
                    answer = {"error": repr(error)}
                writer.write(orjson.dumps(answer) + b"\n")
        os._exit(71)

    async def _rest(self) -> dict[str, object]:
        """Whether nothing is left to do now; how much is open; when something is due next."""
        assembly, store = self._assembly, self._assembly.store
        worker, courier = assembly.worker, assembly.courier
        now = assembly.gateway.clock.now()
        busy = worker._busy or worker._again or not assembly.gateway.queue.empty()
        waiting = await store.due_deliveries(now + FAR, 1000)
        due = await store.due(now, 1)
        late = [one for one in waiting if one.due_at <= now]
        counts = await store.counts()
        moments = [one.due_at for one in waiting]
        if (at := await store.next_due_at()) is not None:
            moments.append(at)
        states = ("routing", "attempting", "scheduled")
        looks = await store.due_watches(now, 1)
        begun = "recovery: after" in self._points.seen
        calm = begun and not (busy or courier._lanes or due or late or looks)
        idle = calm and not assembly.stopping.is_set() and await self._looked_after()
        return {
            "idle": idle,
            "open": sum(n for state, n in counts.items() if state in states) + len(waiting),
            "next": min(moments).isoformat() if moments else None,
        }

    async def _looked_after(self) -> bool:
        """Do what is done each second; whether there was nothing to do."""
        assembly = self._assembly
        if await assembly.auditor.catch_up():
            return False
        await assembly.watch.look()
        return True

    async def _sign(self) -> dict[str, object]:
        """What is done each minute."""
        await self._assembly.auditor.catch_up()
        await self._assembly.auditor.checkpoint(now=True)
        return {}

    async def _statements(self) -> dict[str, object]:
        """One round of reading them."""
        report = await reconcile.reconcile_all(self._assembly.gateway)
        return {"waiting": report.waiting, "settled": report.settled, "breaks": report.breaks}

    async def _seen(self) -> dict[str, object]:
        """Every boundary so far, in order."""
        return {"seen": self._points.seen}

    async def _dump(self) -> dict[str, object]:
        """Everything the judge wants to know."""
        store = self._assembly.store
        payouts = await store.search(Search(None, limit=1000))
        return {
            "payouts": [
                {
                    "id": one.id,
                    "ref": one.merchant_ref,
                    "state": one.state,
                    "amount": one.amount.minor,
                    "owner": one.owner,
                    "attempts": [
                        {"reference": a.reference, "state": a.state, "sends": a.sends}
                        for a in one.attempts
                    ],
                    "events": [
                        {"seq": e.seq, "kind": e.kind} for e in await store.timeline(one.id)
                    ],
                    "deliveries": [
                        {"seq": d.seq, "state": d.state}
                        for d in await store.deliveries(one.merchant_id, one.id, 100)
                    ],
                }
                for one in payouts
            ],
            "audit": await store.audit(),
            "log": await self._log(),
            "incidents": [
                {"kind": one.kind, "payout_id": one.payout_id}
                for one in await store.incidents(open_only=True)
            ],
            "balances": [
                [one.account.book, one.account.owner, one.minor] for one in await store.balances()
            ],
            "breaks": [one.kind for one in await store.breaks()],
        }

    async def _log(self) -> list[str]:
        """What `hangdao audit verify` finds, with the note kept beside the database."""
        store, signer = self._assembly.store, self._assembly.auditor.signer
        kept = LastSigned(self._assembly.data_dir).last()
        verifier = Verifier(signer.origin, (signer.public_key,))
        report = await verify(store, verifier, {} if kept is None else {"the last note": kept})
        found = [f"{one.flaw} {one.subject or ''}: {one.message}" for one in report.findings]
        if kept is None or verifier.opened(kept).size != report.leaves:
            found.append(f"{report.leaves} leaves, signed: {kept!r}")
        return found


if __name__ == "__main__":
    main(*sys.argv[1:])
