"""Administration under `/v1/admin`, for operators' keys: merchants, keys, channels, ledger."""

from datetime import timedelta

from msgspec.structs import replace

from channels.money import Currency
from gateway.api.auth import new_key
from gateway.api.context import Answer, Call
from gateway.api.fee_views import AgreementView, merchant_fee_view, month_view
from gateway.api.schemas import (
    AdvanceIn,
    FundIn,
    KeyIn,
    MerchantFeeIn,
    MerchantIn,
    QuarantineIn,
    SwitchIn,
    VouchIn,
)
from gateway.api.views import (
    ChannelView,
    ClockView,
    QuarantineView,
    backup_view,
    balance_view,
    break_view,
    credential_view,
    key_view,
    kill_view,
    label_view,
    merchant_view,
    payout_view,
    quarantine_view,
    stamp,
)
from gateway.domain.errors import (
    AbsenceError,
    ForbiddenError,
    InvalidError,
    UnavailableError,
)
from gateway.domain.merchant_fee import month_of
from gateway.domain.payout import MerchantId
from gateway.domain.pricing import priced
from gateway.engine import operate, quarantine, reconcile
from gateway.engine.floats import seconds_left
from gateway.engine.gateway import Gateway
from gateway.engine.switches import remember
from gateway.ports import EVERY_CHANNEL, Merchant, Scope, StoreError
from policies.fees import tier_reached
from policies.health import WHOLE


async def add_merchant(call: Call) -> Answer:
    """POST /v1/admin/merchants."""
    body: MerchantIn = call.body
    merchant = Merchant(
        id=MerchantId(body.id),
        name=body.name,
        funding=body.funding,
        credit_limit_minor=body.credit_limit_minor,
        fee=body.fee.agreed,
        release_delay_s=body.release_delay_s,
        review_above_minor=body.review_above_minor,
        created_at=call.gateway.clock.now(),
    )
    await call.gateway.store.add_merchant(merchant, call.caller.actor)
    return 201, merchant_view(merchant)


async def list_merchants(call: Call) -> Answer:
    """GET /v1/admin/merchants."""
    found = await call.gateway.store.merchants()
    return 200, {"data": [merchant_view(one) for one in found]}


async def show_fee(call: Call) -> Answer:
    """GET /v1/admin/merchants/{merchant_id}/fee."""
    return 200, await _agreement(call, await _merchant(call))


async def set_fee(call: Call) -> Answer:
    """POST /v1/admin/merchants/{merchant_id}/fee: for what is accepted from now on."""
    body: MerchantFeeIn = call.body
    merchant = await _merchant(call)
    await call.gateway.store.set_merchant_fee(merchant.id, body.agreed, call.caller.actor)
    call.api.authenticator.forget()
    return 200, await _agreement(call, replace(merchant, fee=body.agreed))


async def _agreement(call: Call, merchant: Merchant) -> AgreementView:
    """The fee with the month so far, in every currency that was used."""
    store, month_on = call.gateway.store, month_of(call.gateway.clock.now())
    use = [(one, await store.merchant_month(merchant.id, one, month_on)) for one in Currency]
    return {
        "merchant_id": merchant.id,
        "fee": merchant_fee_view(merchant.fee),
        "month": f"{month_on:%Y-%m}",
        "use": [month_view(merchant.fee, one, used) for one, used in use if used.payouts],
    }


async def fund(call: Call) -> Answer:
    """POST /v1/admin/merchants/{merchant_id}/fund."""
    body: FundIn = call.body
    booked = await operate.fund(
        call.gateway,
        call.path("merchant_id"),
        body.currency,
        body.amount_minor,
        f"fund:{call.path('merchant_id')}:{body.key}",
        call.caller.actor,
    )
    return 200, {"booked": booked}


async def add_key(call: Call) -> Answer:
    """POST /v1/admin/merchants/{merchant_id}/keys."""
    body: KeyIn = call.body
    merchant_id = await _merchant_id(call)
    scopes = frozenset(body.scopes)
    if Scope.ADMIN in scopes:
        raise InvalidError(
            "scope_not_for_merchants", "a merchant's key cannot be an operator's", param="scopes"
        )
    stored, text, signing = new_key(
        call.api.entropy,
        call.api.pepper,
        merchant_id=merchant_id,
        scopes=scopes,
        label=body.label,
        signed=body.signed,
        now=call.gateway.clock.now(),
    )
    await call.gateway.store.add_key(stored, call.caller.actor)
    return 201, {**key_view(stored), "key": text, "signing_secret": signing}


