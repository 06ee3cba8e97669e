"""`hangdao audit` against a running gateway, and on what it leaves behind."""

import sqlite3
from contextlib import closing
from pathlib import Path

import orjson

from tests.gateway.cli.served import Process, Served, answer, configure, hangdao


def test_a_payout_is_proven_and_the_log_verified_while_it_runs(
    served: Served, tmp_path: Path
) -> None:
    """Checkpoint, proof to a file, verification: all beside the gateway."""
    made = served.ask(
        *("payout", "create", "--amount", "1.00", "--purpose", "货款"),
        *("--alipay", "zhangsan@example.com", "--name", "张三"),
    )
    checkpoint = served.ask("audit", "checkpoint")
    out = tmp_path / "proof.json"
    proof = served.ask("audit", "proof", made["id"], "--out", str(out))
    kept = tmp_path / "kept.note"
    kept.write_text(checkpoint["note"], encoding="utf-8")
    installation = served.installation
    verified = answer(
        hangdao(
            *("audit", "verify", "--config", str(installation.config)),
            *("--checkpoint", str(kept), "--json"),
            env=installation.env,
        )
    )

    assert orjson.loads(out.read_bytes()) == proof
    assert orjson.loads(proof["leaves"][0]["leaf"])["action"] == "payout.accepted"
    assert "payout.accepted" in served.run("audit", "proof", made["id"]).stdout
    assert verified["findings"] == []
    assert verified["leaves"] >= checkpoint["size"]


def test_what_was_tampered_with_is_named_and_exits_with_one(tmp_path: Path) -> None:
    """Stopping signs and exports the last checkpoint; a changed row is then found and named."""
    made = configure(tmp_path)
    text = made.config.read_text(encoding="utf-8")
    made.config.write_text(f"{text}audit: {{export_dir: outside}}\n", encoding="utf-8")
    config = ("--config", str(made.config))
    key = answer(
        hangdao("key", "create", "--operator", "--label", "x", *config, "--json", env=made.env)
    )
    gateway = Process(("serve", *config), made.env).start()
    added = hangdao(
        *("merchant", "add", "acme", "--name", "Acme"),
        *("--url", gateway.ready["url"], "--key", key["key"]),
    )
    assert added.exit_code == 0, added.stderr
    assert gateway.stop() == 0
    verify = ("audit", "verify", *config, "--checkpoint", str(tmp_path / "outside"))
    assert hangdao(*verify, env=made.env).exit_code == 0

    with closing(sqlite3.connect(tmp_path / "data" / "hangdao.db")) as database:
        database.execute("DROP TRIGGER audit_stays_the_same")
        database.execute("UPDATE audit SET actor = 'nobody' WHERE action = 'merchant.added'")
        database.commit()
    found = hangdao(*verify, env=made.env)
    as_json = hangdao(*verify, "--json", env=made.env)

    assert (found.exit_code, as_json.exit_code) == (1, 1)
    assert "edited: leaf 2, acme:" in found.stderr
    document = orjson.loads(as_json.stdout)["error"]
    assert document["code"] == "audit_broken"
    assert [(one["flaw"], one["subject"]) for one in document["findings"]] == [("edited", "acme")]


def test_checkpoints_of_another_key_are_refused(tmp_path: Path) -> None:
    """Whoever verifies elsewhere gives the public key; a wrong one makes every note worthless."""
    made = configure(tmp_path)
    config = ("--config", str(made.config))
    gateway = Process(("serve", *config), made.env).start()
    assert gateway.stop() == 0
    wrong = "A" * 43 + "="
    found = hangdao("audit", "verify", *config, "--key", wrong, env=made.env)
    assert (found.exit_code, "no trusted key" in found.stderr) == (1, True)
    assert hangdao("audit", "verify", *config, "--key", "?", env=made.env).exit_code == 2
