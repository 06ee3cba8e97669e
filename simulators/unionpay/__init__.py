"""UnionPay 全渠道 (ACP 5.1.0), payouts (代付): see `core` for the way in."""
