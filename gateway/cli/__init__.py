"""The command line `hangdao`: what operators and scripts do, over the HTTP API or on the spot."""

from gateway.cli.root import main

__all__ = ["main"]
