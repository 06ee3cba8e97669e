"""The administration of the simulators over HTTP, under `/_sim/`, on a port of its own.

JSON in and out; errors are `{"error": text}` with 400 (cannot be read), 404 (no such thing) or 409
(does not fit the state). Nothing here is part of any institution's interface.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import datetime

from aiohttp import web

from simulators import triggers
from simulators.actions import ACTIONS
from simulators.clock import parse_duration
from simulators.faults import read_rule
from simulators.kernel import UnknownTriggerError
from simulators.listener import Listener
from simulators.magic import rows
from simulators.registry import KINDS
from simulators.scenario import Script, read_rules, read_yaml
from simulators.world import World

_Endpoint = Callable[[web.BaseRequest], Awaitable[object]]


class Control:
    """Serves one world's administration."""

    def __init__(self, world: World, host: str = "127.0.0.1", port: int = 0) -> None:
        """Bind the port. Raises OSError."""
        self._world = world
        self._listener = Listener(host, port, (), self._serve)
        self._routes: Mapping[tuple[str, str], _Endpoint] = {
            ("GET", "health"): self._health,
            ("GET", "clock"): self._clock,
            ("POST", "clock"): self._move_clock,
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "scenario"): self._scenario,
            ("GET", "truth"): self._truth,
            ("GET", "journal"): self._journal,
            ("GET", "accounts"): self._accounts,
            ("GET", "magic"): self._magic,
            ("GET", "triggers"): self._triggers,
            ("GET", "actions"): self._actions,
            ("POST", "trigger"): self._trigger,
            ("POST", "reset"): self._reset,
        }

    @property
    def url(self) -> str:
        """Base address, without `/_sim/`."""
        return self._listener.url

    async def start(self) -> None:
        """Listen."""
        await self._listener.open()

    async def stop(self) -> None:
        """Stop listening."""
        await self._listener.close()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        parts = [part for part in request.path.split("/") if part]
        if len(parts) < 2 or parts[0] != "_sim":
            return _error(404, "everything is under /_sim/")
        try:
            match parts[1:]:
                case ["faults", rule_id] if request.method == "DELETE":
                    return _ok(await self._remove_fault(rule_id))
                case ["accounts", account, "topup"] if request.method == "POST":
                    return _ok(await self._topup(account, request))
                case [name] if (request.method, name) in self._routes:
                    return _ok(await self._routes[request.method, name](request))
                case _:
                    return _error(404, f"nothing at {request.method} {request.path}")
        except UnknownTriggerError as error:
            return _error(409, str(error.args[0]))
        except LookupError as error:
            return _error(404, str(error.args[0]))
        except ValueError as error:
            return _error(400, str(error))

    async def _health(self, _: web.BaseRequest) -> object:
        return {
            "ok": True,
            "now": self._world.clock.now().isoformat(),
            "simulators": {
                name: {
                    "kind": shell.simulator.kind,
                    "url": shell.url,
                    "accounts": {
                        str(row["account"]): shell.url_of(str(row["account"]))
                        for row in shell.simulator.accounts()
                    },
                }
                for name, shell in self._world.shells.items()
            },
        }

    async def _clock(self, _: web.BaseRequest) -> object:
        clock = self._world.clock
        return {"now": clock.now().isoformat(), "mode": "virtual" if clock.frozen else "real"}

    async def _move_clock(self, request: web.BaseRequest) -> object:
        given = await _object(request, {"advance", "set"})
        if len(given) != 1:
            raise ValueError('give {"advance": "1d"} or {"set": "2026-01-01T00:00:00+08:00"}')
        if "advance" in given:
            length = given["advance"]
            if not isinstance(length, str | int | float):
                raise ValueError("advance needs a duration")
            now = await self._world.advance(parse_duration(length))
        else:
            now = await self._world.advance_to(_moment(given["set"]))
        return {"now": now.isoformat()}

    async def _faults(self, _: web.BaseRequest) -> object:
        return self._world.rules()

    async def _add_fault(self, request: web.BaseRequest) -> object:
        rule = read_rule(await _object(request), self._world.clock.now())
        added = self._world.add_rule(rule)
        await self._world.refresh()
        return {"id": added.id}

    async def _remove_fault(self, rule_id: str) -> object:
        if not self._world.remove_rule(rule_id):
            raise LookupError(f"no fault rule {rule_id!r}")
        await self._world.refresh()
        return {"removed": rule_id}

    async def _clear_faults(self, _: web.BaseRequest) -> object:
        self._world.clear_rules()
        await self._world.refresh()
        return {"removed": "all"}

    async def _scenario(self, request: web.BaseRequest) -> object:
        """YAML, and so JSON: `replace` (default yes) and `faults`."""
        source = read_yaml((await request.read()).decode(), "scenario")
        try:
            script = Script.model_validate(source.data)
        except ValueError as error:
            raise source.refused(error) from None
        rules = read_rules(script.faults, source, self._world.clock.now())
        added = self._world.add_rules(rules, replace=script.replace)
        await self._world.refresh()
        return {"ids": [rule.id for rule in added]}

    async def _truth(self, request: web.BaseRequest) -> object:
        wanted = request.query.get("account")
        return [
            {"simulator": name, **asdict(movement), "at": movement.at.isoformat()}
            for name, shell in self._world.shells.items()
            for movement in shell.simulator.truth()
            if wanted in (None, movement.account)
        ]

    async def _journal(self, request: web.BaseRequest) -> object:
        return self._world.journal.rows(
            after=int(request.query.get("after", "0")),
            limit=int(request.query.get("limit", "200")),
            reference=request.query.get("reference"),
        )

    async def _accounts(self, _: web.BaseRequest) -> object:
        return [
            {"simulator": name, "kind": shell.simulator.kind, **row}
            for name, shell in self._world.shells.items()
            for row in shell.simulator.accounts()
        ]

    async def _topup(self, account: str, request: web.BaseRequest) -> object:
        amount = (await _object(request, {"amount_fen"})).get("amount_fen")
        if not isinstance(amount, int) or isinstance(amount, bool) or amount <= 0:
            raise ValueError("amount_fen needs a positive whole number")
        self._world.topup(account, amount)
        return {"account": account, "added_fen": amount}

    async def _magic(self, _: web.BaseRequest) -> object:
        running = {shell.simulator.kind for shell in self._world.shells.values()}
        return [
            row for kind, one in KINDS.items() if kind in running for row in rows(one.magic, kind)
        ]

    async def _triggers(self, _: web.BaseRequest) -> object:
        return triggers.rows(shell.simulator for shell in self._world.shells.values())

    async def _actions(self, _: web.BaseRequest) -> object:
        return [
            {
                "action": name,
                "asked": action.stage.value,
                "params": list(action.params),
                "meaning": action.meaning,
            }
            for name, action in ACTIONS.items()
        ]

    async def _trigger(self, request: web.BaseRequest) -> object:
        given = await _object(request, {"event", "reference", "simulator"})
        event, reference = given.get("event"), given.get("reference")
        simulator = given.get("simulator", "*")
        if not (
            isinstance(event, str) and isinstance(reference, str) and isinstance(simulator, str)
        ):
            raise ValueError("give event and reference as text")  # noqa: TRY004 - becomes a 400
        await self._world.trigger(event, reference, simulator)
        return {"event": event, "reference": reference}

    async def _reset(self, _: web.BaseRequest) -> object:
        self._world.reset()
        await self._world.refresh()
        return {"reset": True}


async def _object(request: web.BaseRequest, keys: set[str] | None = None) -> dict[str, object]:
    """The JSON object of a body; keys beyond `keys` are refused. Raises ValueError."""
    given = json.loads(await request.read() or b"{}")
    if not isinstance(given, dict):
        raise ValueError("send a JSON object")  # noqa: TRY004 - becomes a 400 like all bad input
    unknown = set(given) - keys if keys is not None else set()
    if unknown:
        raise ValueError(f"unknown key {sorted(unknown)[0]!r}")
    return given


def _moment(value: object) -> datetime:
    at = datetime.fromisoformat(value) if isinstance(value, str) else None
    if at is None or at.tzinfo is None:
        raise ValueError("set needs a time with its zone, like 2026-01-01T00:00:00+08:00")
    return at


def _ok(value: object) -> web.Response:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return web.Response(text=text, content_type="application/json")


def _error(status: int, text: str) -> web.Response:
    body = json.dumps({"error": text}, ensure_ascii=False)
    return web.Response(status=status, text=body, content_type="application/json")
