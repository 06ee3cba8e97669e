"""The seeded bugs: which rule each breaks, where, and which layers are asked for it, in order."""

from dataclasses import dataclass

from tests.proof.mutants.overlay import Edit
from tests.proof.mutants.probes import Ask

L0 = Ask("L0")
SIM = Ask("L2", seeds=30)
STORE = Ask("L1", "store", seeds=6)
INTAKE = Ask("L1", "idempotency", seeds=6)
FORGED = Ask("L1", "forgery", seeds=8)
SILENT = Ask("L1", "silence", seeds=30)
LIFECYCLE = Ask("L1", "lifecycle and ledger", seeds=6)
POWER = Ask("L4", seeds=40)
ALIPAY = Ask("L6", "alipay", seeds=3)
WECHAT = Ask("L6", "wechat_pay", seeds=3)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One bug."""

    name: str
    rule: str
    """What must hold, with its place in reliability.md §3, §4 or §8."""
    edits: tuple[Edit, ...]
    asks: tuple[Ask, ...]


def rich_in(**rates: float) -> Ask:
    """The simulation with these kinds of fault only, for what only their meeting shows."""
    return Ask("L2", ",".join(f"{kind}={rate}" for kind, rate in rates.items()), seeds=25)


def mutant(
    name: str,
    rule: str,
    file: str,
    old: str,
    new: str,
    *asks: Ask,
    needs: tuple[str, str] = ("", ""),
) -> Mutant:
    """A bug of one place; `needs` is an import that it cannot do without."""
    edits = [Edit(file, old, new)]
    if needs[0]:
        edits.append(Edit(file, needs[0], f"{needs[0]}{needs[1]}"))
    return Mutant(name, rule, tuple(edits), asks)


PAYOUT = "gateway/domain/payout.py"
MATCHING = "gateway/domain/reconciliation.py"
CERTIFY = "gateway/domain/certify.py"
SILENCE = "gateway/domain/silence.py"
PACE = "gateway/domain/pace.py"
LIFE = "gateway/domain/lifecycle.py"
LEDGER = "gateway/domain/ledger.py"
DISPATCH = "gateway/engine/dispatch.py"
AT_ONCE = "gateway/engine/at_once.py"
INQUIRE = "gateway/engine/inquire.py"
RECORD = "gateway/engine/record.py"
INSTRUCT = "gateway/engine/instruct.py"
WORKER = "gateway/engine/worker.py"
QUERIES = "gateway/store/queries.sql"
SCHEMA = "gateway/store/migrations/0001_initial.sqlite.sql"
SQLITE = "gateway/store/sqlite.py"
SQLITE_GROUP = "gateway/store/sqlite_group.py"
UNITS = "gateway/store/units.py"
PAYOUTS = "gateway/store/payouts.py"
DATABASE = "gateway/store/database.py"
DELIVER = "gateway/engine/deliver.py"
OPERATE = "gateway/engine/operate.py"
ALIPAY_WIRE = "channels/alipay/wire.py"
ALIPAY_ENVELOPE = "channels/alipay/envelope.py"
ALIPAY_SIGNING = "channels/alipay/signing.py"
ALIPAY_CODES = "channels/alipay/codes.py"
WECHAT_ANSWERS = "channels/wechat_pay/answers.py"
WECHAT_CODES = "channels/wechat_pay/codes.py"
WECHAT_SIGNING = "channels/wechat_pay/signing.py"

MUTANTS: tuple[Mutant, ...] = (
    # --- What counts as dead ---
    mutant(
        "a timeout is a failure",
        "§4.3: a timeout is never a certificate",
        CERTIFY,
        (
            "            return (Doubted(attempt.number, source, cause),)\n"
            "        case _:\n"
            "            assert_never(outcome)\n"
            "\n"
            "\n"
            "def _rejected"
        ),
        (
            "            kind = CertificateKind.DEFINITE_REJECT\n"
            '            return (_died(attempt, source, kind, Reason.RAIL_DOWN, cause, "", at),)\n'
            "        case _:\n"
            "            assert_never(outcome)\n"
            "\n"
            "\n"
            "def _rejected"
        ),
        L0,
        SIM,
    ),
    mutant(
        "not found is a failure",
        "§8.2: not found is not never-sent",
        CERTIFY,
        (
            "    if asked is None:\n"
            '        return Doubted(attempt.number, source, "absent", absent=True)'
        ),
        (
            "    if asked is not None or attempt.sends > 0:\n"
            "        kind = CertificateKind.DEFINITE_REJECT\n"
            '        return _died(attempt, source, kind, never, "absent", "", at)\n'
            "    if asked is None:\n"
            '        return Doubted(attempt.number, source, "absent", absent=True)'
        ),
        L0,
        SIM,
    ),
    mutant(
        "a refused resend is the fate of the first send",
        "C1: only of the only send",
        CERTIFY,
        "    if attempt.sends > 1:\n        return Doubted",
        "    if attempt.sends > 9:\n        return Doubted",
        L0,
        SIM,
    ),
    mutant(
        "a refusal that asks for a look counts without it",
        "C1 with confirm",
        CERTIFY,
        "    if no.confirm:\n",
        "    if no.confirm and attempt.sends > 9:\n",
        rich_in(refused_executed=0.4),
        SIM,
    ),
    mutant(
        "a second send that never left counts for both",
        "C3: the only send",
        CERTIFY,
        "attempt.sends == 1 and not _is_there(attempt)",
        "attempt.sends > 0 and not _is_there(attempt)",
        L0,
        rich_in(request_late=0.5, refused=0.4),
        SIM,
    ),
    mutant(
        "absences count from when the process doubted",
        "§4.4: wait from signed_at",
        SILENCE,
        "asked.at >= attempt.signed_at + wait",
        "asked.at >= (attempt.doubted_at or attempt.signed_at) + wait",
        SILENT,
    ),
    mutant(
        "one absence is enough",
        "C5: three, spaced",
        SILENCE,
        "ABSENCES_MIN = 3",
        "ABSENCES_MIN = 1",
        SILENT,
    ),
    Mutant(
        "absence proves everywhere",
        "§4.4: sticky by default",
        (
            Edit(
                SILENCE,
                "        and asked.profile.absence_proves\n        and attempt",
                "        and attempt",
            ),
            Edit(
                SILENCE,
                "if wait is not None and asked.profile.absence_proves else []",
                "if wait is not None else []",
            ),
        ),
        (SILENT,),
    ),
    mutant(
        "silence proves without a canary",
        "C5: the channel's view is alive",
        SILENCE,
        "return asked.canary_at is not None and abs(asked.canary_at - asked.at) <= CANARY_WITHIN",
        "return True",
        SILENT,
    ),
    mutant(
        "a resend keeps the absences",
        "C5: counted after the last send",
        LIFE,
        (
            "                sends=attempt.sends + 1,\n"
            "                absences=0,\n"
            "                absent_at=(),"
        ),
        (
            "                sends=attempt.sends + 1,\n"
            "                absences=attempt.absences,\n"
            "                absent_at=attempt.absent_at,"
        ),
        SILENT,
    ),
    # --- What happens after death and after payment ---
    mutant(
        "a refusal is completed by one look",
        "C1 with a look: two, a lag apart",
        SILENCE,
        (
            "    return is_refused(attempt) and bool(known) and asked.at - known[0] "
            ">= refusal_lag(asked.profile)\n"
        ),
        "    return is_refused(attempt)\n",
        SILENT,
    ),
    mutant(
        "looks before the refusal count",
        "C1: asked after it",
        LIFE,
        "                absent_at=counted if absent else (),\n",
        "                absent_at=counted,\n",
        SILENT,
    ),
    mutant(
        "a late success is not noticed",
        "I10",
        CERTIFY,
        '            return _once(attempt, source, "paid", payout.amount.minor, '
        "_named_fee(payout, outcome))\n",
        "            return ()\n",
        rich_in(lie_rejected=0.4),
        SIM,
    ),
    mutant(
        "a late success is booked at every look",
        "I7, I10: once",
        CERTIFY,
        "    if says in attempt.contradictions:\n        return ()",
        "    if says in attempt.contradictions and amount_minor == 0:\n        return ()",
        LIFECYCLE,
        rich_in(lie_rejected=0.4),
    ),
    mutant(
        "a contradicted payout goes on to the next channel",
        "I10: it is held",
        LIFE,
        "(P.ROUTING, Contradicted): P.HELD",
        "(P.ROUTING, Contradicted): P.ROUTING",
        Ask("L1", "lifecycle and ledger", seeds=40),
    ),
    mutant(
        "a return is not booked",
        "I7, §4.1: RETURNED",
        CERTIFY,
        (
            "            if attempt.state is AttemptState.RETURNED:\n"
            "                return ()\n"
            "            if not _is_ours"
        ),
        (
            "            if attempt.sends > 0:\n"
            "                return ()\n"
            "            if not _is_ours"
        ),
        rich_in(return_late=0.5),
        SIM,
    ),
    mutant(
        "a returned payout is paid again",
        "§4.1: never by itself",
        LIFE,
        "(P.PAID, CameBack): P.RETURNED",
        "(P.PAID, CameBack): P.ROUTING",
        LIFECYCLE,
        rich_in(return_late=0.5),
        L0,
    ),
    mutant(
        "a returned attempt bars no other",
        "I1: returned counts as live",
        PAYOUT,
        "return self is not AttemptState.DEAD",
        "return self not in {AttemptState.DEAD, AttemptState.RETURNED}",
        LIFECYCLE,
        L0,
        rich_in(return_late=0.5),
    ),
    mutant(
        "nobody asks for parked payouts",
        "I13: parked is still polled",
        WORKER,
        "case PayoutState.ATTEMPTING | PayoutState.PARKED if payout.live is not None:",
        "case PayoutState.ATTEMPTING if payout.live is not None:",
        rich_in(not_found=0.4, reply_lost=0.3, settle_late=0.4),
        SIM,
    ),
    # --- What is sent, and when ---
    mutant(
        "sent before the attempt is committed",
        "I3",
        DISPATCH,
        ("            return payout\n        attempt = attempt_of("),
        (
            "            return payout\n"
            "        await channel.send(prepared)\n"
            "        attempt = attempt_of("
        ),
        SIM,
    ),
    mutant(
        "sent before the acceptance that arms it is committed",
        "I3",
        AT_ONCE,
        "        prepared, arming = ready\n",
        "        prepared, arming = ready\n        await channel.send(prepared)\n",
        SIM,
    ),
    mutant(
        "an acceptance of which nobody knows is sent all the same",
        "§4.2.3: nothing is sent",
        AT_ONCE,
        "        except FloatShortError:\n",
        (
            "        except CommitUnknownError:\n"
            "            await channel.send(prepared)\n"
            "            raise\n"
            "        except FloatShortError:\n"
        ),
        SIM,
        rich_in(commit_undone_unknown=0.1, commit_late_unknown=0.1),
        needs=(
            "from gateway.ports import Change, Fence, FloatShortError, Intake, StaleError",
            ", CommitUnknownError",
        ),
    ),
    mutant(
        "a request asked again is sent again",
        "I5: one payout, one attempt",
        AT_ONCE,
        "        if repeated:\n            return None\n",
        "",
        SIM,
        rich_in(same_key=0.9),
    ),
    mutant(
        "an acceptance that arms does not look at the kills",
        "nothing leaves through a channel that a person has stopped",
        PAYOUTS,
        "            self._units.move(unit, arming, self._worker)\n",
        (
            "            self._units.move(unit, arming, self._worker)\n"
            "            for step in unit.steps:\n"
            '                if "sender" in step.params:\n'
            '                    step.params["sender"] = None\n'
        ),
        STORE,
    ),
    mutant(
        "an unknown commit is taken for done",
        "§4.2.3: nothing is sent",
        DISPATCH,
        "        except FloatShortError:\n",
        "        except CommitUnknownError:\n"
        "            await channel.send(prepared)\n"
        "            return payout\n"
        "        except FloatShortError:\n",
        SIM,
        rich_in(commit_undone_unknown=0.1, commit_late_unknown=0.1),
        needs=(
            "from gateway.ports import Fence, FloatShortError, StaleError",
            ", CommitUnknownError",
        ),
    ),
    mutant(
        "the POST is tried again",
        "§3.7: once, exactly these bytes",
        DISPATCH,
        "            outcome = heard(gateway, channel.name, await channel.send(prepared))\n",
        (
            "            outcome = await channel.send(prepared)\n"
            "            if isinstance(outcome, Unknown):\n"
            "                outcome = await channel.send(prepared)\n"
        ),
        SIM,
    ),
    mutant(
        "a resend has another reference",
        "§8.6",
        DISPATCH,
        "    told = replace(told, reference=attempt.reference)\n",
        '    told = replace(told, reference=attempt.reference[:-1] + "x")\n',
        rich_in(request_late=0.5, reply_lost=0.3),
        SIM,
    ),
    mutant(
        "another signature than the committed one is sent",
        "I4: the bytes' hash",
        DISPATCH,
        "        if not candidate.probing:\n",
        "        prepared = channel.prepare(told, now + timedelta(seconds=1))\n"
        "        if not candidate.probing:\n",
        SIM,
    ),
    mutant(
        "a resend is not committed first",
        "I3: every send",
        DISPATCH,
        (
            '        armed = await move(gateway, payout, [event], actor="gateway", due_at=due_at)\n'
            "        if gateway.halted"
        ),
        (
            "        await channel.send(prepared)\n"
            '        armed = await move(gateway, payout, [event], actor="gateway", due_at=due_at)\n'
            "        if gateway.halted"
        ),
        rich_in(request_lost=0.3),
        SIM,
    ),
    mutant(
        "armed after a crash means not sent",
        "§4.2.6",
        INQUIRE,
        (
            "        event = Doubted(attempt.number, Source.RECOVERY, UnknownCause.CRASHED)\n"
            '        payout = await move(gateway, payout, [event], actor="gateway")\n'
        ),
        (
            "        proof = Certificate(\n"
            '            CertificateKind.NEVER_LEFT, Reason.NEVER_SENT, "crashed", "", '
            "gateway.clock.now()\n"
            "        )\n"
            "        event = Died(attempt.number, Source.RECOVERY, proof)\n"
            '        return await move(gateway, payout, [event], actor="gateway")\n'
        ),
        rich_in(crash=20, reply_lost=0.3),
        SIM,
        needs=(
            "from gateway.domain.payout import Attempt, AttemptState, Doubted, Payout, Source",
            ", Certificate, CertificateKind, Died\nfrom channels.contract import Reason",
        ),
    ),
    mutant(
        "a payout is sent to the first instrument always",
        "I4: payee frozen, as routed",
        DISPATCH,
        ("        instrument=candidate.instrument,\n        number=len(payout.attempts) + 1,"),
        "        instrument=0,\n        number=len(payout.attempts) + 1,",
        SIM,
    ),
    mutant(
        "the channel is asked for one fen more",
        "I8: the amount that was asked for",
        INSTRUCT,
        "        amount=asked.amount,\n        instrument",
        (
            "        amount=Money(asked.amount.minor + 1, asked.amount.currency),\n"
            "        instrument"
        ),
        SIM,
    ),
    # --- What is stored ---
    mutant(
        "no compare-and-set",
        "I11",
        QUERIES,
        "WHERE merchant_id = :merchant_id AND id = :id AND version = :before_version",
        "WHERE merchant_id = :merchant_id AND id = :id AND :before_version > 0",
        STORE,
        SIM,
    ),
    mutant(
        "a stale look postpones",
        "I11",
        QUERIES,
        "SET due_at = :due_at\nWHERE merchant_id = :merchant_id AND id = :id "
        "AND version = :version AND",
        "SET due_at = :due_at\nWHERE merchant_id = :merchant_id AND id = :id AND :version > 0 AND",
        STORE,
    ),
    mutant(
        "keys are not unique",
        "I5",
        SCHEMA,
        "CREATE UNIQUE INDEX payouts_one_per_key",
        "CREATE INDEX payouts_one_per_key",
        STORE,
        INTAKE,
    ),
    mutant(
        "business numbers are not unique",
        "I5",
        SCHEMA,
        "CREATE UNIQUE INDEX payouts_one_per_ref",
        "CREATE INDEX payouts_one_per_ref",
        STORE,
        INTAKE,
    ),
    mutant(
        "another body under the same key is the same request",
        "§4.5: a conflict",
        PAYOUTS,
        "if bytes(found[0][20]) != intake.fingerprint:",
        "if not intake.fingerprint:",
        STORE,
        INTAKE,
    ),
    mutant(
        "a key is forgotten after its payout has ended",
        "§8.9: never pruned",
        PAYOUTS,
        "            if not found:\n                continue\n",
        (
            "            if not found or found[0][13] in {'paid', 'settled', 'failed'}:\n"
            "                continue\n"
        ),
        STORE,
        INTAKE,
        rich_in(same_key=0.8),
    ),
    mutant(
        "keys are one name space for all merchants",
        "I5, I19",
        SCHEMA,
        "ON payouts (merchant_id, idempotency_key)",
        "ON payouts (idempotency_key)",
        STORE,
        INTAKE,
    ),
    mutant(
        "a payout may have two live attempts",
        "I1",
        SCHEMA,
        "WHERE state <> 'dead';\nCREATE INDEX attempts_by_channel_ref",
        "WHERE state = 'none';\nCREATE INDEX attempts_by_channel_ref",
        FORGED,
    ),
    mutant(
        "a reference may name two attempts",
        "I4",
        SCHEMA,
        "CREATE UNIQUE INDEX attempts_one_per_reference",
        "CREATE INDEX attempts_one_per_reference",
        FORGED,
    ),
    mutant(
        "an attempt may die without a certificate",
        "I2",
        SCHEMA,
        "    CHECK ((state = 'dead') = (certificate IS NOT NULL))",
        "    CHECK (number > 0)",
        FORGED,
    ),
    mutant(
        "floors are not looked at",
        "I7: available and float ≥ 0",
        DATABASE,
        "            if balance + unit.moves.get(account, 0) < guard.floor_minor:",
        "            if balance < guard.floor_minor:",
        STORE,
        INTAKE,
        rich_in(short_float=1),
    ),
    mutant(
        "floors are judged one by one within a commit",
        "I7",
        DATABASE,
        "balance = self._known.get(account, 0) + self._moves[account]",
        "balance = self._known.get(account, 0)",
        FORGED,
    ),
    mutant(
        "a neighbour's refusal takes nothing back",
        "design §5: own savepoint",
        SQLITE_GROUP,
        (
            '            execute("ROLLBACK TO unit")\n'
            '            execute("RELEASE unit")\n'
            "            return _refused(error)"
        ),
        '            execute("RELEASE unit")\n            return _refused(error)',
        STORE,
        POWER,
    ),
    mutant(
        "commits do not wait for the disk",
        "I6",
        SQLITE,
        "PRAGMA synchronous = FULL;",
        "PRAGMA synchronous = NORMAL;",
        POWER,
    ),
    mutant(
        "webhooks are not owed",
        "I14",
        QUERIES,
        "WHERE endpoints.merchant_id = given.column2 AND endpoints.active = 1\n",
        "WHERE endpoints.merchant_id = given.column2 AND endpoints.active = 2\n",
        SIM,
        STORE,
    ),
    mutant(
        "a webhook is done before it is sent",
        "I14: never lost",
        DELIVER,
        ("        return await self._try(\n"),
        (
            "        await self._store.delivered(delivery.id, 200, self._clock.now())\n"
            "        return await self._try(\n"
        ),
        SIM,
    ),
    mutant(
        "tallies only grow",
        "reconciliation of counts",
        UNITS,
        'unit.tallies[f"attempt:{old.state}", old.channel, 0] -= 1',
        'unit.tallies[f"attempt:{old.state}", old.channel, 0] -= 0',
        STORE,
        SIM,
    ),
    # --- The books ---
    mutant(
        "a failed payout's hold is given back twice",
        "I7",
        LEDGER,
        "            return moved(held, available, after.hold_minor)",
        "            return moved(held, available, 2 * after.hold_minor)",
        LIFECYCLE,
        SIM,
    ),
    mutant(
        "the channel's fee is not booked",
        "I7",
        LEDGER,
        "    charged = charged_minor(attempt)\n    spare",
        "    charged = 0\n    spare",
        LIFECYCLE,
        SIM,
    ),
    mutant(
        "a dead attempt keeps its float",
        "I7",
        LEDGER,
        (
            "            attempt = after.attempts[number - 1]\n"
            "            return moved(\n"
            "                _float(attempt, currency), _in_transit(attempt, currency), "
            "_reserved(after, attempt)\n"
            "            )"
        ),
        "            return ()",
        LIFECYCLE,
        SIM,
    ),
    mutant(
        "money that came back goes to nobody",
        "I7",
        LEDGER,
        "return _came_back(after, after.attempts[number - 1], available, amount)",
        "return ()",
        LIFECYCLE,
        rich_in(return_late=0.5),
    ),
    mutant(
        "a late payment's fee is forgotten",
        "I7: float equals the institution's balance",
        LEDGER,
        "    fee = charged_minor(attempt) if amount_minor else 0\n",
        "    fee = 0\n",
        LIFECYCLE,
        rich_in(lie_rejected=0.4),
    ),
    mutant(
        "a corrected fee is booked whole",
        "I7: only the difference",
        LEDGER,
        "    more = charged_minor(attempt) - known\n",
        "    more = charged_minor(attempt)\n",
        LIFECYCLE,
        SIM,
    ),
    Mutant(
        "a suspense posting has the wrong side",
        "I10",
        (
            Edit(
                LEDGER,
                "Entry(suspense, DEBIT, amount_minor)",
                "Entry(suspense, CREDIT, amount_minor)",
            ),
            Edit(
                LEDGER,
                "Entry(_float(attempt, currency), CREDIT, amount_minor + fee)",
                "Entry(_float(attempt, currency), DEBIT, amount_minor - fee)",
            ),
        ),
        (LIFECYCLE,),
    ),
    # --- What channels and strangers say ---
    mutant(
        "Alipay: an unknown code is a failure",
        "§8.3",
        ALIPAY_CODES,
        '        return Row(UnknownCause.UNKNOWN_CODE, "§0, any code not in a list")',
        '        return Row(Reason.PARAMETER_REFUSED, "nowhere")',
        ALIPAY,
        SIM,
    ),
    mutant(
        "Alipay: the signature is not looked at",
        "§8.15",
        ALIPAY_SIGNING,
        "    except (InvalidSignature, ValueError):\n        return False",
        "    except (InvalidSignature, ValueError):\n        return True",
        ALIPAY,
        SIM,
    ),
    mutant(
        "Alipay: another payout's answer will do",
        "§8.15: reference compared",
        ALIPAY_WIRE,
        '        node.get("out_biz_no") != asked.reference\n        or (',
        "        (",
        ALIPAY,
        SIM,
    ),
    mutant(
        "Alipay: any amount will do",
        "§8.15: amount compared",
        ALIPAY_WIRE,
        'AMOUNTS = ("amount", "trans_amount")',
        "AMOUNTS = ()",
        ALIPAY,
        SIM,
    ),
    mutant(
        "Alipay: a name may stand twice",
        "§6: hostile replies",
        ALIPAY_ENVELOPE,
        "    if len(members) != len(every):",
        "    if len(members) > len(every):",
        ALIPAY,
    ),
    mutant(
        "Alipay: an unknown state is a failure",
        "§8.3",
        ALIPAY_WIRE,
        "            return Unknown(UnknownCause.UNKNOWN_STATE, replace(seen, code=status))",
        '            return Rejected(codes.failure_reason(status), status, "")',
        ALIPAY,
        SIM,
    ),
    mutant(
        "WeChat: an unknown code is a failure",
        "§8.3",
        WECHAT_CODES,
        "    return UnknownCause.UNKNOWN_CODE",
        "    return Reason.PARAMETER_REFUSED",
        WECHAT,
        SIM,
    ),
    mutant(
        "WeChat: the signature is not looked at",
        "§8.15",
        WECHAT_SIGNING,
        '            return "the signature does not fit"',
        "            return None",
        WECHAT,
        SIM,
    ),
    mutant(
        "WeChat: an old answer proves something",
        "§4.4: five minutes",
        WECHAT_SIGNING,
        "        if abs(now.timestamp() - int(timestamp)) > TOLERANCE_S:",
        "        if int(timestamp) < 0:",
        WECHAT,
        SIM,
    ),
    mutant(
        "WeChat: any amount will do",
        "§8.15: amount compared",
        WECHAT_ANSWERS,
        "    if amount_fen != inquiry.amount.minor:",
        "    if amount_fen < 0:",
        WECHAT,
        SIM,
    ),
    mutant(
        "WeChat: another payout's answer will do",
        "§8.15: reference compared",
        WECHAT_ANSWERS,
        ('            *(["out_bill_no"] if bill.out_bill_no != inquiry.reference else []),\n'),
        "",
        WECHAT,
        SIM,
    ),
    mutant(
        "WeChat: not found under any status",
        "C1: only what the list says",
        WECHAT_ANSWERS,
        "(reply.status, refusal.code) == codes.NOT_FOUND",
        "refusal.code == codes.NOT_FOUND[1]",
        WECHAT,
    ),
)
