"""The shape of the configuration: every section, key, default and bound.

Numbers are taken as numbers only: no text, no fraction and no boolean becomes an amount. Secrets
are `SecretStr`; what a channel's credentials must hold is checked by its adapter's own model.
"""

import base64
import binascii
from datetime import date, time
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from channels.contract import Cycle, Tariff, TariffCommitment, TariffTier, Terms, Window
from channels.money import INT64_MAX, Currency
from gateway.domain.floats import BalancePace
from gateway.domain.pricing import fee_of, schedule_of
from policies.maintenance import Planned, parse

CHANNEL_NAME = r"^[a-z][a-z0-9-]{1,31}$"
REDIS_PREFIX = r"^[A-Za-z0-9:_.-]{1,64}$"
LOG_NAME = r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$"
"""Of the audit log: no blank and no plus sign (C2SP signed-note, "Signatures")."""
HOST_NAME = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"
KEK_BYTES = 32
PEPPER_LENGTH_MIN = 32
PPM = 1_000_000


def _local_time(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError('must be a local time such as "17:30"')  # noqa: TRY004 - pydantic's way
    try:
        parsed = time.fromisoformat(value)
    except ValueError:
        raise ValueError('must be a local time such as "17:30"') from None
    if parsed.tzinfo is not None:
        raise ValueError("must be a local time; the time zone is a key of its own")
    return parsed


def _day(value: object) -> object:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("must be a day such as 2027-01-01") from None


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{value} is not a time zone") from None
    return value


def _hours(value: str) -> str:
    opens, dash, closes = value.partition("-")
    if not dash or _local_time(opens.strip()) == _local_time(closes.strip()):
        raise ValueError('must be opening hours such as "09:00-17:00"')
    return value


def _planned(value: str) -> str:
    parse(value, "Asia/Shanghai")
    return value


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be http(s)://host[:port]")
    if parts.query or parts.fragment or parts.username:
        raise ValueError("must be an address without query, fragment or user")
    return value.rstrip("/")


def _receiver(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
        raise ValueError("must be an http(s) URL without a user")
    return value


def _database(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("sqlite:///", "postgresql://")):
        raise ValueError("must be sqlite:///path or postgresql://…")
    return value


def _redis(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    parts = urlsplit(text)
    try:
        place = parts.path if parts.scheme == "unix" else parts.hostname
        known = parts.scheme in {"redis", "rediss", "unix"} and (parts.port is None or parts.port)
    except ValueError:
        place, known = None, False
    if not place or not known or parts.query or parts.fragment:
        raise ValueError("must be redis://host:port/0, rediss://… or unix:///path")
    return value


def _key(value: SecretStr) -> SecretStr:
    try:
        raw = base64.b64decode(value.get_secret_value(), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEK_BYTES:
        raise ValueError(f"must be {KEK_BYTES} random bytes in base64")
    return value


def _public_key(value: str) -> str:
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEK_BYTES:
        raise ValueError(f"must be an Ed25519 public key, {KEK_BYTES} bytes in base64")
    return value


def _pepper(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < PEPPER_LENGTH_MIN:
        raise ValueError(f"must be at least {PEPPER_LENGTH_MIN} random characters")
    return value


def _allowed(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if colon and host and port.isascii() and port.isdigit() and 0 < int(port) <= 65535:
        return value
    try:
        ip_network(value)
    except ValueError:
        raise ValueError("must be host:port or a network such as 127.0.0.0/8") from None
    return value


Minor = Annotated[int, Field(strict=True, ge=0, le=INT64_MAX)]
"""Whole minor units (fen)."""
Ppm = Annotated[int, Field(strict=True, ge=0, le=PPM)]
Count = Annotated[int, Field(strict=True, ge=1, le=100_000)]
Port = Annotated[int, Field(strict=True, ge=0, le=65535)]
LocalTime = Annotated[time, BeforeValidator(_local_time)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Flag = Annotated[bool, Field(strict=True)]
KeyText = Annotated[SecretStr, AfterValidator(_key)]


class Section(BaseModel):
    """Common to all sections: unknown keys are errors, values are never changed or shown."""

    # One validator for the whole is built when it is read, and none for each section by itself.
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True
    )


class Server(Section):
    """Where the gateway listens, and under which address channels and merchants reach it."""

    host: Annotated[str, StringConstraints(min_length=1)] = "127.0.0.1"
    port: Port = 8080
    public_url: Annotated[str, AfterValidator(_origin)] | None = None
    replicas: Annotated[int, Field(strict=True, ge=1, le=256)] = 1
    """How many gateway processes pay from this database at least: each sends its part of a
    channel's limit while it cannot share the whole through Redis."""
    workers: Annotated[int, Field(strict=True, ge=1, le=64)] = 1
    """Processes that share the port and a PostgreSQL; each takes its part of the payouts."""


class DialectHost(Section):
    """A host name under which callers of another platform find its stock paths."""

    host: Annotated[str, StringConstraints(pattern=HOST_NAME)]
    dialect: Literal["epay", "jeepay", "xxpay", "alipay"]


class Database(Section):
    """`sqlite:///path` or `postgresql://…`; a secret, since it may carry a password."""

    url: Annotated[SecretStr, AfterValidator(_database)]
    require_sync_standby: Flag = False
    """Do not start unless a synchronous standby streams: what is acknowledged then survives the
    loss of the server."""

    @property
    def is_embedded(self) -> bool:
        """Whether one process owns it."""
        return self.url.get_secret_value().startswith("sqlite:")


class RedisSettings(Section):
    """What replicas share as hints; without `url`, and while it is away, each goes by itself."""

    url: Annotated[SecretStr, AfterValidator(_redis)] | None = None
    prefix: Annotated[str, StringConstraints(pattern=REDIS_PREFIX)] = "hangdao"
    budget_ms: Annotated[int, Field(strict=True, ge=1, le=200)] = 20
    """Slower answers count as none."""
    connect_ms: Annotated[int, Field(strict=True, ge=10, le=10_000)] = 1000
    timeout_ms: Annotated[int, Field(strict=True, ge=10, le=10_000)] = 250


class Secrets(Section):
    """The installation's own secrets."""

    kek: KeyText
    """Wraps the data keys of the store: 32 bytes in base64."""
    previous_kek: KeyText | None = None
    """Still opens what it wrapped, until `rotate` has re-wrapped everything."""
    key_pepper: Annotated[SecretStr, AfterValidator(_pepper)]
    """Keys the stored hashes of API keys."""
    audit_key: KeyText | None = None
    """Signs the audit log: an Ed25519 seed, 32 bytes in base64; else one is made in `data_dir`."""

    @property
    def kek_bytes(self) -> bytes:
        """The key itself."""
        return base64.b64decode(self.kek.get_secret_value())

    @property
    def previous_kek_bytes(self) -> bytes | None:
        """The key before it, if it is still in use."""
        if self.previous_kek is None:
            return None
        return base64.b64decode(self.previous_kek.get_secret_value())

    @property
    def audit_seed(self) -> bytes | None:
        """The audit log's key, when it is configured."""
        return (
            None if self.audit_key is None else base64.b64decode(self.audit_key.get_secret_value())
        )

    @property
    def key_pepper_bytes(self) -> bytes:
        """The pepper as bytes."""
        return self.key_pepper.get_secret_value().encode()


class AuditSettings(Section):
    """The audit log: its name, where checkpoints go each minute, public keys it had before."""

    origin: Annotated[str, StringConstraints(pattern=LOG_NAME)] = "hangdao"
    export_dir: Path | None = None
    export_url: Annotated[str, AfterValidator(_receiver)] | None = None
    former_keys: tuple[Annotated[str, AfterValidator(_public_key)], ...] = ()


class ClockSettings(Section):
    """Only rehearsals move the clock."""

    adjustable: Flag = False


class Webhooks(Section):
    """Where webhooks may go although the address is not public: `host:port` or a network."""

    allow: tuple[Annotated[str, AfterValidator(_allowed)], ...] = ()


class Worker(Section):
    """How much is worked on at once, and how often the store is asked for more."""

    concurrency: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 64
    poll_s: Annotated[float, Field(strict=True, gt=0, le=60)] = 0.5
    lease_s: Annotated[int, Field(strict=True, ge=3, le=600)] = 30
    """How long another process must have been out of reach before its payouts are taken over."""
    halt_linger_s: Annotated[int, Field(strict=True, ge=0, le=86400)] = 60
    """How long a halted process still answers reads before it leaves."""


class PolicySettings(Section):
    """Who writes the routing policy. `file` mode: `file` alone, which is watched. `database` mode:
    two people, by API and commands. Default: `file` when one is named."""

    mode: Literal["file", "database"] | None = None
    file: Path | None = None

    @property
    def is_file(self) -> bool:
        """Whether the file is the only writer."""
        return self.file is not None

    @model_validator(mode="after")
    def _one_writer(self) -> Self:
        if self.mode == "file" and self.file is None:
            raise ValueError("mode is file, and no file is named")
        if self.mode == "database" and self.file is not None:
            raise ValueError(
                "mode is database, where no file is read: remove file, and take it over with "
                "`hangdao policy import FILE`"
            )
        return self


class Alerts(Section):
    """When people are told before something runs out."""

    runway_hours: Annotated[int, Field(strict=True, ge=0, le=720)] = 4
    """A channel's float that lasts less long at its present pace; 0 never tells."""


class PlanSettings(Section):
    """The month's plan of shares; `auto`: where there is a fee tier, a commitment or a day cap."""

    enabled: Literal["auto", "on", "off"] = "auto"
    every_h: Annotated[int, Field(strict=True, ge=1, le=24)] = 6
    """Hours after which a plan is made anew; on drift and changes sooner."""
    weeks: Annotated[int, Field(strict=True, ge=2, le=26)] = 8
    """How far back the forecast looks before the month."""


class Log(Section):
    """What is logged, and how it looks."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Limits(Section):
    """Bounds of a request."""

    body_kib: Annotated[int, Field(strict=True, ge=1, le=1024)] = 64


class Intake(Section):
    """When those who ask for payouts are told to come again (503), so that others need not wait."""

    shed: Flag = True
    delay_ms: Annotated[int, Field(strict=True, ge=5, le=10_000)] = 50
    """So long may an answer take on average; longer where it does without a crowd, too."""
    in_flight_max: Annotated[int, Field(strict=True, ge=8, le=10_000)] = 512
    """Never more requests for payouts are under way, however fast they are answered."""


class Label(Section):
    """A channel's name for people."""

    zh: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    en: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class FeeTier(Section):
    """Flat and rate from a month's use of `floor` on; the first tier has floor 0."""

    floor: Minor
    """Payouts, or minor units of money, by the fee's `basis`."""
    flat_minor: Minor = 0
    rate_ppm: Ppm = 0


class Commitment(Section):
    """A promised month; what is missing at its end is charged for."""

    least: Annotated[Minor, Field(ge=1)]
    """Payouts, or minor units of money, by the fee's `basis`."""
    shortfall: Minor
    """Minor units for each missing payout, or ppm of the missing money."""


class Fee(Section):
    """clamp(flat + rate, min, max) + surcharge, as in the contract; `{}` says that it is free."""

    flat_minor: Minor = 0
    rate_ppm: Ppm = 0
    min_minor: Minor = 0
    max_minor: Minor | None = None
    surcharge_ppm: Ppm = 0
    mode: Literal["on_top", "deducted"] = "on_top"
    """Taken from our float beside the amount, or kept back from the amount."""
    tiers: tuple[FeeTier, ...] = ()
    """By a calendar month's use; then flat and rate belong into them."""
    basis: Literal["payouts", "amount"] = "payouts"
    """What tiers and commitment count."""
    scheme: Literal["all_units", "incremental"] = "incremental"
    """The tier that the month ends in for all of it, or each part at its own tier."""
    commitment: Commitment | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.max_minor is not None and self.max_minor < self.min_minor:
            raise ValueError("max_minor must not be below min_minor")
        # What fees must fulfil is said once, where they are computed.
        fee_of(self.as_tariff())
        return self

    def as_tariff(self, start_on: date = date.min) -> Tariff:
        """The same as the channels' own value."""
        promised = self.commitment
        return Tariff(
            flat_minor=self.flat_minor,
            rate_ppm=self.rate_ppm,
            min_minor=self.min_minor,
            max_minor=self.max_minor,
            surcharge_ppm=self.surcharge_ppm,
            mode=self.mode,
            tiers=tuple(TariffTier(**tier.model_dump()) for tier in self.tiers),
            basis=self.basis,
            scheme=self.scheme,
            commitment=None if promised is None else TariffCommitment(**promised.model_dump()),
            start_on=start_on,
        )


class DatedFee(Fee):
    """A fee that holds from a local day on, until the next one does."""

    start_on: Annotated[date, BeforeValidator(_day)]


class CycleSettings(Section):
    """When money given to the channel arrives."""

    days: Annotated[int, Field(strict=True, ge=0, le=30)] = 0
    calendar: Literal["natural", "cn_statutory", "cn_no_makeup"] = "natural"
    cutoff: LocalTime = time(23, 59, 59)
    timezone: TimeZone = "Asia/Shanghai"


class TermsSettings(Section):
    """What the contract with the institution says."""

    currency: Currency
    amount_min: Annotated[Minor, Field(ge=1)] = 1
    amount_max: Annotated[Minor, Field(ge=1)]
    fee: Fee | None = None
    """Without it, and without `fees`, the channel has no price and takes no payouts."""
    fees: tuple[DatedFee, ...] = ()
    """Instead of `fee`, when the contract changes: by rising dates."""
    cycle: CycleSettings = CycleSettings()
    hours: tuple[Annotated[str, AfterValidator(_hours)], ...] = ()
    """Local opening hours, `"09:00-17:00"`; none means always open."""
    maintenance: tuple[Annotated[str, AfterValidator(_planned)], ...] = ()
    """When it is planned to be away: `"2026-11-23 01:00-05:00"` or `"Sun 02:00-04:00"`."""
    day_cap_minor: Annotated[Minor, Field(ge=1)] | None = None
    inflight_max: Count = 64
    in_doubt_max: Count = 200

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.amount_max < self.amount_min:
            raise ValueError("amount_max must not be below amount_min")
        if self.fee is not None and self.fees:
            raise ValueError("fee and fees exclude each other; give fees the fee with its date")
        schedule_of(self._tariffs())
        return self

    def _tariffs(self) -> tuple[Tariff, ...]:
        if self.fee is not None:
            return (self.fee.as_tariff(),)
        return tuple(one.as_tariff(one.start_on) for one in self.fees)

    @model_validator(mode="after")
    def _windows(self) -> Self:
        self.as_maintenance()
        return self

    def as_maintenance(self) -> tuple[Planned, ...]:
        """When the channel is planned to be away."""
        return tuple(parse(text, self.cycle.timezone) for text in self.maintenance)

    def as_terms(self) -> Terms:
        """The same as the channels' own value."""
        windows = (text.partition("-") for text in self.hours)
        return Terms(
            currency=self.currency,
            amount_min=self.amount_min,
            amount_max=self.amount_max,
            tariffs=self._tariffs(),
            cycle=Cycle(**self.cycle.model_dump()),
            hours=tuple(
                Window(time.fromisoformat(opens.strip()), time.fromisoformat(closes.strip()))
                for opens, _, closes in windows
            ),
            day_cap_minor=self.day_cap_minor,
            inflight_max=self.inflight_max,
            in_doubt_max=self.in_doubt_max,
        )


class BalanceSettings(Section):
    """How often the institution is asked for its balance, and how many looks in a row must differ
    from our books by more than `tolerance_minor` before people are told; 0 never asks."""

    every_s: Annotated[int, Field(strict=True, ge=0, le=86_400)] = 300
    looks: Annotated[int, Field(strict=True, ge=1, le=1000)] = 6
    tolerance_minor: Annotated[int, Field(strict=True, ge=0, le=10**15)] = 0

    def as_pace(self) -> BalancePace:
        """As the engine takes it."""
        return BalancePace(self.every_s, self.looks, self.tolerance_minor)


class ChannelSettings(Section):
    """One account at an institution. `credentials` are checked by the adapter's own model."""

    name: Annotated[str, StringConstraints(pattern=CHANNEL_NAME)]
    kind: Annotated[str, StringConstraints(min_length=1)]
    label: Label | None = None
    credentials: Annotated[dict[str, object], Field(repr=False)]
    terms: TermsSettings
    balance: BalanceSettings = BalanceSettings()


class Settings(Section):
    """Everything, by section."""

    server: Server = Server()
    data_dir: Path
    database: Database
    redis: RedisSettings = RedisSettings()
    secrets: Secrets
    audit: AuditSettings = AuditSettings()
    clock: ClockSettings = ClockSettings()
    webhooks: Webhooks = Webhooks()
    worker: Worker = Worker()
    policy: PolicySettings = PolicySettings()
    alerts: Alerts = Alerts()
    plan: PlanSettings = PlanSettings()
    log: Log = Log()
    limits: Limits = Limits()
    intake: Intake = Intake()
    dialect_hosts: tuple[DialectHost, ...] = ()
    channels: tuple[ChannelSettings, ...] = ()
