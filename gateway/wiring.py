"""The composition root: the only module that names adapters, databases and settings together."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from aiohttp import web
from msgspec import Struct
from pydantic import BaseModel

from channels.contract import Channel, Credential
from channels.registry import KINDS
from gateway.api.admission import Admission
from gateway.api.app import build_app
from gateway.api.auth import Authenticator, new_key
from gateway.api.confirm_links import ConfirmLinks
from gateway.api.context import Api
from gateway.api.dialects.notices import DialectNotices
from gateway.api.pressure import Pressure
from gateway.audit import keys
from gateway.audit.export import LastSigned, ToFolder, ToUrl
from gateway.clock import SystemClock, SystemEntropy
from gateway.compiler import PolicyCompiler, built_in, compile_policy
from gateway.domain import policy_rules
from gateway.domain.checkpoint import Signer
from gateway.domain.policy_change import Standing, StoredPolicy, fold
from gateway.domain.policy_mistake import PolicyInvalidError
from gateway.domain.policy_rules import Who
from gateway.engine import calendar, credentials
from gateway.engine.audit import Auditor, Export
from gateway.engine.balances import Balances
from gateway.engine.batches import Batches
from gateway.engine.deliver import Courier
from gateway.engine.floats import seconds_left
from gateway.engine.gateway import ChannelLabel, Gateway, Limits
from gateway.engine.load import Load
from gateway.engine.notes import unpriced
from gateway.engine.plan import Planner
from gateway.engine.policies import Board
from gateway.engine.policy_file import PolicyFile
from gateway.engine.standby import Note, StandbyWatch
from gateway.engine.switches import Sticky
from gateway.engine.watch import Watch
from gateway.engine.worker import Worker
from gateway.health.replica import Reach, Replica
from gateway.observe import Metrics, Observe, adopt_standard_logging, make_log, request_line
from gateway.ports import Entropy, Scope, Store, StoreError
from gateway.settings import Loaded, Problem, SettingsError, check_credentials
from gateway.sheets.profile import Profile, ProfileError, profiles
from gateway.store import open_store
from gateway.store.archive_files import ArchiveFiles
from gateway.store.copies import online_backup
from gateway.store.killed import read_kills, write_kills
from gateway.store.mark import read_mark, write_mark
from gateway.store.store import open_reader
from gateway.store.vault import Vault
from gateway.webhooks.egress import Egress
from gateway.webhooks.sender import WebhookSender
from gateway.webhooks.signing import new_secret
from policies.health import WHOLE, Health
from policies.policy import Policy


@dataclass(slots=True)
class Assembly:
    """A gateway put together and not yet running."""

    gateway: Gateway
    app: web.Application
    worker: Worker
    courier: Courier
    auditor: Auditor
    sender: WebhookSender
    store: Store
    data_dir: Path
    watch: Watch
    sticky: Sticky
    standby: StandbyWatch
    board: Board
    observe: Observe
    replica: Replica
    planner: Planner
    batches: Batches
    balances: Balances
    stopping: asyncio.Event

    async def aclose(self) -> None:
        """Close connections and the store; nothing may run any more."""
        await self.replica.aclose()
        await self.courier.aclose()
        await self.sender.aclose()
        for channel in self.gateway.channels.values():
            await channel.aclose()
        await self.store.aclose()


def program_version() -> str:
    """The installed version."""
    try:
        return version("hangdao")
    except PackageNotFoundError:
        return "0"


class Account(Struct, frozen=True):
    """A configured channel, what it signs and verifies with, and what people call it."""

    channel: Channel
    settings: BaseModel
    credentials: tuple[Credential, ...]
    label: ChannelLabel | None


def channels_of(loaded: Loaded, clock: SystemClock) -> dict[str, Channel]:
    """Build every configured channel. Raises `SettingsError` naming file and line."""
    return {name: one.channel for name, one in accounts_of(loaded, clock).items()}


def accounts_of(loaded: Loaded, clock: SystemClock) -> dict[str, Account]:
    """The same, each with its credentials and its label."""
    accounts: dict[str, Account] = {}
    problems: list[Problem] = []
    for one in loaded.settings.channels:
        where = loaded.origins.get(("channels", loaded.settings.channels.index(one)), one.name)
        kind = KINDS.get(one.kind)
        if kind is None:
            kinds = ", ".join(sorted(KINDS))
            problems.append(
                Problem(where, f"channel {one.name}: there is no kind {one.kind!r}; use {kinds}")
            )
            continue
        try:
            settings = check_credentials(loaded, one, kind.settings)
            terms, label = one.terms.as_terms(), one.label
            accounts[one.name] = Account(
                kind.make(one.name, settings, terms, clock.now),
                settings,
                settings.credentials(),
                None if label is None else ChannelLabel(label.zh, label.en),
            )
        except SettingsError as error:
            problems += error.problems
        except ValueError as error:
            problems.append(Problem(where, str(error)))
    if problems:
        raise SettingsError(problems)
    return accounts


def policy_of(loaded: Loaded) -> Policy:
    """The policy to start with. Raises `SettingsError` for a file that cannot be used."""
    file = loaded.settings.policy.file
    try:
        if file is None:
            return compile_policy(built_in(), "built-in policy")
        return compile_policy(PolicyFile(file).begin(), str(file))
    except PolicyInvalidError as error:
        raise SettingsError(
            [Problem(f"{error.source}:{one.line}", one.message) for one in error.mistakes]
        ) from None


async def active_policy(loaded: Loaded) -> Policy:
    """What decides after a start: the file's, else the stored one, else the built-in one.

    Reads only, also beside a running gateway. Raises `SettingsError` for a file and
    `PolicyInvalidError` for a stored policy that cannot be used.
    """
    if not loaded.settings.policy.is_file:
        url = loaded.settings.database.url.get_secret_value()
        with suppress(StoreError):
            store = await open_reader(url, vault_of(loaded), SystemClock())
            try:
                standing = fold(await store.policy_acts(1))
                stored = await store.stored_policy(standing.active_hash or "")
            finally:
                await store.aclose()
            if stored is not None:
                return compile_policy(stored.text, f"policy v{stored.number} {stored.name}")
    return policy_of(loaded)


def vault_of(loaded: Loaded) -> Vault:
    """What opens and seals the store's private columns."""
    secrets = loaded.settings.secrets
    previous = secrets.previous_kek
    return Vault(
        secrets.kek.get_secret_value(), None if previous is None else previous.get_secret_value()
    )


