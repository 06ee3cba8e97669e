"""The README says what the code offers."""

from pathlib import Path

import pytest

from simulators.wechat_pay import routes
from simulators.wechat_pay.settings import Account, Settings

README = (Path(routes.__file__).parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted({*Settings.model_fields, *Account.model_fields}))
def test_every_knob_is_named(name: str) -> None:
    """Each key of the configuration stands in the README."""
    assert f"`{name}`" in README


@pytest.mark.parametrize("op", sorted({route.op for route in routes.ROUTES}))
def test_every_operation_is_named(op: str) -> None:
    """Each operation that a fault rule can name stands in the README."""
    assert f"`{op}`" in README
