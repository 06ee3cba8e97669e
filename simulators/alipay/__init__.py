"""Alipay's open platform as a payout customer meets it: fund transfer, query, balance, bills."""
