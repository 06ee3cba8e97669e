"""XxPay gateways and their clones as a channel: `/api/agentpay/*` (dialects.md §3.1)."""
