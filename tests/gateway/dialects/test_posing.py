"""A field cannot hide in another one: the signed texts do not say where a name or a value ends.

Who saw a request could send it again in other fields with the same text and the same signature. An
order that lost its number so, or swallowed the field behind it, would be another order.
"""

from typing import Any

import pytest

from gateway.api.dialects.jeepay_reading import order_of
from gateway.api.dialects.wire import RefusedError, posing
from tests.gateway.dialects.alipay_app import TRANSFER, transfer
from tests.gateway.dialects.conftest import OpenPlatform, Site
from tests.gateway.dialects.epayn import text_to_sign
from tests.gateway.dialects.jeepay_callers import order
from tests.gateway.dialects.xxpay_shop import XxShop
from tests.gateway.dialects.xxpayer import sign


async def test_an_epay_order_cannot_lose_its_number(site: Site) -> None:
    """`out_biz_no` inside the name of a field that nobody knows: the signature still fits."""
    plugin = site.md5()
    fields = plugin.signed({**SUBMISSION, "out_biz_no": "A-1"})
    cut = {name: text for name, text in fields.items() if name not in {"name", "out_biz_no"}}
    cut["name=王小五&out_biz_no"] = "A-1"
    assert text_to_sign(cut) == text_to_sign(fields)

    first = await plugin.post("api/transfer/submit", fields)
    again = await plugin.post("api/transfer/submit", cut)

    assert (first["code"], again["code"]) == (0, -1)
    assert "&参数名=" in again["msg"]
    assert len(await site.payouts()) == 1


SUBMISSION = {
    "type": "alipay",
    "account": "2088000000000001",
    "name": "王小五",
    "money": "12.30",
    "remark": "提现",
}


async def test_an_xxpay_number_cannot_swallow_what_stands_behind_it(xxshop: XxShop) -> None:
    """`mchOrderNo` with `notifyUrl` inside would be another number, and another payment."""
    caller = xxshop.caller
    fields = caller.signed(
        {
            "mchOrderNo": "P1",
            "amount": "1230",
            "accountName": "王小五",
            "remark": "提现",
            "accountNo": "6222021234567890123",
            "notifyUrl": xxshop.notify_url,
        }
    )
    cut = {name: text for name, text in fields.items() if name != "notifyUrl"}
    cut["mchOrderNo"] = f"P1&notifyUrl={xxshop.notify_url}"
    assert sign(cut, caller.key) == fields["sign"]

    first = await caller.send("api/agentpay/apply", fields)
    again = await caller.send("api/agentpay/apply", cut)

    assert (first["retCode"], again["retCode"]) == ("SUCCESS", "FAIL")
    assert "mchOrderNo" in again["retMsg"]
    assert len(await xxshop.payouts()) == 1


def test_a_jeepay_field_that_nobody_knows_hides_none() -> None:
    """The payee's name could be left out so, and be checked by nobody."""
    fields: dict[str, Any] = {**order(), "abc": "x&accountName=王小五"}
    with pytest.raises(RefusedError, match="abc"):
        order_of(fields, None)


async def test_an_alipay_call_in_anothers_name_stays_one(platform: OpenPlatform) -> None:
    """`app_auth_token` inside `alipay_sdk`: it would be paid from the application's own account."""
    said = await platform.app.call(TRANSFER, transfer("A-1"), alipay_sdk="java&app_auth_token=T")

    assert said["sub_code"] == "isv.invalid-parameter"
    assert await platform.payouts() == []


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"a": "1", "b": 2, "c": None}, None),
        ({"a": "x&b=1"}, "a"),
        ({"a=1&b": "x"}, "a=1&b"),
        ({"a": "x&z=1&y"}, None),
        ({"free": "x&b=1"}, None),
        ({"\udce4&b": ""}, "\\udce4&b"),
    ],
)
def test_what_reads_as_a_known_field_is_found(fields: dict[str, Any], found: str | None) -> None:
    """In a name as in a value; what may hold anything, and what nobody knows, hides nothing."""
    assert posing(fields, {"a", "b", "free"}, {"free"}) == found
