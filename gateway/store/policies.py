"""Policies, what people did with them, and what a shadow would have decided (`ports.PolicyStore`).

Both tables only grow. An act carries its number, so of two people who decided on the same standing
one is told to look again.
"""

from collections.abc import Sequence

from channels.money import Currency
from gateway.domain.policy_change import Act, ActKind, Plan, ShadowCell, StoredPolicy
from gateway.ports import StaleError
from gateway.store.codec import micros, micros_or_none, moment, moment_or_none
from gateway.store.database import Row, Unit
from gateway.store.part import Part


class Policies(Part):
    """Everything about which policy is in use."""

    async def record_acts(self, acts: Sequence[Act], policy: StoredPolicy | None = None) -> None:
        """Commit acts, with the policy that the first is about if it is not stored yet.

        `StaleError` when somebody else has acted since they were decided. Its number is given
        here, whatever `policy` says.
        """
        unit = Unit()
        for act in acts:
            unit.add(
                self._queries["insert_policy_act"],
                _params(act),
                lambda: StaleError("another policy act came in between"),
            )
            self._audit(
                unit,
                act.actor,
                f"policy.{act.kind}",
                act.change_id or act.policy_hash,
                _detail(act),
            )
        if policy is not None:
            unit.add(
                self._queries["insert_policy"],
                {
                    "hash": policy.policy_hash,
                    "name": policy.name,
                    "text": policy.text,
                    "made_at": micros(policy.made_at),
                    "actor": policy.actor,
                    "person": policy.person,
                    "note": policy.note,
                },
            )
        await self._database.write(unit)

    async def policy_acts(self, first: int) -> list[Act]:
        """Acts from a number on, in order."""
        return [_act(row) for row in await self._read("policy_acts", {"first": first})]

    async def stored_policy(self, policy_hash: str) -> StoredPolicy | None:
        """One policy by its whole hash."""
        found = await self._read("policy", {"hash": policy_hash})
        return _policy(found[0]) if found else None

    async def stored_policies(self, limit: int) -> list[StoredPolicy]:
        """Newest first."""
        return [_policy(row) for row in await self._read("policies", {"limit": limit})]

    async def shadow_cells(self, change_id: str) -> list[ShadowCell]:
        """What a shadow would have chosen instead, by pair of channels, the most frequent first."""
        return [
            ShadowCell(Currency(row[0]), row[1], row[2], row[3], row[4], row[5])
            for row in await self._read("shadow_cells", {"change_id": change_id})
        ]


def _params(act: Act) -> dict[str, object]:
    return {
        "seq": act.seq,
        "at": micros(act.at),
        "kind": act.kind,
        "policy_hash": act.policy_hash,
        "actor": act.actor,
        "person": act.person,
        "change_id": act.change_id,
        "base_hash": act.base_hash,
        "shadow": int(act.plan.shadow),
        "share_ppm": act.plan.share_ppm,
        "activates_at": micros_or_none(act.plan.activates_at),
        "note": act.note,
    }


def _detail(act: Act) -> dict[str, object]:
    """What the tamper-evident log commits to, beside who, when and what."""
    return {
        name: value
        for name, value in _params(act).items()
        if name not in {"at", "kind", "actor", "change_id"}
    }


def _act(row: Row) -> Act:
    return Act(
        seq=row[0],
        at=moment(row[1]),
        kind=ActKind(row[2]),
        policy_hash=row[3],
        actor=row[4],
        person=row[5],
        change_id=row[6],
        base_hash=row[7],
        plan=Plan(bool(row[8]), row[9], moment_or_none(row[10])),
        note=row[11],
    )


def _policy(row: Row) -> StoredPolicy:
    return StoredPolicy(
        policy_hash=row[0],
        name=row[1],
        number=row[2],
        text=row[3],
        made_at=moment(row[4]),
        actor=row[5],
        person=row[6],
        note=row[7],
    )
