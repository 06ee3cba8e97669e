"""Profiles, as YAML: which headings a file has, what its words mean, what is written back.

A profile that is shipped can be replaced, and new ones added, by files of the same form; each
mistake in one is told with its place in the file.
"""

from collections.abc import Callable, Mapping
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from channels.on_demand import OnDemand

FieldName = Literal[
    "merchant_ref",
    "amount",
    "currency",
    "rail",
    "account",
    "name",
    "bank_code",
    "bank_name",
    "appid",
    "chain",
    "purpose",
    "note",
    "status",
]
Source = Annotated[
    str,
    Field(
        pattern=r"^(merchant_ref|original_ref|amount|currency|status|reason|payout_id|payout_state"
        r"|line|cell:.+)$"
    ),
]
Outcome = Literal["paid", "failed", "returned", "processing", "refused"]


class ProfileError(Exception):
    """A profile cannot be used; the message says where and why."""


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where it is there: ten times faster."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Words(_Model):
    """A text in both languages."""

    zh: str = Field(min_length=1, max_length=200)
    en: str = Field(min_length=1, max_length=200)


class Column(Words):
    """A heading of a file to be read; `also` are other ways to write it."""

    also: list[str] = []
    required: bool = False


class Written(Words):
    """A column of the file that is written back, and what stands in it."""

    source: Source


class Result(_Model):
    """The file that is written back."""

    columns: list[Written] = Field(min_length=1)
    words: Mapping[Outcome, str]
    """What the platform calls each outcome; a row whose word is empty is left out."""


class Profile(_Model):
    """How one platform's export is read, and what its operator gets back."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{1,31}$")
    title: Words
    seen: list[str] = []
    """Where the platform's own source or documentation says so."""
    unverified: list[str] = []
    """What was seen nowhere."""
    query: str = ""
    """What gives the file where the platform has no export: SQL on its own database."""
    back: Words | None = None
    """How the platform's operator marks rows with what is written back."""
    ref_prefix: str = Field(default="", max_length=24)
    """Put before the platform's own number, so that two platforms never share a merchant_ref."""
    columns: Mapping[FieldName, Column]
    defaults: Mapping[FieldName, str] = {}
    rails: Mapping[str, str]
    """The platform's words for ways to pay; `refused` for those that cannot be paid here."""
    payable: list[str] = []
    """With a `status` column: the words of rows that still wait to be paid; others are refused."""
    result: Result


def read_profile(text: str, where: str) -> Profile:
    """A profile from YAML. Raises `ProfileError`."""
    try:
        return Profile.model_validate(yaml.load(text, Loader=_LOADER))  # noqa: S506 - a safe one
    except yaml.YAMLError as error:
        raise ProfileError(f"{where}: not YAML: {str(error).splitlines()[0]}") from None
    except ValidationError as failure:
        errors = failure.errors(include_url=False, include_input=False)
        # A misspelt name first: what is missing is then often explained.
        first = min(errors, key=lambda one: one["type"] != "extra_forbidden")
        place = ".".join(map(str, first["loc"]))
        raise ProfileError(f"{where}: {place}: {first['msg']}") from None


def shipped() -> Mapping[str, Profile]:
    """The profiles that come with the program, by name; each is read when it is looked up."""
    return OnDemand(_shipped())


def profiles(folder: Path | None) -> Mapping[str, Profile]:
    """Those that are shipped, and an operator's own in place of them. Raises `ProfileError`."""
    known = _shipped()
    if folder is not None and folder.is_dir():
        for file in sorted(folder.glob("*.yaml")):
            try:
                own = read_profile(file.read_text("utf-8"), str(file))
            except (OSError, UnicodeDecodeError) as error:
                raise ProfileError(f"{file}: {error}") from None
            known[own.name] = partial(_as_it_is, own)
    return OnDemand(known)


def _shipped() -> dict[str, Callable[[], Profile]]:
    """How each is read; a file is called as its profile is."""
    entries = (files("gateway.sheets") / "profiles").iterdir()
    found = sorted(
        (entry for entry in entries if entry.name.endswith(".yaml")), key=lambda one: one.name
    )
    return {one.name.removesuffix(".yaml"): partial(_read, one) for one in found}


def _read(entry: Traversable) -> Profile:
    return read_profile(entry.read_text("utf-8"), entry.name)


def _as_it_is(own: Profile) -> Profile:
    return own
