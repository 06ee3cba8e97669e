"""Payouts and attempts to and from their rows, sealed columns included; incidents to theirs."""

from collections.abc import Iterable
from typing import Any

import orjson

from channels.money import Currency, Money
from gateway.domain.incident import Incident
from gateway.domain.payout import Attempt, AttemptState, Payout, PayoutState
from gateway.ports import Intake
from gateway.store import codec
from gateway.store.codec import micros, micros_or_none, moment, moment_or_none
from gateway.store.database import Row
from gateway.store.vault import Vault

PAYOUT_COLUMNS = 26
"""Columns of find_payouts before the attempt's."""
SEALED = (6, PAYOUT_COLUMNS + 16, PAYOUT_COLUMNS + 17, PAYOUT_COLUMNS + 19)
"""Where find_payouts has sealed values: instruments, action, refusal, certificate note."""


def payout_params(vault: Vault, payout: Payout, intake: Intake) -> dict[str, Any]:
    """Everything insert_payout wants."""
    return {
        "merchant_id": payout.merchant_id,
        "id": payout.id,
        "idempotency_key": intake.idempotency_key,
        "fingerprint": intake.fingerprint,
        "merchant_ref": payout.merchant_ref,
        "currency": payout.amount.currency,
        "amount_minor": payout.amount.minor,
        "fee_minor": payout.fee.minor,
        "instruments": vault.seal(
            codec.instruments_json(payout.instruments),
            payout.merchant_id,
            "instruments",
            payout.id,
        ),
        "purpose": payout.purpose,
        "speed": payout.speed,
        "deadline_at": micros_or_none(payout.deadline_at),
        "release_at": micros_or_none(payout.release_at),
        "max_fee_minor": payout.max_fee_minor,
        "metadata": codec.metadata_json(payout.metadata),
        "state": payout.state,
        "version": payout.version,
        "accepted_at": micros(payout.accepted_at),
        "updated_at": micros(payout.updated_at),
        "due_at": micros_or_none(payout.due_at),
        "reason": payout.reason,
        "owner": payout.owner,
        "worker": payout.worker,
        "epoch": payout.epoch,
        "constraints": codec.constraints_json(payout.constraints),
        "charge": codec.charge_json(payout.charge),
        "split_id": payout.leg and payout.leg.split_id,
        "leg": codec.leg_json(payout.leg),
        "fee_mode": "deducted" if payout.is_fee_deducted else "on_top",
    }


def attempt_params(vault: Vault, payout: Payout, attempt: Attempt) -> dict[str, Any]:
    """Everything insert_attempt and update_attempt want."""
    certificate = attempt.certificate
    row = f"{payout.id}/{attempt.number}"

    def sealed(field: str, plain: bytes | None) -> bytes | None:
        return None if plain is None else vault.seal(plain, payout.merchant_id, field, row)

    return {
        "merchant_id": payout.merchant_id,
        "payout_id": payout.id,
        "number": attempt.number,
        "channel": attempt.channel,
        "rail": payout.instruments[attempt.instrument].rail,
        "reference": attempt.reference,
        "instrument": attempt.instrument,
        "state": attempt.state,
        "digest": attempt.digest,
        "armed_at": micros(attempt.armed_at),
        "signed_at": micros(attempt.signed_at),
        "not_after": micros_or_none(attempt.not_after),
        "quoted_fee_minor": attempt.quoted_fee_minor,
        "arrival_at": micros_or_none(attempt.arrival_at),
        "sends": attempt.sends,
        "inquiries": attempt.inquiries,
        "absences": attempt.absences,
        "channel_ref": attempt.channel_ref,
        "stage": attempt.stage,
        "action": sealed("action", codec.action_json(attempt.action)),
        "refusal": sealed("refusal", codec.refusal_json(attempt.refusal)),
        "certificate": certificate and codec.certificate_json(certificate),
        "certificate_note": sealed(
            "certificate_note", None if certificate is None else certificate.message.encode()
        ),
        "doubted_at": micros_or_none(attempt.doubted_at),
        "paid_at": micros_or_none(attempt.paid_at),
        "fee_minor": attempt.fee_minor,
        "returned_at": micros_or_none(attempt.returned_at),
        "settled_on": attempt.settled_on and attempt.settled_on.isoformat(),
        "contradictions": orjson.dumps(attempt.contradictions).decode(),
        "absent_at": orjson.dumps([micros(at) for at in attempt.absent_at]).decode(),
    }


