"""The parts of gateway/README.md that repeat what the code says, made from the code.

`python -m tests.tidy.gateway_tables` writes them between their markers; a test compares.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import cast, get_args

from prometheus_client.metrics import MetricWrapperBase
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway.api.routes import ROUTES
from gateway.domain.ledger import Side, posting
from gateway.domain.lifecycle import PAYOUT_EDGES, TransitionError, apply
from gateway.domain.payout import Accepted, Event, Payout
from gateway.observe.metrics import Metrics
from gateway.observe.series import Counted, Timed
from gateway.settings.model import Settings
from tests.builders import NOW, payout, settled
from tests.gateway.domain.situations import HISTORIES, every_event, situation
from tests.tidy import diagram, marks
from tests.tidy.marks import table

README = Path(__file__).parents[2] / "gateway" / "README.md"

_Metric = MetricWrapperBase | Counted | Timed


def code(*names: str) -> str:
    """Names as code, in a row."""
    return " ".join(f"`{name}`" for name in names)


def sentence(thing: object) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


# --- Events --------------------------------------------------------------------------------------


def events() -> str:
    """Every event of the domain: which states it may follow, and what it books."""
    booked = _booked()
    rows = [
        (
            code(kind.kind),
            sentence(kind),
            code(*dict.fromkeys(state.value for state, event in PAYOUT_EDGES if event is kind))
            or "nothing: it makes the payout",
            _legs(booked[kind.kind]) or "nothing",
        )
        for kind in get_args(Event)
    ]
    return table(("event", "meaning", "may follow", "books"), rows)


def _booked() -> Mapping[str, set[tuple[Side, str]]]:
    """Which books each kind of event debits and credits, over every situation there is."""
    booked: dict[str, set[tuple[Side, str]]] = {kind.kind: set() for kind in get_args(Event)}
    for before, after, event in _moves():
        legs = posting(before, after, event)
        booked[event.kind] |= {(leg.side, leg.account.book.value) for leg in legs}
    return booked


def _moves() -> Iterator[tuple[Payout | None, Payout, Event]]:
    """Every event where it is allowed, and settlements that correct the fee either way."""
    accepted = payout()
    yield None, accepted, Accepted(accepted.state)
    for name in HISTORIES:
        before = situation(name)
        for number in range(1, len(before.attempts) + 1) or (1,):
            every = every_event(number, len(before.attempts) + 1)
            for event in (*every, *(settled(number, fee_minor=fee) for fee in (0, 99))):
                with suppress(TransitionError):
                    yield before, apply(before, event, NOW), event


def _legs(legs: set[tuple[Side, str]]) -> str:
    sides = {side: sorted(book for leg, book in legs if leg is side) for side in Side}
    marks = {Side.DEBIT: "Dr", Side.CREDIT: "Cr"}
    return " · ".join(f"{marks[side]} {code(*books)}" for side, books in sides.items() if books)


# --- API, configuration, metrics -----------------------------------------------------------------


def routes() -> str:
    """Every path of the native API."""
    rows = [(one.method, code(one.path), one.summary, code(one.scope)) for one in ROUTES]
    return table(("method", "path", "does", "scope"), rows)


def configuration() -> str:
    """Every key of `hangdao.yaml`, by section, in the order of the model."""
    rows = [
        (code(path), sentence(model), " ".join(map(_key, keys)))
        for path, model, keys in _sections("", Settings)
        if keys
    ]
    return table(("section", "says", "keys (default)"), rows)


Keys = list[tuple[str, FieldInfo]]


def _sections(path: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel], Keys]]:
    inner = {name: _section(info.annotation) for name, info in model.model_fields.items()}
    keys = [(name, info) for name, info in model.model_fields.items() if inner[name] is None]
    yield path or "(top)", model, keys
    for name, info in model.model_fields.items():
        section = inner[name]
        if section is not None:
            many = "[]" if "tuple" in str(info.annotation) else ""
            yield from _sections(f"{path}.{name}{many}".lstrip("."), section)


def _section(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_section, get_args(annotation))), None)


def _key(key: tuple[str, FieldInfo]) -> str:
    name, info = key
    if info.is_required():
        return f"**`{name}`**"
    return f"`{name}` ({_shown(info.default)})"


def _shown(default: object) -> str:
    if default is None or default == ():
        return "none"
    return str(default).lower() if isinstance(default, bool) else str(default)


def metrics() -> str:
    """Every metric with its kind, labels and meaning."""
    registry = Metrics("0").registry
    rows = []
    for collector in cast("Iterable[_Metric]", registry._collector_to_names):
        (family,) = collector.describe()
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = (
            collector.labels if isinstance(collector, Counted | Timed) else collector._labelnames
        )
        rows.append((code(name), family.type, code(*labels) or "none", family.documentation))
    return table(("metric", "type", "labels", "meaning"), rows)


# --- The README ----------------------------------------------------------------------------------

BLOCKS: Mapping[str, Callable[[], str]] = {
    "payout states": diagram.payouts,
    "attempt states": diagram.attempts,
    "events": events,
    "routes": routes,
    "configuration": configuration,
    "metrics": metrics,
}


def current(text: str) -> str:
    """The text with every marked part as the code has it now."""
    return marks.current(text, BLOCKS)


def marked(text: str) -> list[str]:
    """Which parts a text has markers for."""
    return marks.marked(text)


if __name__ == "__main__":
    README.write_text(current(README.read_text(encoding="utf-8")), encoding="utf-8")
