"""Configuration: what is accepted, what is refused, and that no secret shows in a refusal."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from channels.wechat_pay.settings import WechatPaySettings
from tests.channels.wechat_pay import platform
from tests.channels.wechat_pay.platform import KEYS, NOW, raw_settings

MERCHANT_PEM = (KEYS / "merchant_test_only.pem").read_text()


def test_public_key_mode_is_enough() -> None:
    """A private key, a public key and its id make a configuration; the real host is default."""
    loaded = platform.settings(base_url=None)
    assert loaded.base_url == "https://api.mch.weixin.qq.com"
    assert loaded.platform_keys.leading(NOW).serial == platform.PUBLIC_KEY_ID
    assert loaded.merchant_key.serial_no == platform.SERIAL


def test_certificate_mode_is_enough() -> None:
    """Several platform certificates may be live at once."""
    files = ("platform_certificate_expired.pem", "platform_certificate.pem")
    loaded = platform.certificate_settings(*files)
    assert loaded.platform_keys.leading(NOW).serial == platform.CERTIFICATE_SERIAL


def test_keys_may_be_given_inline() -> None:
    """PEM text in place of files; the merchant serial is folded to upper case."""
    loaded = platform.settings(
        private_key_file=None,
        private_key=MERCHANT_PEM,
        public_key_file=None,
        public_key=(KEYS / "platform_public.pem").read_text(),
        serial_no=platform.SERIAL.lower(),
    )
    assert loaded.merchant_key.serial_no == platform.SERIAL


def test_a_trailing_slash_of_the_base_url_is_dropped() -> None:
    """The origin is kept without a slash, so that targets can be appended."""
    assert platform.settings(base_url="http://127.0.0.1:1/").base_url == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"colour": "red"}, "colour"),
        ({"private_key": MERCHANT_PEM}, "exactly one of private_key"),
        ({"private_key_file": None}, "exactly one of private_key"),
        ({"private_key_file": Path("/nowhere.pem")}, "private_key_file: /nowhere.pem"),
        ({"private_key_file": KEYS / "platform_public.pem"}, "private key"),
        ({"public_key": "x"}, "exactly one of public_key"),
        ({"public_key_id": None}, "needs public_key_id"),
        ({"public_key_file": None}, "without public_key"),
        ({"public_key_file": None, "public_key_id": None}, "no platform key"),
        ({"public_key_id": "KEY_1"}, "public_key_id"),
        ({"platform_certificates": [KEYS / "platform_public.pem"]}, "certificate"),
        ({"apiv3_key": "short"}, "32 ASCII"),
        ({"apiv3_key": "密" * 32}, "32 ASCII"),
        ({"base_url": "https://api.mch.weixin.qq.com/base"}, "origin"),
        ({"base_url": "https://user@api.mch.weixin.qq.com"}, "origin"),
        ({"base_url": "ftp://127.0.0.1"}, r"http\(s\)"),
        ({"mchid": "abc"}, "mchid"),
        ({"serial_no": "not hex"}, "serial_no"),
        ({"transfer_scene_report_infos": []}, "transfer_scene_report_infos"),
        ({"inquire_first_s": 60, "inquire_max_s": 30}, "inquire_max_s"),
        ({"connections": 0}, "connections"),
    ],
)
def test_bad_configuration_is_refused(changes: dict[str, object], complaint: str) -> None:
    """Each mistake stops the start, names the field, and quotes neither key nor secret."""
    with pytest.raises(ValidationError, match=complaint) as refused:
        WechatPaySettings.model_validate(raw_settings(**changes))
    shown = str(refused.value) + repr(refused.value)
    assert platform.APIV3_KEY not in shown
    assert MERCHANT_PEM.splitlines()[3] not in shown
