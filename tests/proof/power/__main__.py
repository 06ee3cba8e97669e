"""`python -m tests.proof.power [--cuts N] [--seed S] [--replay SEED]`: figures, one JSON line."""

import argparse
import json
import sys
from dataclasses import asdict

from tests.proof.power.run import replay, run
from tests.proof.power.stepped import Durability


def main() -> int:
    """0 when nothing was lost, torn or sent unarmed, and every control was caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.power", description=__doc__)
    parser.add_argument("--cuts", type=int, default=5_000, help="at least so many")
    parser.add_argument("--seed", type=int, default=1, help="the first story's seed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--replay", type=int, metavar="SEED", help="tell one story, call by call")
    parser.add_argument(
        "--durability",
        choices=[*Durability],
        default=Durability.FULL,
        help="with --replay: how the store is run; only full is the product",
    )
    asked = parser.parse_args()
    if asked.replay is not None:
        tale = replay(asked.replay, _say, Durability(asked.durability))
        told = {"power_cuts": tale.cuts, "lost": tale.lost, "torn": tale.torn}
        _say(json.dumps({**told, "unarmed": tale.unarmed}))
        return int(bool(tale.lost or tale.torn or tale.unarmed))
    result = run(asked.cuts, asked.seed, _say, processes=asked.processes)
    _say(json.dumps(asdict(result)))
    return int(not result.holds)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
