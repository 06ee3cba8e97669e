"""What `hangdao config show` prints: every value, where it came from, secrets masked."""

from urllib.parse import urlsplit

from msgspec import Struct
from pydantic import BaseModel, SecretStr

from gateway.settings.document import Key
from gateway.settings.load import Loaded, dotted

MASK = "********"
_ADDRESSES: tuple[Key, ...] = (("database", "url"), ("redis", "url"))


class Row(Struct, frozen=True):
    """One line: a dotted key, a value that may be shown to anyone, and its origin."""

    key: str
    value: str
    origin: str


def show(loaded: Loaded) -> list[Row]:
    """Every setting in the order of the models; a list of plain values is one row."""
    return [
        Row(dotted(key), value, _origin(loaded, key)) for key, value in _walk((), loaded.settings)
    ]


def _walk(key: Key, value: object) -> list[tuple[Key, str]]:
    if isinstance(value, BaseModel):
        return [
            row
            for name in type(value).model_fields
            for row in _walk((*key, name), getattr(value, name))
        ]
    if isinstance(value, tuple) and any(isinstance(item, BaseModel) for item in value):
        return [row for at, item in enumerate(value) for row in _walk((*key, at), item)]
    if isinstance(value, dict):
        # Which credentials are secret only the adapter knows: all are masked but names of files.
        return [
            ((*key, name), str(item) if name.endswith("_file") else MASK)
            for name, item in value.items()
        ]
    return [(key, _shown(key, value))]


def _shown(key: Key, value: object) -> str:
    if isinstance(value, SecretStr):
        return _address(value.get_secret_value()) if key in _ADDRESSES else MASK
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value)
    return "" if value is None else str(value)


def _address(url: str) -> str:
    """An address without its password and without its parameters' values."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    netloc = f"{name}{colon}{MASK if colon else ''}{at}{host}"
    query = "&".join(f"{p.partition('=')[0]}={MASK}" for p in parts.query.split("&") if p)
    return f"{parts.scheme}://{netloc}{parts.path}{'?' if query else ''}{query}"


def _origin(loaded: Loaded, key: Key) -> str:
    return loaded.origins.get(key, "default")
