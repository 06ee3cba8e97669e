"""WeChat Pay API v3, the channel's side of the wire: merchant transfers, balances and bills."""
