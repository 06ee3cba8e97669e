"""WeChat Pay API v3, the merchant's side: payouts to wallets, notices, fund-flow bills."""
