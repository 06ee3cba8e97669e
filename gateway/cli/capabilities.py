"""`hangdao channel capabilities`: what channels and kinds can do, without asking anybody."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from click.core import ParameterSource
from msgspec import Struct
from rich.console import Console

from channels.capabilities import Capabilities, document, rows
from channels.registry import KINDS, capabilities_of_channel
from gateway.cli.configuration import CONFIG, read_config, refusing
from gateway.cli.output import Command, Refusal, grid, tell
from gateway.clock import SystemClock
from gateway.settings.model import Label
from gateway.wiring import channels_of

_COLUMNS = 4
"""Side by side; more stand below."""


class _Shown(Struct, frozen=True):
    name: str
    able: Capabilities
    label: Label | None = None

    @property
    def heading(self) -> str:
        return self.name if self.label is None else f"{self.name}\n{self.label.zh} {self.label.en}"


@click.command("capabilities", cls=Command)
@click.argument("name", required=False)
@CONFIG
@click.pass_context
def capabilities(context: click.Context, config: Path, name: str | None) -> None:
    """What every configured channel and every kind can do; NAME: only that channel or kind.

    Without a configuration, the kinds alone.
    """
    told = context.get_parameter_source("config") is not ParameterSource.DEFAULT
    channels = _configured(config) if told or config.exists() else []
    kinds = [_Shown(kind, KINDS[kind].capabilities()) for kind in sorted(KINDS)]
    if name is not None:
        # A channel before the kind of the same name: it is the one that pays.
        found = [one for one in (*channels, *kinds) if one.name == name][:1]
        if not found:
            raise Refusal(
                "no_such_channel",
                f"there is no channel and no kind {name}",
                zh=f"没有名为 {name} 的渠道或渠道类型",
            )
        channels = [one for one in channels if one in found]
        kinds = [one for one in kinds if one in found]
    told_all = {"channels": _documents(channels), "kinds": _documents(kinds)}
    tell(told_all, lambda console: _draw(console, channels, kinds))


def _configured(config: Path) -> list[_Shown]:
    loaded = read_config(config)
    labels = {one.name: one.label for one in loaded.settings.channels}
    with refusing():
        channels = channels_of(loaded, SystemClock())
    return [
        _Shown(name, capabilities_of_channel(channel), labels[name])
        for name, channel in channels.items()
    ]


def _documents(shown: Sequence[_Shown]) -> list[Mapping[str, object]]:
    return [
        {
            "name": one.name,
            "label": None if one.label is None else one.label.model_dump(),
            **document(one.able),
        }
        for one in shown
    ]


def _draw(console: Console, channels: Sequence[_Shown], kinds: Sequence[_Shown]) -> None:
    for title, shown, configured in (
        ("渠道 channels", channels, True),
        ("渠道类型 kinds", kinds, False),
    ):
        if shown:
            console.print(f"{title}\n", style="bold")
        for at in range(0, len(shown), _COLUMNS):
            some = shown[at : at + _COLUMNS]
            lines = [
                (f"{row.zh} {row.en}", *(row.tell(one.able) for one in some))
                for row in rows(configured=configured)
            ]
            console.print(grid(("", *(one.heading for one in some)), lines))
            console.print()
