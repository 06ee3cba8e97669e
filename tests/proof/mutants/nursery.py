"""Runs probes in forked children, each before its own packages; speaks JSON, a line a message.

What every child needs and no mutant changes (the libraries) is imported once, here. A child that
takes longer than its time is killed: a mutant may well run for ever.
"""

import importlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from tests.proof.mutants.overlay import ROOT, Edit, plant
from tests.proof.mutants.probes import PROBES

LIBRARIES = (
    *("aiohttp", "apsw", "asyncpg", "cryptography.x509", "hypothesis.stateful", "orjson"),
    *("pydantic", "pydantic_settings", "prometheus_client", "structlog", "yaml"),
    *("cryptography.hazmat.primitives.asymmetric.rsa", "standardwebhooks", "pytest"),
    "cryptography.hazmat.primitives.ciphers.aead",
)


@dataclass(slots=True)
class Child:
    """A probe under way."""

    task: dict[str, Any]
    pid: int
    answer: int
    folder: tempfile.TemporaryDirectory[str]
    until: float


def main() -> None:
    """Read tasks until the input ends, at most so many at a time; one answer a task."""
    processes = int(sys.argv[1])
    for name in LIBRARIES:
        importlib.import_module(name)
    tasks = [json.loads(line) for line in sys.stdin]
    tasks.reverse()
    running: list[Child] = []
    while tasks or running:
        while tasks and len(running) < processes:
            running.append(_born(tasks.pop()))
        time.sleep(0.02)
        for child in [*running]:
            if _ended(child):
                running.remove(child)
                sys.stdout.write(json.dumps(_answer(child)) + "\n")
                sys.stdout.flush()


def _born(task: dict[str, Any]) -> Child:
    folder = tempfile.TemporaryDirectory(prefix="mutant-")
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _live(task, Path(folder.name), writing)
    os.close(writing)
    return Child(task, pid, reading, folder, time.monotonic() + task["seconds"])


def _live(task: dict[str, Any], folder: Path, writing: int) -> NoReturn:
    """In the child: put the mutant in front, ask, say what came of it, and vanish."""
    os.setsid()
    quiet = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(quiet, descriptor)
    try:
        plant(tuple(Edit(**edit) for edit in task["edits"]), folder)
        sys.dont_write_bytecode = bool(task["edits"])
        sys.path[:0] = [str(folder), str(ROOT)]
        found = _asked(task)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
        where = traceback.extract_tb(error.__traceback__)[-1]
        found = {"broke": f"{error!r:.300} in {Path(where.filename).name}:{where.lineno}"}
    with suppress(OSError):
        os.write(writing, json.dumps(found).encode())
    os._exit(0)


def _asked(task: dict[str, Any]) -> dict[str, Any]:
    for layer, about, seeds in task["asks"]:
        for seed in seeds:
            objection = PROBES[layer](about, seed)
            if objection is not None:
                return {"layer": layer, "about": about, "seed": seed, "what": objection[:300]}
    return {}


def _ended(child: Child) -> bool:
    pid, _ = os.waitpid(child.pid, os.WNOHANG)
    if pid == 0 and time.monotonic() > child.until:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
        return True
    return pid != 0


def _answer(child: Child) -> dict[str, Any]:
    said = os.read(child.answer, 65_536)
    os.close(child.answer)
    child.folder.cleanup()
    found = json.loads(said) if said else {"broke": f"no answer in {child.task['seconds']} s"}
    return {"name": child.task["name"], **found}


if __name__ == "__main__":
    main()
