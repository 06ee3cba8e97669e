"""`python -m tests.proof.model [--deep] [--story RULE]`: figures live, stories, one JSON line."""

import argparse
import json
import sys
from dataclasses import asdict

from tests.proof.model.rules import HARMLESS, PROMISES, WRONG
from tests.proof.model.run import run, story


def main() -> int:
    """0 when the shipped rule holds and every wrong one was caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.model", description=__doc__)
    parser.add_argument("--deep", action="store_true", help="the larger bounds, some minutes")
    parser.add_argument("--story", metavar="RULE", help="tell one counterexample only")
    asked = parser.parse_args()
    if asked.story is not None:
        if story(asked.story, _say):
            return 0
        names = ", ".join(case.key for case in (*WRONG, *HARMLESS, *PROMISES))
        sys.stderr.write(f"there is no rule {asked.story!r}; there are: {names}\n")
        return 2
    result = run(asked.deep, _say)
    _say(json.dumps(asdict(result)))
    return int(result.violations > 0 or result.wrong_rules_caught < result.wrong_rules)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
