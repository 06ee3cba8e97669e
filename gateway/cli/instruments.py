"""Beneficiary flags of `payout create`: which name and bank belong to which way to pay.

In `--alipay a@b.cn --name 张三 --card 6222… --bank ICBC --wechat oABC` the order is the order of
preference. As all ways lead to the same person, one without a name takes the first name given.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import click

from gateway.cli.output import Command

_ORDER = "gateway.cli.order"
_WAYS = {
    "alipay": ("alipay", "identity"),
    "card": ("bank_card", "number"),
    "wechat": ("wechat", "openid"),
    "account": ("bank_account", "number"),
    "wire": ("wire", "account_id"),
    "chain": ("chain", "address"),
}
_BANKED = {"bank_card", "bank_account"}
_DETAILS = {"name": "name", "bank": "bank_code", "bank_name": "bank_name"}
_WAYS_TOLD = ", ".join(f"--{option}" for option in _WAYS)


class InstrumentCommand(Command):
    """Remembers in which order its options stood, which click itself forgets."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As usual, and keep the order of the options."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        ctx.meta[_ORDER] = [param.name for param in order]
        return super().parse_args(ctx, args)


def instruments(context: click.Context, flags: Mapping[str, Any]) -> list[dict[str, str]]:
    """The instruments in the order of their flags; a usage error when something fits nothing."""
    found: list[dict[str, str]] = []
    for option, value in _in_order(context, flags):
        if option in _WAYS:
            rail, field = _WAYS[option]
            found.append({"rail": rail, field: value, **_chained(rail, value)})
        elif found and (option == "name" or found[-1]["rail"] in _BANKED):
            found[-1][_DETAILS[option]] = value
        else:
            before = _WAYS_TOLD if option == "name" else "--card or --account"
            raise click.UsageError(f"--{option.replace('_', '-')} must follow {before}")
    if not found:
        raise click.UsageError(f"Say to whom: one of {_WAYS_TOLD} (or give --file).")
    name = next((one["name"] for one in found if "name" in one), None)
    for one in found:
        if name is not None:
            one.setdefault("name", name)
    return found


def _chained(rail: str, value: str) -> dict[str, str]:
    if rail != "chain":
        return {}
    chain, colon, address = value.partition(":")
    if not colon:
        raise click.UsageError("--chain names the chain and the address: ETH:0x12ab…")
    return {"chain": chain, "address": address}


def _in_order(context: click.Context, flags: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    taken: dict[str, int] = defaultdict(int)
    for option in context.meta[_ORDER]:
        if option in _WAYS or option in _DETAILS:
            yield option, flags[option][taken[option]]
            taken[option] += 1
