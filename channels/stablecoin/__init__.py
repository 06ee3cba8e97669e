"""Circle Mint: payouts in USD and EUR by bank wire, in USDC and EURC on a chain."""
