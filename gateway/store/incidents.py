"""Incidents, proposals of two people, dead attempts under watch (`ports.IncidentStore`)."""

from collections.abc import Sequence
from datetime import date, datetime

from channels.contract import Reason
from channels.money import Money
from gateway.domain.errors import ConflictError
from gateway.domain.incident import Incident, IncidentKind
from gateway.domain.payout import Attempt, MerchantId, PayoutId
from gateway.domain.proposal import Proposal, ProposalState
from gateway.ports import Watch
from gateway.store.codec import micros, micros_or_none, moment, moment_or_none
from gateway.store.database import Row, Unit
from gateway.store.part import Part
from gateway.store.rows import incident_params

EVIDENCE = "proposal"
"""The sealed field's name."""


class TakenError(Exception):
    """Another process, or another person, was first."""


class Incidents(Part):
    """Everything a person must look at, and what two of them decide."""

    async def incidents(self, *, open_only: bool) -> list[Incident]:
        """Oldest first."""
        if open_only:
            return [_incident(row) for row in await self._read("open_incidents", {})]
        return [_incident(row) for row in await self._read("incidents", {"id": None})]

    async def incident(self, incident_id: str) -> Incident | None:
        """One incident."""
        found = await self._read("incidents", {"id": incident_id})
        return _incident(found[0]) if found else None

    async def frozen(self) -> dict[str, str]:
        """Channels whose failover is frozen now, and by which incident."""
        return {row[0]: row[1] for row in await self._read("frozen", {})}

    async def open_bank_incident(self, incident: Incident) -> bool:
        """Open it unless that bank has an open one; False then."""
        unit = Unit()
        params = {**incident_params(incident), "bank": incident.bank}
        unit.add(self._queries["open_bank_incident"], params, TakenError)
        return await self._first(unit)

    async def release_incident(self, incident_id: str, at: datetime, by: str, note: str) -> bool:
        """Close it; False when there is no such open one."""
        unit = Unit()
        params = {"id": incident_id, "released_at": micros(at), "released_by": by, "note": note}
        unit.add(self._queries["release_incident"], params, TakenError)
        self._audit(unit, by, "incident.released", incident_id, {"note": note})
        return await self._first(unit)

    async def propose(self, proposal: Proposal) -> None:
        """Store an open proposal; `ConflictError` when its payout has one already."""
        await self._may_seal()
        unit = Unit()
        unit.add(
            self._queries["insert_proposal"],
            {
                "id": proposal.id,
                "payout_id": proposal.payout_id,
                "merchant_id": proposal.merchant_id,
                "attempt": proposal.attempt,
                "sends": proposal.sends,
                "version": proposal.version,
                "reason": proposal.reason,
                "evidence": self._vault.seal(
                    proposal.evidence.encode(), proposal.merchant_id, EVIDENCE, proposal.id
                ),
                "evidence_digest": proposal.evidence_sha256,
                "maker": proposal.maker,
                "maker_person": proposal.maker_person,
                "proposed_at": micros(proposal.proposed_at),
            },
            lambda: ConflictError(
                "proposal_exists",
                f"{proposal.payout_id} has an open proposal already; approve or reject that one",
                zh="该代付已有待复核的申请，请先批准或驳回",
            ),
        )
        detail = {"proposal": proposal.id, "attempt": proposal.attempt, "reason": proposal.reason}
        self._audit(unit, proposal.maker, "attempt.proposed", proposal.payout_id, detail)
        await self._database.write(unit)

    async def proposals(
        self, *, open_only: bool, payout_id: PayoutId | None = None
    ) -> list[Proposal]:
        """Newest first, at most 500."""
        state = ProposalState.OPEN if open_only else None
        found = await self._read("proposals", {"state": state, "payout_id": payout_id})
        await self._may_open(*(row[6] for row in found))
        return [self._proposal(row) for row in found]

    async def reject_proposal(
        self, proposal_id: str, at: datetime, checker: str, person: str, note: str
    ) -> bool:
        """Close it without a certificate; False when it is not open any more."""
        unit = Unit()
        params = {
            "id": proposal_id,
            "checker": checker,
            "checker_person": person,
            "decided_at": micros(at),
            "note": note,
        }
        unit.add(self._queries["reject_proposal"], params, TakenError)
        self._audit(unit, checker, "attempt.proposal_rejected", proposal_id, {"note": note})
        return await self._first(unit)

    async def canary(self, channel: str, paid_after: datetime) -> tuple[PayoutId, int] | None:
        """The attempt paid last on a channel, if that is recent enough to be found still."""
        params = {"channel": channel, "paid_after": micros(paid_after)}
        found = await self._read("canary", params)
        return (PayoutId(found[0][0]), found[0][1]) if found else None

    async def due_watches(self, now: datetime, limit: int) -> list[Watch]:
        """Dead attempts to ask about now, oldest first."""
        return [
            Watch(
                PayoutId(row[0]), MerchantId(row[1]), row[2], moment(row[3]), row[4], moment(row[5])
            )
            for row in await self._read("due_watches", {"now": micros(now), "limit": limit})
        ]

    async def claim_watch(self, watch: Watch, until: datetime) -> bool:
        """Keep others from asking until then; False when somebody else has it."""
        unit = Unit()
        params = {**_key(watch), "until": micros(until), "due_at": micros(watch.due_at)}
        unit.add(self._queries["claim_watch"], params, TakenError)
        return await self._first(unit)

    async def watched(self, watch: Watch, due_at: datetime | None) -> None:
        """The channel was asked and has answered; None: never again."""
        unit = Unit()
        params = {**_key(watch), "due_at": micros_or_none(due_at)}
        unit.add(self._queries["watched"], params)
        await self._database.write(unit)

    async def doubtful(self, channel: str, signed_before: datetime) -> list[PayoutId]:
        """Payouts with a pending or doubtful attempt there, last signed before a moment."""
        params = {"channel": channel, "signed_before": micros(signed_before)}
        return [PayoutId(row[0]) for row in await self._read("doubtful", params)]

    async def suspects(self, attempt: Attempt, amount: Money, days: Sequence[date]) -> int:
        """Lines of stored statements of those days that are, or might be, an attempt's."""
        ((count,),) = await self._read(
            "suspects",
            {
                "channel": attempt.channel,
                "first_on": min(days).isoformat(),
                "last_on": max(days).isoformat(),
                "reference": attempt.reference,
                "channel_ref": attempt.channel_ref,
                "amount_minor": amount.minor,
            },
        )
        return int(count)

    async def _first(self, unit: Unit) -> bool:
        try:
            await self._database.write(unit)
        except TakenError:
            return False
        return True

    def _proposal(self, row: Row) -> Proposal:
        return Proposal(
            id=row[0],
            payout_id=PayoutId(row[1]),
            merchant_id=MerchantId(row[2]),
            attempt=row[3],
            sends=row[4],
            reason=Reason(row[5]),
            evidence=self._vault.open(row[6], row[2], EVIDENCE, row[0]).decode(),
            evidence_sha256=row[7],
            maker=row[8],
            maker_person=row[9],
            proposed_at=moment(row[10]),
            state=ProposalState(row[11]),
            checker=row[12],
            checker_person=row[13],
            decided_at=moment_or_none(row[14]),
            note=row[15],
            version=row[16],
        )


def _incident(row: Row) -> Incident:
    return Incident(
        id=row[0],
        kind=IncidentKind(row[1]),
        channel=row[2],
        payout_id=row[3],
        attempt=row[4],
        evidence=row[5],
        opened_at=moment(row[6]),
        owner=row[7],
        released_at=moment_or_none(row[8]),
        released_by=row[9],
        note=row[10],
        bank=row[11],
    )


def _key(watch: Watch) -> dict[str, object]:
    return {
        "merchant_id": watch.merchant_id,
        "payout_id": watch.payout_id,
        "number": watch.number,
    }
