"""Everything that differs from bank to bank, as data, and what a bank's silence may prove.

ISO 20022 fixes the messages; transport, versions, duplicate window, cut-offs and which status means
"paid" are each bank's own, and UNVERIFIED here for every bank (wire-protocols.md §4.1, §8.4). A
profile is a YAML file under `profiles/`, or an operator's own; unknown keys are errors.
"""

from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from channels.bank.codes import DUPLICATES, Row
from channels.contract import Finality, Profile, Reason, UnknownCause

FOLDER = Path(__file__).parent / "profiles"

PROFILE = Profile(
    acceptance_window_s=None,
    # A file may wait for a cut-off, a weekend or a holiday week before the bank carries it out.
    dwell_s=9 * 24 * 3600,
    visibility_lag_s=24 * 3600,
    absence_proves=False,
    # The statement reader proves CLBD = OPBD + credits - debits before it yields a line.
    finality=Finality(grace_days=3),
    refusal_lag_s=4 * 3600,
    escalate_after_s=24 * 3600,
)
"""reliability.md §4.4, row "bank direct": no C5; a person looks when the next day's statement is
there. C6 wants an acceptance window as well, which only an operator's own profile may state."""

Word = Annotated[str, StringConstraints(min_length=1, max_length=35)]
Route = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9/_.~{}?=&-]*$", max_length=200)]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Suffix = Annotated[str, StringConstraints(pattern=r"^\.[A-Za-z0-9_-]{1,16}$")]
Version = Annotated[str, StringConstraints(pattern=r"^(pain\.002|camt\.05[234])\.001\.[0-9]{2}$")]
Member = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Https(_Strict):
    """The envelope around files over HTTPS; every bank has its own."""

    kind: Literal["https"] = "https"
    upload: Route
    """POST of the file, as the body."""
    listing: Route
    """GET; `{since}` becomes the first day (YYYY-MM-DD) that is asked for."""
    download: Route
    """GET; `{name}` becomes a file's name."""
    customer_header: Key | None = None
    """The header that carries our customer number."""
    file_name_header: Key | None = None
    content_type: str = "application/xml; charset=utf-8"
    receipt_key: Key = "msgId"
    """The key of the JSON receipt that repeats our MsgId; a status alone is no answer."""
    items_key: Key = "files"
    name_key: Key = "name"
    more_key: Key | None = None
    """Says that the list goes on. This adapter does not turn pages: such a list is an error."""


class Folder(_Strict):
    """Files dropped into a folder that the bank's software (or SFTP) carries on."""

    kind: Literal["folder"] = "folder"
    file_name: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9_-]*\{reference\}[A-Za-z0-9_.-]*$")
    ] = "{reference}.xml"
    temporary_suffix: Suffix = ".part"
    out_marker: Suffix | None = None
    """With it a file is the bank's only once FILE + marker exists beside it."""
    in_marker: Suffix | None = None
    """With it a file is ours to read only once FILE + marker exists; else the bank renames."""
    in_suffix: Suffix = ".xml"


class Requested(_Strict):
    """What every pain.001 says besides the payout itself."""

    charges: Literal["DEBT", "SHAR", "SLEV", "CRED"] = "DEBT"
    batch_booking: bool = False
    priority: Literal["NORM", "HIGH"] | None = None
    service_level: Annotated[str, StringConstraints(min_length=1, max_length=4)] | None = None
    category_purpose: Annotated[str, StringConstraints(min_length=1, max_length=4)] | None = None
    cut_off: time | None = None
    """Local time after which the bank works on the file the next day."""
    after_cut_off: Literal["today", "next_day"] = "today"
    """The date asked for then; the bank rolls it to a business day either way."""
    clearing_system: Word = "CNAPS"
    agent_required: bool = True
    """Whether a payout without the beneficiary bank's line number is refused here."""
    members: Mapping[str, Member] = Field(default_factory=dict)
    """Line numbers by the short code of a bank, for cards."""


