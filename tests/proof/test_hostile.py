"""L6: spoilt messages prove nothing that was not said, and parsers that believe more are found."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.api.dialects.registry import DIALECTS
from tests.proof.hostile import alipay, doors, epay, jeepay, wechat_pay, xxpay
from tests.proof.hostile.controls import CONTROLS
from tests.proof.hostile.run import AIMS, attempt, control, once

INPUTS = 250
PATIENT = settings(suppress_health_check=[HealthCheck.too_slow])
"""On a busy machine making an input takes long, which proves nothing."""
TEXT = st.text(max_size=40)
WORDS = st.sampled_from((*alipay.WORDS, *wechat_pay.WORDS))
GATEWAY_WORDS = st.sampled_from((*epay.WORDS, *jeepay.WORDS, *xxpay.WORDS))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | TEXT, inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("name", [aim.name for aim in AIMS])
def test_nothing_unproven_is_believed(name: str) -> None:
    """No exception, and no decision that the bytes do not justify by the documented lists."""
    result = attempt(name, 1, 0, INPUTS)
    assert result.violations == []
    assert len(result.answers) > 1 or (name.endswith("strangers") and "Turned" in result.answers)


def test_every_registered_dialect_is_tried() -> None:
    """A new one is written into `doors.py`: with aims of its own, or among those awaited."""
    known = {*doors.DOORS, *doors.AWAITED}
    missing = sorted(DIALECTS.keys() - known)
    assert not missing, f"no aim tries the door of {missing}: see tests/proof/hostile/doors.py"
    both = doors.DOORS.keys() & doors.AWAITED
    assert not both, f"{sorted(both)} have aims now and are awaited no longer"
    assert doors.DOORS.keys() <= DIALECTS.keys()
    assert all(aims for aims in doors.DOORS.values())
    names = {aim.name for aim in AIMS}
    assert {f"door {name}, strangers" for name in DIALECTS} <= names
    assert {aim.name for aims in doors.DOORS.values() for aim in aims} <= names


@pytest.mark.parametrize("aim", [alipay.SUBMISSION, alipay.INQUIRY], ids=lambda aim: aim.name)
@PATIENT
@given(node=st.dictionaries(WORDS | TEXT, JSON, max_size=12))
def test_any_signed_alipay_node_is_judged_alike(
    aim: alipay.Replies, node: dict[str, object]
) -> None:
    """Hypothesis's own JSON, rightly signed: the adapter and the lists agree."""
    given_ = aim.genuine(node)
    assert aim.objection(given_, aim.read(given_)) is None


@pytest.mark.parametrize(
    "aim",
    [wechat_pay.SUBMISSION, wechat_pay.INQUIRY, wechat_pay.BATCH],
    ids=lambda aim: aim.name,
)
@PATIENT
@given(
    said=st.dictionaries(WORDS | TEXT, JSON, max_size=12),
    status=st.sampled_from(wechat_pay.STATUSES),
)
def test_any_signed_wechat_pay_body_is_judged_alike(
    aim: wechat_pay.Replies, said: dict[str, object], status: int
) -> None:
    """The same for the other institution, at any HTTP status."""
    given_ = aim.genuine(said, status)
    assert aim.objection(given_, aim.read(given_)) is None


@pytest.mark.parametrize(
    "aim",
    [*epay.AIMS[:2], *jeepay.AIMS[:4], *xxpay.AIMS[:4]],
    ids=lambda aim: aim.name,
)
@PATIENT
@given(said=st.dictionaries(GATEWAY_WORDS | TEXT, JSON | GATEWAY_WORDS, max_size=12))
def test_any_signed_answer_of_a_gateway_is_judged_alike(
    aim: epay.Replies | jeepay.Replies | xxpay.Replies, said: dict[str, object]
) -> None:
    """The same for the protocols that sign values instead of bytes."""
    given_ = aim.genuine(said)
    assert aim.objection(given_, aim.read(given_)) is None


@pytest.mark.parametrize("name", CONTROLS)
def test_a_parser_that_believes_too_much_is_found_out(name: str) -> None:
    """Each control removes one check, and few inputs show it."""
    assert control(name, 1) is not None


def test_the_same_seed_spoils_in_the_same_way() -> None:
    """So that a finding can be told again by its number."""
    for aim in AIMS:
        one, two = (once(aim, 7, 42)[2] for _ in range(2))
        assert one == two
