"""The other side of the wire: payout institutions to test against, on loopback.

Written from their specifications, sharing no code with the adapters under test.
"""
