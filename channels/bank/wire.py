"""The one file this adapter writes: a pain.001.001.09 with a single credit transfer.

Pure. Fields follow wire-protocols.md §4.2 and §4.3. MsgId, InstrId and EndToEndId are our reference
and PmtInfId is derived from it, so a file that is made again asks for the same payment under the
same numbers; only CreDtTm, and after midnight or the cut-off the date asked for, follow the time.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal

from pyiso20022.pain import pain_001_001_09 as pain
from xsdata.models.datatype import XmlDate, XmlDateTime

from channels.bank.documents import render
from channels.bank.profile import Requested
from channels.bank.settings import BankSettings
from channels.contract import BankAccount, BankCard, Instruction
from channels.money import Money

REFERENCE_CHARS_MAX = 33
"""§4.2: numbers have at most 35 characters, and PmtInfId is two longer than the reference."""
NAME_CHARS_MAX = 140
PURPOSE_CHARS_MAX = 140


def payment_id(reference: str) -> str:
    """Our PmtInfId: one payment block for each file."""
    return f"{reference}-1"


def transfer(instruction: Instruction, settings: BankSettings, now: datetime) -> bytes:
    """Write the file, valid by the schema. `DocumentError` if it cannot be."""
    bank = settings.bank
    local = now.astimezone(bank.zone)
    amount = major(instruction.amount)
    party = settings.initiating_party or settings.account_name
    header = pain.GroupHeader85(
        msg_id=instruction.reference,
        cre_dt_tm=XmlDateTime.from_datetime(local.replace(microsecond=0)),
        nb_of_txs="1",
        ctrl_sum=amount,
        initg_pty=pain.PartyIdentification135(nm=party),
    )
    block = pain.PaymentInstruction30(
        pmt_inf_id=payment_id(instruction.reference),
        pmt_mtd=pain.PaymentMethod3Code.TRF,
        btch_bookg=bank.requested.batch_booking,
        nb_of_txs="1",
        ctrl_sum=amount,
        pmt_tp_inf=_type(bank.requested),
        reqd_exctn_dt=pain.DateAndDateTime2Choice(
            dt=XmlDate.from_date(requested_on(bank.requested, local))
        ),
        dbtr=pain.PartyIdentification135(nm=settings.account_name),
        dbtr_acct=_account(settings.account_number, instruction.amount.currency),
        dbtr_agt=_agent(bank.requested, settings.agent_member_id, None),
        chrg_br=pain.ChargeBearerType1Code(bank.requested.charges),
        cdt_trf_tx_inf=[_transaction(instruction, bank.requested, amount)],
    )
    initiation = pain.CustomerCreditTransferInitiationV09(grp_hdr=header, pmt_inf=[block])
    return render(pain.Document(cstmr_cdt_trf_initn=initiation))


def requested_on(requested: Requested, local: datetime) -> date:
    """The date asked for. Which days are business days is the bank's to say: it rolls the date."""
    is_late = requested.cut_off is not None and local.time() > requested.cut_off
    if is_late and requested.after_cut_off == "next_day":
        return local.date() + timedelta(days=1)
    return local.date()


def member_of(instrument: BankCard | BankAccount, requested: Requested) -> str | None:
    """The line number of the beneficiary's bank, if it is known."""
    code = instrument.bank_code
    if code is not None and len(code) == 12 and code.isascii() and code.isdigit():
        return code
    return requested.members.get(code or "")


def major(amount: Money) -> Decimal:
    """Major units with all decimals of the currency: 1230 fen are `12.30`."""
    return Decimal(str(amount))


def _transaction(
    instruction: Instruction, requested: Requested, amount: Decimal
) -> pain.CreditTransferTransaction34:
    instrument = instruction.instrument
    if not isinstance(instrument, BankCard | BankAccount):
        raise TypeError(f"no bank account behind {instrument.rail}")
    code = instruction.amount.currency.value
    note = instruction.purpose.strip()
    return pain.CreditTransferTransaction34(
        pmt_id=pain.PaymentIdentification6(
            instr_id=instruction.reference, end_to_end_id=instruction.reference
        ),
        amt=pain.AmountType4Choice(
            instd_amt=pain.ActiveOrHistoricCurrencyAndAmount(value=amount, ccy=code)
        ),
        cdtr_agt=_agent(requested, member_of(instrument, requested), instrument.bank_name),
        cdtr=pain.PartyIdentification135(nm=instrument.name),
        cdtr_acct=_account(instrument.number, None),
        rmt_inf=pain.RemittanceInformation16(ustrd=[note]) if note else None,
    )


def _type(requested: Requested) -> pain.PaymentTypeInformation26 | None:
    level, purpose = requested.service_level, requested.category_purpose
    if requested.priority is None and level is None and purpose is None:
        return None
    return pain.PaymentTypeInformation26(
        instr_prty=None if requested.priority is None else pain.Priority2Code(requested.priority),
        svc_lvl=[] if level is None else [pain.ServiceLevel8Choice(cd=level)],
        ctgy_purp=None if purpose is None else pain.CategoryPurpose1Choice(cd=purpose),
    )


def _account(number: str, currency: str | None) -> pain.CashAccount38:
    """§4.3: there is no IBAN in China; the number stands in Othr/Id."""
    other = pain.GenericAccountIdentification1(id=number)
    return pain.CashAccount38(id=pain.AccountIdentification4Choice(othr=other), ccy=currency)


def _agent(
    requested: Requested, member: str | None, name: str | None
) -> pain.BranchAndFinancialInstitutionIdentification6 | None:
    """§4.3: a bank is its line number in the clearing system, CNAPS."""
    if member is None and not name:
        return None
    clearing = None
    if member is not None:
        clearing = pain.ClearingSystemMemberIdentification2(
            clr_sys_id=pain.ClearingSystemIdentification2Choice(cd=requested.clearing_system),
            mmb_id=member,
        )
    institution = pain.FinancialInstitutionIdentification18(
        clr_sys_mmb_id=clearing, nm=None if not name else name[:NAME_CHARS_MAX]
    )
    return pain.BranchAndFinancialInstitutionIdentification6(fin_instn_id=institution)
