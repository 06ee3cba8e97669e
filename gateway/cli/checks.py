"""The checks of `hangdao doctor` on a valid configuration: each looks, none changes anything."""

import asyncio
import shutil
import socket
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway.cli.database import Found, look, read_books, read_calendar
from gateway.cli.findings import Finding, State
from gateway.cli.keyfiles import compare, inspect
from gateway.clock import SystemClock
from gateway.domain.policy_mistake import PolicyInvalidError
from gateway.engine.calendar import local_day, missing_note
from gateway.engine.notes import unpriced_names
from gateway.health.link import LinkError
from gateway.health.replica import try_out
from gateway.ports import StoreError
from gateway.settings import Loaded, SettingsError
from gateway.store.mark import last_halt, read_mark
from gateway.wiring import accounts_of, active_policy, reach_of
from policies.calendars.workdays import PUBLISHED, Almanac

_DISK_FAIL, _DISK_WARN = 100 * 2**20, 2**30
_YEAR_MIN = 2026
"""A clock before the program itself was written is wrong (a machine without a battery)."""
_ZONE = ZoneInfo("Asia/Shanghai")


def examine(loaded: Loaded) -> Iterator[Finding]:
    """Every check, in the order in which a start would fail."""
    clock = SystemClock()
    now = clock.now()
    yield from _secrets(loaded)
    yield from _channels(loaded, clock)
    yield from _policy(loaded)
    yield from _folder(loaded.settings.data_dir)
    found, finding = _database(loaded)
    yield finding
    yield _calendar(now, _almanac(loaded, found))
    if found is not None and 0 < found.version <= found.newest:
        yield from _books(loaded)
    yield from _redis(loaded)
    yield from _last_halt(loaded)
    yield _listener(loaded, running=found is not None and found.held)
    yield _time(loaded, now)


def _secrets(loaded: Loaded) -> Iterator[Finding]:
    secrets = loaded.settings.secrets
    if secrets.previous_kek is not None and secrets.previous_kek == secrets.kek:
        yield Finding(
            "secrets",
            State.WARN,
            "secrets.previous_kek is the same as secrets.kek; remove it",
            "secrets.previous_kek 与 secrets.kek 相同，请删除",
        )
    else:
        yield Finding("secrets", State.OK, "of the right size", "长度正确")
    url = loaded.settings.database.url.get_secret_value()
    if secrets.audit_key is None and not url.startswith("sqlite:"):
        yield Finding(
            "secrets",
            State.WARN,
            "secrets.audit_key is not set: each machine will sign the audit log with its own key",
            "未设置 secrets.audit_key，各主机将使用各自的密钥签署审计日志",
        )


def _channels(loaded: Loaded, clock: SystemClock) -> Iterator[Finding]:
    try:
        accounts = accounts_of(loaded, clock)
    except SettingsError as error:
        for problem in error.problems:
            text = f"{problem.where}: {problem.message}"
            yield Finding("channels", State.FAIL, text, f"渠道配置错误：{text}")
        return
    channels = {name: one.channel for name, one in accounts.items()}
    if not channels:
        yield Finding(
            "channels",
            State.WARN,
            "none is configured: no payout can be accepted",
            "未配置渠道，无法受理代付",
        )
        return
    names = ", ".join(channels)
    yield Finding(
        "channels", State.OK, f"{len(channels)}: {names}", f"共 {len(channels)} 个：{names}"
    )
    unpriced = ", ".join(unpriced_names(channels, clock.now()))
    if unpriced:
        yield Finding(
            "channels",
            State.WARN,
            f"no fee is in force for {unpriced}: no payout goes there; set terms.fee "
            "(`{}` if it is free)",
            f"渠道 {unpriced} 未配置生效的手续费，不会出款；请设置 terms.fee（免费填 {{}}）",
        )
    for name, one in accounts.items():
        yield from inspect(name, one.settings, one.credentials, clock.now())
    yield from compare({name: one.credentials for name, one in accounts.items()})


