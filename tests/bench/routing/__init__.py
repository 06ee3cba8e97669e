"""How well payouts are routed: success (PR-SR), cost (PR-COST), speed."""
