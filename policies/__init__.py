"""Which channel carries a payout, and why: pure functions from facts to a Decision."""
