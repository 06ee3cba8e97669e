"""What cannot be used is refused with the field named, and leaves nothing behind."""

from typing import Any

import orjson
import pytest

from channels.money import INT64_MAX
from tests.builders import after
from tests.gateway.api.desk import BANK_CARD, BODY_MAX, Answer, Desk, payout_body

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = {"Idempotency-Key": "a-key-of-sixteen-characters"}


@pytest.fixture
def desk(shared_desk: Desk) -> Desk:
    """One for all: refusals leave no trace, which `refused` holds them to."""
    return shared_desk


async def refused(desk: Desk, body: Any, **rest: Any) -> Answer:
    """Send a payout that must be refused, and see that nothing came of it."""
    before = desk.rows()
    answer = await desk.post("/v1/payouts", body, headers=KEY | rest.pop("headers", {}), **rest)
    assert desk.rows() == before
    assert 400 <= answer.status < 500, answer.raw
    problem = answer.json
    assert problem["status"] == answer.status
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert problem["type"] == f"urn:hangdao:problem:{problem['code']}"
    assert problem["retryable"] is False
    return answer


def beneficiary(**changes: Any) -> dict[str, Any]:
    """One bank card, changed; None takes a field away."""
    card = {**BANK_CARD, **changes}
    return {"instruments": [{name: one for name, one in card.items() if one is not None}]}


# --- Amounts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["12.34", "12.0", "1e3", "1E3", "-0.5", "NaN", "Infinity"])
async def test_a_json_number_that_is_not_whole_is_refused(desk: Desk, written: str) -> None:
    """Such a number has gone through a float, or will: 422 before anything else is looked at."""
    text = orjson.dumps(payout_body(amount_minor=77)).replace(b"77", written.encode(), 1)
    answer = await refused(desk, text)
    assert (answer.status, answer.code) == (422, "number_not_integer")
    assert written in answer.json["detail"]
    assert written in answer.json["detail_zh"]


@pytest.mark.parametrize(
    "amount",
    [
        "12.345",
        "1e3",
        "0",
        "0.00",
        "-1",
        "+1",
        "1,000.00",
        "01.00",
        ".5",
        "1.",
        "",
        " 1",
        "壹",
        "١",
    ],
)
async def test_an_amount_that_needs_guessing_is_refused(desk: Desk, amount: str) -> None:
    """As text: no third decimal, exponent, sign, separator, zero or foreign digit."""
    answer = await refused(desk, payout_body(amount_minor=None, amount=amount))
    assert (answer.status, answer.code, answer.json["param"]) == (422, "field_invalid", "amount")


