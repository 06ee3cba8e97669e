"""The table of channel kinds."""

import pytest
from pydantic import ValidationError

from channels.registry import KINDS
from tests.channels.alipay.platform import MERCHANT_KEY, NOW, PLATFORM_PUBLIC, TERMS

GIVEN: dict[str, object] = {
    "app_id": "2021000000000001",
    "private_key_file": str(MERCHANT_KEY),
    "alipay_public_key": PLATFORM_PUBLIC,
}


def test_kinds_are_the_adapters_there_are() -> None:
    """One entry per adapter."""
    assert set(KINDS) == {
        "alipay",
        "bank",
        "epay",
        "jeepay",
        "stablecoin",
        "unionpay",
        "wechat_pay",
        "xxpay",
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_refuses_unknown_keys(kind: str) -> None:
    """A typing error in a configuration stops the start."""
    with pytest.raises(ValidationError, match="surprise"):
        KINDS[kind].settings.model_validate({"surprise": 1})


def test_kind_opens_a_channel_from_plain_configuration() -> None:
    """Text and numbers in, a channel out."""
    made = KINDS["alipay"].open("alipay-main", GIVEN, TERMS, lambda: NOW)
    assert (made.name, made.traits.kind) == ("alipay-main", "alipay")
