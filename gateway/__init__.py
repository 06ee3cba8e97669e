"""Hangdao 航道: routes payouts over channels, and fails over without ever paying twice."""