class Means(_Strict):
    """What one reason code means at this bank."""

    means: Reason | UnknownCause
    confirm: bool = True


class Signed(_Strict):
    """How messages are signed that the bank pushes: HMAC-SHA256 over TIMESTAMP.BODY, in hex."""

    signature_header: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
    timestamp_header: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
    tolerance_s: Annotated[int, Field(ge=1, le=86400)] = 300


class BankProfile(_Strict):
    """One bank."""

    description: str = ""
    delivery: Annotated[Https | Folder, Field(discriminator="kind")]
    timezone: str = "Asia/Shanghai"
    """Of dates, and of times that the bank writes without a zone."""
    accepts: frozenset[Version] = Field(min_length=1)
    """The messages the bank sends, with their versions; others are unreadable."""
    requested: Requested = Requested()
    paid: Literal["ACSC", "ACCC"] = "ACCC"
    """The first status that means paid: our account debited, or the beneficiary's credited."""
    debit_is_paid: bool = False
    """Whether a booked debit without a final status means paid, at banks that send none."""
    fee_codes: frozenset[str] = frozenset({"CHRG", "COMM", "FEES"})
    """Sub-families (or proprietary codes) of bank transactions that are the bank's charges."""
    return_codes: frozenset[str] = frozenset({"RRTN", "RPCR"})
    """Sub-families of credits that bring a payout back, besides entries with RtrInf."""
    reasons: Mapping[Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,35}$")], Means] = Field(
        default_factory=dict
    )
    duplicate_window_days: Annotated[int, Field(ge=1)] | None = None
    """For how long the bank knows a MsgId again; informs people, and bounds `resend_promised`."""
    resend_promised: bool = False
    """Whether the bank's contract promises that a MsgId it knows is never paid again."""
    acceptance_window_s: Annotated[int, Field(ge=60)] | None = None
    """Only where the contract names a time after which the bank refuses a file by its CreDtTm."""
    refusal_lag_s: Annotated[int, Field(ge=1)] = PROFILE.refusal_lag_s
    """How long bookings may take to show a debit in spite of a refusal that wants confirming."""
    statement_ready: time = time(9)
    balance: tuple[Literal["camt.052", "camt.053"], ...] = ()
    """Messages that tell the balance; empty: the balance cannot be asked for."""
    balance_types: tuple[str, ...] = ("ITAV", "CLAV", "ITBD", "CLBD")
    """Types of balances that count, the best one first."""
    notices: Signed | None = None
    """None: pushed messages cannot be verified and are refused."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("not a time zone such as Asia/Shanghai") from error
        return value

    @model_validator(mode="after")
    def _sound(self) -> Self:
        doubtful = sorted(DUPLICATES & self.reasons.keys())
        if doubtful:
            raise ValueError(f"reasons: {doubtful[0]} says that the bank has it already")
        if self.resend_promised and self.duplicate_window_days is None:
            raise ValueError("resend_promised needs duplicate_window_days")
        if isinstance(self.delivery, Folder) and self.notices is not None:
            raise ValueError("notices: a folder pushes nothing")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """Where its days begin."""
        return ZoneInfo(self.timezone)

    @property
    def overrides(self) -> Mapping[str, Row]:
        """Its own readings of reason codes."""
        return {
            code: Row(one.means, "the bank's profile", one.confirm)
            for code, one in self.reasons.items()
        }


def named(name: str) -> BankProfile:
    """One of the profiles that come along. ValueError naming those there are."""
    known = {file.stem: file for file in FOLDER.glob("*.yaml")}
    if name not in known:
        raise ValueError(f"no bank profile {name!r} (there are: {', '.join(sorted(known))})")
    return load(known[name])


def load(file: Path) -> BankProfile:
    """A profile of a file. ValueError (pydantic's included)."""
    try:
        given = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{file} cannot be read as YAML") from error
    return BankProfile.model_validate(given)