async def open_configured_store(loaded: Loaded, clock: SystemClock, *, migrate: bool) -> Store:
    """Open the configured database. Raises `StoreError`."""
    settings = loaded.settings
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    url = settings.database.url.get_secret_value()
    return await open_store(
        *(url, vault_of(loaded), clock),
        migrate=migrate,
        program=program_version(),
        lease_s=settings.worker.lease_s,
    )


def signer_of(loaded: Loaded) -> Signer:
    """The audit log's key; one is made in the data folder when none is configured.

    Raises `SettingsError` when that cannot be used.
    """
    settings = loaded.settings
    seed = settings.secrets.audit_seed
    if seed is None:
        try:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
            seed = keys.read_or_make(settings.data_dir)
        except OSError as error:
            raise SettingsError([Problem(str(settings.data_dir), f"audit key: {error}")]) from None
    return Signer(settings.audit.origin, seed)


async def assemble(loaded: Loaded) -> Assembly:
    """Put the gateway together. Raises `SettingsError` or `StoreError`, leaving nothing open."""
    settings, clock = loaded.settings, SystemClock()
    log = make_log(clock, sys.stderr, level=settings.log.level, form=settings.log.format)
    adopt_standard_logging(log)
    observe = Observe(log, Metrics(program_version()))
    accounts = accounts_of(loaded, clock)
    policy = policy_of(loaded)
    signer, embedded = signer_of(loaded), settings.database.is_embedded
    store = await open_configured_store(loaded, clock, migrate=embedded)
    try:
        position, quarantine = await store.position(), await store.quarantine()
    except StoreError:
        await store.aclose()
        raise
    gateway = _gateway(loaded, accounts, store, clock, observe, policy)
    gateway.installation, gateway.quarantine = position.installation, quarantine
    replica = _replica(loaded, gateway)
    gateway.health, gateway.throttle = replica.health, replica.turns
    gateway.announce = replica.announce
    pace = settings.worker
    worker = Worker(gateway, concurrency=pace.concurrency, poll_s=pace.poll_s, exclusive=embedded)
    egress = Egress(settings.webhooks.allow)
    sender = WebhookSender(egress)
    courier = _courier(loaded, store, sender, clock, DialectNotices(gateway, sender))
    exports = _exports(loaded, sender, signer, clock)
    auditor = Auditor(store, clock, observe, signer, LastSigned(settings.data_dir), exports)
    folder = settings.data_dir
    watch = Watch(gateway, partial(read_mark, folder), partial(write_mark, folder))
    standby, board = StandbyWatch(store, observe), board_of(loaded, gateway)
    stopping = asyncio.Event()
    planner, balances = _planner(loaded, gateway), Balances(gateway)
    api = _api(
        *(loaded, gateway, worker, auditor, standby, board, planner, balances),
        *(egress, observe, stopping, gateway.entropy, replica),
    )
    app = build_app(api, body_max=settings.limits.body_kib * 1024, observe_http=_Requests(observe))
    return Assembly(
        gateway=gateway,
        app=app,
        worker=worker,
        courier=courier,
        auditor=auditor,
        sender=sender,
        store=store,
        data_dir=folder,
        watch=watch,
        sticky=Sticky(gateway, partial(read_kills, folder), partial(write_kills, folder)),
        standby=standby,
        board=board,
        observe=observe,
        replica=replica,
        planner=planner,
        batches=Batches(gateway),
        balances=balances,
        stopping=stopping,
    )