async def _merchant_id(call: Call) -> MerchantId:
    return (await _merchant(call)).id


async def _merchant(call: Call) -> Merchant:
    merchant_id = MerchantId(call.path("merchant_id"))
    found = await call.gateway.store.merchant(merchant_id)
    if found is None:
        raise AbsenceError(
            "no_such_merchant", f"there is no merchant {merchant_id!r}", zh="商户不存在"
        )
    return found


async def list_keys(call: Call) -> Answer:
    """GET /v1/admin/merchants/{merchant_id}/keys."""
    found = await call.gateway.store.keys(await _merchant_id(call))
    return 200, {"data": [key_view(one) for one in found]}


async def revoke_key(call: Call) -> Answer:
    """DELETE /v1/admin/keys/{key_id}."""
    key_id = call.path("key_id")
    now = call.gateway.clock.now()
    if not await call.gateway.store.revoke_key(key_id, now, call.caller.actor):
        raise AbsenceError("no_such_key", "there is no such live key", zh="密钥不存在或已吊销")
    call.api.authenticator.forget()
    return 200, {"booked": True}


async def list_channels(call: Call) -> Answer:
    """GET /v1/admin/channels."""
    return 200, {"data": await _channels(call.gateway)}


async def show_channel(call: Call) -> Answer:
    """GET /v1/admin/channels/{channel}."""
    name = call.path("channel")
    for one in await _channels(call.gateway):
        if one["name"] == name:
            return 200, one
    raise AbsenceError("no_such_channel", f"there is no channel {name}", zh="渠道不存在")


async def _channels(gateway: Gateway) -> list[ChannelView]:
    load = gateway.load
    now = gateway.clock.now()
    views = gateway.health.views(gateway.channels, WHOLE, now)
    statuses = await gateway.store.channel_statuses()
    frozen = await gateway.store.frozen()
    await remember(gateway)
    data: list[ChannelView] = []
    for name, channel in gateway.channels.items():
        status, reason = statuses.get(name, ("active", ""))
        health = views[name]
        month, fee = load.month(name, now), priced(channel.traits.terms).fee_at(now)
        killed = load.kills.get(EVERY_CHANNEL) or load.kills.get(name)
        label, expired = gateway.labels.get(name), gateway.expired(name, now)
        data.append(
            {
                "name": name,
                "label": None if label is None else label_view(label),
                "kind": channel.traits.kind,
                "status": status,
                "reason": reason,
                "rails": sorted(channel.traits.rails),
                "currency": channel.traits.terms.currency,
                "float_minor": load.float_minor[name],
                "day_used_minor": load.day_used[name],
                "month_payouts": month.payouts,
                "month_minor": month.minor,
                "priced": fee is not None,
                "tiers": 0 if fee is None else len(fee.tiers),
                "tier": tier_reached(fee, month) + 1 if fee is not None and fee.tiers else None,
                "arrivals": [list(one) for one in load.arrivals.get(name, ())],
                "in_doubt": load.in_doubt[name],
                "sending": load.sending[name],
                "success_ppm": health.success_ppm,
                "unknown_ppm": health.unknown_ppm,
                "observations": health.observations,
                "quarantined": health.quarantined,
                "stopped": gateway.stopped(),
                "latency_ms": health.latency_ms,
                "frozen_by": frozen.get(name),
                "killed": None if killed is None else kill_view(killed),
                "maintenance_until": stamp(gateway.maintenance_until(name, now)),
                "runway_s": seconds_left(gateway, name),
                "credentials": [credential_view(one) for one in gateway.credentials.get(name, ())],
                "expired": None if expired is None else expired.name,
            }
        )
    return data


async def switch_channel(call: Call) -> Answer:
    """POST /v1/admin/channels/{channel}/status."""
    body: SwitchIn = call.body
    await operate.switch_channel(
        call.gateway, call.path("channel"), body.status, body.reason, call.caller.actor
    )
    return await list_channels(call)


