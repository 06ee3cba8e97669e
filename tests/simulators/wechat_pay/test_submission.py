"""The field rules of a submission, one refusal a case."""

import json
from typing import Any

import pytest

from tests.simulators.wechat_pay.merchant import (
    CERTIFICATE_SERIAL,
    REPORT,
    TRANSFERS,
    World,
    account,
    make_world,
    seal,
    unseal,
)


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("appid", None),
        ("out_bill_no", ""),
        ("out_bill_no", "a" * 33),
        ("out_bill_no", "pay-1"),
        ("out_bill_no", "单号1"),
        ("out_bill_no", 7),
        ("transfer_scene_id", None),
        ("openid", None),
        ("openid", "o MYE"),
        ("openid", "o" * 65),
        ("transfer_amount", None),
        ("transfer_amount", "1234"),
        ("transfer_amount", 12.0),
        ("transfer_amount", True),
        ("transfer_amount", 0),
        ("transfer_amount", -5),
        ("transfer_remark", None),
        ("transfer_remark", "字" * 33),
        ("transfer_remark", "a\nb"),
        ("notify_url", "ftp://127.0.0.1/x"),
        ("notify_url", "http://127.0.0.1/x?a=b"),
        ("transfer_scene_report_infos", None),
        ("transfer_scene_report_infos", []),
        ("transfer_scene_report_infos", {"info_type": "a"}),
        ("transfer_scene_report_infos", [{"info_type": "a"}]),
        ("transfer_scene_report_infos", [{"info_type": "a", "info_content": ""}]),
        ("user_recv_style", {"type": "OTHER"}),
        ("user_name", "not encrypted"),
        ("user_name", "QUJD"),
        ("amount", 1),
    ],
)
def test_bad_field_is_a_param_error(world: World, field: str, value: object) -> None:
    """A field that breaks its rule is refused with 400 PARAM_ERROR and leaves no bill."""
    fields = world.submission() | {field: value}
    heard = world.post(TRANSFERS, {k: v for k, v in fields.items() if v is not None})
    assert (heard.status, heard.said["code"]) == (400, "PARAM_ERROR")
    assert world.simulator.next_tick_at() is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"a":1,"a":2}',
        b'{"transfer_amount":NaN}',
        b"\xff\xfe",
        b'{"a":' * 2000,
    ],
    ids=["empty", "cut", "array", "null", "duplicate", "nan", "not-utf8", "deep"],
)
def test_body_that_is_no_json_object_is_refused(world: World, body: bytes) -> None:
    """Anything but one strict JSON object is a parameter error."""
    heard = world.ask(world.request("POST", TRANSFERS, body))
    assert (heard.status, heard.said["code"]) == (400, "PARAM_ERROR")


def test_null_counts_as_absent(world: World) -> None:
    """Official clients send an unset notify_url as null."""
    fields = world.submission() | {"notify_url": None}
    assert world.post(TRANSFERS, fields).status == 200


def test_value_of_a_bad_field_is_not_repeated(world: World) -> None:
    """The refusal names the field and never echoes what stood in it."""
    heard = world.submit(user_name="secret-but-not-encrypted")
    assert "secret" not in heard.reply.body.decode()
    assert heard.said["detail"] == {"location": "body", "field": "user_name"}


@pytest.mark.parametrize(
    ("amount_fen", "has_name", "status"),
    [
        (29, True, 400),
        (30, True, 200),
        (29, False, 200),
        (199_999, False, 200),
        (200_000, False, 400),
        (200_000, True, 200),
    ],
)
def test_name_is_forbidden_below_and_mandatory_above(
    world: World, amount_fen: int, has_name: bool, status: int
) -> None:
    """A name is not accepted under 0.30 yuan and has to come from 2,000.00 yuan on."""
    name = seal("张三") if has_name else None
    assert world.submit(transfer_amount=amount_fen, user_name=name).status == status


def test_name_is_kept_and_returned_sealed_for_the_merchant(world: World) -> None:
    """A query returns the decrypted name, encrypted anew to the merchant's own key."""
    world.submit(user_name=seal("张三"))
    assert unseal(world.query().text("user_name")) == "张三"


def test_name_is_opened_with_the_named_key(world: World) -> None:
    """What is encrypted to the certificate opens only under the certificate's serial."""
    assert world.submit("a", user_name=seal("张三", "certificate")).status == 400
    world.serial = CERTIFICATE_SERIAL
    assert world.submit("b", user_name=seal("张三", "certificate")).status == 200


def test_name_needs_a_named_key(world: World) -> None:
    """Without Wechatpay-Serial the platform cannot tell which key encrypted the name."""
    world.serial = None
    heard = world.submit(user_name=seal("张三", "certificate"))
    assert (heard.status, heard.said["code"]) == (400, "PARAM_ERROR")


@pytest.mark.parametrize("name", ["", "张\n三", "长" * 65])
def test_decrypted_name_is_checked_too(world: World, name: str) -> None:
    """An empty, overlong or multi-line name is refused after decryption."""
    assert world.submit(user_name=seal(name)).status == 400


@pytest.mark.parametrize(
    ("changes", "status", "code", "says"),
    [
        ({"appid": "wxunknown00000000"}, 400, "INVALID_REQUEST", "APPID不存在"),
        ({"appid": account(2)["appid"]}, 401, "APPID_MCHID_NOT_MATCH", "不匹配"),
        ({"transfer_scene_id": "1099"}, 400, "INVALID_REQUEST", "转账场景"),
        ({"transfer_amount": 9}, 400, "INVALID_REQUEST", "单笔转账上下限"),
        (
            {"transfer_amount": 2_000_001, "user_name": "x"},
            400,
            "INVALID_REQUEST",
            "单笔转账上下限",
        ),
    ],
)
def test_contract_is_judged(
    world: World, changes: dict[str, Any], status: int, code: str, says: str
) -> None:
    """Application, scene and bounds come from the merchant's contract."""
    if "user_name" in changes:
        changes = changes | {"user_name": seal("张三")}
    heard = world.submit(**changes)
    assert (heard.status, heard.said["code"]) == (status, code)
    assert says in heard.text("message")


def test_all_optional_fields_are_taken(world: World) -> None:
    """Every documented field is accepted together."""
    heard = world.submit(
        notify_url="https://127.0.0.1/notice",
        user_recv_perception="现金奖励",
        user_recv_style={"type": "RED_PACKET"},
        transfer_scene_report_infos=[*REPORT, {"info_type": "奖励说明", "info_content": "抽奖"}],
    )
    assert heard.status == 200


def test_reply_to_a_submission_has_exactly_its_fields(world: World) -> None:
    """The submit reply carries number, time, state and package_info, compact and unescaped."""
    heard = world.submit()
    assert set(heard.said) == {
        *("out_bill_no", "transfer_bill_no", "create_time", "state", "package_info")
    }
    assert heard.said["create_time"] == "2026-05-20T10:00:00+08:00"
    assert json.dumps(heard.said, ensure_ascii=False, separators=(",", ":")) == (
        heard.reply.body.decode()
    )
