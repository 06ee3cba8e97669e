"""Other platforms' payout protocols on the same engine: each a thin translation, both ways."""
