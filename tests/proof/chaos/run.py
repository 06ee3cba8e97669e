"""L5: some minutes of trouble, then peace, then judgement."""

import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.proof.chaos.city import city
from tests.proof.chaos.crowd import Crowd
from tests.proof.chaos.mischief import Mischief
from tests.proof.chaos.verdict import Verdict, judge

REPLICAS = 3
PER_S = 12.0

Say = Callable[[str], None]


@dataclass(slots=True)
class Result:
    """Figures of one run."""

    payouts: int = 0
    acknowledged: int = 0
    tries: int = 0
    """Requests of merchants, repetitions included."""
    strikes: Counter[str] = field(default_factory=Counter)
    failovers: int = 0
    restarts: int = 0
    webhooks: int = 0
    """Verified at the merchant, repetitions included."""
    double: int = 0
    lost: int = 0
    stuck: int = 0
    other: int = 0
    sentences: list[str] = field(default_factory=list)
    settled_after_s: float = 0.0
    """From the end of the trouble until every payout had ended."""
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether nothing was broken, and something was tried."""
        return self.payouts > 0 and not (self.double or self.lost or self.stuck or self.other)

    def line(self) -> str:
        """One line of JSON."""
        return json.dumps(
            {
                "payouts": self.payouts,
                "acknowledged": self.acknowledged,
                "tries": self.tries,
                "strikes": dict(sorted(self.strikes.items())),
                "failovers": self.failovers,
                "restarts": self.restarts,
                "webhooks": self.webhooks,
                "double": self.double,
                "lost": self.lost,
                "stuck": self.stuck,
                "other": self.other,
                "settled_after_s": self.settled_after_s,
                "seconds": self.seconds,
            },
            ensure_ascii=False,
        )


def run(minutes: float, say: Say, *, seed: int = 1, keep: Path | None = None) -> Result:
    """Trouble for so many minutes. `keep`: the folder stays there, with every log."""
    if keep is not None:
        keep.mkdir(parents=True)
        return asyncio.run(_run(minutes, say, seed, keep))
    with tempfile.TemporaryDirectory(prefix="hangdao-chaos-") as folder:
        return asyncio.run(_run(minutes, say, seed, Path(folder)))


async def _run(minutes: float, say: Say, seed: int, folder: Path) -> Result:
    began = time.monotonic()
    async with city(folder, REPLICAS) as here:
        crowd, mischief = Crowd(here, PER_S), Mischief(here, seed, say)
        until = asyncio.get_running_loop().time() + minutes * 60
        asking = asyncio.create_task(crowd.run(until))
        await mischief.run(until)
        say("peace: everything heals")
        await here.heal()
        await asking
        verdict = await judge(here, crowd)
        for sentence in verdict.sentences[:20]:
            say(sentence)
        return _result(crowd, mischief, verdict, time.monotonic() - began)


def _result(crowd: Crowd, mischief: Mischief, verdict: Verdict, seconds: float) -> Result:
    return Result(
        payouts=crowd.asked,
        acknowledged=len(crowd.told),
        tries=crowd.tries,
        strikes=mischief.strikes,
        failovers=mischief.failovers,
        restarts=crowd.city.restarts,
        webhooks=crowd.city.receiver.verified,
        double=len(verdict.double),
        lost=len(verdict.lost),
        stuck=len(verdict.stuck),
        other=len(verdict.other),
        sentences=verdict.sentences,
        settled_after_s=verdict.settled_after_s,
        seconds=round(seconds, 1),
    )
