"""Making facts of messages: pain.002, and camt.052, .053 and .054.

Pure. A pain.002 hands its status down: a transaction without its own has that of its payment block,
else that of the group (wire-protocols.md §4.5; the convention is UNVERIFIED). Levels that
contradict each other give a code that no table knows. The three camt share their entries.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from channels.bank.documents import DocumentError, read
from channels.bank.facts import BalanceFact, Booked, Entry, Report, Status, Told
from channels.bank.profile import BankProfile
from channels.money import Currency, Money

FINAL_WITH_MONEY = frozenset({"ACSC", "ACCC"})
CODE_SEPARATOR = "/"

_Level = tuple[str | None, tuple[str, ...]]
"""What one level says: its status, if any, and its reasons."""


def told(raw: bytes, bank: BankProfile) -> Told:
    """Read a file. DocumentError; a message that is not about payouts says nothing."""
    try:
        return _told(raw, bank)
    except DocumentError:
        raise
    except (AttributeError, TypeError, ValueError, ArithmeticError) as error:
        # The parser leaves "" where a mandatory date or word is empty, and takes offsets and
        # amounts that nothing can hold. One such file must not hide what all the others tell.
        raise DocumentError("a value that is not of its kind") from error


def _told(raw: bytes, bank: BankProfile) -> Told:
    kind, document = read(raw, bank.accepts)
    if document is None:
        return Told(kind)
    if kind == "pain.002":
        return Told(kind, statuses=tuple(_statuses(document.cstmr_pmt_sts_rpt, bank.zone)))
    match kind:
        case "camt.052":
            message = document.bk_to_cstmr_acct_rpt
            reports = message.rpt
        case "camt.053":
            message = document.bk_to_cstmr_stmt
            reports = message.stmt
        case _:
            message = document.bk_to_cstmr_dbt_cdt_ntfctn
            reports = message.ntfctn
    header = message.grp_hdr
    return Told(kind, reports=tuple(_report(kind, header, one, bank) for one in reports))


# --- pain.002 --------------------------------------------------------------------------------


def _statuses(message: Any, zone: ZoneInfo) -> Iterator[Status]:
    group = message.orgnl_grp_inf_and_sts
    of_group = (group.grp_sts, _reasons(group))
    blocks = message.orgnl_pmt_inf_and_sts

    def made(levels: tuple[_Level, ...], one: Any) -> Status:
        code, reasons = _inherited(levels)
        return Status(
            message_id=message.grp_hdr.msg_id,
            created_at=_moment(message.grp_hdr.cre_dt_tm, zone),
            original_message_id=group.orgnl_msg_id,
            end_to_end_id=None if one is None else one.orgnl_end_to_end_id,
            code=code,
            reasons=reasons,
            text=" ".join(_texts(group if one is None else one))[:210],
            amount=None if one is None else _echoed(one),
            payee_account=None if one is None else _payee(one.orgnl_tx_ref),
            service_ref=None if one is None else one.acct_svcr_ref or one.clr_sys_ref,
        )

    if not blocks:
        yield made((of_group,), None)
    for block in blocks:
        of_block = (block.pmt_inf_sts, _reasons(block))
        if not block.tx_inf_and_sts:
            yield made((of_group, of_block), None)
        for one in block.tx_inf_and_sts:
            yield made((of_group, of_block, (one.tx_sts, _reasons(one))), one)


def _inherited(
    levels: tuple[tuple[str | None, tuple[str, ...]], ...],
) -> tuple[str, tuple[str, ...]]:
    """The status that counts, and its reasons: the innermost one given.

    An outer RJCT rejects all, and an outer final status settles all, so a contrary inner one makes
    no sense: both codes together, which no table knows.
    """
    given = [(code, reasons) for code, reasons in levels if code]
    if not given:
        return "", ()
    code, reasons = given[-1]
    for outer, _ in given[:-1]:
        if (outer == "RJCT") != (code == "RJCT") and (outer == "RJCT" or outer in FINAL_WITH_MONEY):
            return f"{outer}{CODE_SEPARATOR}{code}", reasons
    if not reasons:
        reasons = next((why for outer, why in reversed(given) if outer == code and why), ())
    return code, reasons


def _reasons(level: Any) -> tuple[str, ...]:
    return tuple(
        code
        for one in level.sts_rsn_inf
        if one.rsn is not None and (code := one.rsn.cd or one.rsn.prtry)
    )


def _texts(level: Any) -> Iterator[str]:
    for one in level.sts_rsn_inf:
        yield from one.addtl_inf


def _echoed(one: Any) -> Money | None:
    reference = one.orgnl_tx_ref
    if reference is None or reference.amt is None or reference.amt.instd_amt is None:
        return None
    told_amount = reference.amt.instd_amt
    try:
        return minor(told_amount.value, told_amount.ccy)
    except DocumentError:
        return Money(-1, Currency.CNY)


def _payee(reference: Any) -> str | None:
    return None if reference is None else _number(reference.cdtr_acct)


# --- camt ------------------------------------------------------------------------------------


def _report(kind: str, header: Any, one: Any, bank: BankProfile) -> Report:
    created_at = _moment(header.cre_dt_tm, bank.zone)
    pages = getattr(one, "stmt_pgntn", None) or getattr(one, "rpt_pgntn", None) or header.msg_pgntn
    account = _number(one.acct) or ""
    summary = one.txs_summry.ttl_ntries if one.txs_summry is not None else None
    return Report(
        kind=kind,
        message_id=header.msg_id,
        created_at=created_at,
        report_id=one.id,
        account=account,
        page=1 if pages is None else int(pages.pg_nb),
        is_last_page=True if pages is None else bool(pages.last_pg_ind),
        balances=tuple(
            BalanceFact(
                kind=each.tp.cd_or_prtry.cd or each.tp.cd_or_prtry.prtry or "",
                amount=_signed(each),
                on=_instant(each.dt, bank.zone).astimezone(bank.zone).date(),
                at=created_at if each.dt.dt_tm is None else _moment(each.dt.dt_tm, bank.zone),
            )
            for each in getattr(one, "bal", ())  # a notification has none
        ),
        booked=tuple(
            _booking(account, created_at, entry, number, bank)
            for number, entry in enumerate(one.ntry, start=1)
        ),
        told_count=int(summary.nb_of_ntries)
        if summary is not None and summary.nb_of_ntries is not None
        else None,
    )


def _booking(
    account: str,
    created_at: datetime,
    entry: Any,
    number: int,
    bank: BankProfile,
) -> Booked:
    amount = minor(entry.amt.value, entry.amt.ccy)
    credit = entry.cdt_dbt_ind.value == "CRDT"
    status = entry.sts.cd or entry.sts.prtry or ""
    parts: list[tuple[str | None, Any]] = []
    for details in entry.ntry_dtls:
        batch = None if details.btch is None else details.btch.msg_id
        parts += [(batch, part) for part in details.tx_dtls] or [(batch, None)]
    booked_at = created_at
    if entry.bookg_dt is not None or entry.val_dt is not None:
        booked_at = _instant(entry.bookg_dt or entry.val_dt, bank.zone)
    is_alone = len(parts) < 2
    entry_ref = entry.acct_svcr_ref or entry.ntry_ref or f"{created_at:%Y%m%d%H%M%S}-{number}"
    entries = []
    for index, (batch, part) in enumerate(parts or [(None, None)], start=1):
        refs = None if part is None else part.refs
        code = _bank_code(part) or _bank_code(entry)
        entries.append(
            Entry(
                account=account,
                created_at=created_at,
                amount=_part_amount(part, amount, is_alone=is_alone),
                credit=credit,
                status=status,
                booked_at=booked_at,
                end_to_end_id=None if refs is None else refs.end_to_end_id,
                original_message_id=batch if refs is None else refs.msg_id or batch,
                service_ref=(None if refs is None else refs.acct_svcr_ref) or entry.acct_svcr_ref,
                entry_ref=entry_ref if is_alone else f"{entry_ref}-{index}",
                brings_back=credit
                and (
                    bool(entry.rvsl_ind)
                    or (part is not None and part.rtr_inf is not None)
                    or code in bank.return_codes
                ),
                payee_account=None
                if part is None or part.rltd_pties is None or credit
                else _number(part.rltd_pties.cdtr_acct),
                bank_code=code,
                memo=_memo(entry, part),
            )
        )
    return Booked(amount, credit, status, tuple(entries))


def _part_amount(part: Any, whole: Money, *, is_alone: bool) -> Money:
    """What one payment in a booking comes to; an amount of another currency is not ours to read."""
    if part is None:
        return whole
    details = part.amt_dtls
    if details is not None and details.instd_amt is not None:
        told_amount = details.instd_amt.amt
        if told_amount.ccy == whole.currency.value:
            return minor(told_amount.value, told_amount.ccy)
    if part.amt is not None and part.amt.ccy == whole.currency.value:
        return minor(part.amt.value, part.amt.ccy)
    if is_alone:
        return whole
    raise DocumentError("a batch whose parts name no amount in the account's currency")


def _bank_code(holder: Any) -> str:
    code = None if holder is None else holder.bk_tx_cd
    if code is None:
        return ""
    if code.domn is not None:
        return str(code.domn.fmly.sub_fmly_cd)
    return "" if code.prtry is None else str(code.prtry.cd)


def _memo(entry: Any, part: Any) -> str:
    texts = [entry.addtl_ntry_inf or ""]
    if part is not None:
        texts += part.rmt_inf.ustrd if part.rmt_inf is not None else []
        back = part.rtr_inf
        if back is not None:
            code = None if back.rsn is None else back.rsn.cd or back.rsn.prtry
            texts += [code or "", *back.addtl_inf]
    return " ".join(text for text in texts if text)[:140]


def _number(account: Any) -> str | None:
    if account is None or account.id is None:
        return None
    if account.id.othr is not None:
        return str(account.id.othr.id)
    return None if account.id.iban is None else str(account.id.iban)


def _signed(balance: Any) -> Money:
    amount = minor(balance.amt.value, balance.amt.ccy)
    if balance.cdt_dbt_ind.value == "CRDT":
        return amount
    return Money(-amount.minor, amount.currency)


def minor(value: Decimal, code: str) -> Money:
    """Minor units of a decimal, exactly: `12.3` CNY is 1230 fen. DocumentError."""
    if code not in Currency.__members__:
        raise DocumentError("an amount in a currency that is not known here")
    currency = Currency(code)
    if not value.is_finite() or value < 0 or value.adjusted() > 18:
        raise DocumentError("an amount that is not a plain number")
    scaled = value.scaleb(currency.exponent)
    whole = int(scaled)
    if scaled != whole:
        raise DocumentError("an amount with a part of a minor unit")
    return Money(whole, currency)


def _moment(told_at: Any, zone: ZoneInfo) -> datetime:
    at: datetime = told_at.to_datetime()
    return (at if at.tzinfo is not None else at.replace(tzinfo=zone)).astimezone(UTC)


def _instant(choice: Any, zone: ZoneInfo) -> datetime:
    """A date without time is its beginning, where the bank is."""
    if choice.dt_tm is not None:
        return _moment(choice.dt_tm, zone)
    if choice.dt is None:
        raise DocumentError("a date that is not there")
    return datetime.combine(choice.dt.to_date(), time(0), zone).astimezone(UTC)
