"""`hangdao serve` and `sim`: one ready line, clear refusals, clean ends."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from gateway.sandbox.installation import free_port
from tests.gateway.cli.served import Process, configure, hangdao


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_serving_begins_with_one_line_and_ends_cleanly(by: signal.Signals, tmp_path: Path) -> None:
    """The line is JSON with the address; a stop that was asked for is exit code 0."""
    made = configure(tmp_path)
    port = free_port()
    process = Process(("serve", "--config", str(made.config), "--port", str(port)), made.env)
    process.start()
    assert process.ready == {"ready": True, "url": f"http://127.0.0.1:{port}"}
    assert httpx.get(f"{process.ready['url']}/healthz", trust_env=False).status_code == 200
    assert process.stop(by) == 0


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    """Exit code 1, with the address that is taken."""
    made = configure(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = hangdao("serve", "--config", str(made.config), "--port", str(port), env=made.env)
    assert result.exit_code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_channel_with_wrong_credentials_is_named_by_its_line(tmp_path: Path) -> None:
    """What only the adapter can check is a configuration error too: exit code 2."""
    made = configure(tmp_path)
    text = made.config.read_text().replace("channels: []", CHANNELS)
    made.config.write_text(text)
    line = text.splitlines().index("    app_id: '1'") + 1
    result = hangdao("serve", "--config", str(made.config), env=made.env)
    assert result.exit_code == 2
    assert f"{made.config}:{line}: channels[0].credentials.app_id" in result.stderr


CHANNELS = """channels:
- name: alipay-main
  kind: alipay
  credentials:
    app_id: '1'
    private_key_file: absent.pem
    alipay_public_key_file: absent.pem
  terms: {currency: CNY, amount_max: 100, fee: {}}
"""


def test_simulators_answer_usage_themselves() -> None:
    """Everything after `sim` is theirs, exit code included."""
    result = subprocess.run(
        [sys.executable, "-m", "gateway", "sim", "--config", "absent.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "absent.yaml" in result.stderr
