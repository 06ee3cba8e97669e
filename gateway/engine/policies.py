"""The board: which policies are in use in this process, and every act that changes that.

All processes read the same numbered acts, once a second, and fold them to the same standing; what
is due by time is written as an act by whichever comes first. A policy that cannot be compiled never
takes the place of one that decides: the last good one stays, and people are told.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from gateway.domain import policy_rules
from gateway.domain.errors import AbsenceError, ConflictError
from gateway.domain.policy_change import (
    NOTHING,
    Act,
    ActKind,
    Change,
    Standing,
    StoredPolicy,
    fold,
)
from gateway.domain.policy_mistake import PolicyInvalidError
from gateway.domain.policy_rules import Who
from gateway.engine.gateway import Gateway, Trial
from gateway.engine.policy_file import PolicyFile
from gateway.engine.standby import Note
from gateway.ports import StaleError
from policies.policy import Policy

TRIES = 8
LISTED_MAX = 500
PREFIX_MIN = 6
"""A hash may be given by so many of its first digits."""


class Compiler(Protocol):
    """Makes policies of texts; the only part that knows the language."""

    def check(self, text: str, source: str, merchants: frozenset[str]) -> Policy:
        """For a text that somebody wants to use: every mistake refuses it (PolicyInvalidError)."""

    def load(self, text: str, source: str) -> Policy:
        """For a text that was checked once: a channel removed since does not stop it."""


class Board:
    """One per process; `begin` before payouts are routed, then `look` once a second."""

    def __init__(
        self, gateway: Gateway, compiler: Compiler, built_in: str, file: PolicyFile | None = None
    ) -> None:
        """With a `file` that is the only writer, and `gateway.policy` what it says already."""
        self.gateway = gateway
        self.compiler = compiler
        self.file = file
        self.standing: Standing = NOTHING
        self.refused: PolicyInvalidError | None = None
        """Why the file, or a stored policy, is not in use although it should be."""
        self._built_in = built_in
        self._compiled: dict[str, Policy] = {}
        self._broken: dict[str, PolicyInvalidError] = {}
        self._unwritten: StoredPolicy | None = None
        """What the file says and the history does not yet."""
        self._turn = asyncio.Lock()

    # --- Following ---

    async def begin(self) -> None:
        """Know what stands; an installation without any policy gets the built-in one."""
        if self.file is not None:
            try:
                text = await asyncio.to_thread(self.file.begin)
                await self._take(text, self.compiler.load(text, str(self.file.path)))
            except PolicyInvalidError as error:
                # It was good a moment ago, when the process was put together.
                self._refuse(error)
            return
        await self.follow()
        if self.standing.active is None:
            await self._seed(self._built_in, Who(policy_rules.GATEWAY, None))
        await self._fetch(*(one.policy_hash for one in self.standing.reigns))
        self._apply(at_start=True)

    async def look(self) -> None:
        """What has come since: the file's change, others' acts, a scheduled time."""
        if self.file is not None:
            await self._look_at_file(self.file)
            await self.follow()
            await self._note_down()
            return
        await self.follow()
        await self._do_what_is_due()
        self._apply()

    def note(self) -> Note | None:
        """For operators, while something that should be in use is not."""
        if self.refused is None:
            return None
        kept = self.gateway.policy
        return Note(
            "policy_refused",
            f"{self.refused.message}; {kept.name} ({kept.hash[:12]}) stays in use",
            f"{self.refused.zh}：{self.refused.source}；继续使用 {kept.name}（{kept.hash[:12]}）",
        )

    def in_use(self) -> list[tuple[str, str, str]]:
        """Hash, name and role of every policy that decides in this process."""
        gateway = self.gateway
        found = [(gateway.policy, "active")]
        found += [(gateway.canary.policy, "canary")] if gateway.canary is not None else []
        found += [(gateway.shadow.policy, "shadow")] if gateway.shadow is not None else []
        return [(policy.hash, policy.name, role) for policy, role in found]

    # --- Reading ---

    async def check(self, text: str) -> Policy:
        """The compiled policy, or every mistake (`PolicyInvalidError`)."""
        merchants = await self._merchants()
        return await asyncio.to_thread(self.compiler.check, text, "policy", merchants)

    async def policy(self, named: str) -> StoredPolicy:
        """A stored policy by hash, the hash's beginning, `v7`, or its role. `AbsenceError`."""
        roles = {
            "active": self.standing.active_hash,
            "canary": self.standing.canary and self.standing.canary.policy_hash,
            "shadow": self.standing.shadow and self.standing.shadow.policy_hash,
        }
        found = await self.gateway.store.stored_policy(roles.get(named) or named)
        if found is not None:
            return found
        matching = [
            one
            for one in await self.gateway.store.stored_policies(LISTED_MAX)
            if named == f"v{one.number}"
            or (len(named) >= PREFIX_MIN and one.policy_hash.startswith(named))
        ]
        if len(matching) != 1:
            raise AbsenceError(
                "no_such_policy",
                f"{len(matching) or 'no'} stored policies are called {named[:64]!r}",
                zh="策略不存在或名称不唯一",
            )
        return matching[0]

    def change(self, change_id: str) -> Change:
        """One change as it stands. `AbsenceError`."""
        return policy_rules.find(self.standing, change_id)

    # --- For `policy_acts` and for itself ---

    @property
    def now(self) -> datetime:
        return self.gateway.clock.now()

    async def _merchants(self) -> frozenset[str]:
        return frozenset(str(one.id) for one in await self.gateway.store.merchants())

    def require_writable(self) -> None:
        if self.file is not None:
            raise ConflictError(
                "policy_file_mode",
                f"edit {self.file.path}, it is watched: the file is the only writer here",
                zh=f"当前为文件模式，请直接修改 {self.file.path}，保存后自动生效",
            )

    async def act(
        self, decide: Callable[[Standing], list[Act]], policy: StoredPolicy | None = None
    ) -> None:
        """Write what follows from the standing as it is; somebody faster only means once more."""
        for _ in range(TRIES):
            await self.follow()
            acts = decide(self.standing)
            if not acts:
                return
            with suppress(StaleError):
                await self.gateway.store.record_acts(acts, policy)
                await self.follow()
                if self.file is None:
                    self._apply()
                self._tell(acts)
                return
        raise StaleError("others keep changing the policy")

    async def follow(self) -> None:
        """Read what was done since; a database that has gone back is read from the beginning."""
        async with self._turn:
            last = self.standing.last
            acts = await self.gateway.store.policy_acts(1 if last is None else last.seq)
            if last is None:
                self.standing = fold(acts)
            elif not acts or acts[0] != last:
                self.standing = fold(await self.gateway.store.policy_acts(1))
            elif len(acts) > 1:
                self.standing = fold(acts[1:], self.standing)
            await self._fetch()

    async def _fetch(self, *besides: str) -> None:
        """Compile what is in use and not compiled yet."""
        standing = self.standing
        wanted = {*besides, *(one.policy_hash for one in self._beside)}
        if standing.active_hash is not None:
            wanted.add(standing.active_hash)
        for policy_hash in sorted(wanted - self._compiled.keys() - self._broken.keys()):
            stored = await self.gateway.store.stored_policy(policy_hash)
            if stored is not None:
                with suppress(PolicyInvalidError):
                    self.compiled(stored)

    def compiled(self, stored: StoredPolicy) -> Policy:
        known = self._compiled.get(stored.policy_hash)
        if known is not None:
            return known
        source = f"policy v{stored.number} {stored.name}"
        try:
            policy = self.compiler.load(stored.text, source)
        except PolicyInvalidError as error:
            self._broken[stored.policy_hash] = error
            raise
        # Its own name for ever, also where a newer program would hash it otherwise.
        policy = replace(policy, hash=stored.policy_hash)
        self._compiled[stored.policy_hash] = policy
        return policy

    def _apply(self, *, at_start: bool = False) -> None:
        """Put into use what stands; no step of it awaits, so no payout sees half of it."""
        gateway, standing = self.gateway, self.standing
        wanted = [standing.active_hash, *(one.policy_hash for one in self._beside)]
        refused = next((self._broken[one] for one in wanted if one in self._broken), None)
        # A process that has just started has no last good one but those of the history.
        for reign in standing.reigns[::-1] if at_start else standing.reigns[-1:]:
            policy = self._compiled.get(reign.policy_hash)
            if policy is not None:
                gateway.policy = policy
                break
        gateway.canary = self._trial(standing.canary)
        gateway.shadow = self._trial(standing.shadow)
        self._refuse(refused)

    @property
    def _beside(self) -> list[Change]:
        standing = self.standing
        return [one for one in (standing.canary, standing.shadow) if one is not None]

    def _trial(self, change: Change | None) -> Trial | None:
        policy = None if change is None else self._compiled.get(change.policy_hash)
        return None if change is None or policy is None else Trial(change, policy)

    def _refuse(self, error: PolicyInvalidError | None) -> None:
        before, self.refused = self.refused, error
        if error is not None and (before is None or before.message != error.message):
            self.gateway.observer.alarm(
                "policy.refused", problem=error.message, problem_zh=error.zh
            )

    async def _do_what_is_due(self) -> None:
        """The scheduled time has come: whichever process is first writes it down."""
        act = policy_rules.due(self.standing, self.now)
        if act is None or act.change_id is None:
            return
        acts = [act]
        if act.kind is ActKind.ACTIVATED:
            change = self.standing.changes[act.change_id]
            try:
                self.compiled(await self.policy(change.policy_hash))
            except PolicyInvalidError as error:
                acts = policy_rules.failed(self.standing, change, self.now, error.message)
        with suppress(StaleError):
            await self.gateway.store.record_acts(acts)
            self._tell(acts)
        await self.follow()

    async def _look_at_file(self, file: PolicyFile) -> None:
        try:
            text = await asyncio.to_thread(file.look)
            if text is not None:
                merchants = await self._merchants()
                source = str(file.path)
                await self._take(
                    text, await asyncio.to_thread(self.compiler.check, text, source, merchants)
                )
        except PolicyInvalidError as error:
            self._refuse(error)

    async def _take(self, text: str, policy: Policy) -> None:
        """Use what the file says, and note it down as soon as the store allows."""
        self.gateway.policy = policy
        self._refuse(None)
        where = "" if self.file is None else str(self.file.path)
        self._unwritten = as_given(policy, text, self.now, Who("file", None), where)
        await self.follow()
        await self._note_down()

    async def _note_down(self) -> None:
        """The history says what the file said; a store that was away is told later."""
        stored = self._unwritten
        if stored is not None:
            await self.act(
                lambda standing: policy_rules.loaded(standing, stored.policy_hash, self.now),
                stored,
            )
            self._unwritten = None

    async def _seed(self, text: str, who: Who) -> None:
        policy = self.compiler.load(text, "built-in policy")
        stored = as_given(policy, text, self.now, who, "built-in policy")
        await self.act(
            lambda standing: (
                []
                if standing.active is not None
                else policy_rules.seeded(standing, policy.hash, who, self.now)
            ),
            stored,
        )

    def _tell(self, acts: list[Act]) -> None:
        """What people should hear of at once, from the process that wrote it."""
        observer = self.gateway.observer
        for act in acts:
            facts = {
                "policy_hash": act.policy_hash,
                "change_id": act.change_id,
                "actor": act.actor,
                "share_ppm": act.plan.share_ppm,
                "reason": act.note or None,
            }
            match act.kind:
                case ActKind.LOADED:
                    observer.alarm("policy.loaded", **facts)
                case ActKind.PROPOSED:
                    observer.alarm("policy.proposed", **facts)
                case ActKind.CANARIED:
                    observer.alarm("policy.canaried", **facts)
                case ActKind.ACTIVATED:
                    observer.alarm("policy.activated", **facts)
                case ActKind.ROLLED_BACK:
                    observer.alarm("policy.rolled_back", **facts)
                case ActKind.EXPIRED:
                    observer.alarm("policy.schedule_expired", **facts)
                case ActKind.FAILED:
                    observer.alarm("policy.failed", **facts)
                case _:
                    pass


def as_given(policy: Policy, text: str, at: datetime, who: Who, note: str) -> StoredPolicy:
    """As it is handed to the store, which gives it its number."""
    return StoredPolicy(
        policy_hash=policy.hash,
        name=policy.name,
        number=0,
        text=text,
        made_at=at,
        actor=who.actor,
        person=(who.person or "").strip(),
        note=note,
    )