def _policy(loaded: Loaded) -> Iterator[Finding]:
    try:
        policy = asyncio.run(active_policy(loaded))
    except SettingsError as error:
        for problem in error.problems:
            text = f"{problem.where}: {problem.message}"
            yield Finding("policy", State.FAIL, text, f"路由策略错误：{text}")
        return
    except PolicyInvalidError as error:
        en = f"{error.message}: a start takes the last one before it that can be used"
        zh = f"{error.source} 无法使用，启动时将使用此前可用的策略：{error.message}"
        yield Finding("policy", State.FAIL, en, zh)
        return
    writer = loaded.settings.policy.file or "database"
    known = {one.name for one in loaded.settings.channels}
    named = {
        name
        for lists in policy.lists.values()
        for name in (*lists.deny, *lists.prefer, *lists.only)
    }
    strangers = ", ".join(sorted(named - known))
    if strangers:
        yield Finding(
            "policy",
            State.WARN,
            f"{policy.name} names channels that are not configured: {strangers}",
            f"策略 {policy.name} 提到未配置的渠道：{strangers}",
        )
    else:
        en = f"{policy.name} ({policy.hash[:12]}), written by: {writer}"
        zh = f"策略 {policy.name}（{policy.hash[:12]}）可用，来源：{writer}"
        yield Finding("policy", State.OK, en, zh)


def _almanac(loaded: Loaded, found: Found | None) -> Almanac:
    """With what people said of days, where the database can tell."""
    if found is None or found.version != found.newest:
        return PUBLISHED
    try:
        return read_calendar(loaded.settings.database.url.get_secret_value())
    except StoreError:
        # The database's own finding says what is wrong with it.
        return PUBLISHED


def _calendar(now: datetime, almanac: Almanac = PUBLISHED) -> Finding:
    today = local_day(now)
    note = missing_note(almanac, today)
    if note is None:
        text = f"{today.year}-{today.year + almanac.years_ahead(today)}"
        return Finding("calendar", State.OK, f"knows {text}", f"已包含 {text} 年工作日历")
    state = State.FAIL if almanac.missing_year(today) == today.year else State.WARN
    return Finding("calendar", state, note.en, note.zh)


