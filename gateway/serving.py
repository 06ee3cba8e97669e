"""Run an assembled gateway: HTTP, worker, courier and statement rounds; leave in order.

Exit codes: 0 after a stop that was asked for, 1 when the store broke (nothing more was sent).
"""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from gateway.engine.reconcile import Patience, reconcile_all
from gateway.ports import StoreBrokenError, StoreError
from gateway.settings import Loaded
from gateway.wiring import Assembly, assemble

STATEMENT_ROUND_S = 30
WATCH_S = 0.2
LOG_ROUND_S = 1
CHECKPOINT_ROUND_S = 60
DRAIN_S = 25
"""How long running sends may take to finish after a stop was asked for."""


async def serve(loaded: Loaded, *, ready: Callable[[str], None]) -> int:
    """Serve until SIGTERM or SIGINT; `ready` gets the base URL once requests are answered."""
    assembly = await assemble(loaded)
    stop = assembly.stopping
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    server = loaded.settings.server
    runner = web.AppRunner(assembly.app, access_log=None, shutdown_timeout=DRAIN_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, server.host, server.port, backlog=1024)
        await site.start()
        background = [
            asyncio.create_task(_work(assembly)),
            asyncio.create_task(_deliver(assembly)),
            asyncio.create_task(_read_statements(assembly)),
            asyncio.create_task(_watch(assembly)),
            asyncio.create_task(_keep_log(assembly)),
        ]
        host, port = runner.addresses[0][:2]
        assembly.observe.log.info("process.started", channels=len(assembly.gateway.channels))
        ready(f"http://{host}:{port}")
        await stop.wait()
        assembly.observe.log.info("process.stopping")
        # New requests end first, so that what the worker drains does not grow.
        await runner.cleanup()
        assembly.worker.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await asyncio.gather(*background)
        for task in background:
            task.cancel()
        await _sign_off(assembly)
    finally:
        await runner.cleanup()
        await assembly.aclose()
    assembly.observe.log.info("process.stopped")
    return 1 if assembly.store.broken or assembly.worker.broken is not None else 0


async def _work(assembly: Assembly) -> None:
    try:
        await assembly.worker.run()
    finally:
        # A worker ends by itself only when the store broke, or never answered at the start, or by
        # a defect of ours: leave, so that nothing is accepted that nobody works on.
        assembly.stopping.set()


async def _watch(assembly: Assembly) -> None:
    """Leave when the store broke, whoever's write it was."""
    while not assembly.stopping.is_set():
        if assembly.store.broken:
            assembly.observe.alarm("store.broken")
            assembly.stopping.set()
        await _pause(assembly, WATCH_S)


async def _deliver(assembly: Assembly) -> None:
    """Hand out webhooks as they fall due; a store that does not answer is asked again."""
    while not assembly.stopping.is_set():
        started = 0
        try:
            started = await assembly.courier.start_due()
        except StoreBrokenError:
            return
        except StoreError:
            assembly.observe.alarm("store.unavailable")
        except Exception as error:  # noqa: BLE001 - one webhook's defect must not end the others'
            assembly.observe.defect("webhook.defect", error)
            await _pause(assembly, 1)
        if started == 0:
            await _pause(assembly, 0.1)
        else:
            await asyncio.sleep(0)
    with suppress(StoreError):
        await assembly.courier.finish()


async def _read_statements(assembly: Assembly) -> None:
    patience = Patience()
    while not assembly.stopping.is_set():
        await _pause(assembly, STATEMENT_ROUND_S)
        if assembly.stopping.is_set():
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
            await assembly.auditor.catch_up()
            now = asyncio.get_running_loop().time()
            if now >= due:
                due = now + CHECKPOINT_ROUND_S
                await assembly.auditor.checkpoint()
        except StoreBrokenError:
            return
        except StoreError:
            assembly.observe.alarm("store.unavailable")
        except Exception as error:  # noqa: BLE001 - payouts go on while the log waits
            assembly.observe.defect("audit.defect", error)
        await _pause(assembly, LOG_ROUND_S)


async def _sign_off(assembly: Assembly) -> None:
    """The last checkpoint covers what was committed until the end, if the store still answers."""
    try:
        async with asyncio.timeout(DRAIN_S):
            await assembly.auditor.catch_up()
            await assembly.auditor.checkpoint(now=True)
    except (StoreError, TimeoutError):
        assembly.observe.alarm("store.unavailable")
    except Exception as error:  # noqa: BLE001 - the process leaves in order all the same
        assembly.observe.defect("audit.defect", error)


async def _pause(assembly: Assembly, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(assembly.stopping.wait(), seconds)
