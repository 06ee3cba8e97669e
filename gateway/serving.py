"""Run an assembled gateway: HTTP, worker, courier and statement rounds; leave in order.

Exit codes: 0 after a stop that was asked for, 1 once halted (the store broke, or the books are
off): then nothing more was sent, and reads were answered for a while.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import cast

from aiohttp import web

from gateway.api.app import warm_up
from gateway.api.listening import Listening, address_of, listen
from gateway.api.quick import quicken
from gateway.engine import quarantine
from gateway.engine.reconcile import Patience, reconcile_all
from gateway.engine.worker import STORE_BROKEN
from gateway.ports import StoreBrokenError, StoreError
from gateway.settings import Loaded
from gateway.store.mark import keep_halt
from gateway.wiring import Assembly, assemble

STATEMENT_ROUND_S = 30
WATCH_S = 0.2
LOG_ROUND_S = 1
CHECKPOINT_ROUND_S = 60
STANDBY_ROUND_S = 60
PLAN_ROUND_S = 60
BALANCE_ROUND_S = 5
BATCH_ROUND_S = 0.5
DELIVERY_ROUND_S = 0.2
"""Webhooks that are owed by this process's own commits do not wait for it."""
LOOK_S = 1
FOLLOW_S = 1
REBUILD_ROUND_S = 5
GARBAGE_YOUNG = 20_000
"""New objects that can be part of cycles, less those gone again, between two looks for garbage."""
DRAIN_S = 25
"""How long running sends may take to finish after a stop was asked for."""


async def serve(loaded: Loaded, *, ready: Callable[[str], None], supervised: bool = False) -> int:
    """Serve until SIGTERM or SIGINT; `ready` gets the base URL once requests are answered.

    `supervised`: as one of several processes that share the port, until standard input ends.
    """
    assembly = await _begun(loaded)
    stop = assembly.stopping
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    if supervised:
        loop.add_reader(sys.stdin, _until_end_of_input, loop, stop)
    server = loaded.settings.server
    runner = web.AppRunner(assembly.app, access_log=None, shutdown_timeout=DRAIN_S)
    await runner.setup()
    http = cast("web.Server", runner.server)
    quicken(http, assembly.app)
    listening: Listening | None = None
    try:
        listening = await listen(server.host, server.port, share=supervised)
        listening.start(http)
        background = [
            asyncio.create_task(_watch(assembly)),
            asyncio.create_task(_keep_log(assembly)),
            asyncio.create_task(_see_standby(assembly)),
            asyncio.create_task(_follow_policies(assembly)),
            asyncio.create_task(_linger(assembly, loaded.settings.worker.halt_linger_s)),
        ]
        if assembly.gateway.halted is None:
            background += [
                asyncio.create_task(_work(assembly)),
                asyncio.create_task(_deliver(assembly)),
                asyncio.create_task(_read_statements(assembly)),
                asyncio.create_task(_rebuild(assembly)),
                asyncio.create_task(_plan(assembly)),
                asyncio.create_task(_see_balances(assembly)),
                asyncio.create_task(_accept_batches(assembly)),
            ]
        sharing = asyncio.create_task(assembly.replica.run())
        assembly.observe.log.info("process.started", channels=len(assembly.gateway.channels))
        ready(address_of(server.host, listening.port))
        await warm_up()
        _spare_the_collector()
        await stop.wait()
        assembly.observe.log.info("process.stopping")
        # New requests end first, so that what the worker drains does not grow.
        listening.stop()
        await runner.cleanup()
        assembly.worker.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await asyncio.gather(*background)
        for task in (*background, sharing):
            task.cancel()
        await asyncio.gather(sharing, return_exceptions=True)
        await _sign_off(assembly)
    finally:
        if listening is not None:
            listening.stop()
        await runner.cleanup()
        with suppress(StoreError):
            await assembly.watch.look()
        await assembly.aclose()
    assembly.observe.log.info("process.stopped")
    return 0 if assembly.gateway.halted is None else 1


async def _begun(loaded: Loaded) -> Assembly:
    """Put together, and looked at: what must be known before anything is taken in is."""
    assembly = await assemble(loaded)
    try:
        if loaded.settings.database.require_sync_standby:
            await assembly.standby.require()
        await assembly.watch.begin()
        await assembly.board.begin()
        await assembly.sticky.look()
        await assembly.worker.join()
    except BaseException:
        await assembly.aclose()
        raise
    return assembly


