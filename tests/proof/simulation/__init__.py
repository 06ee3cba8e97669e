"""Proof layer L2: whole gateways, deterministic, in virtual time, under seeded faults.

`run` is what `make prove` calls; `python -m tests.proof.simulation --help` says the rest.
"""

from tests.proof.simulation.campaign import Result, run

__all__ = ["Result", "run"]
