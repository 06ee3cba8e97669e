"""Laws of tables whose rows are made when they are looked up."""

import pytest

from channels.on_demand import OnDemand


def test_a_row_is_made_once_and_only_when_it_is_looked_up() -> None:
    """Names, their number and whether one is there cost nothing."""
    made: list[str] = []

    def make(name: str) -> list[str]:
        made.append(name)
        return [name]

    table = OnDemand({"a": lambda: make("a"), "b": lambda: make("b")})

    assert (list(table), len(table), "a" in table, "c" in table) == (["a", "b"], 2, True, False)
    assert made == []
    assert table["b"] is table["b"]
    assert made == ["b"]


def test_what_is_not_in_the_table_is_not_there() -> None:
    """As in any mapping."""
    table: OnDemand[int] = OnDemand({"a": lambda: 1})

    assert table.get("b") is None
    with pytest.raises(KeyError):
        table["b"]


def test_a_row_that_could_not_be_made_is_tried_again() -> None:
    """Nothing stands for it meanwhile."""
    faults = [ValueError("not now")]

    def make() -> int:
        if faults:
            raise faults.pop()
        return 1

    table = OnDemand({"a": make})

    with pytest.raises(ValueError, match="not now"):
        table["a"]
    assert table["a"] == 1
