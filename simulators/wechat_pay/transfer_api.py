"""Submit, query and cancel of the merchant transfer product
(/v3/fund-app/mch-transfer/transfer-bills).

Source: 发起转账, 商户单号查询转账单, 微信单号查询转账单, 撤销转账. Idempotency is by out_bill_no:
the same instruction returns the bill as it stands now, another one is refused, and after the retry
window every repetition is refused.
"""

from __future__ import annotations

from datetime import timedelta

from simulators.actions import Stage
from simulators.faults import Hits
from simulators.wechat_pay import replies
from simulators.wechat_pay.bill import CANCEL_REPEATS, Bill, Script
from simulators.wechat_pay.desk import Call, Desk
from simulators.wechat_pay.errors import RefusedError, refused
from simulators.wechat_pay.replies import Said
from simulators.wechat_pay.settings import Account, Settings
from simulators.wechat_pay.submission import MIN_FEN, Submission, parse_submission

# What `settle_fail` means when the rule names no reason.
DEFAULT_FAIL_REASON = "PAYEE_ACCOUNT_ABNORMAL"


def submit(desk: Desk, call: Call) -> Said:
    """POST /transfer-bills."""
    if desk.is_too_fast("submit", call.account, call.account.submit_per_s, call.now):
        raise refused("FREQUENCY_LIMITED")
    asked = parse_submission(call.request.body, lambda sealed: _open(call, sealed))
    _check_contract(desk, call.account, asked)
    known = desk.transfers.by_out_bill_no(call.account.account, asked.out_bill_no)
    if known is not None:
        return _repeat(desk, call, known, asked)
    _check_limits(desk, call, asked)
    return replies.submitted(_accept(desk, call, asked))


def query_by_out_bill_no(desk: Desk, call: Call) -> Said:
    """GET /transfer-bills/out-bill-no/{out_bill_no}."""
    return _queried(desk, call, desk.transfers.by_out_bill_no(call.account.account, call.number))


def query_by_transfer_bill_no(desk: Desk, call: Call) -> Said:
    """GET /transfer-bills/transfer-bill-no/{transfer_bill_no}."""
    bill = desk.transfers.by_transfer_bill_no(call.account.account, call.number)
    return _queried(desk, call, bill)


def cancel(desk: Desk, call: Call) -> Said:
    """POST /transfer-bills/out-bill-no/{out_bill_no}/cancel; the body is empty or an empty
    object."""
    if call.request.body.strip() not in {b"", b"{}"} and not (
        desk.settings.bodyless_null and call.request.body == b"null"
    ):
        raise RefusedError(400, "PARAM_ERROR", "撤销转账不接受请求体")
    bill = desk.transfers.by_out_bill_no(call.account.account, call.number)
    visible = _visible(desk, call, bill)
    if visible.state not in CANCEL_REPEATS and not desk.transfers.cancel(visible, call.now):
        raise refused("INVALID_REQUEST/cancel")
    return replies.cancelled(visible)


def _repeat(desk: Desk, call: Call, known: Bill, asked: Submission) -> Said:
    if asked != known.submission:
        raise refused("INVALID_REQUEST/changed")
    if call.now - known.created_at > timedelta(seconds=desk.settings.retry_window_s):
        raise refused("INVALID_REQUEST/expired")
    if known.script.pays_twice:
        twin = desk.transfers.create(
            call.account, asked, known.script, call.caller.identity.serial, call.now
        )
        return replies.submitted(twin)
    return replies.submitted(known)


def _accept(desk: Desk, call: Call, asked: Submission) -> Bill:
    hits = desk.faults.pick(
        Stage.ORDER,
        op="submit",
        account=call.account.account,
        now=call.now,
        payee=asked.openid,
        reference=asked.out_bill_no,
        amount_minor=asked.amount_fen,
    )
    bill = desk.transfers.create(
        call.account,
        asked,
        _script(desk.settings, call.account, hits),
        call.caller.identity.serial,
        call.now,
    )
    hidden = timedelta(seconds=desk.settings.not_found_s)
    if window := hits.get("not_found_window"):
        hidden = max(hidden, window.duration("seconds"))
    bill.hidden_until = call.now + hidden
    return bill


def _script(settings: Settings, account: Account, hits: Hits) -> Script:
    confirm_after: timedelta | None = timedelta(seconds=settings.confirm_after_s)
    pay_after: timedelta | None = timedelta(seconds=settings.pay_after_s)
    fail_reason: str | None = None
    if late := hits.get("confirm_late"):
        confirm_after = late.duration("after")
    if "confirm_never" in hits:
        confirm_after = None
    if late := hits.get("settle_late"):
        pay_after = late.duration("after")
    if "settle_never" in hits:
        pay_after = None
    if fail := hits.get("settle_fail"):
        fail_reason = fail.text("reason") or DEFAULT_FAIL_REASON
    return Script(
        accept_after=timedelta(seconds=settings.accept_after_s),
        confirm_after=confirm_after,
        pay_after=pay_after,
        close_after=timedelta(seconds=settings.confirm_window_s + settings.close_lag_s),
        cancel_after=timedelta(seconds=settings.cancel_after_s),
        fail_reason=fail_reason,
        payee_day_cap_fen=account.payee_day_cap_fen,
        payee_wins_race=settings.cancel_race == "payee",
        pays_twice="double_execute" in hits,
    )


def _check_contract(desk: Desk, account: Account, asked: Submission) -> None:
    if asked.appid != account.appid:
        others = {other.appid for other in desk.settings.accounts}
        raise refused("APPID_MCHID_NOT_MATCH" if asked.appid in others else "INVALID_REQUEST/appid")
    if asked.transfer_scene_id not in account.scenes:
        raise refused("INVALID_REQUEST/scene")
    if not MIN_FEN <= asked.amount_fen <= account.max_fen:
        raise refused("INVALID_REQUEST/bounds")


def _check_limits(desk: Desk, call: Call, asked: Submission) -> None:
    account = call.account
    if account.day_cap_fen is not None:
        sent = desk.transfers.day_total_fen(account.account, call.now)
        if sent + asked.amount_fen > account.day_cap_fen:
            raise refused("INVALID_REQUEST/day_cap")
    needed = asked.amount_fen + account.fee.of(asked.amount_fen)
    available = desk.books.available_minor(account.account)
    short = call.hits.get("short_balance")
    if short is not None:
        available = min(available, short.whole("available_fen"))
    is_rejected = short is not None or desk.settings.short_balance == "reject"
    if needed > available and is_rejected:
        raise refused("NOT_ENOUGH")


def _queried(desk: Desk, call: Call, bill: Bill | None) -> Said:
    visible = _visible(desk, call, bill)
    return replies.queried(visible, call.account, desk.gatekeeper.key_of(call.account))


def _visible(desk: Desk, call: Call, bill: Bill | None) -> Bill:
    if bill is None or (bill.hidden_until is not None and call.now < bill.hidden_until):
        raise refused("NOT_FOUND")
    if call.now - bill.created_at > timedelta(seconds=desk.settings.retention_s):
        raise refused("NOT_FOUND")
    return bill


def _open(call: Call, sealed: str) -> str:
    if call.caller.named is None:
        raise RefusedError(400, "PARAM_ERROR", "Http头缺少Wechatpay-Serial，无法解密敏感字段")
    return call.caller.named.open(sealed)
