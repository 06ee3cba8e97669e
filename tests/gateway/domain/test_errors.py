"""What callers and operators are told when they are refused."""

import pytest

from gateway.domain import errors
from gateway.domain.errors import GatewayError, UnavailableError

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, GatewayError)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_carries_code_sentence_and_field(kind: type[GatewayError]) -> None:
    """A stable code for programs, a sentence in both languages for people, the field at fault."""
    error = kind("amount_zero", "must be above zero", zh="必须大于零", param="amount")
    assert isinstance(error, GatewayError)
    assert (error.code, error.param, error.zh) == ("amount_zero", "amount", "必须大于零")
    assert str(error) == error.message == "must be above zero"


def test_tree_has_one_root() -> None:
    """Whoever catches `GatewayError` catches every refusal of this module."""
    assert [one for one in vars(errors).values() if isinstance(one, type)] == KINDS


def test_only_unavailability_may_be_repeated() -> None:
    """The same request again changes nothing about any other refusal."""
    assert [kind for kind in KINDS if kind.retryable] == [UnavailableError]
