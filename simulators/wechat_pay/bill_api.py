"""Balances, fund-flow bills, and the download of files.

Source: 查询账户实时余额, 申请资金账单, 下载账单. A download address lives for seconds, is for the
merchant that asked, needs a normal Authorization header, and answers without a signature.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from datetime import date, timedelta
from urllib.parse import parse_qsl

from simulators.kernel import Reply
from simulators.wechat_pay.desk import Call, Desk, File
from simulators.wechat_pay.errors import RefusedError, refused
from simulators.wechat_pay.replies import Said

FUND_ACCOUNTS = frozenset({"BASIC", "OPERATION", "FEES"})
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def balance(desk: Desk, call: Call) -> Said:
    """GET /v3/merchant/fund/balance/{account_type}; locked money is pending."""
    account = call.account
    if account.balance_forbidden:
        raise refused("NO_AUTH")
    _check_fund_account(call.number)
    if call.number != account.fund_account:
        return {"available_amount": 0, "pending_amount": 0}
    available = desk.books.available_minor(account.account)
    if short := call.hits.get("short_balance"):
        available = min(available, short.whole("available_fen"))
    return {
        "available_amount": available,
        "pending_amount": desk.books.frozen_minor(account.account),
    }


def fund_flow(desk: Desk, call: Call) -> Said:
    """GET /v3/bill/fundflowbill?bill_date=…&account_type=…[&tar_type=GZIP]; the hash is of the
    plain file."""
    account = call.account
    if desk.is_too_fast("statement", account, account.bill_per_s, call.now):
        raise refused("FREQUENCY_LIMITED")
    asked = _query(call, {"bill_date", "account_type", "tar_type"})
    day = _day(asked.get("bill_date", ""))
    account_type = asked.get("account_type", "BASIC")
    _check_fund_account(account_type)
    if asked.get("tar_type", "GZIP") != "GZIP":
        raise RefusedError(400, "PARAM_ERROR", "tar_type只支持GZIP")
    if account_type != account.fund_account:
        raise refused("NO_STATEMENT_EXIST")
    content = desk.fund_bills.content(account, day, call.now)
    # mtime 0: the same day gives the same bytes.
    offered = gzip.compress(content, mtime=0) if "tar_type" in asked else content
    return {
        "hash_type": "SHA1",
        "hash_value": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
        "download_url": offer(desk, call, offered, timedelta(seconds=desk.settings.token_s)),
    }


def offer(desk: Desk, call: Call, content: bytes, life: timedelta) -> str:
    """A download address for these bytes, for this merchant only, alive for `life`."""
    token = desk.gatekeeper.token(40)
    desk.files.offer(token, File(call.account.account, content, call.now + life), call.now)
    base = desk.settings.public_url or f"http://{call.request.headers.get('host', 'localhost')}"
    return f"{base.rstrip('/')}/v3/billdownload/file?token={token}"


def download(desk: Desk, call: Call) -> Reply:
    """GET /v3/billdownload/file?token=…; raw bytes, no signature."""
    file = desk.files.find(_query(call, {"token"}).get("token", ""), call.now)
    if file is None:
        raise RefusedError(400, "PARAM_ERROR", "下载地址已失效，请重新申请账单")
    if file.account != call.account.account:
        raise refused("NO_AUTH")
    return Reply(200, (("Content-Type", "application/octet-stream"),), file.content)


def _check_fund_account(name: str) -> None:
    if name not in FUND_ACCOUNTS:
        raise RefusedError(400, "PARAM_ERROR", "account_type须为BASIC、OPERATION或FEES")


def _query(call: Call, known: set[str]) -> dict[str, str]:
    pairs = parse_qsl(call.request.query, keep_blank_values=True)
    asked = dict(pairs)
    if len(asked) != len(pairs) or asked.keys() - known:
        raise RefusedError(400, "PARAM_ERROR", "查询参数重复或未定义")
    return asked


def _day(text: str) -> date:
    try:
        # The pattern first: fromisoformat alone also takes 20260520.
        return date.fromisoformat(text if _DATE.fullmatch(text) else "")
    except ValueError as error:
        raise RefusedError(400, "PARAM_ERROR", "bill_date格式须为yyyy-MM-dd") from error