@pytest.mark.parametrize(
    "minor", [0, -1, INT64_MAX + 1, 2**64, 10**40, True, "100", [], INT64_MAX // 4 + 1]
)
async def test_minor_units_that_cannot_be_an_amount_are_refused(desk: Desk, minor: object) -> None:
    """Zero, negative, over 64 bits, a boolean, text."""
    body = orjson.dumps(payout_body(amount_minor="X")).replace(
        b'"X"', str(minor).lower().replace("'", '"').encode() if minor != "100" else b'"100"'
    )
    answer = await refused(desk, body)
    assert (answer.status, answer.json["param"]) == (422, "amount_minor")


async def test_an_amount_over_64_bits_as_text_is_refused(desk: Desk) -> None:
    """Also when it is written in major units."""
    answer = await refused(desk, payout_body(amount_minor=None, amount="9" * 20))
    assert (answer.status, answer.json["param"]) == (422, "amount")


async def test_both_amounts_or_none_are_refused(desk: Desk) -> None:
    """Exactly one of amount and amount_minor."""
    for body in (payout_body(amount="123.45"), payout_body(amount_minor=None)):
        answer = await refused(desk, body)
        assert (answer.status, answer.json["param"]) == (422, "amount")


async def test_an_amount_as_text_is_the_same_money(desk: Desk) -> None:
    """ "123.45" is 12,345 fen."""
    made = await desk.post(
        "/v1/payouts", payout_body(merchant_ref="text", amount_minor=None, amount="123.45")
    )
    assert (made.json["amount_minor"], made.json["amount"]) == (12_345, "123.45")


@pytest.mark.parametrize("currency", ["ZZZ", "cny", "", None, 156])
async def test_an_unknown_currency_is_refused(desk: Desk, currency: object) -> None:
    """Only the listed codes, as they are written there."""
    answer = await refused(desk, payout_body() | {"currency": currency})
    assert (answer.status, answer.json["param"]) == (422, "currency")


# --- Beneficiaries -----------------------------------------------------------------------------


async def test_a_beneficiary_that_fits_no_channel_is_told_why(desk: Desk) -> None:
    """Every configured channel's own reason stands in the answer."""
    answer = await refused(desk, payout_body(beneficiary=beneficiary(number="62220212")))
    assert (answer.status, answer.code) == (422, "no_channel")
    assert answer.json["param"] == "beneficiary"
    detail = answer.json["detail"]
    assert "alipay-main: does not reach bank_card" in detail
    assert "wechat-main: does not reach bank_card" in detail
    assert "till: instrument.number: must have 16 to 19 digits" in detail
    assert "62220212" not in detail


async def test_real_adapters_say_what_they_refuse(desk: Desk) -> None:
    """An Alipay id of the wrong shape and an openid of another app, each in its channel's words."""
    ways = [
        {"rail": "alipay", "identity": "2077000000000000", "identity_type": "user_id"},
        {"rail": "wechat", "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "appid": "wx0000000000000001"},
    ]
    answer = await refused(desk, payout_body(beneficiary={"instruments": ways}))
    assert answer.code == "no_channel"
    assert "alipay-main: instrument.identity: must be 16 digits" in answer.json["detail"]
    assert "wechat-main: instrument.appid" in answer.json["detail"]


async def test_a_currency_nobody_pays_is_told_so(desk: Desk) -> None:
    """No channel holds yen."""
    answer = await refused(desk, payout_body(currency="JPY"))
    assert answer.code == "no_channel"
    assert "till: pays CNY only" in answer.json["detail"]


@pytest.mark.parametrize(
    "name",
    [
        "王\x00五",
        "王\n五",
        "王\u202e五",
        "王\u200b五",
        "\ufeff王五",
        "王\u2028五",
        "  ",
        "",
        " 王五",
        "x" * 65,
    ],
)
async def test_a_name_with_invisible_characters_is_refused(desk: Desk, name: str) -> None:
    """Control, bidirectional and zero-width characters change what a person believes to read."""
    answer = await refused(desk, payout_body(beneficiary=beneficiary(name=name)))
    assert (answer.status, answer.code) == (422, "field_invalid")
    assert answer.json["param"] == "beneficiary.instruments.0.name"


async def test_half_a_character_is_refused(desk: Desk) -> None:
    """A lone surrogate can be written as an escape and is no text, in a value as in a key."""
    text = orjson.dumps(payout_body(purpose="X"))
    for body in (text.replace(b'"X"', b'"\\ud83d"'), text[:-1] + b', "\\uDE00": 1}'):
        answer = await refused(desk, body)
        assert (answer.status, answer.code) == (400, "body_not_json")
    twice = await refused(desk, b'{"\\ud83d": 1, "\\ud83d": 2}')
    assert (twice.status, twice.code) == (400, "body_duplicate_key")


async def test_a_character_written_as_two_escapes_is_one(desk: Desk) -> None:
    """A whole surrogate pair is text like any other."""
    text = orjson.dumps(payout_body(merchant_ref="pair", purpose="X"))
    made = await desk.post("/v1/payouts", text.replace(b'"X"', b'"\\ud83d\\ude00"'))
    assert (made.status, made.json["purpose"]) == (201, "\N{GRINNING FACE}")


@pytest.mark.parametrize(
    "given",
    [
        {"instruments": []},
        {"instruments": [dict(BANK_CARD)] * 9},
        {"instruments": [{"rail": "pigeon"}]},
        {"instruments": [{**BANK_CARD, "number": "6222-0212"}]},
        {"instruments": [{"rail": "alipay", "identity": "a@b.cn", "identity_type": "logon_id"}]},
        {},
        "6222021234567890123",
    ],
)
async def test_a_beneficiary_that_cannot_be_read_is_refused(desk: Desk, given: object) -> None:
    """None, too many, an unknown rail, punctuation in a number, a logon id without its name."""
    answer = await refused(desk, payout_body(beneficiary=given))
    assert (answer.status, answer.code) == (422, "field_invalid")
    assert answer.json["param"].startswith("beneficiary")


# --- Bodies ------------------------------------------------------------------------------------


async def test_a_body_over_64_kib_is_refused(desk: Desk) -> None:
    """One byte more than 64 KiB is 413; exactly 64 KiB is read."""
    text = orjson.dumps(payout_body(merchant_ref="largest"))
    largest = text + b" " * (BODY_MAX - len(text))
    answer = await refused(desk, largest + b" ")
    assert (answer.status, answer.code) == (413, "body_too_large")
    assert (await desk.post("/v1/payouts", largest)).status == 201


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{}}",
        b"amount=1",
        b'{"a": 1,}',
        b"{'a': 1}",
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\xff"}',
        '{"a": 1}'.encode("utf-16"),
        b"\x00",
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'{"amount_minor": ' + b"9" * 5000 + b"}",
        b"[]",
        b'"text"',
        b"null",
        b"1",
    ],
)
async def test_a_body_that_is_no_json_object_is_refused(desk: Desk, body: bytes) -> None:
    """Cut off, wrong quotes, other encodings, endless nesting, endless digits, no object."""
    answer = await refused(desk, body)
    assert (answer.status, answer.code) == (400, "body_not_json")


