"""All configured simulators in one process, on one clock: building, time, rules, starting over.

The control API and tests work on this object; it owns the shells, and no simulator knows another.
Advancing goes from one due moment to the next, so that everything happens at its own time and every
push due on the way has been tried before `advance` returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Self

from pydantic import ValidationError

from simulators.clock import VirtualClock
from simulators.faults import FaultRule, Faults
from simulators.folders import FolderPair
from simulators.journal import Journal
from simulators.kernel import Push, Row, Simulator, UnknownTriggerError
from simulators.registry import KINDS
from simulators.scenario import KeyPath, Plan, Source, read_rules
from simulators.shell import Shell
from simulators.tls import Tls

_STEP = timedelta(milliseconds=1)


class World:
    """The running whole. Use as an async context manager, or `start` and `stop`."""

    def __init__(self, plan: Plan, source: Source | None = None) -> None:
        """Build everything and bind the ports. Raises ScenarioError and OSError."""
        self.plan = plan
        self._source = source or Source("configuration", None, {})
        start = plan.clock.start
        self.clock = VirtualClock(start, frozen=plan.clock.mode == "virtual")
        self.journal = Journal()
        self.shells: dict[str, Shell] = {}
        try:
            for index in range(len(plan.simulators)):
                self._add_shell(index)
            for index, rule in enumerate(read_rules(plan.faults, self._source, self.clock.now())):
                try:
                    self.add_rule(rule)
                except ValueError as error:
                    raise self._source.refused(error, ("faults", index)) from None
        except (ValueError, OSError):
            for shell in self.shells.values():
                shell.release()
            raise

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    async def start(self) -> None:
        """Listen on every port."""
        for shell in self.shells.values():
            await shell.start()

    async def stop(self) -> None:
        """Close every port and forget what is undelivered."""
        for shell in self.shells.values():
            await shell.stop()

    def reset(self) -> None:
        """Fresh books, orders and journal, no rules. The clock and the ports stay."""
        for index, name in enumerate(self.shells):
            self.shells[name].replace(*self._build(index))
        self.journal.clear()

    # ---- time ----

    async def advance(self, by: timedelta) -> datetime:
        """Let so much time pass."""
        return await self.advance_to(self.clock.now() + by)

    async def advance_to(self, target: datetime) -> datetime:
        """Go to a moment by way of everything that falls due. Raises ValueError for the past."""
        if target < self.clock.now():
            self.clock.set(target)  # refuses, with its own words
        await self.settle()
        while self.clock.now() < target:
            moments = (shell.next_at() for shell in self.shells.values())
            next_at = min((at for at in moments if at is not None), default=target)
            # A step of at least a millisecond: whatever claims to be overdue cannot stop time.
            self._go(min(max(next_at, self.clock.now() + _STEP), target))
            await self.settle()
        return self.clock.now()

    async def settle(self) -> None:
        """Carry out what is due now, and wait for the deliveries."""
        for shell in self.shells.values():
            await shell.refresh()
            shell.catch_up()
        for shell in self.shells.values():
            await shell.quiet()

    def _go(self, at: datetime) -> None:
        if at > self.clock.now():
            self.clock.set(at)

    # ---- rules ----

    def add_rule(self, rule: FaultRule) -> FaultRule:
        """Give a rule to every simulator it names. Raises ValueError if it fits none of them."""
        return self.add_rules([rule])[0]

    def add_rules(self, rules: Iterable[FaultRule], *, replace: bool = False) -> list[FaultRule]:
        """Give all these rules, instead of the present ones if `replace`, or none of them.

        A rule without id gets the next free `f1`, `f2`, … Raises ValueError.
        """
        known = set() if replace else {str(row["id"]) for row in self.rules()}
        named: list[tuple[FaultRule, list[Shell]]] = []
        for rule in rules:
            fitting = self._fitting(rule)
            if rule.id in known:
                raise ValueError(f"a fault rule {rule.id!r} exists already")
            rule_id = rule.id or next(i for i in map("f{}".format, count(1)) if i not in known)
            known.add(rule_id)
            named.append((rule.model_copy(update={"id": rule_id}), fitting))
        if replace:
            self.clear_rules()
        for rule, fitting in named:
            for shell in fitting:
                shell.faults.add(rule)
        return [rule for rule, _ in named]

    def remove_rule(self, rule_id: str) -> bool:
        """Drop a rule everywhere; False when there is none."""
        found = [shell.faults.remove(rule_id) for shell in self.shells.values()]
        return any(found)

    def clear_rules(self) -> None:
        """Drop every rule; magic stays."""
        for shell in self.shells.values():
            shell.faults.clear()

    def rules(self) -> list[Row]:
        """Every rule once, with the number of its hits in all simulators."""
        rows: dict[str, dict[str, object]] = {}
        for shell in self.shells.values():
            for rule in shell.faults.rules:
                row = rows.setdefault(
                    rule.id, {**rule.model_dump(mode="json", exclude_none=True), "hits": 0}
                )
                hits = row["hits"]
                row["hits"] = shell.faults.hits_of(rule.id) + (hits if isinstance(hits, int) else 0)
        return list(rows.values())

    async def refresh(self) -> None:
        """Let changed rules take effect on the ports."""
        for shell in self.shells.values():
            await shell.refresh()

    def _fitting(self, rule: FaultRule) -> list[Shell]:
        fitting = [s for name, s in self.shells.items() if rule.simulator in ("*", name)]
        if rule.account != "*":
            fitting = [s for s in fitting if _has_account(s.simulator, rule.account)]
        if not fitting:
            raise ValueError("no simulator has this name, or none this account")
        for shell in fitting:
            shell.check(rule)
        return fitting

    # ---- administration ----

    def topup(self, account: str, amount_minor: int) -> None:
        """Put money on an account. Raises LookupError."""
        for shell in self.shells.values():
            if _has_account(shell.simulator, account):
                shell.simulator.topup(account, amount_minor, self.clock.now())
                return
        raise LookupError(f"no account {account!r}")

    async def trigger(self, event: str, reference: str, simulator: str = "*") -> None:
        """Force an event on an order wherever it is; notices are tried before this returns.

        Raises UnknownTriggerError with every simulator's reason.
        """
        reasons = []
        for name, shell in self.shells.items():
            if simulator not in ("*", name):
                continue
            try:
                pushes: Iterable[Push] = shell.simulator.trigger(event, reference, self.clock.now())
            except UnknownTriggerError as error:
                reasons.append(f"{name}: {error.args[0] if error.args else error}")
                continue
            shell.owe(pushes)
            await self.settle()
            return
        raise UnknownTriggerError("; ".join(reasons) or f"no simulator {simulator!r}")

    def _add_shell(self, index: int) -> None:
        section = self.plan.simulators[index]
        simulator, faults = self._build(index)
        try:
            port, account_ports = _port(section.get("port", 0)), _account_ports(section)
            folders = _folders(section)
            tls = Tls.model_validate(section["tls"]) if "tls" in section else None
        except ValueError as error:
            raise self._source.refused(error, ("simulators", index)) from None
        self.shells[simulator.name] = Shell(
            simulator,
            faults,
            self.clock,
            self.journal,
            host=str(section.get("host", "127.0.0.1")),
            port=port,
            account_ports=account_ports,
            folders=folders,
            tls=tls,
        )

    def _build(self, index: int) -> tuple[Simulator, Faults]:
        section = self.plan.simulators[index]
        under: KeyPath = ("simulators", index)
        kind = str(section["kind"])
        if kind not in KINDS:
            raise self._source.complaint((*under, "kind"), f"unknown (known: {', '.join(KINDS)})")
        faults = Faults(seed=self.plan.seed)
        try:
            build = KINDS[kind].build
            return build(_without_ports(section), seed=self.plan.seed, faults=faults), faults
        except (ValidationError, ValueError) as error:
            raise self._source.refused(error, under) from None
        except OSError as error:
            raise self._source.complaint(under, f"{error.strerror}: {error.filename}") from None


def _has_account(simulator: Simulator, account: str) -> bool:
    return any(row["account"] == account for row in simulator.accounts())


def _sections(section: Mapping[str, object]) -> list[dict[str, object]]:
    accounts = section.get("accounts")
    return (
        [a for a in accounts if isinstance(a, dict)] if isinstance(accounts, list | tuple) else []
    )


def _account_ports(section: Mapping[str, object]) -> dict[str, int]:
    """Accounts with a port of their own, which is the shell's affair and not the simulator's."""
    return {
        str(account["account"]): _port(account["port"])
        for account in _sections(section)
        if "port" in account
    }


def _folders(section: Mapping[str, object]) -> dict[str, FolderPair]:
    """Accounts whose files are carried by folders, which is the shell's affair as well."""
    return {
        str(account["account"]): FolderPair.model_validate(account["folders"])
        for account in _sections(section)
        if "folders" in account
    }


def _without_ports(section: Mapping[str, object]) -> dict[str, object]:
    section = {key: value for key, value in section.items() if key != "tls"}
    if not _sections(section):
        return section
    accounts = [
        {k: v for k, v in a.items() if k not in {"port", "folders"}} for a in _sections(section)
    ]
    return {**section, "accounts": accounts}


def _port(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 65535:
        return value
    raise ValueError(f"not a port: {value!r}")
