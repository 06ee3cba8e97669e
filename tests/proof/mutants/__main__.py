"""`python -m tests.proof.mutants [--only TEXT] [--cores N] [--keep]`: the seeded bugs."""

import argparse
import sys

from tests.proof.mutants.run import keep, run


def main() -> int:
    """Figures while it runs; a line of JSON last; 1 when a mutant was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.mutants")
    parser.add_argument("--only", default="", help="mutants whose name contains this")
    parser.add_argument("--cores", type=int, default=None, help="processes at a time")
    parser.add_argument("--keep", action="store_true", help="remember who found which mutant")
    given = parser.parse_args()
    result = run(_say, processes=given.cores, only=given.only)
    if given.keep:
        keep(result)
    _say(result.line())
    return 0 if result.holds else 1


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
