"""What a sandbox hands out for UnionPay: complete, usable, and private where it must be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography import x509
from pydantic import ValidationError

from simulators.faults import Faults
from simulators.opening import Wishes
from simulators.sandbox import make_sandbox
from simulators.scenario import load
from simulators.unionpay.core import build
from simulators.unionpay.settings import Settings
from simulators.world import World
from tests.simulators.unionpay.merchant import account, config


def test_sandbox_serves_with_what_it_hands_out(tmp_path: Path) -> None:
    """Two merchants, each with a certificate under the one root."""
    credentials = make_sandbox(
        tmp_path, Wishes(accounts={"unionpay": 2}, notify_url="http://127.0.0.1:1/{account}")
    )
    plan, source = load(tmp_path / "sim.yaml")
    world = World(plan, source)
    rows = world.shells["unionpay"].simulator.accounts()
    for shell in world.shells.values():
        shell.release()
    assert [row["mer_id"] for row in rows] == [one["mer_id"] for one in credentials]
    assert len({one["mer_id"] for one in credentials}) == 2
    for one in credentials:
        leaf, middle, root = (
            x509.load_pem_x509_certificate(Path(one[name]).read_bytes())
            for name in ("certificate_file", "middle_cert_file", "root_cert_file")
        )
        leaf.verify_directly_issued_by(middle)
        middle.verify_directly_issued_by(root)
        assert Path(one["private_key_file"]).stat().st_mode & 0o077 == 0


def test_signing_certificate_has_unionpays_name(tmp_path: Path) -> None:
    """In the third part."""
    make_sandbox(tmp_path, Wishes(accounts={"unionpay": 1}))
    text = (tmp_path / "keys" / "unionpay-signing.pem").read_bytes()
    subject = x509.load_pem_x509_certificate(text).subject.rfc4514_string()
    assert "@中国银联股份有限公司@" in subject
    assert json.loads((tmp_path / "credentials.json").read_text())[0]["kind"] == "unionpay"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"surprise": 1}, "Extra inputs"),
        ({"accounts": [account(), account()]}, "share one"),
        ({"accounts": [account(mer_id="1")]}, "should match pattern"),
        ({"accounts": [account(certificate="x")]}, "not a PEM certificate"),
        ({"signing_certificate": config()["encrypt_certificate"]}, "about another key"),
        ({"settle_cutoff_hour": 25}, "less than or equal"),
    ],
)
def test_bad_configuration_is_refused(changes: dict[str, object], why: str) -> None:
    """With words."""
    with pytest.raises(ValidationError, match=why):
        Settings.model_validate(config() | changes)


def test_core_is_built_of_its_section() -> None:
    """The registry's way in."""
    simulator = build(config(), seed=3, faults=Faults())
    assert (simulator.kind, simulator.name, simulator.next_tick_at()) == (
        "unionpay",
        "unionpay",
        None,
    )
    assert len(simulator.magic()) > 20
