"""Ways for money to leave: the channel contract, and one adapter per institution."""
