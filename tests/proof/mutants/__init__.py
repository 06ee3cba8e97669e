"""Proof layer L7: bugs seeded into our own rules, each of which another layer must find.

`python -m tests.proof.mutants` plants each bug of `catalogue` in a copy of its package, runs the
layers that should object, and says which one did, at which seed. The shipped code passes the same
seeds in the same run, so that no finding is a layer's own mistake.
"""

from tests.proof.mutants.run import Result, Row, run

__all__ = ["Result", "Row", "run"]
