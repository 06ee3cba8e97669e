"""The simulated institutions, run as their own process and driven through their control API."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx
import orjson
import yaml
from msgspec import Struct

from gateway.sandbox.processes import Child, ProcessError


class Account(Struct, frozen=True):
    """Credentials of one account, as its institution handed them out."""

    kind: str
    name: str
    given: Mapping[str, str]


async def found(folder: Path, accounts: Mapping[str, int], *, seed: int) -> list[Account]:
    """Make a sandbox of so many accounts in `folder`, or read the one that is there."""
    handed_out = folder / "credentials.json"
    if not handed_out.exists():
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "simulators", "init", str(folder)),
            *(part for kind, count in accounts.items() for part in (f"--{kind}", str(count))),
            *("--seed", str(seed)),
            *("--balance-fen", "5000000000"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await process.communicate()
        if process.returncode:
            raise ProcessError(errors.decode(errors="replace").strip())
    return [
        Account(given["kind"], given["account"], given)
        for given in orjson.loads(handed_out.read_bytes())
    ]


def adjust(folder: Path, changes: Mapping[str, Mapping[str, object]]) -> None:
    """Change accounts in `sim.yaml` before it is served: keys by account name."""
    file = folder / "sim.yaml"
    plan = yaml.safe_load(file.read_text(encoding="utf-8"))
    for simulator in plan["simulators"]:
        for account in simulator["accounts"]:
            account.update(changes.get(account["account"], {}))
    file.write_text(yaml.safe_dump(plan, sort_keys=False, allow_unicode=True), encoding="utf-8")


class Institutions:
    """Running simulators."""

    def __init__(self, folder: Path) -> None:
        """Of the sandbox in `folder`."""
        self._child = Child(
            "simulators", "serve", "--config", str(folder / "sim.yaml"), log=folder / "sim.log"
        )
        self._http: httpx.AsyncClient | None = None

    @property
    def control_url(self) -> str:
        """Base URL of the control API."""
        return str(self._child.ready["control"])

    async def start(self) -> Self:
        """Serve. Raises `ProcessError`."""
        await self._child.start()
        self._http = httpx.AsyncClient(base_url=self.control_url, timeout=120, trust_env=False)
        return self

    async def stop(self) -> None:
        """End the process."""
        if self._http is not None:
            await self._http.aclose()
        await self._child.stop()

    async def wait(self) -> int:
        """Wait until the process ends by itself."""
        return await self._child.wait()

    async def fault(self, **rule: object) -> str:
        """Add a fault rule; returns its id."""
        added: dict[str, str] = await self._call("POST", "faults", rule)
        return added["id"]

    async def mend(self, rule_id: str) -> None:
        """Remove a fault rule."""
        await self._call("DELETE", f"faults/{rule_id}")

    async def advance_to(self, moment: str) -> None:
        """Move the institutions' clock forward, letting all that is due happen."""
        await self._call("POST", "clock", {"set": moment})

    async def truth(self) -> Sequence[Mapping[str, Any]]:
        """Every movement of money, from the institutions' own books."""
        movements: Sequence[Mapping[str, Any]] = await self._call("GET", "truth")
        return movements

    async def accounts(self) -> Sequence[Mapping[str, Any]]:
        """Every account with its balance."""
        rows: Sequence[Mapping[str, Any]] = await self._call("GET", "accounts")
        return rows

    async def _call(self, method: str, path: str, body: object = None) -> Any:
        if self._http is None:
            raise ProcessError("the simulators are not running")
        response = await self._http.request(method, f"/_sim/{path}", json=body)
        if response.is_error:
            raise ProcessError(f"simulators refused {path}: {response.text[:300]}")
        return response.json()
