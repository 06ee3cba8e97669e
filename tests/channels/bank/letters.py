"""A bank's messages as text, for tests of the adapter: written by hand from the standard's shapes.

They share nothing with the simulator's writer, and are wrong wherever a test wants them wrong.
"""

from dataclasses import dataclass

from tests.channels.bank.house import ACCOUNT, REFERENCE

SPACE = "urn:iso:std:iso:20022:tech:xsd:"
PAIN_002 = "pain.002.001.12"


def status(code: str | None, *reasons: str, **extra: str) -> str:
    """One `TxInfAndSts`. `extra`: reference, amount, payee, service_ref, text."""
    tx = f"<TxSts>{code}</TxSts>" if code else ""
    amount = extra.get("amount")
    payee = extra.get("payee")
    echo = f'<Amt><InstdAmt Ccy="CNY">{amount}</InstdAmt></Amt>' if amount else ""
    if payee:
        echo += f"<CdtrAcct><Id><Othr><Id>{payee}</Id></Othr></Id></CdtrAcct>"
    ref = extra.get("service_ref")
    return (
        f"<TxInfAndSts><OrgnlEndToEndId>{extra.get('reference', REFERENCE)}</OrgnlEndToEndId>{tx}"
        f"{why(*reasons, text=extra.get('text', ''))}"
        f"{f'<AcctSvcrRef>{ref}</AcctSvcrRef>' if ref else ''}"
        f"{f'<OrgnlTxRef>{echo}</OrgnlTxRef>' if echo else ''}</TxInfAndSts>"
    )


def why(*reasons: str, text: str = "") -> str:
    """`StsRsnInf` for each reason."""
    told = f"<AddtlInf>{text}</AddtlInf>" if text else ""
    kinds = ((one, "Cd" if len(one) < 5 else "Prtry") for one in reasons)
    return "".join(
        f"<StsRsnInf><Rsn><{kind}>{one}</{kind}></Rsn>{told}</StsRsnInf>" for one, kind in kinds
    )


def report(
    *transactions: str,
    group: str | None = None,
    group_why: str = "",
    block: str | None = None,
    block_why: str = "",
    at: str = "2026-11-02T10:00:00+08:00",
    name: str = PAIN_002,
    message_id: str = "BANK0001",
    original: str = REFERENCE,
) -> bytes:
    """A pain.002; without transactions and block it speaks of the group alone."""
    has_block = transactions or block
    inner = (
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>{original}-1</OrgnlPmtInfId>"
        f"{f'<PmtInfSts>{block}</PmtInfSts>' if block else ''}{block_why}"
        f"{''.join(transactions)}</OrgnlPmtInfAndSts>"
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Document xmlns="{SPACE}{name}"><CstmrPmtStsRpt>'
        f"<GrpHdr><MsgId>{message_id}</MsgId><CreDtTm>{at}</CreDtTm></GrpHdr>"
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>{original}</OrgnlMsgId>"
        f"<OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>"
        f"{f'<GrpSts>{group}</GrpSts>' if group else ''}{group_why}</OrgnlGrpInfAndSts>"
        f"{inner if has_block else ''}</CstmrPmtStsRpt></Document>"
    ).encode()


@dataclass(frozen=True)
class Booking:
    """One `Ntry`."""

    amount: str = "123.45"
    direction: str = "DBIT"
    status: str = "BOOK"
    on: str = "2026-11-02"
    ref: str = "E1"
    reference: str | None = REFERENCE
    family: str = "DMCT"
    back_for: str = ""
    part: str | None = None
    """The payment's own amount, if the booking has more in it."""
    payee: str = ""
    inner: str | None = None
    """Instead of the one `TxDtls`."""

    def xml(self) -> str:
        """As it stands in a message."""
        refs = f"<Refs><EndToEndId>{self.reference}</EndToEndId></Refs>" if self.reference else ""
        part = f'<Amt Ccy="CNY">{self.part}</Amt>' if self.part else ""
        payee = (
            f"<RltdPties><CdtrAcct><Id><Othr><Id>{self.payee}</Id></Othr></Id></CdtrAcct></RltdPties>"
            if self.payee
            else ""
        )
        back = f"<RtrInf><Rsn><Cd>{self.back_for}</Cd></Rsn></RtrInf>" if self.back_for else ""
        details = self.inner
        if details is None:
            details = f"<TxDtls>{refs}{part}{payee}{back}</TxDtls>"
        return (
            f'<Ntry><Amt Ccy="CNY">{self.amount}</Amt><CdtDbtInd>{self.direction}</CdtDbtInd>'
            f"<Sts><Cd>{self.status}</Cd></Sts><BookgDt><Dt>{self.on}</Dt></BookgDt>"
            f"<AcctSvcrRef>{self.ref}</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd>"
            f"<SubFmlyCd>{self.family}</SubFmlyCd></Fmly></Domn></BkTxCd>"
            f"<NtryDtls>{details}</NtryDtls></Ntry>"
        )


def part(reference: str, amount: str) -> str:
    """One `TxDtls` of a batch."""
    return (
        f"<TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs>"
        f'<Amt Ccy="CNY">{amount}</Amt></TxDtls>'
    )


def balance(kind: str, amount: str, on: str = "2026-11-02", direction: str = "CRDT") -> str:
    """One `Bal`."""
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp>"
        f'<Amt Ccy="CNY">{amount}</Amt><CdtDbtInd>{direction}</CdtDbtInd>'
        f"<Dt><Dt>{on}</Dt></Dt></Bal>"
    )


def camt(
    kind: str,
    *bookings: Booking,
    balances: str = "",
    account: str = ACCOUNT,
    report_id: str = "S1",
    page: tuple[int, bool] | None = None,
    count: int | None = None,
    message_id: str = "CAMT0001",
    at: str = "2026-11-03T08:00:00+08:00",
) -> bytes:
    """A camt.052, .053 or .054 in version 08."""
    wrapper, each, pages = {
        "camt.052": ("BkToCstmrAcctRpt", "Rpt", "RptPgntn"),
        "camt.053": ("BkToCstmrStmt", "Stmt", "StmtPgntn"),
        "camt.054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn", "NtfctnPgntn"),
    }[kind]
    paging = ""
    if page is not None:
        number, is_last = page
        last = "true" if is_last else "false"
        paging = f"<{pages}><PgNb>{number}</PgNb><LastPgInd>{last}</LastPgInd></{pages}>"
    totals = ""
    if count is not None:
        totals = f"<TxsSummry><TtlNtries><NbOfNtries>{count}</NbOfNtries></TtlNtries></TxsSummry>"
    return (
        f'<Document xmlns="{SPACE}{kind}.001.08"><{wrapper}><GrpHdr><MsgId>{message_id}</MsgId>'
        f"<CreDtTm>{at}</CreDtTm></GrpHdr><{each}><Id>{report_id}</Id>{paging}"
        f"<Acct><Id><Othr><Id>{account}</Id></Othr></Id></Acct>{balances}{totals}"
        f"{''.join(one.xml() for one in bookings)}</{each}></{wrapper}></Document>"
    ).encode()


def statement(
    *bookings: Booking,
    opening: str = "1000.00",
    closing: str,
    day: str = "2026-11-02",
    **extra: str,
) -> bytes:
    """A camt.053 of one page with OPBD and CLBD, and PRCD if `previous` is given."""
    balances = balance("OPBD", opening, day) + balance("CLBD", closing, day)
    if "previous" in extra:
        balances = balance("PRCD", extra["previous"], extra["previous_day"]) + balances
    return camt("camt.053", *bookings, balances=balances, report_id=extra.get("report_id", "S1"))
