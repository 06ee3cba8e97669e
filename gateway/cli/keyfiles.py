"""Whether a channel's keys are live, its own, and nobody else's: what parsing cannot tell.

Type, size and pairs are checked by the adapters when the configuration is loaded.
"""

import stat
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel

from channels.contract import Credential
from gateway.cli.findings import Finding, State
from gateway.domain.credentials import End, ends, expired, shared

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_BUNDLES = frozenset({".pfx", ".p12"})


def inspect(
    name: str, settings: BaseModel, credentials: Sequence[Credential], now: datetime
) -> Iterator[Finding]:
    """What is wrong with one channel's keys, or one finding that all is well."""
    troubles = list(_troubles(name, settings, credentials, now))
    if not troubles:
        listed = ", ".join(f"{one.name} {one.fingerprint[:12]}" for one in credentials)
        yield Finding(f"keys {name}", State.OK, listed, f"密钥与证书正常：{listed}")
    yield from troubles


def compare(credentials: Mapping[str, Sequence[Credential]]) -> Iterator[Finding]:
    """Keys of ours that several channels work with: who steals one has them all."""
    for one, channels in shared(credentials):
        names = ", ".join(channels)
        yield Finding(
            "keys",
            State.WARN,
            f"{names} use the same {one.name} ({one.fingerprint[:12]}): give each its own",
            f"渠道 {names} 使用同一 {one.name}（{one.fingerprint[:12]}），请分别配置",
        )


def _troubles(
    name: str, settings: BaseModel, credentials: Sequence[Credential], now: datetime
) -> Iterator[Finding]:
    check = f"keys {name}"
    ours = {one.fingerprint for one in credentials if one.holder == "ours"}
    if ours & {one.fingerprint for one in credentials if one.holder == "theirs"}:
        yield Finding(
            check,
            State.FAIL,
            "the platform's key is your own: download the platform's",
            "配置的平台公钥是商户自己的公钥，请下载平台公钥",
        )
    out = expired(credentials, now)
    for end in ends(credentials):
        if end.step(now) is not None:
            yield _ending(check, end, now, fails=end == out)
    for file in _private_files(settings):
        if file.stat().st_mode & _OTHERS:
            yield Finding(
                check,
                State.WARN,
                f"{file} can be read by others: chmod 600",
                f"{file} 可被其他用户读取，请 chmod 600",
            )


def _ending(check: str, end: End, now: datetime, *, fails: bool) -> Finding:
    day = f"{end.at:%Y-%m-%d}"
    if end.at > now:
        text = f"{end.name} ends on {day}"
        return Finding(check, State.WARN, text, f"{end.name} 将于 {day} 到期")
    state = State.FAIL if fails else State.WARN
    en, zh = f"{end.name} ended on {day}", f"{end.name} 已于 {day} 过期"
    if fails:
        en, zh = f"{en}: the channel takes no payouts", f"{zh}，渠道不再出款"
    return Finding(check, state, en, zh)


def _private_files(settings: BaseModel) -> Iterator[Path]:
    """Files of the settings that hold a private key, whatever the field is called."""
    for field in type(settings).model_fields:
        value = getattr(settings, field)
        for file in value if isinstance(value, tuple) else (value,):
            if isinstance(file, Path) and file.is_file() and _is_private(file):
                yield file


def _is_private(file: Path) -> bool:
    return file.suffix.lower() in _BUNDLES or b"PRIVATE KEY" in file.read_bytes()
