"""Proofs: that no payout is paid twice, lost, or silently stuck."""
