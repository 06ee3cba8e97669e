"""`--config`: finding and loading the file, and saying what is wrong with it, line by line."""

import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import click

from gateway.cli.output import Refusal
from gateway.engine.standby import NoStandbyError
from gateway.ports import StoreError
from gateway.settings import Loaded, Problem, SettingsError, load
from gateway.store.errors import LockedError

P = ParamSpec("P")

CONFIG = click.option(
    "--config",
    "config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="HANGDAO_CONFIG",
    default=Path("hangdao.yaml"),
    show_default=True,
    show_envvar=True,
    help="The configuration file.",
)


class Misconfigured(Refusal):
    """A file cannot be used; every mistake is listed with its place."""

    exit_code = 2

    def __init__(self, code: str, problems: Sequence[Problem]) -> None:
        """One line for each problem: where, what."""
        listed = [{"where": one.where, "message": one.message} for one in problems]
        super().__init__(code, "the configuration cannot be used", problems=listed)
        self._problems = problems

    def sentences(self) -> list[str]:
        """One line a problem."""
        return [f"{one.where}: {one.message}" for one in self._problems]


def read_config(config: Path, overrides: Mapping[str, object] | None = None) -> Loaded:
    """The settings, with this process's environment over them. Raises `Misconfigured`."""
    try:
        return load(config, os.environ, overrides)
    except SettingsError as error:
        raise Misconfigured("settings_invalid", error.problems) from None


def configured(command: Callable[Concatenate[Loaded, P], None]) -> Callable[..., None]:
    """Give a command `--config` and, as its first argument, what is in it.

    What the command raises about settings or the store becomes a refusal.
    """

    @CONFIG
    @functools.wraps(command)
    def run(*arguments: Any, config: Path, **named: Any) -> None:
        loaded = read_config(config)
        with refusing():
            command(loaded, *arguments, **named)

    return run


@contextmanager
def refusing() -> Iterator[None]:
    """Turn `SettingsError` and `StoreError` into what the command line says."""
    try:
        yield
    except SettingsError as error:
        raise Misconfigured("settings_invalid", error.problems) from None
    except LockedError as error:
        raise Refusal(
            "running",
            f"{error}: the gateway is running; stop it first",
            zh="网关正在运行并占用该数据库，请先停止网关",
        ) from None
    except NoStandbyError as error:
        raise Refusal(error.note.code, error.note.en, zh=error.note.zh) from None
    except StoreError as error:
        raise Refusal("store_error", str(error)) from None
