"""A bank as a payout customer meets it: ISO 20022 files over HTTP or in folders, and its books."""