async def top_up(call: Call) -> Answer:
    """POST /v1/admin/channels/{channel}/topup."""
    body: FundIn = call.body
    booked = await operate.top_up(
        call.gateway,
        call.path("channel"),
        body.currency,
        body.amount_minor,
        f"topup:{call.path('channel')}:{body.key}",
        call.caller.actor,
    )
    return 200, {"booked": booked}


async def unpark(call: Call) -> Answer:
    """POST /v1/admin/payouts/{payout_id}/unpark."""
    moved = await operate.unpark(call.gateway, call.path("payout_id"), call.caller.actor)
    return 200, payout_view(moved, call.api.confirm_links)


async def ledger(call: Call) -> Answer:
    """GET /v1/admin/ledger."""
    found = await call.gateway.store.balances()
    problems = await call.gateway.store.audit()
    return 200, {
        "data": [balance_view(one) for one in found],
        "balanced": not problems,
        "problems": problems,
    }


async def breaks(call: Call) -> Answer:
    """GET /v1/admin/breaks."""
    found = await call.gateway.store.breaks()
    return 200, {"data": [break_view(one) for one in found]}


async def read_statements(call: Call) -> Answer:
    """POST /v1/admin/statements/read: read what is due now instead of at the next round."""
    report = await reconcile.reconcile_all(call.gateway)
    return 200, {
        "days": report.days,
        "lines": report.lines,
        "settled": report.settled,
        "returned": report.returned,
        "breaks": report.breaks,
        "dead": report.dead,
        "waiting": report.waiting,
    }


async def backup(call: Call) -> Answer:
    """POST /v1/admin/backup: a consistent copy beside the database, while all goes on."""
    if call.api.backup is None:
        raise ForbiddenError("no_backup", "this gateway cannot write backups")
    try:
        file, made = await call.api.backup()
    except StoreError as error:
        raise UnavailableError("backup_failed", str(error), zh="备份失败") from None
    return 201, backup_view(str(file), made)


async def show_quarantine(call: Call) -> Answer:
    """GET /v1/admin/quarantine."""
    return 200, await _quarantine(call)


async def begin_quarantine(call: Call) -> Answer:
    """POST /v1/admin/quarantine: for a restore that the gateway cannot notice by itself."""
    body: QuarantineIn = call.body
    if body.backup_at is not None and body.backup_at > call.gateway.clock.now():
        raise InvalidError(
            "backup_in_future",
            "backup_at lies in the future",
            zh="备份时间在未来",
            param="backup_at",
        )
    await quarantine.begin(call.gateway, body.reason, call.caller.actor, body.backup_at)
    try:
        # A person says that it was restored: the audit log may be signed on, and says why.
        await call.api.auditor.explain(body.reason, call.caller.actor)
    except OSError as error:
        call.gateway.observer.alarm("audit.inconsistent", cause=type(error).__name__)
    return 201, await _quarantine(call)


async def release_quarantine(call: Call) -> Answer:
    """POST /v1/admin/quarantine/release: ask for a channel's release, or agree to it."""
    body: VouchIn = call.body
    await quarantine.release(call.gateway, body.channel, body.reason, call.caller.actor)
    return 200, await _quarantine(call)


async def _quarantine(call: Call) -> QuarantineView:
    return quarantine_view(await quarantine.standing(call.gateway))


async def show_clock(call: Call) -> Answer:
    """GET /v1/admin/clock."""
    return 200, await _clock(call)


async def _clock(call: Call) -> ClockView:
    position = await call.gateway.store.position()
    return {"now": stamp(call.gateway.clock.now()), "feed": position.feed}


async def advance_clock(call: Call) -> Answer:
    """POST /v1/admin/clock/advance; only where the configuration made the clock adjustable."""
    body: AdvanceIn = call.body
    if call.api.advance_clock is None:
        raise ForbiddenError(
            "clock_is_real",
            "this gateway runs on real time; only a sandbox's clock can be moved",
            zh="生产环境时钟不可调整",
        )
    before = await _clock(call)
    call.api.advance_clock(int(timedelta(seconds=body.seconds).total_seconds()))
    return 200, {**before, "now": stamp(call.gateway.clock.now())}
