"""彩虹易支付 (Epay), V2 transfer API: a site of somebody, paying through channels of its own."""
