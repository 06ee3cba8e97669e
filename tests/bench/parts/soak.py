"""Half load for as long as asked: memory, descriptors, write-ahead log, and how latency drifts."""

import time
from pathlib import Path
from typing import Any, Final

from tests.bench.bench import Bench
from tests.bench.rounds import went_through
from tests.bench.slope import slope
from tests.bench.stage import StageError

HOUR_S: Final = 3600.0
WARM_SHARE: Final = 0.1
LINES: Final = 256
SHOWN: Final = {
    "rss_mb": "resident memory, MB",
    "descriptors": "open files and sockets",
    "wal_mb": "write-ahead log, MB",
    "told_p99_ms": "request to webhook, p99, ms",
    "answered_p99_ms": "request to answer, p99, ms",
    "cpu_us": "CPU per payout, µs",
}


async def run(bench: Bench) -> dict[str, Any]:
    """Slopes per hour from the first tenth on; `soak.png` shows every window."""
    size = bench.size
    async with bench.stage("soak") as here:
        rate = await bench.capacity(here) / 2
        meter, log = here.meter(), here.folder / "data" / "hangdao.db-wal"
        windows: list[dict[str, float]] = []
        started, cpu_s = time.monotonic(), meter.cpu_s()
        while (at := time.monotonic() - started) < size.soak_s or not windows:
            came = await here.load(seconds=size.soak_window_s, rate=rate, callers=LINES)
            if not went_through(came) or came["untold"]:
                raise StageError(f"not every payout went through: {came}")
            used, cpu_s = meter.cpu_s() - cpu_s, meter.cpu_s()
            windows.append(
                {
                    "at_s": round(at, 1),
                    "rss_mb": round(meter.rss_mb(), 2),
                    "descriptors": meter.descriptors(),
                    "wal_mb": round(log.stat().st_size / 2**20, 2) if log.exists() else 0.0,
                    "told_p99_ms": came["told_ms"].get("p99", 0.0),
                    "answered_p99_ms": came["answered_ms"].get("p99", 0.0),
                    "cpu_us": round(used / max(came["taken"], 1) * 1e6, 1),
                }
            )
            if len(windows) % 30 == 0:
                bench.say(f"soak: {at:.0f} s, {windows[-1]}")
    _plot(windows, bench.kept / "soak.png")
    warm = [one for one in windows if one["at_s"] >= WARM_SHARE * size.soak_s] or windows
    slopes = {
        f"{name}_per_hour": round(slope([(w["at_s"] / HOUR_S, w[name]) for w in warm]), 3)
        for name in SHOWN
    }
    return {
        "seconds": round(windows[-1]["at_s"] + size.soak_window_s),
        "rps": round(rate, 1),
        **slopes,
        "first": windows[0],
        "last": windows[-1],
    }


def _plot(windows: list[dict[str, float]], file: Path) -> None:
    # Imported here: everything else of the bench does without.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 9), layout="constrained")
    FigureCanvasAgg(figure)
    minutes = [one["at_s"] / 60 for one in windows]
    for place, (name, title) in enumerate(SHOWN.items(), start=1):
        axes = figure.add_subplot(3, 2, place)
        axes.plot(minutes, [one[name] for one in windows], linewidth=1, marker=".", markersize=3)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("minutes", fontsize=8)
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, alpha=0.3)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=100)