def _folder(folder: Path) -> Iterator[Finding]:
    place = next(one for one in (folder, *folder.parents) if one.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        text = f"{folder} cannot be written: {error.strerror}"
        yield Finding("data folder", State.FAIL, text, f"{folder} 不可写：{error.strerror}")
        return
    if place == folder:
        yield Finding("data folder", State.OK, f"{folder} can be written", f"{folder} 可写")
    else:
        yield Finding("data folder", State.OK, f"{folder} will be made", f"将创建 {folder}")
    free = shutil.disk_usage(place).free
    state = State.FAIL if free < _DISK_FAIL else State.WARN if free < _DISK_WARN else State.OK
    text = f"{free // 2**20:,} MiB"
    yield Finding("disk", state, f"{text} are free", f"可用空间 {text}")


def _database(loaded: Loaded) -> tuple[Found | None, Finding]:
    try:
        found = asyncio.run(look(loaded.settings.database.url.get_secret_value()))
    except StoreError as error:
        return None, Finding("database", State.FAIL, str(error), f"数据库不可用：{error}")
    version, newest = found.version, found.newest
    if version > newest:
        en = f"schema version {version} is newer than this program ({newest}): upgrade the program"
        return found, Finding(
            "database",
            State.FAIL,
            en,
            f"数据库结构版本 {version} 高于程序支持的 {newest}，请升级程序",
        )
    if version < newest:
        en = f"schema version {version}, needed is {newest}: run `hangdao migrate`"
        return found, Finding(
            "database", State.WARN, en, f"结构版本 {version}，需要 {newest}：请运行 hangdao migrate"
        )
    en, zh = f"reachable, schema version {version}", f"可用，结构版本 {version}"
    if found.held:
        en, zh = f"{en}, in use: the gateway is running", f"{zh}，网关正在运行"
    return found, Finding("database", State.OK, en, zh)


def _books(loaded: Loaded) -> Iterator[Finding]:
    """What would halt the gateway or put it in quarantine."""
    try:
        faults, position = read_books(loaded.settings.database.url.get_secret_value())
        mark = read_mark(loaded.settings.data_dir)
    except StoreError as error:
        yield Finding("books", State.FAIL, str(error), f"数据库损坏或无法读取：{error}")
        return
    if faults:
        said = "; ".join(faults[:5])
        en = f"the ledger does not add up, the gateway will not send: {said}"
        yield Finding("books", State.FAIL, en, f"账簿不平，网关不会出款：{said}")
    elif position is not None:
        yield Finding("books", State.OK, "undamaged and balanced", "数据完好，账簿平衡")
    if position is not None and mark is not None and position.is_behind(mark):
        en = "the database is older than it was (restored?): a start will be in quarantine"
        yield Finding(
            "mark", State.WARN, en, "数据库落后于水位标记（是否恢复过备份？），启动后将进入隔离"
        )


def _redis(loaded: Loaded) -> Iterator[Finding]:
    """Never a failure: without Redis the gateway pays all the same, only not as fast."""
    reach, replicas = reach_of(loaded), loaded.settings.server.replicas
    if reach is None:
        if replicas > 1:
            yield Finding(
                "redis",
                State.WARN,
                f"redis.url is not set: each of {replicas} replicas sends 1/{replicas} of a limit",
                f"未设置 redis.url：{replicas} 个实例各按渠道限速的 1/{replicas} 发送",
            )
        return
    try:
        took_s = asyncio.run(try_out(reach))
    except LinkError as error:
        yield Finding(
            "redis",
            State.WARN,
            f"does not work ({error}): payouts go on, each replica within its part of the limits",
            f"Redis 不可用（{error}）：代付照常进行，各实例仅使用自己的限速份额",
        )
        return
    text = f"{took_s * 1000:.1f} ms"
    if took_s > reach.budget_s:
        yield Finding(
            "redis",
            State.WARN,
            f"answers in {text}, more than redis.budget_ms: counts as away",
            f"响应 {text}，超过 redis.budget_ms，将视为不可用",
        )
    else:
        yield Finding("redis", State.OK, f"answers in {text}", f"可用，响应 {text}")


def _last_halt(loaded: Loaded) -> Iterator[Finding]:
    last = last_halt(loaded.settings.data_dir)
    if last is not None:
        yield Finding(
            "last halt",
            State.WARN,
            f"{last['at']}: {last['en']}",
            f"上次停机 {last['at']}：{last['zh']}",
        )


def _listener(loaded: Loaded, *, running: bool) -> Finding:
    server = loaded.settings.server
    where = f"{server.host}:{server.port}"
    with socket.socket(socket.AF_INET6 if ":" in server.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((server.host, server.port))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            if running:
                return Finding("address", State.OK, f"{where} is in use", f"{where} 已在使用")
            return Finding(
                "address", State.WARN, f"{where}: {reason}", f"{where} 无法监听：{reason}"
            )
    if server.public_url is None:
        return Finding(
            "address",
            State.WARN,
            "server.public_url is not set: channels cannot send notices, inquiries must do",
            "未设置 server.public_url：收不到渠道通知，只能主动查询",
        )
    return Finding("address", State.OK, f"{where} is free", f"{where} 空闲")


def _time(loaded: Loaded, now: datetime) -> Finding:
    """Without asking anybody outside: only what cannot be true is found."""
    shown = now.astimezone(_ZONE).strftime("%Y-%m-%d %H:%M:%S")
    written = loaded.file.stat().st_mtime if loaded.file else 0
    if now.year < _YEAR_MIN or now.timestamp() < written - 60:
        text = f"it says {shown} (Asia/Shanghai), which is in the past: set the time"
        return Finding("clock", State.FAIL, text, f"系统时间 {shown} 早于配置文件，请校时")
    if loaded.settings.clock.adjustable:
        return Finding(
            "clock",
            State.WARN,
            "clock.adjustable is on: for sandboxes only",
            "clock.adjustable 已开启：仅限沙箱",
        )
    return Finding("clock", State.OK, f"{shown} (Asia/Shanghai)", f"{shown}（北京时间）")
