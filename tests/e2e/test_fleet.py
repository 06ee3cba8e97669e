"""Several real processes on one PostgreSQL: killed, stopped, cut off. The books judge."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from gateway.store.member import WORKER_CLASS
from tests.e2e.fleet import LEASE_S, Fleet, fleet

SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = $1 AND datname = current_database()
"""
OF_WORKER = """
SELECT l.pid FROM pg_locks AS l
WHERE l.locktype = 'advisory' AND l.classid = $2 AND l.objid = $1 AND l.granted
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


async def test_killed_and_cut_off_each_payout_is_paid_once(
    tmp_path: Path, fresh_postgres_url: str
) -> None:
    """Under load one of three is killed, then every lock session and every writer session is cut:
    the others take over what was its, come back as new workers, and each payout is paid once."""
    async with fleet(tmp_path, fresh_postgres_url, 3) as here:
        workers = {(await here.ready(number))["worker"] for number in range(3)}
        assert len(workers) == 3
        slow = here.slow_down("700ms")
        asking = asyncio.create_task(here.ask_all(range(60), range(3)))
        await here.until_moved(12)
        here.send_signal(0, signal.SIGKILL)
        await here.until_moved(30)
        assert len(await here.database.fetch(SESSIONS, "hangdao-worker")) >= 2
        await here.until_moved(40)
        assert len(await here.database.fetch(SESSIONS, "hangdao")) >= 2
        assert here.world.remove_rule(slow)
        await asking
        await here.until_paid(60)
        await here.check(range(60), 1)
        later = {(await here.ready(number))["worker"] for number in (1, 2)}
        assert later.isdisjoint(workers)
        assert await _doubted_after_takeover(here) > 0
        print(f"killed and cut off: {here.twice}")  # noqa: T201 - for people who run it with -s


async def _doubted_after_takeover(here: Fleet) -> int:
    counted: int = await here.database.fetchval(
        "SELECT COUNT(*) FROM events WHERE kind = 'in_doubt' AND detail LIKE '%recovery%'"
    )
    return counted


async def test_a_stopped_process_keeps_its_payouts_until_its_session_is_lost(
    tmp_path: Path, fresh_postgres_url: str
) -> None:
    """SIGSTOP: nothing of it is taken over, and the other goes on. Its session is cut while it is
    stopped: now it is taken over. Woken, it changes nothing and sends nothing twice."""
    async with fleet(tmp_path, fresh_postgres_url, 2) as here:
        slow = here.slow_down("500ms")
        asking = asyncio.create_task(here.ask_all(range(20), (1,)))
        await here.until_moved(5)
        stopped: int = (await here.ready(1))["worker"]
        here.send_signal(1, signal.SIGSTOP)
        asking.cancel()
        await asyncio.sleep(LEASE_S + 2)
        gone = f"SELECT COUNT(*) FROM workers WHERE id = {stopped} AND gone_at IS NOT NULL"  # noqa: S608 - a number
        assert await here.database.fetchval(gone) == 0
        await here.ask_all(range(20, 40), (0,))
        await here.until(
            "SELECT COUNT(*) FROM payouts WHERE state = 'paid' AND amount_minor >= 20020", 20
        )
        assert here.world.remove_rule(slow)
        (holder,) = await here.database.fetch(OF_WORKER, stopped, WORKER_CLASS)
        assert await here.database.fetchval("SELECT pg_terminate_backend($1)", holder[0])
        await here.until(gone, 1)
        await here.ask_all(range(20), (0,))
        await here.until("SELECT COUNT(*) FROM payouts WHERE state = 'paid'", 40)
        here.send_signal(1, signal.SIGCONT)
        await here.until("SELECT COUNT(*) FROM workers WHERE gone_at IS NULL", 2)
        await here.until_paid(40)
        await here.check(range(40), 1)
        assert (await here.ready(1))["worker"] > stopped
        print(f"stopped: {here.twice}")  # noqa: T201 - as above


async def test_workers_share_a_port_and_leave_in_order(
    tmp_path: Path, fresh_postgres_url: str
) -> None:
    """`serve --workers 2`: both answer on one port; one that is killed comes back; SIGTERM while
    sends are in the air ends with 0, nothing in doubt, and nothing owned by anybody."""
    async with fleet(tmp_path, fresh_postgres_url, 1) as here:
        await here.gateways[0].stop()
        command = ("gateway", "serve", "--config", str(here.installation.config), "--workers", "2")
        together = await here.start(0, *command)
        present = "SELECT COUNT(*) FROM workers WHERE gone_at IS NULL"
        assert await here.database.fetchval(present) == 2
        seen = {(await here.ready(0))["worker"] for _ in range(40)}
        assert len(seen) == 2
        killed = await here.database.fetchval("SELECT pid FROM workers WHERE gone_at IS NULL")
        os.kill(killed, signal.SIGKILL)
        await here.until(f"SELECT COUNT(*) FROM workers WHERE id > {max(seen)}", 1)  # noqa: S608 - a number
        await here.until(present, 2)
        here.slow_down("800ms")
        await here.ask_all(range(10), (0,))
        await here.until_moved(10)
        here.send_signal(0, signal.SIGTERM)
        assert await together.wait() == 0
        assert await here.database.fetchval(present) == 0
        kinds = [row[0] for row in await here.database.fetch("SELECT kind FROM events")]
        assert (kinds.count("paid"), kinds.count("in_doubt")) == (10, 0)
        owned = "SELECT COUNT(*) FROM payouts WHERE worker <> 0 AND due_at IS NOT NULL"
        assert await here.database.fetchval(owned) == 0


SKEWED = """
import sys
from gateway.store import schema
from gateway.cli import main

