"""A simulated Circle Mint: fiat payouts, crypto payouts, balances, rates, SNS and ECDSA notices."""
