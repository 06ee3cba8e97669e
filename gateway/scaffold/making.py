"""Writing a new kind's files from their templates, all or none, and never over anything."""

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import Final

import jinja2
from msgspec import Struct

from gateway.scaffold.kind import NewKind

_PLACE: Final = "kind"
"""Stands for the name in the templates' paths."""
_STATEMENT: Final = re.compile(r"^(?=from |import )", re.MULTILINE)


class CannotMakeError(Exception):
    """Nothing was written; the message says why, `zh` in Chinese."""

    def __init__(self, message: str, zh: str) -> None:
        """Both say the same."""
        super().__init__(message)
        self.zh = zh


class Entry(Struct, frozen=True):
    """What a file that is there already needs for the new kind: lines, and where they belong."""

    file: str
    after: str
    """In words."""
    lines: tuple[str, ...]


def make(root: Path, new: NewKind) -> tuple[Path, ...]:
    """Write the files below `root`, the project's own folder; returns them, relative to it.

    Raises `CannotMakeError`, having written nothing, if that is no such folder or anything is there
    already.
    """
    if not (root / "channels" / "registry.py").is_file():
        raise CannotMakeError(
            f"{root} is not the project's folder: it holds no channels/registry.py",
            f"{root} 不是项目目录：缺少 channels/registry.py",
        )
    texts = rendered(new)
    # A module beside the folder would hide it, or be hidden.
    places = {*texts, *_folders(texts), *(one.with_suffix(".py") for one in _folders(texts))}
    taken = sorted(str(one) for one in places if (root / one).exists())
    if taken:
        raise CannotMakeError(
            f"there already, and left as it is: {', '.join(taken)}",
            f"已存在，未作任何改动：{'、'.join(taken)}",
        )
    for path, text in texts.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        # "x": whatever has appeared since the look is not overwritten either.
        with place.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    return tuple(Path(path) for path in texts)


def rendered(new: NewKind) -> Mapping[PurePosixPath, str]:
    """Every file of the kind, by its path in the project."""
    environment = jinja2.Environment(
        autoescape=False,  # noqa: S701 - source text, no HTML
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    environment.filters["imports"] = _sorted
    values = {
        "kind": new.name,
        "camel": new.camel,
        "title": new.camel,
        "short": new.short,
        "rail": new.rail.name,
        "currency": new.currency.value,
        "instrument": new.instrument,
    }
    return {
        path: environment.from_string(template).render(values)
        for path, template in _templates(new.name)
    }


def entries(new: NewKind) -> tuple[Entry, ...]:
    """The lines by which the rest of the project learns of the kind."""
    name, camel = new.name, new.camel
    return (
        Entry(
            "channels/registry.py",
            "above _MAKERS",
            (
                f"def _{name}() -> Kind[Any]:",
                f"    from channels.{name} import channel  # noqa: PLC0415 - when asked for",
                f"    from channels.{name}.settings import {camel}Settings  "
                "# noqa: PLC0415 - as above",
                "",
                "    return Kind(",
                f"        settings={camel}Settings,",
                "        build=channel.build,",
                f"        channel=lambda: channel.{camel}Channel,",
                "        traits=channel.traits_of,",
                f"        currencies=frozenset({{Currency.{new.currency.name}}}),",
                "    )",
            ),
        ),
        Entry("channels/registry.py", "in _MAKERS", (f'    "{name}": _{name},',)),
        Entry(
            "simulators/registry.py",
            "among the imports",
            (
                f"from simulators.{name} import core as {name}",
                f"from simulators.{name} import magic as {name}_magic",
                f"from simulators.{name} import opening as {name}_opening",
            ),
        ),
        Entry(
            "simulators/registry.py",
            "in KINDS",
            (
                f'    "{name}": Kind(',
                f'        {name}.build, {name}_opening, {name}_magic.MAGIC, "{new.short}"',
                "    ),",
            ),
        ),
        Entry(
            "tests/contracts/channels/rigs.py",
            "in RIGS, with the import of the module",
            (f'    "{name}": {name}.RIG,',),
        ),
        Entry(
            "pyproject.toml",
            "in the layers of the contract `channels`, and the last list of `composition-root`",
            (f"alipay | wechat_pay | {name}", f'"channels.{name}"'),
        ),
    )


def _folders(texts: Mapping[PurePosixPath, str]) -> set[PurePosixPath]:
    return {path.parent for path in texts if path.name == "__init__.py"}


def _templates(name: str) -> Iterator[tuple[PurePosixPath, str]]:
    yield from _below(files("gateway.scaffold") / "templates", PurePosixPath(), name)


def _below(
    place: Traversable, path: PurePosixPath, name: str
) -> Iterator[tuple[PurePosixPath, str]]:
    for one in sorted(place.iterdir(), key=lambda found: found.name):
        if one.is_dir():
            yield from _below(one, path / (name if one.name == _PLACE else one.name), name)
        elif one.name.endswith(".jinja"):
            file = one.name.removesuffix(".jinja")
            if file == f"{_PLACE}.py":
                file = f"{name}.py"
            yield path / file, one.read_text(encoding="utf-8")


def _sorted(block: str) -> str:
    """Import statements by module: where the kind's own stand depends on its name."""
    statements = [one for one in _STATEMENT.split(block) if one]
    return "".join(sorted(statements, key=lambda one: (one.startswith("from "), one.split()[1])))
