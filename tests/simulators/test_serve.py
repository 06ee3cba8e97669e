"""`python -m simulators`: a sandbox is made, served in a process of its own, and stopped."""

from __future__ import annotations

import asyncio
import json
import signal
import stat
import sys
from pathlib import Path

import aiohttp
import pytest
import yaml
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from simulators.opening import Wishes
from simulators.sandbox import make_sandbox

ROOT = Path(__file__).parents[2]


async def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a command."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "simulators",
        *arguments,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode or 0, out.decode(), err.decode()


async def test_a_sandbox_is_served_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """One JSON line when it listens, every account at its own address, SIGTERM ends it with 0."""
    code, out, err = await run(
        "init", str(tmp_path), "--alipay", "2", "--wechat", "1",
        "--clock", "virtual", "--clock-start", "2026-03-02T10:00:00+08:00",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert len(json.loads(out)["accounts"]) == 3
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulators", "serve", "--config", str(tmp_path / "sim.yaml"),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
        assert ready["ready"] is True
        assert set(ready["simulators"]) == {"alipay", "wechat"}
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{ready['control']}/_sim/health") as reply:
                health = await reply.json()
            assert health["now"] == "2026-03-02T02:00:00+00:00"
            credentials = json.loads((tmp_path / "credentials.json").read_text())
            addresses = health["simulators"]["alipay"]["accounts"]
            assert [c["gateway_url"] for c in credentials if c["kind"] == "alipay"] == [
                f"{addresses[name]}/gateway.do" for name in ("alipay-1", "alipay-2")
            ]
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, rest) == (0, b"")


async def test_a_broken_configuration_is_refused_with_its_line(tmp_path: Path) -> None:
    """Exit 2, the complaint on standard error, nothing on standard output."""
    config = tmp_path / "sim.yaml"
    config.write_text("seed: 1\nsimulators:\n  - {name: a, kind: paypal}\n")
    code, out, err = await run("serve", "--config", str(config))
    assert (code, out) == (2, "")
    assert err.startswith("sim.yaml:3: simulators.0.kind: unknown")


def test_what_a_sandbox_holds(tmp_path: Path) -> None:
    """Credentials point at real keys, private ones for their owner alone, and ports differ."""
    credentials = make_sandbox(
        tmp_path, Wishes({"alipay": 2, "wechat_pay": 2}, notify_url="http://h/{account}")
    )
    for given in credentials:
        load_pem_private_key(Path(given["private_key_file"]).read_bytes(), None)
        load_pem_public_key(Path(given["platform_public_key_file"]).read_bytes())
    for private in (*tmp_path.glob("keys/*-private.pem"), tmp_path / "credentials.json"):
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
    urls = [c.get("gateway_url") or c["base_url"] for c in credentials]
    assert len(set(urls)) == 4
    plan = yaml.safe_load((tmp_path / "sim.yaml").read_text())
    told = [a["notify_url"] for s in plan["simulators"] for a in s["accounts"]]
    assert told == [f"http://h/{c['account']}" for c in credentials]


def test_a_sandbox_is_not_overwritten(tmp_path: Path) -> None:
    """A second `init` into the same folder is refused and changes nothing."""
    make_sandbox(tmp_path, Wishes({"alipay": 1}, port_base=21_000))
    before = (tmp_path / "credentials.json").read_bytes()
    with pytest.raises(FileExistsError):
        make_sandbox(tmp_path, Wishes({"alipay": 1, "wechat_pay": 1}))
    assert (tmp_path / "credentials.json").read_bytes() == before
    plan = yaml.safe_load((tmp_path / "sim.yaml").read_text())
    assert plan["control"]["port"] == 21_000
    assert plan["simulators"][0]["accounts"][0]["port"] == 21_001