real = schema.migrations
made_up = schema.Migration(
    9001, "made_up", "-- compatible: since 5\\nALTER TABLE payouts ADD COLUMN made_up TEXT;"
)
schema.migrations = lambda dialect: (*real(dialect), made_up)
sys.argv[0] = "hangdao"
main()
"""


async def test_a_program_and_its_successor_pay_side_by_side(
    tmp_path: Path, fresh_postgres_url: str
) -> None:
    """The schema is brought to a made-up next version that this one is marked to live with: the
    running program goes on, starts again on it, and shares the work with its successor."""
    (tmp_path / "skewed.py").write_text(SKEWED, encoding="utf-8")
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path.cwd())])}
    async with fleet(tmp_path, fresh_postgres_url, 2, env) as here:
        await here.ask_all(range(5), (0, 1))
        config = ("--config", str(here.installation.config))
        migrating = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "skewed", "migrate", *config),
            env={**os.environ, **here.installation.env},
        )
        assert await migrating.wait() == 0
        await here.gateways[1].stop()
        await here.start(1, "skewed", "serve", *config)
        await here.ask_all(range(5, 15), (0, 1))
        await here.gateways[0].stop()
        await here.start(0)
        await here.ask_all(range(15, 25), (0, 1))
        await here.until_paid(25)
        await here.check(range(25), 0)
        known = await here.database.fetch(
            "SELECT schema_version FROM workers WHERE gone_at IS NULL ORDER BY 1"
        )
        assert [row[0] for row in known][-1] == 9001
        assert len({row[0] for row in known}) == 2


async def test_several_workers_on_sqlite_are_refused(tmp_path: Path) -> None:
    """One sentence in each language, and nothing is started."""
    (tmp_path / "hangdao.yaml").write_text(
        "data_dir: data\n"
        "database: {url: 'sqlite:////tmp/x.db'}\n"
        f"secrets: {{kek: '{'A' * 43}=', key_pepper: '{'p' * 32}'}}\n",
        encoding="utf-8",
    )
    asked = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "serve", "--workers", "2"),
        *("--config", str(tmp_path / "hangdao.yaml")),
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    _, said = await asked.communicate()
    assert asked.returncode == 1
    assert "SQLite serves one process" in said.decode()
    assert "SQLite 仅支持单进程" in said.decode()
