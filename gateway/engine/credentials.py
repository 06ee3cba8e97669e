"""Tell in time that a channel's key or certificate ends: at the start, and as each step is reached.

Nothing is stored: a process tells once what it finds at its start, and once each further step.
An ended one is told again each day, for as long as it keeps its channel out.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.domain.credentials import WARN_DAYS, End, ends
from gateway.engine.gateway import Gateway
from gateway.engine.standby import Note

_ZONE = ZoneInfo("Asia/Shanghai")


def look(gateway: Gateway) -> None:
    """Alarm where a step has been reached that was not told yet."""
    now = gateway.clock.now()
    today = str(now.astimezone(_ZONE).date())
    for channel, end in _all(gateway):
        step = end.step(now)
        if step is None:
            continue
        told = f"{step} {today}" if step == 0 else str(step)
        if gateway.credentials_told.get((channel, end.name)) == told:
            continue
        gateway.credentials_told[channel, end.name] = told
        note = _note(channel, end, now)
        facts = {
            "channel": channel,
            "setting": end.name,
            "ends_at": end.at.isoformat(),
            "days_left": end.days_left(now),
            "problem": note.en,
            "problem_zh": note.zh,
        }
        if step == 0:
            gateway.observer.alarm("channel.credential_expired", **facts)
        else:
            gateway.observer.alarm("channel.credential_expiring", **facts)


def notes(gateway: Gateway) -> list[Note]:
    """What ends within the longest warning, and what has ended."""
    now = gateway.clock.now()
    return [
        _note(channel, end, now)
        for channel, end in _all(gateway)
        if end.days_left(now) < WARN_DAYS[0]
    ]


def seconds_left(gateway: Gateway) -> dict[tuple[str, str], float]:
    """By channel and key of its settings; negative once it has ended."""
    now = gateway.clock.now()
    return {(channel, end.name): (end.at - now).total_seconds() for channel, end in _all(gateway)}


def _all(gateway: Gateway) -> list[tuple[str, End]]:
    return [(channel, end) for channel, some in gateway.credentials.items() for end in ends(some)]


def _note(channel: str, end: End, now: datetime) -> Note:
    """In both languages, for logs, `/readyz` and the start."""
    day = end.at.astimezone(_ZONE).strftime("%Y-%m-%d")
    whose_en, whose_zh = ("our", "我方") if end.holder == "ours" else ("the institution's", "对方")
    if end.at <= now:
        return Note(
            "credential_expired",
            f"channel {channel}: {whose_en} {end.name} expired on {day}; it takes no payouts until "
            "that is replaced",
            f"渠道 {channel}：{whose_zh}证书 {end.name} 已于 {day} 过期，更换前不再出款",
        )
    days = end.days_left(now)
    return Note(
        "credential_expiring",
        f"channel {channel}: {whose_en} {end.name} expires on {day}, in {days} days: replace it",
        f"渠道 {channel}：{whose_zh}证书 {end.name} 将于 {day} 过期（剩 {days} 天），请及时更换",
    )
