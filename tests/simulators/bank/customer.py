"""A customer of the simulated bank: writes its own files, reads the bank's with another library.

Shares no code with the adapter: files are text, and answers are parsed by the generated classes of
pyiso20022 with every unknown element an error.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pyiso20022.camt import camt_052_001_08, camt_053_001_08, camt_054_001_08
from pyiso20022.pain import pain_002_001_12
from xsdata.formats.dataclass.parsers import XmlParser

from simulators.bank.core import BankSimulator, build
from simulators.faults import FaultRule, Faults
from simulators.kernel import Answer, Push, Request

START = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
"""A Monday, 10:00 in Beijing."""
ACCOUNT = "0200000000000000001"
CUSTOMER = "CUST000001"
SECRET = "a-secret-of-the-simulated-bank"
DOCUMENTS = {
    "pain.002": pain_002_001_12.Document,
    "camt.052": camt_052_001_08.Document,
    "camt.053": camt_053_001_08.Document,
    "camt.054": camt_054_001_08.Document,
}


def account(**changes: object) -> dict[str, object]:
    """An account with ten thousand yuan."""
    return {
        "account": "bank-1",
        "customer_id": CUSTOMER,
        "number": ACCOUNT,
        "owner": "某某公司",
        "balance_fen": 1_000_000,
        "notice_secret": SECRET,
    } | changes


def transaction(
    reference: str = "E1",
    amount: str = "12.30",
    payee: str = "6222020200112233445",
    name: str = "张三丰",
    member: str = "102100099996",
    currency: str = "CNY",
) -> str:
    """One `CdtTrfTxInf`."""
    return (
        f"<CdtTrfTxInf><PmtId><InstrId>{reference}</InstrId><EndToEndId>{reference}</EndToEndId>"
        f'</PmtId><Amt><InstdAmt Ccy="{currency}">{amount}</InstdAmt></Amt><CdtrAgt><FinInstnId>'
        f"<ClrSysMmbId><MmbId>{member}</MmbId></ClrSysMmbId></FinInstnId></CdtrAgt>"
        f"<Cdtr><Nm>{name}</Nm></Cdtr><CdtrAcct><Id><Othr><Id>{payee}</Id></Othr></Id></CdtrAcct>"
        f"</CdtTrfTxInf>"
    )


def file(
    *transactions: str,
    message_id: str = "M1",
    total: str | None = "12.30",
    count: int | None = None,
    debtor: str = ACCOUNT,
    on: str = "2026-11-02",
) -> bytes:
    """A pain.001.001.09."""
    inner = "".join(transactions) or transaction()
    told = count if count is not None else max(len(transactions), 1)
    summed = f"<CtrlSum>{total}</CtrlSum>" if total else ""
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"><CstmrCdtTrfInitn>'
        f"<GrpHdr><MsgId>{message_id}</MsgId><CreDtTm>2026-11-02T10:00:00</CreDtTm>"
        f"<NbOfTxs>{told}</NbOfTxs>{summed}<InitgPty><Nm>某某公司</Nm></InitgPty></GrpHdr>"
        f"<PmtInf><PmtInfId>{message_id}-1</PmtInfId><PmtMtd>TRF</PmtMtd>"
        f"<ReqdExctnDt><Dt>{on}</Dt></ReqdExctnDt><Dbtr><Nm>某某公司</Nm></Dbtr>"
        f"<DbtrAcct><Id><Othr><Id>{debtor}</Id></Othr></Id></DbtrAcct>"
        "<DbtrAgt><FinInstnId><ClrSysMmbId><MmbId>102100000450</MmbId></ClrSysMmbId></FinInstnId>"
        f"</DbtrAgt>{inner}</PmtInf></CstmrCdtTrfInitn></Document>"
    ).encode()


class Customer:
    """Talks to a bank of its own on a clock of its own."""

    def __init__(self, *, rules: Sequence[FaultRule] = (), seed: int = 1, **knobs: Any) -> None:
        """`knobs` of the bank; `account` of the account."""
        self.faults = Faults()
        own = knobs.pop("account", {})
        config = {"name": "bank", "kind": "bank", "accounts": [account(**own)]} | knobs
        self.bank: BankSimulator = build(config, seed=seed, faults=self.faults)
        for rule in rules:
            self.faults.add(rule)
        self.now = START
        self.pushes: list[Push] = []

    def send(self, body: bytes, customer: str = CUSTOMER) -> Answer:
        """Upload a file."""
        return self._request("POST", "/h2h/v1/files", body, customer)

    def wait(self, **length: float) -> None:
        """Let time pass, from one due moment to the next."""
        target = self.now + timedelta(**length)
        while (due := self.bank.next_tick_at()) is not None and due <= target:
            self.now = max(due, self.now)
            self.pushes += self.bank.tick(self.now)
        self.now = target
        self.pushes += self.bank.tick(target)

    def names(self, since: str = "2026-01-01") -> list[tuple[str, str]]:
        """Name and type of every file there is for us."""
        answer = self._request("GET", f"/h2h/v1/files?since={since}", b"", CUSTOMER)
        assert answer.reply is not None
        assert answer.reply.status == 200, answer.reply
        told = json.loads(answer.reply.body)
        assert told["more"] is False
        return [(one["name"], one["type"]) for one in told["files"]]

    def raw(self, kind: str) -> list[bytes]:
        """Every file of a kind."""
        bodies = []
        for name, told in self.names():
            if told == kind:
                answer = self._request("GET", f"/h2h/v1/files/{name}", b"", CUSTOMER)
                assert answer.reply is not None
                bodies.append(answer.reply.body)
        return bodies

    def documents(self, kind: str) -> list[Any]:
        """The same, parsed strictly."""
        return [XmlParser().from_bytes(raw, DOCUMENTS[kind]) for raw in self.raw(kind)]

    def statuses(self, reference: str = "E1") -> list[tuple[str, str]]:
        """Status and reason of a payment, or of the file, in their order."""
        told: list[tuple[str, str]] = []
        for document in self.documents("pain.002"):
            message = document.cstmr_pmt_sts_rpt
            group = message.orgnl_grp_inf_and_sts
            if group.grp_sts:
                told.append((group.grp_sts, _reason(group)))
            for block in message.orgnl_pmt_inf_and_sts:
                for one in block.tx_inf_and_sts:
                    if one.orgnl_end_to_end_id == reference:
                        told.append((one.tx_sts, _reason(one)))
        return told

    def moved(self) -> list[tuple[str, str, int]]:
        """What money really moved."""
        return [(m.kind, m.reference, m.amount_minor) for m in self.bank.truth()]

    def _request(self, method: str, target: str, body: bytes, customer: str) -> Answer:
        headers = {"x-customer-id": customer}
        answer = self.bank.handle(Request(method, target, headers, body), self.now)
        self.pushes += answer.pushes
        return answer


def _reason(level: Any) -> str:
    reasons = [one.rsn.cd or one.rsn.prtry for one in level.sts_rsn_inf]
    return ",".join(reasons)
