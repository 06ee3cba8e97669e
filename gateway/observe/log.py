"""Structured logs on one stream: JSON for machines, coloured text for people, redacted for both.

An exception is logged as its type and its place. Its message is not: adapters and libraries quote
what they were given, and that may be a payee.
"""

import asyncio
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType, new_class
from typing import Any, Literal, Protocol, TextIO, cast

import orjson
import structlog
from structlog.typing import Processor, WrappedLogger

from gateway.observe.events import ATTEMPT_CLOSED, HTTP_REQUEST
from gateway.observe.redact import redact
from gateway.ports import Clock

LEVELS: Mapping[str, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_SPOKEN: Mapping[str, str] = {"warn": "warning", "exception": "error"}
"""Levels of structlog's methods that are not called as the method is."""
FRAMES = 4
"""How many of the innermost frames name the place of an error."""

Facts = dict[str, object]

_ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


class Log(structlog.typing.FilteringBoundLogger, Protocol):
    """structlog's, and a shorter way for lines that every request and attempt writes."""

    def line(self, level: str, facts: Facts) -> None:
        """As the level's own method, which hands on by keyword, fact by fact, four times over."""


class _ShortWay(structlog.BoundLoggerBase):
    def line(self, level: str, facts: Facts) -> None:
        if not cast("Log", self).is_enabled_for(LEVELS[level]):
            return
        line: Any = self._context | facts
        for processor in self._processors:
            line = processor(self._logger, level, line)
        getattr(self._logger, level)(line)


def make_log(
    clock: Clock, stream: TextIO, *, level: str = "info", form: Literal["json", "console"] = "json"
) -> Log:
    """A log of its own; nothing global is touched, so that tests can have many."""
    renderer: Processor = (
        structlog.processors.JSONRenderer(serializer=_to_json)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=stream.isatty(), timestamp_key="at")
    )
    return cast(
        "Log",
        structlog.wrap_logger(
            _Lines(stream),
            processors=[_told(clock), renderer],
            wrapper_class=new_class(
                "Log", (structlog.make_filtering_bound_logger(LEVELS[level]), _ShortWay)
            ),
            # Bound once; the proxy would be, anew for every line.
        ).bind(),
    )


def request_line(
    log: Log, method: str, route: str, status: int, seconds: float, who: Mapping[str, str | None]
) -> None:
    """The canonical line of a request. `who`: request_id, merchant_id, key_id, code as known."""
    # Who is turned away in a crowd is no fault of ours, and must cost next to nothing.
    is_ours = status >= 500 and who.get("code") != "overloaded"
    if None in who.values():
        who = {name: value for name, value in who.items() if value is not None}
    log.line(
        "warning" if is_ours else "info",
        {
            "event": HTTP_REQUEST,
            **who,
            "method": method,
            "route": route,
            "status": status,
            "seconds": round(seconds, 6),
        },
    )


def attempt_line(log: Log, facts: Facts) -> None:
    """The canonical line of an attempt."""
    log.line("info", {"event": ATTEMPT_CLOSED, **facts})


def place(error: BaseException) -> str:
    """Where an error arose: the innermost frames as `file:line function`, without values."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    return " < ".join(
        f"{'/'.join(frame.filename.split('/')[-3:])}:{frame.lineno} {frame.name}"
        for frame in reversed(frames)
    )


class _Lines:
    """Writes lines to a stream: those of one turn of a loop together, in one call.

    A warning does not wait, nor does what came before it; nor anything where no loop runs.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: list[str] = []

    def info(self, line: str) -> None:
        """Write it in this turn of the loop."""
        self._waiting.append(line + "\n")
        if len(self._waiting) == 1:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self._flush()
            else:
                loop.call_soon(self._flush)

    def warning(self, line: str) -> None:
        """Write it now."""
        self._waiting.append(line + "\n")
        self._flush()

    msg = debug = info
    error = critical = exception = fatal = warning

    def _flush(self) -> None:
        lines, self._waiting = self._waiting, []
        if lines:
            self._stream.write("".join(lines))
            self._stream.flush()


class _Handler(logging.Handler):
    """Hands records of the standard library's loggers to ours."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        facts: dict[str, object] = {"logger": record.name, "traced": record.getMessage()}
        if record.exc_info and record.exc_info[1] is not None:
            facts |= {"error_type": record.exc_info[0], "exc_info": record.exc_info}
            # Text and error are one: what the library says about it may quote its data.
            facts["traced"] = str(record.msg)
        self._log.log(record.levelno, "log.foreign", **facts)


def adopt_standard_logging(log: Log) -> logging.Handler:
    """Route what libraries log through `log`; returns the root handler, for taking it off again."""
    handler = _Handler(log)
    logging.root.handlers = [handler]
    logging.root.setLevel(logging.WARNING)
    return handler


def _told(clock: Clock) -> Processor:
    """When, at what level, where it went wrong; redacted. One step, as every request takes it."""

    def told(logger: WrappedLogger, method: str, line: Any) -> Any:
        if "exc_info" in line:
            line = _placed(logger, method, line)
        level = _SPOKEN.get(method, method)
        return {"at": _stamp(clock.now()), "level": level, **redact(logger, method, line)}

    return told


def _stamp(at: datetime) -> str:
    """To the millisecond, in a quarter of the time that `isoformat` takes."""
    text = orjson.dumps(at)[1:-1].decode()
    whole, rest = text[:19], text[19:]
    return f"{whole}{rest[:4]}{rest[7:]}" if at.microsecond else f"{whole}.000{rest}"


def _placed(_logger: WrappedLogger, _method: str, line: Any) -> Any:
    error = line.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, tuple):
        error = cast("_ExcInfo", error)[1]
    if isinstance(error, BaseException):
        line["error_type"] = type(error).__name__
        line["error_at"] = place(error)
    return line


def _to_json(line: object, **_: object) -> str:
    return orjson.dumps(line, default=str).decode()
