"""Where the CPU time goes, seen from outside by py-spy: whole payouts, and intake alone.

The sampler's own work and its pauses slow the gateway down, so nothing is timed meanwhile; shares
are multiplied with the CPU time that a payout took without it.
"""

import asyncio
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import psutil

from tests.bench import stacks
from tests.bench.bench import Bench
from tests.bench.machine import on
from tests.bench.parts.accept import tomorrow
from tests.bench.stage import Stage, StageError

RATE_HZ: Final = 250
BEGIN_S: Final = 0.5


async def run(bench: Bench) -> dict[str, Any]:
    """CPU microseconds per payout: `stages_us` and `accept_stages_us` by stage, `dearest_us` and
    `accept_dearest_us` by the function that ran."""
    async with bench.stage("profile_payouts") as here:
        whole, dearest = await _profiled(bench, here, "payouts")
    async with bench.stage("profile_accept") as here:
        taken = await _profiled(bench, here, "accept", told=False, release_after=tomorrow())
    return {
        "stages_us": whole,
        "dearest_us": dearest,
        "accept_stages_us": taken[0],
        "accept_dearest_us": taken[1],
    }


async def _profiled(
    bench: Bench, here: Stage, name: str, **job: Any
) -> tuple[dict[str, float], dict[str, float]]:
    size, meter, pid = bench.size, here.meter(), here.gateway.pid
    await here.load(seconds=size.warm_s, callers=size.callers, **job)
    before = meter.cpu_s()
    came = await here.load(seconds=size.profile_s / 2, callers=size.callers, **job)
    us_each = (meter.cpu_s() - before) / max(came["taken"], 1) * 1e6
    seconds = size.profile_s + 2 * BEGIN_S
    load = asyncio.create_task(here.load(seconds=seconds, callers=size.callers, **job))
    await asyncio.sleep(BEGIN_S)
    seen = await _sampled(pid or 0, size.profile_s, here.folder / "stacks", bench)
    await load
    text = stacks.page(f"{name}, {size.callers} callers", seen, us_each)
    bench.kept.mkdir(parents=True, exist_ok=True)
    file = bench.kept / f"{name}.txt"
    await asyncio.to_thread(file.write_text, text, encoding="utf-8")
    by_stage, dearest = stacks.by_stage(seen), list(stacks.own(seen).items())[: stacks.DEAREST]
    return _us(by_stage.items(), us_each), _us(dearest, us_each)


def _us(shares: Iterable[tuple[str, float]], us_each: float) -> dict[str, float]:
    return {what: round(share * us_each, 1) for what, share in shares}


async def _sampled(pid: int, seconds: float, file: Path, bench: Bench) -> list[stacks.Stack]:
    """Let py-spy look at every thread, so that signing and commits are seen where they run."""
    before = _threads(pid)
    with on(bench.layout.others):
        process = await asyncio.create_subprocess_exec(
            *(_program(), "record", "--pid", str(pid), "--format", "raw", "--threads"),
            "--full-filenames",
            *("--rate", str(RATE_HZ), "--duration", str(max(round(seconds), 1))),
            *("--output", str(file)),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    _, errors = await process.communicate()
    if process.returncode:
        said = errors.decode(errors="replace").strip()[-300:]
        raise StageError(f"py-spy may not look into the gateway: {said}")
    text = await asyncio.to_thread(file.read_text, encoding="utf-8")
    used = {thread: cpu_s - before.get(thread, 0.0) for thread, cpu_s in _threads(pid).items()}
    return stacks.weighed(stacks.read(text.splitlines()), used)


def _threads(pid: int) -> dict[int, float]:
    """CPU seconds of each."""
    return {one.id: one.user_time + one.system_time for one in psutil.Process(pid).threads()}


def _program() -> str:
    beside = Path(sys.executable).with_name("py-spy")
    found = str(beside) if beside.exists() else shutil.which("py-spy")
    if found is None:
        raise StageError("py-spy is missing; it comes with requirements-test.txt")
    return found