async def test_a_duplicate_key_is_refused(desk: Desk) -> None:
    """Which amount counts must not depend on the parser."""
    text = orjson.dumps(payout_body())
    answer = await refused(desk, b'{"amount_minor": 1, ' + text[1:])
    assert (answer.status, answer.code) == (400, "body_duplicate_key")
    assert answer.json["param"] == "amount_minor"


async def test_a_nested_duplicate_key_is_refused(desk: Desk) -> None:
    """Also deep inside, and also when the key is spelt with an escape."""
    text = orjson.dumps(payout_body())
    answer = await refused(
        desk, text.replace(b'{"rail"', b'{"n\\u0075mber": "62220200", "rail"', 1)
    )
    assert (answer.status, answer.code) == (400, "body_duplicate_key")
    assert answer.json["param"] == "number"


async def test_an_unknown_field_is_refused(desk: Desk) -> None:
    """A misspelt field is an error and not a silent default; also within an instrument."""
    answer = await refused(desk, payout_body(max_fee=1))
    assert (answer.status, answer.code, answer.json["param"]) == (422, "field_unknown", "max_fee")
    inside = await refused(desk, payout_body(beneficiary=beneficiary(cvv="123")))
    assert inside.code == "field_unknown"
    assert inside.json["param"] == "beneficiary.instruments.0.cvv"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "text/json"])
async def test_a_body_of_another_kind_is_refused(desk: Desk, kind: str) -> None:
    """415: what a browser's form can send is not what pays."""
    answer = await refused(desk, payout_body(), headers={"Content-Type": kind})
    assert (answer.status, answer.code) == (415, "content_type_unsupported")


async def test_an_empty_body_lacks_its_fields(desk: Desk) -> None:
    """Nothing was sent, so the first mandatory field is missing."""
    answer = await refused(desk, None)
    assert (answer.status, answer.json["param"]) == (422, "currency")


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"merchant_ref": "with blank"}, "merchant_ref"),
        ({"merchant_ref": "x" * 65}, "merchant_ref"),
        ({"merchant_ref": "单号"}, "merchant_ref"),
        ({"merchant_ref": "line\n"}, "merchant_ref"),
        ({"purpose": "a\u2066b"}, "purpose"),
        ({"speed": "now"}, "speed"),
        ({"max_fee_minor": -1}, "max_fee_minor"),
        ({"metadata": {"note": "a\x1bb"}}, "metadata.note"),
        ({"metadata": {"note": 1}}, "metadata.note"),
        ({"metadata": {f"k{n}": "" for n in range(17)}}, "metadata"),
    ],
)
async def test_a_field_out_of_its_bounds_is_named(
    desk: Desk, changes: dict[str, object], param: str
) -> None:
    """The answer points at the field, in Chinese as well."""
    answer = await refused(desk, payout_body(**changes))
    assert (answer.status, answer.code, answer.json["param"]) == (422, "field_invalid", param)
    assert param in answer.json["detail_zh"]


@pytest.mark.parametrize(
    ("channels", "code", "param"),
    [
        ({"only": ["tilll"]}, "channel_unknown", "channels.only"),
        ({"deny": ["till", "till"]}, "field_invalid", "channels.deny"),
        ({"deny": ["till"], "prefer": ["till"]}, "field_invalid", "channels.deny"),
        ({"only": ["till"], "prefer": ["alipay-main"]}, "field_invalid", "channels.prefer"),
        ({"max_attempts": 0}, "field_invalid", "channels.max_attempts"),
        ({"best": ["till"]}, "field_unknown", "channels.best"),
        ({"only": ["wechat-main"]}, "no_channel", "beneficiary"),
    ],
)
async def test_channels_that_contradict_or_do_not_exist_are_refused(
    desk: Desk, channels: dict[str, object], code: str, param: str
) -> None:
    """A typing mistake must not quietly change where money goes."""
    answer = await refused(desk, payout_body(channels=channels))
    assert (answer.status, answer.code, answer.json["param"]) == (422, code, param)


