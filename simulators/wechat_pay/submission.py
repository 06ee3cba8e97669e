"""What a merchant may say when it submits a transfer: strict JSON, closed field list, every rule of
发起转账.

Pure: the caller hands in the function that opens sensitive fields. Rules that depend on the
merchant's contract or on earlier bills (scene granted, caps, balance, idempotency) are judged by
the core.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from simulators.wechat_pay.errors import RefusedError, bad_field, refused

NAME_FORBIDDEN_BELOW_FEN = 30  # 收款用户姓名: not accepted under 0.30 yuan
NAME_REQUIRED_FROM_FEN = 200_000  # …and mandatory from 2,000.00 yuan
MIN_FEN = 10

_OUT_BILL_NO = re.compile(r"[A-Za-z0-9]{1,32}")
_OPENID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NOTIFY_URL = re.compile(r"https?://[^\s?#]{1,240}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FIELDS = frozenset(
    {
        *("appid", "out_bill_no", "transfer_scene_id", "openid", "user_name", "transfer_amount"),
        *("transfer_remark", "notify_url", "user_recv_perception", "transfer_scene_report_infos"),
        "user_recv_style",
    }
)


@dataclass(frozen=True, slots=True)
class Submission:
    """One transfer as asked for. Two submissions are the same instruction exactly when they are
    equal."""

    appid: str
    out_bill_no: str
    transfer_scene_id: str
    openid: str
    user_name: str | None  # plain text: its encryption differs from one sending to the next
    amount_fen: int
    transfer_remark: str
    notify_url: str | None
    user_recv_perception: str | None
    report_infos: tuple[tuple[str, str], ...]
    recv_style: str | None


def parse_object(body: bytes) -> dict[str, object]:
    """A JSON object in UTF-8 without duplicate names, NaN or infinities; RefusedError otherwise."""
    try:
        parsed = json.loads(
            body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, "PARAM_ERROR", "请求体不是合法的JSON") from error
    if not isinstance(parsed, dict):
        raise RefusedError(400, "PARAM_ERROR", "请求体不是JSON对象")
    return parsed


def parse_submission(body: bytes, open_secret: Callable[[str], str]) -> Submission:
    """The checked submission; `open_secret` decrypts user_name and raises RefusedError or
    ValueError when it cannot."""
    given = {name: value for name, value in parse_object(body).items() if value is not None}
    for name in sorted(given.keys() - _FIELDS):
        raise bad_field(name, "未定义的字段")
    amount = given.get("transfer_amount")
    if isinstance(amount, bool) or not isinstance(amount, int) or amount <= 0:
        raise bad_field("transfer_amount", "必须为正整数，单位为分")
    return Submission(
        appid=_text(given, "appid", 32),
        out_bill_no=_matching(given, "out_bill_no", _OUT_BILL_NO),
        transfer_scene_id=_text(given, "transfer_scene_id", 36),
        openid=_matching(given, "openid", _OPENID),
        user_name=_user_name(given, amount, open_secret),
        amount_fen=amount,
        transfer_remark=_text(given, "transfer_remark", 32),
        notify_url=_matching(given, "notify_url", _NOTIFY_URL) if "notify_url" in given else None,
        user_recv_perception=(
            _text(given, "user_recv_perception", 32) if "user_recv_perception" in given else None
        ),
        report_infos=_report_infos(given.get("transfer_scene_report_infos")),
        recv_style=_recv_style(given.get("user_recv_style")),
    )


def _user_name(
    given: dict[str, object], amount_fen: int, open_secret: Callable[[str], str]
) -> str | None:
    if "user_name" not in given:
        if amount_fen >= NAME_REQUIRED_FROM_FEN:
            raise bad_field("user_name", "转账金额大于等于2000元时必填")
        return None
    if amount_fen < NAME_FORBIDDEN_BELOW_FEN:
        raise bad_field("user_name", "转账金额小于0.3元时不允许填写")
    sealed = _text(given, "user_name", 1024)
    try:
        name = open_secret(sealed)
    except ValueError as error:
        raise refused("PARAM_ERROR/user_name", location="body", field="user_name") from error
    if not name or len(name) > 64 or _CONTROL.search(name):
        raise bad_field("user_name", "姓名为空、过长或含有控制字符")
    return name


def _report_infos(given: object) -> tuple[tuple[str, str], ...]:
    name = "transfer_scene_report_infos"
    if not given:
        raise refused("PARAM_ERROR/report_infos", location="body", field=name)
    if not isinstance(given, list):
        raise bad_field(name, "必须为数组")
    infos: list[tuple[str, str]] = []
    for item in given:
        if not isinstance(item, dict) or item.keys() != {"info_type", "info_content"}:
            raise bad_field(name, "每项须为info_type与info_content")
        infos.append((_text(item, "info_type", 15), _text(item, "info_content", 32)))
    return tuple(infos)


def _recv_style(given: object) -> str | None:
    if given is None:
        return None
    if not isinstance(given, dict) or given.get("type") not in {"CONFIRM_PAGE", "RED_PACKET"}:
        raise bad_field("user_recv_style", "type须为CONFIRM_PAGE或RED_PACKET")
    return str(given["type"])


def _text(given: dict[str, object], name: str, longest: int) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise bad_field(name, "必填，且须为字符串")
    if len(value) > longest or _CONTROL.search(value):
        raise bad_field(name, f"长度不得超过{longest}且不得含有控制字符")
    return value


def _matching(given: dict[str, object], name: str, pattern: re.Pattern[str]) -> str:
    value = _text(given, name, 256)
    if not pattern.fullmatch(value):
        raise bad_field(name, "格式不正确")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    merged = dict(pairs)
    if len(merged) != len(pairs):
        raise ValueError("duplicate name")
    return merged


def _no_constant(token: str) -> NoReturn:
    raise ValueError(token)