def incident_params(incident: Incident) -> dict[str, Any]:
    """Everything insert_incident wants."""
    return {
        "id": incident.id,
        "kind": incident.kind,
        "freezes": int(incident.kind.freezes),
        "channel": incident.channel,
        "payout_id": incident.payout_id,
        "attempt": incident.attempt,
        "evidence": incident.evidence,
        "opened_at": micros(incident.opened_at),
        "owner": incident.owner,
    }


def payouts_of(vault: Vault, rows: Iterable[Row]) -> list[Payout]:
    """Payouts from find_payouts, in its order."""
    payouts: list[Payout] = []
    for attempts in _by_payout(rows):
        tried = tuple(_attempt(vault, row) for row in attempts if row[PAYOUT_COLUMNS] is not None)
        payouts.append(_payout(vault, attempts[0], tried))
    return payouts


def _by_payout(rows: Iterable[Row]) -> Iterable[list[Row]]:
    held: list[Row] = []
    for row in rows:
        if held and held[0][1] != row[1]:
            yield held
            held = []
        held.append(row)
    if held:
        yield held


def _payout(vault: Vault, row: Row, attempts: tuple[Attempt, ...]) -> Payout:
    currency = Currency(row[3])
    return Payout(
        id=row[1],
        merchant_id=row[0],
        merchant_ref=row[2],
        amount=Money(row[4], currency),
        fee=Money(row[5], currency),
        instruments=codec.instruments_of(vault.open(row[6], row[0], "instruments", row[1])),
        purpose=row[7],
        speed=row[8],
        deadline_at=moment_or_none(row[9]),
        release_at=moment_or_none(row[10]),
        max_fee_minor=row[11],
        metadata=orjson.loads(row[12]),
        state=PayoutState(row[13]),
        version=row[14],
        accepted_at=moment(row[15]),
        updated_at=moment(row[16]),
        due_at=moment_or_none(row[17]),
        reason=row[18],
        owner=row[19],
        attempts=attempts,
        worker=row[21],
        epoch=row[22],
        constraints=codec.constraints_of(row[23]),
        charge=codec.charge_of(row[24]),
        leg=codec.leg_of(row[25]),
    )


def _attempt(vault: Vault, row: Row) -> Attempt:
    merchant_id, payout_id = row[0], row[1]
    (
        number,
        channel,
        reference,
        instrument,
        state,
        digest,
        armed_at,
        signed_at,
        not_after,
        quoted_fee_minor,
        arrival_at,
        sends,
        inquiries,
        absences,
        channel_ref,
        stage,
        action,
        refusal,
        certificate,
        note,
        doubted_at,
        paid_at,
        fee_minor,
        returned_at,
        settled_on,
        contradictions,
        absent_at,
    ) = tuple(row)[PAYOUT_COLUMNS:]
    name = f"{payout_id}/{number}"

    def opened(field: str, sealed: bytes) -> bytes:
        return vault.open(sealed, merchant_id, field, name)

    return Attempt(
        number=number,
        channel=channel,
        reference=reference,
        instrument=instrument,
        state=AttemptState(state),
        digest=digest,
        armed_at=moment(armed_at),
        signed_at=moment(signed_at),
        not_after=moment_or_none(not_after),
        quoted_fee_minor=quoted_fee_minor,
        arrival_at=moment_or_none(arrival_at),
        sends=sends,
        inquiries=inquiries,
        absences=absences,
        channel_ref=channel_ref,
        stage=stage,
        action=None if action is None else codec.action_of(opened("action", action)),
        refusal=None if refusal is None else codec.refusal_of(opened("refusal", refusal)),
        certificate=None
        if certificate is None
        else codec.certificate_of(certificate, opened("certificate_note", note).decode()),
        doubted_at=moment_or_none(doubted_at),
        paid_at=moment_or_none(paid_at),
        fee_minor=fee_minor,
        returned_at=moment_or_none(returned_at),
        settled_on=codec.day(settled_on),
        contradictions=tuple(orjson.loads(contradictions)),
        absent_at=tuple(moment(at) for at in orjson.loads(absent_at)),
    )
