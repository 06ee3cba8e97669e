"""Jeepay and its hosted resellers as a channel: `/api/transferOrder` (dialects.md §1)."""
