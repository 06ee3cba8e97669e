"""What status and reason codes of ISO 20022 mean for a payout, as literal tables.

Sources in each row are of wire-protocols.md §4.5; the classes are our reading of it. A code that
no row names is `Unknown`. Meanings of the codes: external code sets 2Q2026. UNVERIFIED for every
bank: which status means "paid" and which code a bank uses when; both are data of its profile.

Classes: (a) refused, no money moved; (b) cannot tell; (c) a technical refusal and (d) the channel
or our account refuses: both believed only when the bookings had time to show the contrary.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from channels.contract import Reason, UnknownCause


class Step(StrEnum):
    """Where a status puts a payout."""

    PENDING = "pending"
    DEBITED = "debited"
    CREDITED = "credited"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


_S = "§4.5, statuses"

STATUSES: Mapping[str, tuple[Step, str]] = {
    "RCVD": (Step.PENDING, _S),
    "PDNG": (Step.PENDING, _S),
    # Payee verification: informational, and may come before anything is accepted.
    "RCVC": (Step.PENDING, _S + " (SEPA VoP)"),
    "RVCM": (Step.PENDING, _S + " (SEPA VoP); spelt as in the code set"),
    "RVNA": (Step.PENDING, _S + " (SEPA VoP)"),
    "RVNM": (Step.PENDING, _S + " (SEPA VoP)"),
    "RVMC": (Step.PENDING, _S + " (SEPA VoP)"),
    "RVNC": (Step.PENDING, _S + " (SEPA VoP)"),
    "PART": (Step.PENDING, _S + ", group only: the transaction has its own"),
    "PATC": (Step.PENDING, _S),
    "ACTC": (Step.PENDING, _S),
    "ACCP": (Step.PENDING, _S),
    "ACFC": (Step.PENDING, _S),
    "ACFW": (Step.PENDING, _S),
    "ACWC": (Step.PENDING, _S),
    "ACSP": (Step.PENDING, _S),
    "ACPD": (Step.PENDING, _S),
    "ACWP": (Step.PENDING, _S),
    # Neither posted nor returned: a person at the bank holds it.
    "BLCK": (Step.PENDING, _S),
    "ACSC": (Step.DEBITED, _S),
    "ACCC": (Step.CREDITED, _S),
    "RJCT": (Step.REJECTED, _S),
    "CANC": (Step.CANCELLED, _S),
}
"""In the order in which a payout passes them: of two told in the same second the later one wins."""

RANKS: Mapping[str, int] = {code: rank for rank, code in enumerate(STATUSES)}


class Row(Struct, frozen=True):
    """What one reason of a rejection means."""

    means: Reason | UnknownCause
    source: str
    confirm: bool = False
    """Believed only once the bookings had the profile's `refusal_lag_s` to show a debit."""


_A = "§4.5 (a)"
_B = "§4.5 (b)"
_C = "§4.5 (c)"
_D = "§4.5 (d)"
_OURS = "§4.5 (a), but about our own account or name: as (d)"