def _spare_the_collector() -> None:
    """What stands after the start lives as long as we do: no search for garbage goes through it.

    Requests leave next to no cycles behind, so the young are looked at seldom.
    """
    gc.freeze()
    gc.set_threshold(GARBAGE_YOUNG, 20, 20)


def _until_end_of_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Whoever supervised us is gone when its end of the pipe is."""
    if not os.read(sys.stdin.fileno(), 1):
        loop.remove_reader(sys.stdin)
        stop.set()


async def _work(assembly: Assembly) -> None:
    try:
        if await _books_add_up(assembly):
            await assembly.worker.run()
    finally:
        # A worker that was not halted ends by itself only when the store never answered at the
        # start, or by a defect of ours: leave, so that nothing is accepted that nobody works on.
        if assembly.gateway.halted is None:
            assembly.stopping.set()


async def _books_add_up(assembly: Assembly) -> bool:
    """Whether the whole ledger was looked at and nothing is wrong with it; waits for the store."""
    while not assembly.stopping.is_set() and assembly.gateway.halted is None:
        try:
            await assembly.watch.finish()
        except StoreBrokenError:
            return False
        except StoreError:
            assembly.observe.alarm("store.unavailable")
            await _pause(assembly, 1)
        else:
            return assembly.gateway.halted is None
    return False


async def _watch(assembly: Assembly) -> None:
    """Look at store, books and mark; halt when the store broke, whoever's write it was."""
    looked, worker = 0.0, assembly.store.worker
    while not assembly.stopping.is_set() and assembly.gateway.halted is None:
        before, worker = worker, assembly.store.worker
        if worker is None and before is not None:
            assembly.observe.alarm("worker.detached", worker=before)
        elif worker is not None and before is None:
            assembly.observe.log.info("worker.attached", worker=worker)
        if assembly.store.broken:
            assembly.observe.alarm("store.broken")
            assembly.gateway.halt(STORE_BROKEN)
        elif monotonic() - looked >= LOOK_S:
            looked = monotonic()
            with suppress(StoreError):
                await assembly.watch.look()
                await assembly.sticky.look()
        await _pause(assembly, WATCH_S)


async def _linger(assembly: Assembly, seconds: int) -> None:
    """Once halted: say so, let reads be answered for a while, then leave."""
    while assembly.gateway.halted is None:
        if assembly.stopping.is_set():
            return
        await _pause(assembly, WATCH_S)
    assembly.worker.stop()
    why = assembly.gateway.halted
    sys.stderr.write(f"{why.zh}\n{why.en}\n")
    sys.stderr.flush()
    with suppress(OSError):
        keep_halt(assembly.data_dir, why, assembly.gateway.clock.now())
    await _pause(assembly, seconds)
    assembly.stopping.set()


async def _rebuild(assembly: Assembly) -> None:
    """While in quarantine: find out what the database has forgotten."""
    while not assembly.stopping.is_set() and assembly.gateway.halted is None:
        if assembly.gateway.stopped() == "quarantined":
            try:
                async with assembly.store.turn("quarantine") as mine:
                    if mine:
                        await quarantine.go_on(assembly.gateway)
            except StoreError:
                assembly.observe.alarm("store.unavailable")
            except Exception as error:  # noqa: BLE001 - the next round looks again
                assembly.observe.defect("quarantine.defect", error)
        await _pause(assembly, REBUILD_ROUND_S)


async def _deliver(assembly: Assembly) -> None:
    """Hand out webhooks as they fall due; a store that does not answer is asked again."""
    assembly.store.on_owed(assembly.courier.owed)
    while not assembly.stopping.is_set() and assembly.gateway.halted is None:
        try:
            await assembly.courier.start_due()
        except StoreBrokenError:
            break
        except StoreError:
            assembly.observe.alarm("store.unavailable")
            await _pause(assembly, DELIVERY_ROUND_S)
        except Exception as error:  # noqa: BLE001 - one webhook's defect must not end the others'
            assembly.observe.defect("webhook.defect", error)
            await _pause(assembly, 1)
        with suppress(StoreError):
            await assembly.store.learn_wanted()
        await assembly.courier.rest(DELIVERY_ROUND_S)
    assembly.store.on_owed(None)
    with suppress(StoreError):
        await assembly.courier.finish()


