"""`hangdao up` from the first start to Ctrl-C, and a second time in the same folder."""

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.sandbox.installation import free_port

TWO_DAYS = timedelta(days=2)


class Up:
    """A running `hangdao up --json`."""

    def __init__(self, folder: Path) -> None:
        """Start and wait until it is ready; the folder is named as people do, relatively."""
        self.folder = folder
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            [
                *(sys.executable, "-m", "gateway", "up", "--json"),
                *("--dir", folder.name, "--port", str(free_port())),
            ],
            cwd=folder.parent,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.ready: dict[str, Any] = orjson.loads(self.process.stdout.readline())
        self.children = children_of(self.process.pid)

    def ask(self, *arguments: str) -> Any:
        """A command that must succeed, and its document."""
        flags = ("--dir", str(self.folder), "--json")
        result = CliRunner().invoke(main, [*arguments, *flags], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return orjson.loads(result.stdout)

    def stop(self, by: signal.Signals) -> int:
        """End it as a person or a supervisor would."""
        self.process.send_signal(by)
        return self.process.wait(30)

    def clean_up(self) -> None:
        """Whatever a failed test has left behind."""
        for pid in (self.process.pid, *self.children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def children_of(pid: int) -> list[int]:
    """Process ids of the direct children."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name in parentheses may hold anything; the parent is the second field after it.
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def runs(pid: int) -> bool:
    """Whether a process is there and not just waiting to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Up]:
    """Started in an empty folder."""
    up = Up(tmp_path / "sandbox")
    try:
        yield up
    finally:
        up.clean_up()


def test_a_sandbox_pays_settles_and_goes_on_the_next_time(sandbox: Up) -> None:
    """Started, used, ended by Ctrl-C, started again in the same folder; no process stays."""
    made = sandbox.ask(
        *("payout", "create", "--amount", "12.30", "--purpose", "佣金", "--ref", "one"),
        *("--alipay", "payee@example.test", "--name", "王小明"),
    )
    assert until(sandbox, "one", "paid")["id"] == made["id"]
    # Two days: yesterday's statement is there whatever the time of day is now.
    sandbox.ask("clock", "advance", "2d")
    sandbox.ask("statement", "read")
    assert until(sandbox, "one", "settled")["settled_on"]
    assert sandbox.ask("ledger", "check")["balanced"]
    assert len(sandbox.children) == 2
    assert sandbox.stop(signal.SIGINT) == 0
    assert [pid for pid in sandbox.children if runs(pid)] == []
    again = Up(sandbox.folder)
    try:
        use_again(again, made, sandbox.ready)
        lose_a_child(again)
    finally:
        again.clean_up()


def use_again(sandbox: Up, made: Any, before: dict[str, Any]) -> None:
    """Keys, payouts and time are as they were left; the printed curl works; one is enough."""
    assert sandbox.ready["operator_key"] == before["operator_key"]
    assert sandbox.ask("payout", "show", "one")["state"] == "settled"
    accepted, now = made["accepted_at"], sandbox.ask("clock", "show")
    for who in ("gateway", "institutions"):
        assert datetime.fromisoformat(now[who]) - datetime.fromisoformat(accepted) > TWO_DAYS
    curl = shlex.split(sandbox.ready["curl"])
    assert httpx.post(
        next(word for word in curl if word.startswith("http")),
        headers=dict(curl[at + 1].split(": ", 1) for at, word in enumerate(curl) if word == "-H"),
        content=curl[curl.index("-d") + 1].encode(),
        trust_env=False,
    ).is_success
    assert until(sandbox, "first-1", "paid")["amount"] == "12.30"
    second = CliRunner().invoke(main, ["up", "--dir", str(sandbox.folder), "--port", "0"])
    assert (second.exit_code, "running" in second.stderr) == (1, True)


def lose_a_child(sandbox: Up) -> None:
    """When one of the two processes dies, the other is ended and the exit code says so."""
    os.kill(sandbox.children[0], signal.SIGKILL)
    assert sandbox.process.wait(30) == 1
    assert [pid for pid in sandbox.children if runs(pid)] == []


def until(sandbox: Up, payout: str, state: str) -> Any:
    """The payout once it stands there."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        shown = sandbox.ask("payout", "show", payout)
        if shown["state"] == state:
            return shown
        time.sleep(0.1)
    raise AssertionError(f"{payout} is {shown['state']}, not {state}")


def test_a_port_in_use_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    """One sentence with the way out, exit code 1."""
    folder = tmp_path / "sandbox"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(main, ["up", "--dir", str(folder), "--port", port])
    assert result.exit_code == 1
    assert f"port {port} is in use" in result.stderr
    assert "--port" in result.stderr
    assert not folder.exists()
