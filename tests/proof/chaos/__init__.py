"""Proof layer L5: real processes under real trouble.

A PostgreSQL primary with a synchronous standby, a Valkey, several gateway processes and the
simulators, every connection between them through a loopback proxy that can delay, drip, cut and
swallow. Processes are killed and stopped, the primary is lost and its standby promoted, while
merchants keep asking; then everything heals, and the books are held against the institutions'.
"""