def _gateway(
    loaded: Loaded,
    accounts: Mapping[str, Account],
    store: Store,
    clock: SystemClock,
    observe: Observe,
    policy: Policy,
) -> Gateway:
    settings = loaded.settings
    return Gateway(
        store=store,
        clock=clock,
        entropy=SystemEntropy(),
        channels={name: one.channel for name, one in accounts.items()},
        credentials={name: one.credentials for name, one in accounts.items()},
        labels={name: one.label for name, one in accounts.items() if one.label is not None},
        policy=policy,
        health=Health(),
        observer=observe,
        load=Load(),
        notify_base=settings.server.public_url,
        limits=Limits(runway_warn=timedelta(hours=settings.alerts.runway_hours)),
        maintenance={one.name: one.terms.as_maintenance() for one in settings.channels},
        balance_paces={one.name: one.balance.as_pace() for one in settings.channels},
        signs_beside=_cores() > 1,
    )


def _cores() -> int:
    """How many this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not every system has it
        return os.cpu_count() or 1


def board_of(loaded: Loaded, gateway: Gateway) -> Board:
    """Which policies are in use, and who may change that."""
    file = loaded.settings.policy.file
    compiler = PolicyCompiler(gateway.channels, gateway.clock)
    return Board(gateway, compiler, built_in(), None if file is None else PolicyFile(file))


def reach_of(loaded: Loaded) -> Reach | None:
    """How to reach Redis, if it is configured."""
    redis = loaded.settings.redis
    if redis.url is None:
        return None
    return Reach(
        redis.url.get_secret_value(),
        redis.prefix,
        budget_s=redis.budget_ms / 1000,
        connect_s=redis.connect_ms / 1000,
        timeout_s=redis.timeout_ms / 1000,
    )


def _replica(loaded: Loaded, gateway: Gateway) -> Replica:
    return Replica(
        reach_of(loaded),
        installation=gateway.installation,
        limits={name: one.traits.sends_per_s for name, one in gateway.channels.items()},
        replicas=max(loaded.settings.server.replicas, loaded.settings.server.workers),
        health=gateway.health,
        clock=gateway.clock,
        entropy=gateway.entropy,
        observer=gateway.observer,
        nudge=gateway.nudged.set,
    )


def _profiles(folder: Path) -> Mapping[str, Profile]:
    """How files of payouts are read: those that are shipped, and the operator's own."""
    try:
        return profiles(folder / "batch-profiles")
    except ProfileError as error:
        raise SettingsError([Problem(str(folder / "batch-profiles"), str(error))]) from None