async def _read_statements(assembly: Assembly) -> None:
    patience = Patience()
    while not assembly.stopping.is_set():
        await _pause(assembly, STATEMENT_ROUND_S)
        if assembly.stopping.is_set() or assembly.gateway.halted is not None:
            return
        try:
            await reconcile_all(assembly.gateway, patience)
        except StoreError:
            assembly.observe.alarm("store.unavailable")
        except Exception as error:  # noqa: BLE001 - one channel's file must not end the rounds
            assembly.observe.defect("statement.defect", error)


async def _keep_log(assembly: Assembly) -> None:
    """Log what was committed, each second; sign a checkpoint, each minute."""
    due = 0.0
    while not assembly.stopping.is_set():
        try:
            async with assembly.store.turn("audit") as mine:
                if mine:
                    await assembly.auditor.catch_up()
                now = asyncio.get_running_loop().time()
                if mine and now >= due:
                    due = now + CHECKPOINT_ROUND_S
                    await assembly.auditor.checkpoint()
        except StoreBrokenError:
            return
        except StoreError:
            assembly.observe.alarm("store.unavailable")
        except Exception as error:  # noqa: BLE001 - payouts go on while the log waits
            assembly.observe.defect("audit.defect", error)
        await _pause(assembly, LOG_ROUND_S)


async def _see_standby(assembly: Assembly) -> None:
    """Look whether acknowledged payouts have a second copy, each minute."""
    while not assembly.stopping.is_set():
        with suppress(StoreError):
            await assembly.standby.look()
        await _pause(assembly, STANDBY_ROUND_S)


async def _follow_policies(assembly: Assembly) -> None:
    """Put into use what people, the file or the time have decided, each second."""
    while not assembly.stopping.is_set() and assembly.gateway.halted is None:
        try:
            await assembly.board.look()
        except StoreError:
            assembly.observe.alarm("store.unavailable")
        except Exception as error:  # noqa: BLE001 - payouts go on with the policy they have
            assembly.observe.defect("policy.defect", error)
        await _pause(assembly, FOLLOW_S)


async def _plan(assembly: Assembly) -> None:
    """Keep to the month's plan, and make a new one when that is due, each minute."""
    while not assembly.stopping.is_set() and assembly.gateway.halted is None:
        try:
            await assembly.planner.tick()
        except StoreBrokenError:
            return
        except StoreError:
            assembly.observe.alarm("store.unavailable")
        except Exception as error:  # noqa: BLE001 - the old plan stays, payouts go on
            assembly.observe.defect("plan.defect", error)
        await _pause(assembly, PLAN_ROUND_S)


async def _see_balances(assembly: Assembly) -> None:
    """Ask institutions what is on our accounts, each at its own pace."""
    while not assembly.stopping.is_set() and assembly.gateway.halted is None:
        try:
            await assembly.balances.look()
        except StoreBrokenError:
            return
        except StoreError:
            assembly.observe.alarm("store.unavailable")
        except Exception as error:  # noqa: BLE001 - payouts go on, balances grow old
            assembly.observe.defect("float.defect", error)
        await _pause(assembly, BALANCE_ROUND_S)


async def _accept_batches(assembly: Assembly) -> None:
    """Go on with batches under way, also with those that another process was killed over."""
    while not assembly.stopping.is_set() and assembly.gateway.halted is None:
        busy = False
        try:
            busy = await assembly.batches.tick()
        except StoreBrokenError:
            return
        except StoreError:
            assembly.observe.alarm("store.unavailable")
        except Exception as error:  # noqa: BLE001 - what is stored stays; the next round tries again
            assembly.observe.defect("batch.defect", error)
        await _pause(assembly, 0.001 if busy else BATCH_ROUND_S)


async def _sign_off(assembly: Assembly) -> None:
    """The last checkpoint covers what was committed until the end, if the store still answers."""
    try:
        async with asyncio.timeout(DRAIN_S):
            async with assembly.store.turn("audit") as mine:
                if mine:
                    await assembly.auditor.catch_up()
                    await assembly.auditor.checkpoint(now=True)
    except (StoreError, TimeoutError):
        assembly.observe.alarm("store.unavailable")
    except Exception as error:  # noqa: BLE001 - the process leaves in order all the same
        assembly.observe.defect("audit.defect", error)


async def _pause(assembly: Assembly, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(assembly.stopping.wait(), seconds)
