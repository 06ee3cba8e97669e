"""What people do to keep a channel from being used: the kill switch, and planned maintenance.

A kill is sticky: nothing but a person, with a key that gives a name, ends it. The store refuses to
arm what would be sent through a killed channel; what this process remembers only saves the detour.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from gateway.domain.errors import AbsenceError, ConflictError, ForbiddenError, InvalidError
from gateway.domain.payout import sortable_id
from gateway.engine.gateway import Gateway
from gateway.ports import EVERY_CHANNEL, Kill, Maintenance
from policies.maintenance import Once

ALL = "ALL"
"""How people name every channel."""


async def kill(gateway: Gateway, channel: str, reason: str, actor: str) -> Kill:
    """Send nothing more through a channel, or through any, from now on.

    Repeating it changes nothing. What was sent before is asked about as ever.
    """
    name = _named(gateway, channel)
    if not reason.strip():
        raise InvalidError("reason_missing", "say why", zh="请填写原因", param="reason")
    now = gateway.clock.now()
    made = Kill(
        sortable_id("ki_", now, gateway.entropy.bytes(10)), name, reason.strip(), now, actor
    )
    # Before the commit, too: what is routed meanwhile need not get as far as the store. Should the
    # commit fail, the next refresh knows.
    gateway.load.kills = {name: made, **gateway.load.kills}
    if await gateway.store.kill(made):
        gateway.observer.alarm("channel.killed", channel=name, actor=actor)
    await remember(gateway)
    return gateway.load.kills.get(name, made)


async def revive(gateway: Gateway, channel: str, note: str, actor: str, person: str | None) -> None:
    """Let a killed channel be used again; whatever else is against it stays."""
    name = _named(gateway, channel)
    if person is None:
        raise ForbiddenError(
            "person_unknown",
            "only a person revives, and this key does not say whose it is; make operators' keys "
            "with --person",
            zh="解除紧急停用须由具名人员操作，该密钥未登记使用人，请用 --person 创建",
        )
    if not note.strip():
        raise InvalidError("reason_missing", "say why", zh="请填写原因", param="reason")
    if not await gateway.store.revive(name, gateway.clock.now(), actor, person, note.strip()):
        raise ConflictError("not_killed", f"{channel} is not killed", zh="渠道未被紧急停用")
    gateway.observer.alarm("channel.revived", channel=name, actor=actor)
    await remember(gateway)


async def remember(gateway: Gateway) -> None:
    """Take over from the store which channels are killed."""
    gateway.load.kills = {one.channel: one for one in await gateway.store.kills(open_only=True)}


def _named(gateway: Gateway, channel: str) -> str:
    if channel == ALL:
        return EVERY_CHANNEL
    if channel not in gateway.channels:
        raise AbsenceError("no_such_channel", f"no channel is named {channel!r}", zh="渠道不存在")
    return channel


class Sticky:
    """Keeps the kills beside the database as well, so that a restore does not forget them."""

    def __init__(
        self,
        gateway: Gateway,
        read: Callable[[], Sequence[Kill]],
        write: Callable[[Sequence[Kill]], None],
    ) -> None:
        """Both touch a small file; `write` may raise OSError."""
        self._gateway = gateway
        self._read = read
        self._write = write
        self._kept: dict[str, Kill] | None = None

    async def look(self) -> None:
        """Before anything is sent, and once a second. Raises `StoreError`."""
        gateway = self._gateway
        if self._kept is None:
            self._kept = {one.id: one for one in self._read()}
        stored = {one.id: one for one in await gateway.store.kills(open_only=True)}
        for kill_id, forgotten in self._kept.items():
            if kill_id in stored or await gateway.store.has_kill(kill_id):
                continue
            # The database was restored to before the kill: nobody has revived the channel.
            if await gateway.store.kill(forgotten):
                gateway.observer.alarm("channel.kill_restored", channel=forgotten.channel)
                stored[kill_id] = forgotten
        gateway.load.kills = {one.channel: one for one in stored.values()}
        if stored != self._kept:
            self._kept = stored
            try:
                self._write(list(stored.values()))
            except OSError as error:
                gateway.observer.defect("mark.unwritten", error)


# --- Planned maintenance -----------------------------------------------------------------------


async def plan_maintenance(
    gateway: Gateway,
    channel: str,
    from_at: datetime,
    until_at: datetime,
    reason: str,
    actor: str,
) -> Maintenance:
    """Give the channel nothing between two moments; what it had goes on."""
    if channel not in gateway.channels:
        raise AbsenceError("no_such_channel", f"no channel is named {channel!r}", zh="渠道不存在")
    now = gateway.clock.now()
    try:
        Once(from_at, until_at)
    except ValueError as error:
        raise InvalidError(
            "window_invalid", str(error), zh="维护窗口须先开始后结束，且不超过 31 天", param="until"
        ) from None
    if until_at <= now:
        raise InvalidError(
            "window_past", "the maintenance is over already", zh="维护窗口已过", param="until"
        )
    planned = Maintenance(
        sortable_id("ma_", now, gateway.entropy.bytes(10)),
        *(channel, from_at, until_at, reason.strip(), now, actor),
    )
    await gateway.store.add_maintenance(planned)
    gateway.load.maintenance = await gateway.store.maintenance(now)
    return planned


async def cancel_maintenance(gateway: Gateway, planned_id: str, actor: str) -> None:
    """Plan it no more, or end it now."""
    now = gateway.clock.now()
    if not await gateway.store.remove_maintenance(planned_id, now, actor):
        raise AbsenceError(
            "no_such_maintenance", f"nothing is planned as {planned_id[:40]!r}", zh="维护计划不存在"
        )
    gateway.load.maintenance = await gateway.store.maintenance(now)