def _planner(loaded: Loaded, gateway: Gateway) -> Planner:
    plan = loaded.settings.plan
    every = timedelta(hours=plan.every_h)
    return Planner(gateway, mode=plan.enabled, every=every, weeks=plan.weeks)


def _courier(
    loaded: Loaded,
    store: Store,
    sender: WebhookSender,
    clock: SystemClock,
    notices: DialectNotices,
) -> Courier:
    """Where others deliver, too, no more is claimed than is soon sent."""
    concurrency, embedded = (
        loaded.settings.worker.concurrency,
        loaded.settings.database.is_embedded,
    )
    limit = 500 if embedded else 2 * concurrency
    return Courier(
        *(store, sender, clock),
        limit=limit,
        concurrency=concurrency,
        shared=not embedded,
        notices=notices,
    )


def _exports(
    loaded: Loaded, sender: WebhookSender, signer: Signer, clock: SystemClock
) -> list[Export]:
    """Where checkpoints go."""
    audit = loaded.settings.audit
    exports: list[Export] = []
    if audit.export_dir is not None:
        exports.append(ToFolder(audit.export_dir))
    if audit.export_url is not None:
        exports.append(ToUrl(audit.export_url, sender, signer, clock))
    return exports


def _api(
    loaded: Loaded,
    gateway: Gateway,
    worker: Worker,
    auditor: Auditor,
    standby: StandbyWatch,
    board: Board,
    planner: Planner,
    balances: Balances,
    egress: Egress,
    observe: Observe,
    stopping: asyncio.Event,
    entropy: Entropy,
    replica: Replica,
) -> Api:
    settings, clock = loaded.settings, gateway.clock
    pepper, intake = settings.secrets.key_pepper_bytes, settings.intake
    admission = Admission(
        delay_s=intake.delay_ms / 1000,
        most=intake.in_flight_max,
        enabled=intake.shed,
        alarms=observe,
        pressure=Pressure(follows=worker, worked=time.thread_time),
        soon=asyncio.get_running_loop().call_soon,
    )

    async def ready() -> list[str]:
        problems = []
        if gateway.halted is not None:
            problems.append(gateway.halted.en)
        if stopping.is_set():
            problems.append("the process is stopping")
        if worker.broken is not None or not await gateway.store.healthy():
            problems.append("the store does not take writes")
        if not gateway.channels:
            problems.append("no channel is configured")
        if calendar.years_ahead(gateway) < 0:
            problems.append("the business calendar does not know this year")
        return problems

    return Api(
        gateway=gateway,
        authenticator=Authenticator(gateway.store, clock, pepper),
        auditor=auditor,
        policies=board,
        entropy=entropy,
        pepper=pepper,
        version=program_version(),
        check_webhook_url=egress.check_url,
        new_webhook_secret=new_secret,
        ready=ready,
        admission=admission,
        notes=partial(_notes, gateway, standby, replica, board, planner, admission),
        metrics=partial(_scraped, gateway, board, planner, replica, observe.metrics, admission),
        planner=planner,
        balances=balances,
        batch_profiles=_profiles(settings.data_dir),
        backup=lambda: online_backup(gateway.store, settings.data_dir, clock.now()),
        confirm_links=None
        if settings.server.public_url is None
        else ConfirmLinks(settings.server.public_url, pepper),
        dialect_hosts={one.host: one.dialect for one in settings.dialect_hosts},
        archive_files=ArchiveFiles(settings.data_dir),
        advance_clock=clock.advance
        if settings.clock.adjustable and isinstance(clock, SystemClock)
        else None,
    )


def _notes(
    gateway: Gateway,
    standby: StandbyWatch,
    replica: Replica,
    board: Board,
    planner: Planner,
    admission: Admission,
) -> list[Note]:
    """What operators should know that keeps nothing from going on."""
    own = (
        *(standby.note, replica.note(), board.note(), calendar.note(gateway)),
        admission.note,
    )
    told = (*own, *unpriced(gateway), *credentials.notes(gateway), *planner.notes)
    return [note for note in told if note is not None]


