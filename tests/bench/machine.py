"""Which cores what runs on, and what the machine was like: figures mean nothing without both."""

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import apsw
import psutil
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

SIGNATURES: Final = 300


@dataclass(frozen=True, slots=True)
class Layout:
    """Sets of cores."""

    measured: frozenset[int]
    """The gateway, or a floor program, with nobody beside it."""
    others: frozenset[int]
    """Callers, receiver, institution, PostgreSQL."""
    every: frozenset[int]

    @property
    def words(self) -> str:
        """Who shared a core, for people."""
        if self.measured == self.others:
            return "one core: everything shares it"
        rest = len(self.others)
        share = "one core, which they share" if rest == 1 else f"{rest} cores"
        return (
            f"the measured program alone on core {min(self.measured)}; callers, webhook receiver, "
            f"institution and PostgreSQL on {share}"
        )


def layout() -> Layout:
    """The measured program gets the first core of those we may use, alone if there are two."""
    allowed = frozenset(os.sched_getaffinity(0))
    first = frozenset({min(allowed)})
    return Layout(first, allowed - first or first, allowed)


@contextmanager
def on(cores: frozenset[int]) -> Iterator[None]:
    """What is started inside runs on these cores, with all threads it will ever have."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def described() -> dict[str, Any]:
    """What was measured on."""
    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "system": f"{platform.system()} {platform.release()}",
        "signature_us": round(_signature_us()),
        "load_before": round(os.getloadavg()[0], 2),
        "placement": layout().words,
    }


def _signature_us() -> float:
    """CPU of one RSA-2048 signature: what payouts and floor (b) share, and where processors differ
    the most."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    begun = time.process_time()
    for _ in range(SIGNATURES):
        key.sign(b"payout", padding.PKCS1v15(), hashes.SHA256())
    return (time.process_time() - begun) / SIGNATURES * 1e6


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


class Meter:
    """CPU time and memory of a process and all its descendants."""

    def __init__(self, pid: int) -> None:
        """Of the process that runs under this id now."""
        self._process = psutil.Process(pid)

    def _family(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]

    @property
    def pids(self) -> list[int]:
        """Of all of them."""
        return [one.pid for one in self._family()]

    def cpu_s(self) -> float:
        """Used since it started, of all threads."""
        times = [one.cpu_times() for one in self._family()]
        return float(sum(one.user + one.system for one in times))

    def rss_mb(self) -> float:
        """Resident, summed over processes: what they share counts twice."""
        return float(sum(one.memory_info().rss for one in self._family()) / 2**20)

    def descriptors(self) -> int:
        """Open files and sockets."""
        return sum(int(one.num_fds()) for one in self._family())
