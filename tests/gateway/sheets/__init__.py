"""Files of payouts."""
