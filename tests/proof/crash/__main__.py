"""`python -m tests.proof.crash [SCENE …] [--twice]`: die everywhere, figures as JSON at the end."""

import argparse
import sys
from dataclasses import asdict

import orjson

from tests.proof.crash.run import run


def main() -> int:
    """1 when anything was found, or a control was not."""
    parser = argparse.ArgumentParser(prog="tests.proof.crash")
    parser.add_argument("scenes", nargs="*")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--twice", action="store_true")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    result = run(
        given.seed,
        lambda line: print(line, flush=True),  # noqa: T201 - a command's output
        scenes=tuple(given.scenes),
        every=not given.quick,
        twice=given.twice,
        processes=given.processes,
    )
    sys.stdout.write(orjson.dumps(asdict(result)).decode() + "\n")
    return 0 if result.holds else 1


if __name__ == "__main__":
    sys.exit(main())