REASONS: Mapping[str, Row] = {
    # (a) The beneficiary's account and bank.
    "AC01": Row(Reason.INSTRUMENT_INVALID, _A),
    "AC03": Row(Reason.INSTRUMENT_INVALID, _A),
    "AC04": Row(Reason.INSTRUMENT_INVALID, _A),
    "AC06": Row(Reason.PAYEE_BLOCKED, _A),
    "AC07": Row(Reason.INSTRUMENT_INVALID, _A),
    "AC08": Row(Reason.INSTRUMENT_INVALID, _A),
    "AC09": Row(Reason.INSTRUMENT_INVALID, _A),
    "AC11": Row(Reason.INSTRUMENT_INVALID, _A),
    "AC12": Row(Reason.INSTRUMENT_INVALID, _A),
    "AC14": Row(Reason.INSTRUMENT_INVALID, _A),
    "AC15": Row(Reason.INSTRUMENT_INVALID, _A),
    "AC16": Row(Reason.INSTRUMENT_INVALID, _A),
    "AG01": Row(Reason.INSTRUMENT_INVALID, _A),
    "AG02": Row(Reason.PARAMETER_REFUSED, _A),
    "AG03": Row(Reason.INSTRUMENT_INVALID, _A),
    "CNOR": Row(Reason.INSTRUMENT_INVALID, _A),
    "ED01": Row(Reason.INSTRUMENT_INVALID, _A),
    "MD07": Row(Reason.PAYEE_BLOCKED, _A),
    "RC01": Row(Reason.INSTRUMENT_INVALID, _A),
    "RC02": Row(Reason.INSTRUMENT_INVALID, _A),
    "RC04": Row(Reason.INSTRUMENT_INVALID, _A),
    "RC05": Row(Reason.INSTRUMENT_INVALID, _A),
    "RC07": Row(Reason.INSTRUMENT_INVALID, _A),
    "RC08": Row(Reason.INSTRUMENT_INVALID, _A),
    "RC10": Row(Reason.INSTRUMENT_INVALID, _A),
    "RC11": Row(Reason.INSTRUMENT_INVALID, _A),
    # (a) The beneficiary.
    "BE01": Row(Reason.PAYEE_NAME_MISMATCH, _A),
    "BE06": Row(Reason.PAYEE_NOT_FOUND, _A),
    "BE23": Row(Reason.INSTRUMENT_INVALID, _A),
    # (a) The amount.
    "AM01": Row(Reason.AMOUNT_BELOW_MINIMUM, _A),
    "AM02": Row(Reason.AMOUNT_ABOVE_MAXIMUM, _A),
    "AM06": Row(Reason.AMOUNT_BELOW_MINIMUM, _A),
    "AM09": Row(Reason.PARAMETER_REFUSED, _A),
    "AM11": Row(Reason.PARAMETER_REFUSED, _A),
    "AM12": Row(Reason.PARAMETER_REFUSED, _A),
    "AM13": Row(Reason.AMOUNT_ABOVE_MAXIMUM, _A),
    "AM14": Row(Reason.AMOUNT_ABOVE_MAXIMUM, _A),
    "AM15": Row(Reason.AMOUNT_BELOW_MINIMUM, _A),
    "AM21": Row(Reason.AMOUNT_ABOVE_MAXIMUM, _A),
    "CURR": Row(Reason.PARAMETER_REFUSED, _A),
    # (a) The instruction.
    "BE04": Row(Reason.PARAMETER_REFUSED, _A),
    "BE07": Row(Reason.PARAMETER_REFUSED, _A),
    "BE08": Row(Reason.PARAMETER_REFUSED, _A),
    "BE09": Row(Reason.PARAMETER_REFUSED, _A),
    "BE10": Row(Reason.PARAMETER_REFUSED, _A),
    "BE11": Row(Reason.PARAMETER_REFUSED, _A),
    "BE12": Row(Reason.PARAMETER_REFUSED, _A),
    "BE13": Row(Reason.PARAMETER_REFUSED, _A),
    "BE14": Row(Reason.PARAMETER_REFUSED, _A),
    "BE15": Row(Reason.PARAMETER_REFUSED, _A),
    "BE17": Row(Reason.PARAMETER_REFUSED, _A),
    "BE18": Row(Reason.PARAMETER_REFUSED, _A),
    "BE19": Row(Reason.PARAMETER_REFUSED, _A),
    "BE20": Row(Reason.PARAMETER_REFUSED, _A),
    "BE21": Row(Reason.PARAMETER_REFUSED, _A),
    "BE22": Row(Reason.PARAMETER_REFUSED, _A),
    "CH03": Row(Reason.PARAMETER_REFUSED, _A),
    "CH04": Row(Reason.PARAMETER_REFUSED, _A),
    "CH16": Row(Reason.PARAMETER_REFUSED, _A),
    "CH17": Row(Reason.PARAMETER_REFUSED, _A),
    "CH20": Row(Reason.PARAMETER_REFUSED, _A),
    "CH21": Row(Reason.PARAMETER_REFUSED, _A),
    "DT01": Row(Reason.PARAMETER_REFUSED, _A),
    "DT04": Row(Reason.PARAMETER_REFUSED, _A),
    "FF03": Row(Reason.PARAMETER_REFUSED, _A),
    "FF04": Row(Reason.PARAMETER_REFUSED, _A),
    "FF05": Row(Reason.PARAMETER_REFUSED, _A),
    "FF06": Row(Reason.PARAMETER_REFUSED, _A),
    "FF07": Row(Reason.PURPOSE_REFUSED, _A),
    "FF08": Row(Reason.PARAMETER_REFUSED, _A),
    "RR01": Row(Reason.PARAMETER_REFUSED, _A),
    "RR02": Row(Reason.PARAMETER_REFUSED, _A),
    "RR03": Row(Reason.PARAMETER_REFUSED, _A),
    "RR04": Row(Reason.RISK_REFUSED, _A),
    "RR05": Row(Reason.PARAMETER_REFUSED, _A),
    "RR06": Row(Reason.PARAMETER_REFUSED, _A),
    "RR07": Row(Reason.PURPOSE_REFUSED, _A),
    "RR08": Row(Reason.PURPOSE_REFUSED, _A),
    "RR09": Row(Reason.PARAMETER_REFUSED, _A),
    "RR10": Row(Reason.PARAMETER_REFUSED, _A),
    "RR11": Row(Reason.PARAMETER_REFUSED, _A),
    "RR12": Row(Reason.PARAMETER_REFUSED, _A),
    # (a) by its range, about the debtor: that is us.
    "AC10": Row(Reason.NOT_PERMITTED, _OURS, True),
    "AC13": Row(Reason.NOT_PERMITTED, _OURS, True),
    "BE05": Row(Reason.NOT_PERMITTED, _OURS, True),
    "BE16": Row(Reason.NOT_PERMITTED, _OURS, True),
    "DNOR": Row(Reason.NOT_PERMITTED, _OURS, True),
    "RC03": Row(Reason.NOT_PERMITTED, _OURS, True),
    "RC06": Row(Reason.NOT_PERMITTED, _OURS, True),
    "RC09": Row(Reason.NOT_PERMITTED, _OURS, True),
    # (b) Cannot tell: broken off in clearing, a person's remark, or "we have it already".
    "AB01": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "AB02": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "AB03": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "AB04": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "AB05": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "AB06": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "AB07": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "AB08": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "AB09": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "AB10": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "AB11": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "AM05": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "DU01": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "DU02": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "DU03": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "DU04": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "DU05": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "DUPL": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "RF01": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "ED05": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "MS02": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "MS03": Row(UnknownCause.CHANNEL_UNSURE, _B),
    "NARR": Row(UnknownCause.CHANNEL_UNSURE, _B),
    # (c) A technical refusal.
    "DS18": Row(Reason.RAIL_DOWN, _C, True),
    "FF10": Row(Reason.RAIL_DOWN, _C, True),
    "TA01": Row(Reason.RAIL_DOWN, _C, True),
    # (d) Our account, its limits and rights, the hour, or the rail behind it.
    "AC02": Row(Reason.ACCOUNT_SUSPENDED, _D, True),
    "AC05": Row(Reason.ACCOUNT_SUSPENDED, _D, True),
    "AG07": Row(Reason.NOT_PERMITTED, _D, True),
    "AG08": Row(Reason.NOT_PERMITTED, _D, True),
    "AM03": Row(Reason.NOT_PERMITTED, _D, True),
    "AM04": Row(Reason.FLOAT_SHORT, _D, True),
    "AM07": Row(Reason.ACCOUNT_SUSPENDED, _D, True),
    "AM23": Row(Reason.QUOTA_EXHAUSTED, _D, True),
    "DT03": Row(Reason.OUTSIDE_HOURS, _D, True),
    "DT05": Row(Reason.OUTSIDE_HOURS, _D, True),
    "TM01": Row(Reason.OUTSIDE_HOURS, _D, True),
    "ED06": Row(Reason.RAIL_DOWN, _D, True),
    "DS0A": Row(Reason.SIGNATURE_REFUSED, _D, True),
    "DS0B": Row(Reason.SIGNATURE_REFUSED, _D, True),
    "DS0C": Row(Reason.SIGNATURE_REFUSED, _D, True),
    "DS0D": Row(Reason.SIGNATURE_REFUSED, _D, True),
    "DS0E": Row(Reason.SIGNATURE_REFUSED, _D, True),
    "DS0F": Row(Reason.SIGNATURE_REFUSED, _D, True),
    "DS0G": Row(Reason.NOT_PERMITTED, _D, True),
    "DS0H": Row(Reason.NOT_PERMITTED, _D, True),
    "DS0K": Row(Reason.QUOTA_EXHAUSTED, _D, True),
}

DUPLICATES = frozenset({"AM05", "DU01", "DU02", "DU03", "DU04", "DU05", "DUPL", "RF01"})
"""§4.4: a rejection with one of these is about the repeated file; the first one may be paid."""


def rejection(reasons: tuple[str, ...], overrides: Mapping[str, Row]) -> Row:
    """What the reasons of one rejection mean together.

    Any doubt among them leaves the whole in doubt, and so does a code no row names or no code at
    all; otherwise the first one counts, to be confirmed if any of them wants that.
    """
    coded = tuple(code for code in reasons if code != "NARR") or reasons
    rows = [overrides.get(code) or REASONS.get(code) for code in coded]
    known = [row for row in rows if row is not None]
    if not known or len(known) != len(rows):
        return Row(UnknownCause.UNKNOWN_CODE, "§0, any code not in a list")
    doubt = next((row for row in known if isinstance(row.means, UnknownCause)), None)
    if doubt is not None:
        return doubt
    first = known[0]
    return Row(first.means, first.source, any(row.confirm for row in known))
