"""Merges flags over environment over file over defaults, validates once, and blames by line.

`HANGDAO_SECTION__KEY` sets one key. `${NAME}` in the file is replaced from the environment, in
secrets and credentials only: a file that says where a secret comes from can be shown to anyone.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args, get_origin

from msgspec import Struct
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from gateway.settings.document import Document, Key, Problem, SettingsError, read, scalar
from gateway.settings.model import ChannelSettings, Settings

PREFIX = "HANGDAO_"
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_Model = TypeVar("_Model", bound=BaseModel)


class Loaded(Struct, frozen=True):
    """Valid settings, and where each given value came from; what is not in `origins` is default."""

    settings: Settings
    origins: Mapping[Key, str]
    folder: Path
    """Relative paths in the configuration start here: the folder of the file."""
    file: Path | None = None


@dataclass(slots=True)
class _Draft:
    """Values on their way to validation, each with its origin."""

    file: Path | None
    folder: Path
    env: Mapping[str, str] = field(repr=False)
    data: dict[str, object] = field(default_factory=dict, repr=False)
    origins: dict[Key, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    blamed: set[Key] = field(default_factory=set)

    def where(self, key: Key) -> str:
        """The nearest known origin: of the value itself, or of what it should stand in."""
        for length in range(len(key), -1, -1):
            if key[:length] in self.origins:
                return self.origins[key[:length]]
        return str(self.file or "configuration")

    def blame(self, key: Key, message: str) -> None:
        self.blamed.add(key)
        self.problems.append(Problem(self.where(key), f"{dotted(key)}: {message}"))


def load(
    path: Path | None, env: Mapping[str, str], overrides: Mapping[str, object] | None = None
) -> Loaded:
    """Read and check everything; `overrides` are flags by dotted key (`{"server.port": 8080}`).

    Without a path there is no file. Raises `SettingsError` with every mistake that was found.
    """
    folder = Path.cwd() if path is None else path.absolute().parent
    draft = _Draft(path, folder, env)
    if path is not None:
        _take_file(draft, read(path))
    _take_environment(draft)
    for name, value in (overrides or {}).items():
        _put(draft, tuple(name.split(".")), value, f"flag {name}")
    _absolute_paths(draft)
    _check_names(draft)
    try:
        settings = Settings.model_validate(draft.data)
    except ValidationError as error:
        for details in error.errors(include_url=False, include_input=True):
            if _key(details) not in draft.blamed:
                draft.blame(_key(details), _sentence(Settings, details))
    if draft.problems:
        raise SettingsError(draft.problems)
    return Loaded(settings, draft.origins, folder, path)


def check_credentials(loaded: Loaded, channel: ChannelSettings, model: type[_Model]) -> _Model:
    """Validate a channel's credentials with its adapter's own model.

    Relative paths are taken from the folder of the file. Raises `SettingsError` naming file and
    line of what the model refused.
    """
    position = loaded.settings.channels.index(channel)
    at: Key = ("channels", position, "credentials")
    draft = _Draft(loaded.file, loaded.folder, {}, origins=dict(loaded.origins))
    given = dict(channel.credentials)
    for name, info in model.model_fields.items():
        if name in given and Path in _types(info.annotation):
            given[name] = _absolute(loaded.folder, given[name])
    try:
        return model.model_validate(given)
    except ValidationError as error:
        for details in error.errors(include_url=False, include_input=True):
            draft.blame((*at, *_key(details)), _sentence(model, details))
        raise SettingsError(draft.problems) from None


def dotted(key: Key) -> str:
    """A key as people write it: `channels[0].terms.currency`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return text.removeprefix(".") or "configuration"


def _take_file(draft: _Draft, document: Document) -> None:
    draft.origins.update({key: f"{draft.file}:{line}" for key, line in document.lines.items()})
    for name, value in document.data.items():
        # A heading with nothing below it asks for the defaults.
        if value is not None or name not in Settings.model_fields:
            draft.data[name] = _interpolated(draft, (name,), value)


