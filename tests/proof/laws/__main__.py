"""`python -m tests.proof.laws [--steps N] [--seed S]`: figures as JSON at the end."""

import argparse
import sys
from dataclasses import asdict

import orjson

from tests.proof.laws.run import run


def main() -> int:
    """1 when anything was found, or a control was not."""
    parser = argparse.ArgumentParser(prog="tests.proof.laws")
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    result = run(
        given.steps,
        given.seed,
        lambda line: print(line, flush=True),  # noqa: T201 - a command's output
        processes=given.processes,
    )
    sys.stdout.write(orjson.dumps(asdict(result)).decode() + "\n")
    return 0 if result.holds else 1


if __name__ == "__main__":
    sys.exit(main())
