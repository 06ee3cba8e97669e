"""Routing benchmarks: PR-SR (success) and PR-COST (money)."""
