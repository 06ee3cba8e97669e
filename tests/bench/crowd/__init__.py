"""Callers and their webhook receiver as one process of its own, driven over a loopback socket.

The load has to cost little beside what it measures: requests are made of prepared bytes, answers
and webhooks are read by hand. Every webhook's signature is verified, as a merchant would.
"""