# --- Times -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "moment",
    [
        1_772_500_000,
        "1772500000",
        "2026-03-03",
        "2026-03-03T10:00:00",
        "2026-03-03 10:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-03-03T24:00:00Z",
        "2026-03-03T10:00:00+25:00",
        "9999-12-31T23:59:59-12:00",
        "0001-01-01T00:00:00+12:00",
        "tomorrow",
        "",
    ],
)
async def test_a_moment_that_is_not_rfc_3339_is_refused(desk: Desk, moment: object) -> None:
    """Numbers, dates, local times, and moments that no calendar of ours holds."""
    answer = await refused(desk, payout_body(deadline=moment))
    assert (answer.status, answer.code, answer.json["param"]) == (422, "field_invalid", "deadline")


async def test_moments_are_answered_in_utc(desk: Desk) -> None:
    """Whatever zone they were given in, the first answer and every later one say the same."""
    body = payout_body(merchant_ref="zoned", deadline="2026-03-03T10:00:00+08:00")
    made = await desk.post("/v1/payouts", body)
    assert made.json["deadline"] == "2026-03-03T02:00:00Z"
    assert (await desk.get(made.headers["Location"])).json == made.json


async def test_a_deadline_that_has_passed_is_refused(desk: Desk) -> None:
    """It must lie ahead, also of the release."""
    answer = await refused(desk, payout_body(deadline=after(-1).isoformat()))
    assert (answer.status, answer.code) == (422, "deadline_passed")
    soon = payout_body(deadline=after(60).isoformat(), release_after=after(120).isoformat())
    assert (await refused(desk, soon)).json["param"] == "deadline"


async def test_a_release_in_more_than_a_year_is_refused(desk: Desk) -> None:
    """Money is not set aside for ever."""
    answer = await refused(desk, payout_body(release_after=after(days=367).isoformat()))
    assert (answer.status, answer.json["param"]) == (422, "release_after")


# --- Queries and paths -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ("limit=0", "field_invalid", "limit"),
        ("limit=201", "field_invalid", "limit"),
        ("limit=1e1", "field_invalid", "limit"),
        ("limit=%2B5", "field_invalid", "limit"),
        ("limit=1_0", "field_invalid", "limit"),
        ("limit=%D9%A3", "field_invalid", "limit"),
        ("limit=1&limit=2", "query_duplicate", "limit"),
        ("state=lost", "field_invalid", "state"),
        ("after=po_1", "field_invalid", "after"),
        ("after=%00", "field_invalid", "after"),
        ("accepted_from=1772500000", "field_invalid", "accepted_from"),
        ("accepted_from=2026-03-03T10:00:00+08:00", "field_invalid", "accepted_from"),
        ("merchant_ref=%FF", "field_invalid", "merchant_ref"),
        ("order=asc", "field_unknown", "order"),
    ],
)
async def test_a_query_that_cannot_be_used_is_refused(
    desk: Desk, query: str, code: str, param: str
) -> None:
    """Bounds, duplicates, unknown names, a plus that stands for a blank."""
    answer = await desk.get(f"/v1/payouts?{query}")
    assert (answer.status, answer.code, answer.json["param"]) == (422, code, param)


async def test_a_query_where_none_is_taken_is_refused(desk: Desk) -> None:
    """Else a caller believes that its filter worked."""
    answer = await desk.get("/v1/balances?currency=CNY")
    assert (answer.status, answer.code, answer.json["param"]) == (422, "query_unknown", "currency")
    notice = await desk.post("/notices/till?a=1", b"x", key=None)
    assert (notice.status, notice.code) == (422, "query_unknown")


@pytest.mark.parametrize("name", ["%00", "%FF", "%ED%A0%80", "a%2Fb", "..%2F..", "a b", "x" * 200])
async def test_an_id_that_nothing_can_have_is_not_found(desk: Desk, name: str) -> None:
    """404 without asking the store, whose dialects differ in what text they take."""
    answer = await desk.get(f"/v1/payouts/{name.replace(' ', '%20')}")
    assert (answer.status, answer.code) == (404, "no_such_thing")


async def test_an_unknown_path_and_a_wrong_method_are_problems_too(desk: Desk) -> None:
    """404 and 405 in the same form, with the methods there are."""
    nothing = await desk.get("/v2/payouts")
    assert (nothing.status, nothing.code) == (404, "no_such_path")
    wrong = await desk.call("PATCH", "/v1/payouts")
    assert (wrong.status, wrong.code) == (405, "method_not_allowed")
    assert wrong.headers["Allow"] == "GET, POST"
    assert "GET, POST" in wrong.json["detail_zh"]


async def test_a_number_written_as_a_float_is_not_repeated(desk: Desk) -> None:
    """A card number written as a number is still a card number."""
    text = orjson.dumps(payout_body(beneficiary=beneficiary(number="X")))
    answer = await refused(desk, text.replace(b'"X"', b"6222021234567890123.0"))
    assert answer.code == "number_not_integer"
    assert b"6222021234567890123" not in answer.raw
