"""One real server for each test that asks."""

from collections.abc import Iterator

import pytest

from tests.gateway.health.valkey import Valkey, valkey


@pytest.fixture
def there() -> Iterator[Valkey]:
    """A Valkey of the test's own (some 100 ms)."""
    with valkey() as made:
        yield made
