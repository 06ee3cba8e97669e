"""A stock 彩虹易支付 (Epay) site with its V2 transfer API, and the channel that lies behind it."""
