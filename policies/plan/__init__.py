"""The month's plan: which share of which payouts each channel gets, so that tiers are reached.

`classes` and `forecast` say what is expected, `layout` prices it, `milp` (or `greedy` without the
solver) divides it, `make` turns that into a `model.Plan`, `follow` keeps each decision to it and
`drift` tells when the month goes another way.
"""
