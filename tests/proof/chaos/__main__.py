"""`python -m tests.proof.chaos [--minutes M] [--seed N] [--keep DIR]`: trouble, then judgement."""

import argparse
import sys
from pathlib import Path

from tests.proof.chaos.run import run


def main() -> int:
    """Strikes as they come; a line of JSON last; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.chaos")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=1, help="which trouble")
    parser.add_argument("--keep", type=Path, default=None, help="a new folder for every log")
    given = parser.parse_args()
    result = run(given.minutes, _say, seed=given.seed, keep=given.keep)
    _say(result.line())
    return 0 if result.holds else 1


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
