"""No key, secret, openid or name in anything this adapter can print."""

from functools import cache

import pytest

from channels.wechat_pay import notice, wire
from channels.wechat_pay.answers import Reader
from channels.wechat_pay.channel import build
from tests.channels.wechat_pay import platform
from tests.channels.wechat_pay.platform import NOW

PEM = (platform.KEYS / "merchant_test_only.pem").read_text()
SECRETS = (
    platform.APIV3_KEY,
    platform.OPENID,
    platform.NAME,
    *(line for line in PEM.splitlines() if not line.startswith("-")),
    str(platform.MERCHANT.private_numbers().d),
)


@cache
def printable() -> dict[str, object]:
    """One of everything, built from secrets."""
    settings = platform.settings(private_key_file=None, private_key=PEM)
    channel = build("wechat-main", settings, platform.terms(), lambda: NOW)
    reader = Reader(settings)
    instruction = platform.instruction(name=platform.NAME)
    prepared = channel.prepare(instruction, NOW)
    error = {"code": "PARAM_ERROR", "message": f"{platform.OPENID} {platform.NAME}"}
    body = platform.notice_body()
    return {
        "settings": settings,
        "settings as text": str(settings),
        "merchant key": settings.merchant_key,
        "platform keys": settings.platform_keys,
        "leading": settings.platform_keys.leading(NOW),
        "channel": channel,
        "reader": reader,
        "instruction": instruction,
        "inquiry": platform.inquiry(),
        "prepared": prepared,
        "prepared url": prepared.url,
        "problems": channel.check(platform.instruction(fen=1, name=platform.NAME + "\n")),
        "taken": wire.read(wire.Taken, platform.encoded(platform.taken())),
        "bill": wire.read(wire.Bill, platform.encoded(platform.bill())),
        "detail": wire.read(wire.Detail, platform.encoded(platform.detail())),
        "reply": platform.reply(200, platform.bill()),
        "pending": reader.submitted(platform.reply(200, platform.taken()), instruction, NOW),
        "paid": reader.inquired(platform.reply(200, platform.bill()), platform.inquiry(), NOW),
        "rejected": reader.submitted(platform.reply(400, error), instruction, NOW),
        "unknown": reader.submitted(platform.reply(418, error), instruction, NOW),
        "inquiry refused": reader.inquired(platform.reply(400, error), platform.inquiry(), NOW),
        "mismatch": reader.inquired(
            platform.reply(200, platform.bill(mch_id="1900000110")), platform.inquiry(), NOW
        ),
        "notice": channel.read_notice(platform.proof(body), body, NOW),
        "forged notice": channel.read_notice({}, body, NOW),
        "notice content": wire.read(
            wire.NoticeContent, platform.encoded(platform.bill(user_name=platform.NAME))
        ),
        "unopened notice": notice.read(
            platform.settings(apiv3_key="f" * 32), platform.proof(body), body, NOW
        ),
    }


@pytest.mark.parametrize("what", list(printable()))
def test_nothing_printable_shows_a_secret(what: str) -> None:
    """repr and str of every value are clean."""
    value = printable()[what]
    assert value is not None
    shown = f"{value!r} {value}"
    assert not [secret for secret in SECRETS if secret in shown]


def test_the_search_would_find_them() -> None:
    """The secrets looked for are really in the bytes that leave, so the test can fail."""
    prepared = build("w", platform.settings(), platform.terms(), lambda: NOW).prepare(
        platform.instruction(), NOW
    )
    assert platform.OPENID.encode() in prepared.body
    assert len(SECRETS) > 20


def test_an_error_of_prepare_shows_no_payee() -> None:
    """The exception for an impossible instruction names fields only."""
    channel = build("w", platform.settings(), platform.terms(), lambda: NOW)
    with pytest.raises(ValueError, match="amount") as error:
        channel.prepare(platform.instruction(fen=1, name=platform.NAME), NOW)
    assert platform.OPENID not in str(error.value)
    assert platform.NAME not in str(error.value)
