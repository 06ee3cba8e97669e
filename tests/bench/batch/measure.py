"""One batch through a whole gateway: what each part of it takes, and the most memory at any time.

The gateway is whole but for its one channel, which is never reached: acceptance touches no network.
"""

import asyncio
import io
import resource
import time
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from channels.money import Currency, Money
from gateway.api.batch_files import Declared, examine
from gateway.clock import SystemClock, SystemEntropy
from gateway.domain.batch import BatchMode, BatchState
from gateway.domain.ledger import funded
from gateway.engine.batches import Batches, Order, create
from gateway.engine.gateway import Gateway
from gateway.engine.load import Load
from gateway.observe import Metrics, Observe, make_log
from gateway.ports import Merchant
from gateway.sheets.profile import shipped
from gateway.sheets.write import Format, file_of
from gateway.store import Vault, open_store
from policies import document
from policies.health import Health
from tests.builders import merchant
from tests.contracts.store.conftest import KEK
from tests.gateway.api.till import Till

HEAD = ("商户单号", "金额", "付款方式", "收款账号", "收款人", "用途")
PARTS = ("read", "store", "accept")
"""File to rows; rows to disk; rows checked, made payouts and, all or nothing, set free."""


def file_with(rows: int, kind: Format) -> bytes:
    """Rows of 1.00 to as many cards."""
    lines = (
        (f"bench-{n}", "1.00", "银行卡", f"{6222020000000000000 + n}", "王小五", "货款")
        for n in range(rows)
    )
    return file_of([HEAD, *lines], kind)


async def measure(file: Path, rows: int, mode: BatchMode, url: str) -> dict[str, object]:
    """Wall and processor seconds of each part; of the gateway's process alone."""
    clock = SystemClock()
    observe = Observe(make_log(clock, io.StringIO(), level="error"), Metrics("bench"))
    store = await open_store(url, Vault(KEK), clock, migrate=True)
    payer = merchant()
    await store.add_merchant(payer, "bench")
    await store.post(funded(payer.id, Currency.CNY, 10**12), "", "bench", "bench")
    gateway = Gateway(
        store=store,
        clock=clock,
        entropy=SystemEntropy(),
        channels={"till": Till()},
        policy=document.load(document.example(), "built-in policy"),
        health=Health(),
        observer=observe,
        load=Load(),
        queue=asyncio.Queue(),
    )
    marks = [_now()]
    name = await _upload(gateway, payer, _order(file, rows, mode, marks))
    marks.append(_now())
    work = Batches(gateway)
    while await work.tick():
        pass
    marks.append(_now())
    batch = await store.batch(name)
    accepted = sum((await store.counts()).values())
    problems = await store.audit()
    await store.aclose()
    spans = dict(zip(PARTS, pairwise(marks), strict=True))
    return {
        "rows": rows,
        "accepted": accepted,
        "done": batch is not None and batch.state is BatchState.DONE and not problems,
        "wall_s": {part: round(end.wall - begin.wall, 1) for part, (begin, end) in spans.items()},
        "cpu_s": {part: round(end.cpu - begin.cpu, 1) for part, (begin, end) in spans.items()},
        "rss_mib": {part: end.rss_mib for part, (_, end) in spans.items()},
    }


def _order(file: Path, rows: int, mode: BatchMode, marks: list["Mark"]) -> Order:
    """As an upload is read; what it was read from is gone afterwards."""
    total = Money(rows * 100, Currency.CNY)
    declared = Declared(rows, total)
    found = examine(file.read_bytes(), shipped()["native"], Currency.CNY, mode, declared)
    marks.append(_now())
    return Order(
        *("bench-key", mode, "native", found.rows, total, found.content),
        fingerprint=bytes.fromhex(found.content),
    )


async def _upload(gateway: Gateway, payer: Merchant, order: Order) -> str:
    return (await create(gateway, payer, order, "bench")).batch.id


class Mark(NamedTuple):
    """A moment, what the process has used until then, and the most memory it has ever held."""

    wall: float
    cpu: float
    rss_mib: int


def _now() -> Mark:
    rss_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Mark(time.perf_counter(), time.process_time(), rss_kib // 1024)