def _interpolated(draft: _Draft, key: Key, value: object) -> object:
    if isinstance(value, dict):
        return {name: _interpolated(draft, (*key, name), inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_interpolated(draft, (*key, at), inner) for at, inner in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    if not _is_secret(key):
        draft.blame(key, "${…} is replaced in secrets and credentials only")
        return value
    for name in _REFERENCE.findall(value):
        if name not in draft.env:
            draft.blame(key, f"the environment variable {name} is not set")
    return _REFERENCE.sub(lambda found: draft.env.get(found[1], found[0]), value)


def _is_secret(key: Key) -> bool:
    if key[0] == "channels":
        return key[2:3] == ("credentials",)
    return SecretStr in _types(_annotation(key))


def _take_environment(draft: _Draft) -> None:
    for variable in sorted(draft.env):
        if not variable.startswith(PREFIX):
            continue
        key = tuple(variable.removeprefix(PREFIX).lower().split("__"))
        origin = f"environment {variable}"
        if len(key) == 1 and key[0] not in Settings.model_fields:
            continue  # a name of the operator's own, for ${…}
        if key[0] == "channels":
            draft.problems.append(Problem(origin, "channels are configured in the file"))
            continue
        _put(draft, key, _parsed(draft.env[variable], _annotation(key)), origin)


def _parsed(text: str, annotation: object) -> object:
    """A variable's text as what the key takes: a list is `a, b, c`."""
    if get_origin(annotation) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    if {str, SecretStr, Path} & _types(annotation):
        return text
    return scalar(text)


def _put(draft: _Draft, key: tuple[str, ...], value: object, origin: str) -> None:
    place = draft.data
    for length, part in enumerate(key[:-1], start=1):
        if part not in place:
            draft.origins[key[:length]] = origin
        inner = place.setdefault(part, {})
        if not isinstance(inner, dict):
            return  # the file's mistake, reported with its line
        place = inner
    place[key[-1]] = value
    draft.origins[key] = origin


def _absolute_paths(draft: _Draft) -> None:
    data_dir = draft.data.setdefault("data_dir", "data")
    draft.data["data_dir"] = data_dir = _absolute(draft.folder, data_dir)
    policy = draft.data.get("policy")
    if isinstance(policy, dict) and "file" in policy:
        policy["file"] = _absolute(draft.folder, policy["file"])
    audit = draft.data.get("audit")
    if isinstance(audit, dict) and audit.get("export_dir") is not None:
        audit["export_dir"] = _absolute(draft.folder, audit["export_dir"])
    database = draft.data.setdefault("database", {})
    if isinstance(database, dict) and isinstance(data_dir, Path):
        database.setdefault("url", f"sqlite://{data_dir / 'hangdao.db'}")


def _absolute(folder: Path, value: object) -> object:
    if isinstance(value, str | Path) and str(value):
        return folder / value
    if isinstance(value, list):
        return [_absolute(folder, inner) for inner in value]
    return value


def _check_names(draft: _Draft) -> None:
    """Find channels of one name here, while the lines of both are known."""
    channels = draft.data.get("channels")
    first: dict[str, Key] = {}
    for position, channel in enumerate(channels if isinstance(channels, list) else []):
        name = channel.get("name") if isinstance(channel, dict) else None
        key: Key = ("channels", position, "name")
        if isinstance(name, str) and name in first:
            draft.blame(key, f"{name} is also the name of {draft.where(first[name])}")
        elif isinstance(name, str):
            first[name] = key


def _annotation(key: Sequence[str | int]) -> object:
    """What the models say a key holds; None when they do not know it."""
    model: object = Settings
    for part in key:
        if not isinstance(model, type) or not issubclass(model, BaseModel):
            return None
        info = model.model_fields.get(str(part))
        model = None if info is None else info.annotation
    return model


def _types(annotation: object) -> set[object]:
    """Every type that an annotation names, without the metadata of `Annotated`."""
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return {type(argument) for argument in arguments}
    if get_origin(annotation) is Annotated:
        arguments = arguments[:1]
    if not arguments:
        return {annotation}
    return {part for argument in arguments for part in _types(argument)}


def _key(details: ErrorDetails) -> Key:
    return tuple(details["loc"])


def _sentence(model: type[BaseModel], details: ErrorDetails) -> str:
    kind, message = details["type"], details["msg"]
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        known = _siblings(model, details["loc"])
        close = get_close_matches(str(details["loc"][-1]), known, n=1)
        return "unknown key" + (f"; did you mean {close[0]}?" if close else "")
    if kind == "string_type" and isinstance(details["input"], int | bool):
        return f"{message}; put it in quotes"
    return message.removeprefix("Value error, ")


def _siblings(model: type[BaseModel], at: Sequence[str | int]) -> list[str]:
    place: type[BaseModel] = model
    for part in at[:-1]:
        info = place.model_fields.get(str(part))
        if info is None:
            continue  # a list position
        found = [t for t in _types(info.annotation) if isinstance(t, type)]
        place = next((t for t in found if issubclass(t, BaseModel)), place)
    return list(place.model_fields)
