"""`python -m tests.bench.batch`: read, store and accept a batch; prints figures, last one of JSON.

Not a test: nothing passes or fails. The gateway is whole but for channels that are never reached:
acceptance touches no network. `--database` names another empty database than a fresh SQLite file.
"""

import argparse
import asyncio
import io
import itertools
import sys
import tempfile
import time
from pathlib import Path

import orjson

from channels.money import Currency, Money
from gateway.api.batch_files import Declared, examine
from gateway.clock import SystemClock, SystemEntropy
from gateway.domain.batch import BatchMode, BatchState
from gateway.domain.ledger import funded
from gateway.engine.batches import Batches, Order, create
from gateway.engine.gateway import Gateway
from gateway.engine.load import Load
from gateway.observe import Metrics, Observe, make_log
from gateway.sheets.profile import shipped
from gateway.sheets.write import Format, file_of
from gateway.store import Vault, open_store
from policies import document
from policies.health import Health
from tests.builders import merchant
from tests.contracts.store.conftest import KEK
from tests.gateway.api.till import Till

HEAD = ("商户单号", "金额", "付款方式", "收款账号", "收款人", "用途")


def file_with(rows: int, kind: Format) -> bytes:
    """Rows of 1.00 to as many cards."""
    lines = (
        (f"bench-{n}", "1.00", "银行卡", f"{6222020000000000000 + n}", "王小五", "货款")
        for n in range(rows)
    )
    return file_of([HEAD, *lines], kind)


async def measure(rows: int, kind: Format, mode: BatchMode, url: str) -> dict[str, object]:
    """Seconds for each part."""
    clock, marks = SystemClock(), [time.perf_counter()]
    content = file_with(rows, kind)
    marks.append(time.perf_counter())
    total = Money(rows * 100, Currency.CNY)
    found = examine(content, shipped()["native"], Currency.CNY, mode, Declared(rows, total))
    marks.append(time.perf_counter())
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
    order = Order(
        *("bench-key", mode, "native", found.rows, total, found.content),
        fingerprint=bytes.fromhex(found.content),
    )
    marks.append(time.perf_counter())
    made = await create(gateway, payer, order, "bench")
    marks.append(time.perf_counter())
    work = Batches(gateway)
    while await work.tick():
        pass
    marks.append(time.perf_counter())
    batch = await store.batch(made.batch.id)
    accepted = sum((await store.counts()).values())
    await store.aclose()
    parts = [round(after - before, 2) for before, after in itertools.pairwise(marks)]
    return {
        "rows": rows,
        "accepted": accepted,
        "done": batch is not None and batch.state is BatchState.DONE,
        "file": kind,
        "file_bytes": len(content),
        "mode": mode,
        "database": url.split(":", 1)[0],
        "read_s": parts[1],
        "store_s": parts[3],
        "accept_s": parts[4],
        "total_s": round(parts[1] + parts[3] + parts[4], 2),
        "rows_per_s": round(rows / (parts[1] + parts[3] + parts[4])),
    }


def main() -> None:
    """Measure what the flags say."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--rows", type=int, default=100_000)
    flags.add_argument("--file", choices=["csv", "xlsx"], default="xlsx")
    flags.add_argument("--mode", choices=["all_or_nothing", "per_row"], default="all_or_nothing")
    flags.add_argument("--database")
    asked = flags.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = asked.database or f"sqlite://{Path(folder).resolve()}/bench.db"
        found = asyncio.run(measure(asked.rows, asked.file, asked.mode, url))
    for name, value in found.items():
        sys.stdout.write(f"{name:>12}  {value}\n")
    sys.stdout.write(orjson.dumps(found).decode() + "\n")


if __name__ == "__main__":
    main()