def _scraped(
    gateway: Gateway,
    board: Board,
    planner: Planner,
    replica: Replica,
    metrics: Metrics,
    admission: Admission,
) -> bytes:
    """Take over what is kept elsewhere, and give everything out."""
    names, now = tuple(gateway.channels), gateway.clock.now()
    currencies = {
        name: channel.traits.terms.currency.value for name, channel in gateway.channels.items()
    }
    views = gateway.health.views(names, WHOLE, now)
    metrics.stopped(gateway.stopped(), gateway.store.worker)
    metrics.carry(gateway.load.uses, currencies)
    metrics.calendar.set(calendar.years_ahead(gateway))
    metrics.freeze(names, gateway.load.frozen)
    metrics.follow(board.in_use())
    metrics.plan(*planner.measure(now))
    metrics.ail(
        gateway.health.banks_down(now),
        {name: gateway.load.is_killed(name) for name in names},
        {name: seconds_left(gateway, name) for name in names},
        waiting=len(gateway.waiting),
        short=len(gateway.short),
    )
    metrics.see(gateway.load.balances, now)
    metrics.expire(credentials.seconds_left(gateway))
    metrics.believe({name: view.success_ppm for name, view in views.items()})
    metrics.admit(shed=admission.shed, limit=admission.limit, in_flight=admission.in_flight)
    metrics.share(up=replica.up, replicas=replica.replicas)
    metrics.count(metrics.tokens, replica.turns.tokens.items())
    metrics.count(metrics.postponed, _by_one(replica.turns.postponed))
    metrics.count(metrics.news, _by_one(replica.heard))
    metrics.count(metrics.redis_dropped, _by_one(replica.dropped))
    return metrics.render()


def _by_one(totals: Mapping[str, int]) -> list[tuple[tuple[str, ...], int]]:
    return [((name,), total) for name, total in totals.items()]


class _Requests(Struct, frozen=True):
    """Counts and logs requests."""

    observe: Observe

    def requested(
        self, method: str, route: str, status: int, seconds: float, who: Mapping[str, str]
    ) -> None:
        """One request was answered."""
        self.observe.metrics.request(route, method, status, seconds)
        request_line(self.observe.log, method, route, status, seconds, who)


async def create_operator_key(loaded: Loaded, label: str, person: str | None = None) -> str:
    """Make an operator's key straight in the store: the first one, before anything runs.

    Returns the key, which is shown this once. Raises `StoreError`, also when a gateway holds the
    SQLite database.
    """
    clock = SystemClock()
    store = await open_configured_store(loaded, clock, migrate=True)
    try:
        stored, text, _ = new_key(
            SystemEntropy(),
            loaded.settings.secrets.key_pepper_bytes,
            merchant_id=None,
            scopes=frozenset({Scope.ADMIN, Scope.PAYOUTS_READ, Scope.PAYOUTS_WRITE}),
            label=label,
            signed=False,
            now=clock.now(),
            person=person,
        )
        await store.add_key(stored, "bootstrap")
    finally:
        await store.aclose()
    return text


async def seed_policy(loaded: Loaded, text: str, source: str) -> Standing:
    """Put an installation's first policy straight into the store, before people change it.

    Whoever can do that is an operator already, as for the first key. Raises `PolicyInvalidError`,
    `ConflictError` once people have changed the policy, `StoreError`.
    """
    clock = SystemClock()
    channels = channels_of(loaded, clock)
    try:
        store = await open_configured_store(loaded, clock, migrate=True)
    except StoreError:
        await _close(channels)
        raise
    try:
        merchants = frozenset(str(one.id) for one in await store.merchants())
        policy = PolicyCompiler(channels, clock).check(text, source, merchants)
        standing = fold(await store.policy_acts(1))
        who, now = Who("bootstrap", None), clock.now()
        acts = policy_rules.seeded(standing, policy.hash, who, now)
        stored = StoredPolicy(policy.hash, policy.name, 0, text, now, who.actor, "", "imported")
        if acts:
            await store.record_acts(acts, stored)
        return fold(acts, standing)
    finally:
        await store.aclose()
        await _close(channels)


async def _close(channels: Mapping[str, Channel]) -> None:
    for channel in channels.values():
        await channel.aclose()
