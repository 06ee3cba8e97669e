"""What must not be printed is left out, and nothing else."""

import importlib
import pkgutil
from collections.abc import Iterator

import channels
import gateway
from channels.unprinted import Unprinted


class Letter(Unprinted, frozen=True):
    """An example."""

    hidden = frozenset({"text"})

    sender: str
    text: str
    pages: int = 1


def test_hidden_fields_are_left_out_of_what_is_printed() -> None:
    """In `repr`, which `str`, traces and assertions use as well."""
    assert repr(Letter("acme", "secret")) == "Letter(sender='acme', pages=1)"
    assert "secret" not in f"{Letter('acme', 'secret')}"


def test_hidden_fields_are_values_like_the_others() -> None:
    """Two letters of different text are not the same."""
    assert Letter("acme", "a") != Letter("acme", "b")
    assert Letter("acme", "a").text == "a"


def _modules() -> Iterator[str]:
    for package in (channels, gateway):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                yield found.name


def test_only_fields_that_there_are_can_be_hidden() -> None:
    """A misspelt name would print what it was meant to hide."""
    for name in _modules():
        importlib.import_module(name)
    kinds = Unprinted.__subclasses__()
    assert len(kinds) > 30
    for kind in kinds:
        assert kind.hidden, kind
        assert kind.hidden <= set(kind.__struct_fields__), kind
